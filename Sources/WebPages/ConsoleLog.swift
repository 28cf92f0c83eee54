import ByteKit
import Foundation
import JSONText
import Store

/// A line of a device's log as the console shows it.
struct ConsoleLogLine {
    var id: String
    var at: When
    var level: String
    /// `error`, `warning`, `info` or `debug`.
    var tone: String
    var text: String

    init(_ line: LogLine) {
        id = "\(line.id)"
        at = .clock(line.received, withMilliseconds: true)
        level = line.level.lowercased()
        tone =
            switch line.level.first {
            case "E", "F", "C": "error"
            case "W": "warning"
            case "D", "T": "debug"
            default: "info"
            }
        text = Self.text(of: Array(line.line.utf8))
    }

    /// The message, then the other members as `key=JSON`.
    private static func text(of bytes: [UInt8]) -> String {
        let text = bytes.span
        guard let top = try? JSONScanner.validate(text, maximumDepth: 32) else {
            return String(decoding: bytes, as: UTF8.self)
        }
        var message: [UInt8] = []
        var others: [String] = []
        var members = JSONScanner.members(of: top)
        while let member = members.next(in: text) {
            if JSONScanner.keyEquals(member, "message", in: text) {
                if !JSONScanner.string(of: member.value, in: text, into: &message) {
                    message = Array(bytes[member.value.start..<member.value.end])
                }
            } else if !JSONScanner.keyEquals(member, "timestamp", in: text),
                !JSONScanner.keyEquals(member, "level", in: text),
                !JSONScanner.keyEquals(member, "thingName", in: text)
            {
                let key = String(decoding: bytes[member.key.start..<member.key.end], as: UTF8.self)
                others.append(
                    "\(key)=\(String(decoding: bytes[member.value.start..<member.value.end], as: UTF8.self))")
            }
        }
        let said = String(decoding: message, as: UTF8.self)
        return ((said.isEmpty ? [] : [said]) + others).joined(separator: " ")
    }
}
