public import ByteKit

/// Writes the parts of a JSON text into any sink; commas and brackets are the caller's.
public enum JSONWriter {
    /// Writes a string: quotes around it, escapes where RFC 8259 §7 asks for them.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, so that the text stays JSON whatever comes in.
    @inlinable
    public static func string(_ content: Span<UInt8>, to sink: inout some ByteSink) {
        sink.append(0x22)
        var index = 0
        while index < content.count {
            let count = UTF8Text.sequence(at: index, in: content)
            if count == 0 {
                sink.append("\u{FFFD}")
                index += 1
            } else if count == 1 {
                character(content[index], to: &sink)
                index += 1
            } else {
                sink.append(content.extracting(index..<index + count))
                index += count
            }
        }
        sink.append(0x22)
    }

    /// Writes a literal as a string: quotes around it, escapes where RFC 8259 §7 asks for them.
    @inlinable
    public static func string(_ content: StaticString, to sink: inout some ByteSink) {
        sink.append(0x22)
        let count = content.utf8CodeUnitCount
        for index in 0..<count {
            character(unsafe content.utf8Start[index], to: &sink)
        }
        sink.append(0x22)
    }

    /// Writes a member's name and the colon behind it.
    @inlinable
    public static func key(_ name: StaticString, to sink: inout some ByteSink) {
        string(name, to: &sink)
        sink.append(0x3A)
    }

    /// Writes a member's name and the colon behind it.
    @inlinable
    public static func key(_ name: Span<UInt8>, to sink: inout some ByteSink) {
        string(name, to: &sink)
        sink.append(0x3A)
    }

    /// Writes one byte of a string's UTF-8, escaped where it is a control, a quote or a backslash.
    @inlinable
    static func character(_ byte: UInt8, to sink: inout some ByteSink) {
        switch byte {
        case 0x22, 0x5C:
            sink.append(0x5C)
            sink.append(byte)
        case 0x0A:
            sink.append("\\n")
        case 0x0D:
            sink.append("\\r")
        case 0x09:
            sink.append("\\t")
        case 0x00..<0x20:
            sink.append("\\u00")
            sink.append(hexadecimal(byte >> 4))
            sink.append(hexadecimal(byte & 15))
        default:
            sink.append(byte)
        }
    }

    @inlinable
    static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? 0x30 + digit : 0x57 + digit
    }
}
