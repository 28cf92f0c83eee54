import Foundation

/// Tables: aligned on a terminal, tab-separated in a pipe.
enum Table {
    static func print(_ header: [String], _ rows: [[String]]) {
        guard Console.isTerminal(STDOUT_FILENO) else {
            for row in rows { Console.result(row.joined(separator: "\t")) }
            return
        }
        let widths = header.indices.map { column in
            ([header] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        for row in [header] + rows {
            let cells = row.indices.map { row[$0].padding(toLength: widths[$0], withPad: " ", startingAt: 0) }
            Console.result(cells.joined(separator: "  ").replacing(/\s+$/, with: ""))
        }
        if rows.isEmpty { Console.note("(none)") }
    }

    /// A point of time in the local zone.
    static func time(_ milliseconds: Int64?) -> String {
        guard let milliseconds else { return "-" }
        let formatter = DateFormatter()
        formatter.dateFormat = "yyyy-MM-dd HH:mm:ss"
        return formatter.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1000))
    }

    /// A size in bytes, for people.
    static func size(_ bytes: Int) -> String {
        bytes < 10_000 ? "\(bytes) B" : bytes < 10_000_000 ? "\(bytes / 1000) kB" : "\(bytes / 1_000_000) MB"
    }
}

/// A bar on a terminal's standard error; a line per ten percent elsewhere.
final class ProgressBar {
    private let label: String
    private let total: Int
    private let isLive = Console.isTerminal(STDERR_FILENO)
    private var shown = -1
    private let started = Date()

    init(_ label: String, total: Int) {
        self.label = label
        self.total = total
    }

    func advance(to count: Int) {
        let percent = total == 0 ? 100 : count * 100 / total
        let step = isLive ? percent : percent / 10 * 10
        guard step > shown else { return }
        shown = step
        guard isLive else { return Console.note("\(label) \(step) %") }
        let filled = percent / 5
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
        let rate = Double(count) / max(0.001, -started.timeIntervalSinceNow) / 1_000_000
        let text = String(format: "%.1f MB/s", rate)
        let end = percent == 100 ? "\n" : ""
        FileHandle.standardError.write(Data("\r\(label) [\(bar)] \(percent) %  \(text)  \(end)".utf8))
    }
}

extension Console {
    /// Tells of a failure on standard error, as JSON where `--json` was asked for.
    static func report(_ failure: CommandFailure) {
        guard CommandLine.arguments.contains("--json") else { return note("apus: \(failure)") }
        let body: [String: Any] = [
            "error": failure.what, "why": failure.why, "advice": failure.advice, "code": Int(failure.code.rawValue),
        ]
        let data =
            (try? JSONSerialization.data(withJSONObject: body, options: [.sortedKeys, .withoutEscapingSlashes]))
            ?? Data()
        note(String(decoding: data, as: UTF8.self))
    }
}
