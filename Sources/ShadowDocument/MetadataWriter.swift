import ByteKit
import JSONText

/// Metadata in the shape that clients see: every leaf is `{"timestamp":seconds}`.
enum MetadataWriter {
    /// Writes stored metadata, whose leaves are bare seconds.
    static func expand(_ tape: JSONTape, _ text: [UInt8], _ index: Int, to sink: inout [UInt8]) {
        let token = tape.tokens[index]
        switch token.kind {
        case .object:
            sink.append(UInt8(ascii: "{"))
            var members = tape.members(of: index)
            var isFirst = true
            while let member = members.next(in: tape) {
                name(tape.tokens[member.name], text, isFirst: isFirst, to: &sink)
                isFirst = false
                expand(tape, text, member.value, to: &sink)
            }
            sink.append(UInt8(ascii: "}"))
        case .array:
            elements(tape, index, to: &sink) { expand(tape, text, $0, to: &$1) }
        default:
            sink.append("{\"timestamp\":" as StaticString)
            sink.append(contentsOf: text[token.range.start..<token.range.end])
            sink.append(UInt8(ascii: "}"))
        }
    }

    /// Writes the metadata of a request's value: one time for every leaf, nulls included.
    static func stamp(_ tape: JSONTape, _ text: [UInt8], _ index: Int, _ seconds: UInt64, to sink: inout [UInt8]) {
        switch tape.tokens[index].kind {
        case .object:
            sink.append(UInt8(ascii: "{"))
            var members = tape.members(of: index)
            var isFirst = true
            while let member = members.next(in: tape) {
                name(tape.tokens[member.name], text, isFirst: isFirst, to: &sink)
                isFirst = false
                stamp(tape, text, member.value, seconds, to: &sink)
            }
            sink.append(UInt8(ascii: "}"))
        case .array:
            elements(tape, index, to: &sink) { stamp(tape, text, $0, seconds, to: &$1) }
        default:
            sink.append("{\"timestamp\":" as StaticString)
            sink.appendDecimal(seconds)
            sink.append(UInt8(ascii: "}"))
        }
    }

    /// Writes a value as it was sent, without white space and superseded members.
    static func compact(_ tape: JSONTape, _ text: [UInt8], _ index: Int, to sink: inout [UInt8]) {
        let token = tape.tokens[index]
        switch token.kind {
        case .object:
            sink.append(UInt8(ascii: "{"))
            var members = tape.members(of: index)
            var isFirst = true
            while let member = members.next(in: tape) {
                name(tape.tokens[member.name], text, isFirst: isFirst, to: &sink)
                isFirst = false
                compact(tape, text, member.value, to: &sink)
            }
            sink.append(UInt8(ascii: "}"))
        case .array:
            elements(tape, index, to: &sink) { compact(tape, text, $0, to: &$1) }
        default:
            sink.append(contentsOf: text[token.range.start..<token.range.end])
        }
    }

    private static func name(_ token: JSONToken, _ text: [UInt8], isFirst: Bool, to sink: inout [UInt8]) {
        if !isFirst { sink.append(UInt8(ascii: ",")) }
        sink.append(contentsOf: text[(token.range.start - 1)..<(token.range.end + 1)])
        sink.append(UInt8(ascii: ":"))
    }

    private static func elements(
        _ tape: JSONTape, _ index: Int, to sink: inout [UInt8], _ write: (Int, inout [UInt8]) -> Void
    ) {
        sink.append(UInt8(ascii: "["))
        var next = index + 1
        while next < tape.end(of: index) {
            if next > index + 1 { sink.append(UInt8(ascii: ",")) }
            write(next, &sink)
            next = tape.end(of: next)
        }
        sink.append(UInt8(ascii: "]"))
    }
}
