import Foundation
import NIOCore
import Synchronization

/// Where the demo's server is.
final class DemoState: Sendable {
    private struct Place {
        var addresses: [String: String] = [:]
        var token = ""
    }

    private let place = Mutex(Place())

    func set(_ addresses: [String: String], _ token: String) {
        place.withLock { $0 = Place(addresses: addresses, token: token) }
    }

    func address(_ name: String) -> String {
        place.withLock { $0.addresses[name] ?? "" }
    }

    func client() -> Client {
        let token = place.withLock { $0.token }
        return Client(server: "http://\(address("http"))", token: token, authorityFile: "")
    }
}

/// One event of `/app/listen`.
struct DemoEvent: Decodable, Sendable {
    var kind = ""
    var device: String
    var version: String?
    var state: String
    var percent: Int?
    var reason: String?

    private enum CodingKeys: String, CodingKey {
        case device, version, state, percent, reason
    }
}

/// Reads server-sent events from a body.
struct EventLines<Body: AsyncSequence>: AsyncSequence where Body.Element == ByteBuffer {
    typealias Element = DemoEvent
    private let body: Body

    init(_ body: Body) {
        self.body = body
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        var body: Body.AsyncIterator
        var rest = Data()
        var kind = ""

        mutating func next() async throws -> DemoEvent? {
            while true {
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
                    rest = Data(rest[(end + 1)...])
                    if line.hasPrefix("event: ") { kind = String(line.dropFirst(7)) }
                    if line.hasPrefix("data: "), kind != "state",
                        var event = try? JSONDecoder().decode(DemoEvent.self, from: Data(line.dropFirst(6).utf8))
                    {
                        event.kind = kind
                        return event
                    }
                }
                guard let piece = try await body.next() else { return nil }
                rest.append(contentsOf: piece.readableBytesView)
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(body: body.makeAsyncIterator())
    }
}

/// Shows the devices' progress: redrawn in place on a terminal, a line per step elsewhere.
final class ProgressBoard {
    private let devices: [String]
    private var lines: [String: String] = [:]
    private var steps: [String: String] = [:]
    private let isLive = Console.isTerminal(STDOUT_FILENO)
    private var isDrawn = false

    init(_ devices: [String]) {
        self.devices = devices
    }

    /// Prints a line above the bars.
    func note(_ text: String) {
        erase()
        Console.result("demo: \(text)")
        draw()
    }

    /// Shows where one device stands.
    func show(_ device: String, _ state: String, _ percent: Int) {
        let filled = max(0, min(20, percent / 5))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
        lines[device] = "  \(device)  [\(bar)] \(percent) %  \(state)"
        guard isLive else {
            let step = "\(state) \(percent / 10)"
            guard steps.updateValue(step, forKey: device) != step else { return }
            return Console.result("demo: \(device) \(state) \(percent) %")
        }
        erase()
        draw()
    }

    private func erase() {
        guard isLive, isDrawn else { return }
        FileHandle.standardOutput.write(Data("\u{1B}[\(devices.count)A\u{1B}[J".utf8))
        isDrawn = false
    }

    private func draw() {
        guard isLive, !lines.isEmpty else { return }
        for device in devices {
            Console.result(lines[device] ?? "  \(device)")
        }
        isDrawn = true
    }
}
