import ByteKit
import JSONText

/// Metadata in the shape that clients see: every leaf is `{"timestamp":seconds}`.
enum MetadataWriter {
    /// Writes stored metadata, whose leaves are bare seconds.
    static func expand(_ tape: JSONTape, _ text: [UInt8], _ index: Int, to sink: inout [UInt8]) {
        JSONCopy.write(tape, text, index, to: &sink) { leaf, sink in
            sink.append("{\"timestamp\":" as StaticString)
            sink.append(contentsOf: text[leaf.start..<leaf.end])
            sink.append(UInt8(ascii: "}"))
        }
    }

    /// Writes the metadata of a request's value: one time for every leaf, nulls included.
    static func stamp(_ tape: JSONTape, _ text: [UInt8], _ index: Int, _ seconds: UInt64, to sink: inout [UInt8]) {
        JSONCopy.write(tape, text, index, to: &sink) { _, sink in
            sink.append("{\"timestamp\":" as StaticString)
            sink.appendDecimal(seconds)
            sink.append(UInt8(ascii: "}"))
        }
    }
}

/// Writes a value anew: without white space and superseded members, with its leaves as the caller wants them.
enum JSONCopy {
    /// Writes a value as it was sent.
    static func compact(_ tape: JSONTape, _ text: [UInt8], _ index: Int, to sink: inout [UInt8]) {
        write(tape, text, index, to: &sink) { leaf, sink in
            sink.append(contentsOf: text[leaf.start..<leaf.end])
        }
    }

    static func write(
        _ tape: JSONTape, _ text: [UInt8], _ index: Int, to sink: inout [UInt8],
        leaf: (ByteRange, inout [UInt8]) -> Void
    ) {
        let token = tape.tokens[index]
        switch token.kind {
        case .object:
            sink.append(UInt8(ascii: "{"))
            var members = tape.members(of: index)
            var isFirst = true
            while let member = members.next(in: tape) {
                if !isFirst { sink.append(UInt8(ascii: ",")) }
                isFirst = false
                let name = tape.tokens[member.name].range
                // The quotes stand around the range.
                sink.append(contentsOf: text[(name.start - 1)..<(name.end + 1)])
                sink.append(UInt8(ascii: ":"))
                write(tape, text, member.value, to: &sink, leaf: leaf)
            }
            sink.append(UInt8(ascii: "}"))
        case .array:
            sink.append(UInt8(ascii: "["))
            var next = index + 1
            while next < tape.end(of: index) {
                if next > index + 1 { sink.append(UInt8(ascii: ",")) }
                write(tape, text, next, to: &sink, leaf: leaf)
                next = tape.end(of: next)
            }
            sink.append(UInt8(ascii: "]"))
        default:
            leaf(token.range, &sink)
        }
    }
}
