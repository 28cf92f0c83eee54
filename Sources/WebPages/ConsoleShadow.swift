import ByteKit
import Foundation
import JSONText

/// A shadow as a table: each leaf of desired and reported side by side.
struct ShadowTable {
    struct Row {
        var key: String
        var path: String
        var desired: String?
        var reported: String?
        var differs: Bool
    }

    /// Rows shown; a shadow has 8 KiB, so more of them are rare.
    private static let limit = 300

    var rows: [Row] = []

    /// - Parameter document: `{"desired":{…},"reported":{…}}`.
    init(_ document: [UInt8]) {
        let text = document.span
        guard let top = try? JSONScanner.validate(text, maximumDepth: 64) else { return }
        var desired = Leaves()
        var reported = Leaves()
        if let value = JSONScanner.member("desired", of: top, in: text) { desired.add(value, at: "", in: text) }
        if let value = JSONScanner.member("reported", of: top, in: text) { reported.add(value, at: "", in: text) }
        let others = reported.paths.filter { desired.values[$0] == nil }
        rows = (desired.paths + others).prefix(Self.limit).map { path in
            let (wish, report) = (desired.values[path], reported.values[path])
            // What is only reported is no difference: nobody wishes anything else.
            return Row(key: path, path: path, desired: wish, reported: report, differs: wish != nil && wish != report)
        }
    }

    /// The values of a JSON text that hold no others, by path.
    private struct Leaves {
        var paths: [String] = []
        var values: [String: String] = [:]

        mutating func add(_ value: ByteRange, at path: String, in text: Span<UInt8>) {
            switch JSONScanner.kind(of: value, in: text) {
            case .object:
                var members = JSONScanner.members(of: value)
                while let member = members.next(in: text) {
                    // A name is a string without its quotes.
                    let quoted = ByteRange(start: member.key.start - 1, count: member.key.count + 2)
                    var name: [UInt8] = []
                    JSONScanner.string(of: quoted, in: text, into: &name)
                    let part = String(decoding: name, as: UTF8.self)
                    add(member.value, at: path.isEmpty ? part : "\(path).\(part)", in: text)
                }
            case .array:
                var elements = JSONScanner.elements(of: value)
                var index = 0
                while let element = elements.next(in: text) {
                    add(element, at: "\(path)[\(index)]", in: text)
                    index += 1
                }
            default:
                let bytes = (value.start..<value.end).map { text[$0] }
                if values.updateValue(String(decoding: bytes, as: UTF8.self), forKey: path) == nil {
                    paths.append(path)
                }
            }
        }
    }

    /// The document indented, for reading.
    static func indented(_ document: [UInt8]) -> String {
        var out: [UInt8] = []
        var depth = 0
        var isText = false
        var isEscaped = false
        func line() {
            out.append(UInt8(ascii: "\n"))
            out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * max(0, depth)))
        }
        for byte in document {
            if isText {
                out.append(byte)
                isText = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isText = true
                out.append(byte)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                out.append(byte)
                line()
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                line()
                out.append(byte)
            case UInt8(ascii: ","):
                out.append(byte)
                line()
            case UInt8(ascii: ":"): out += [byte, UInt8(ascii: " ")]
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
