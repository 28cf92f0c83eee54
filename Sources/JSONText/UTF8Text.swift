/// Well-formedness of UTF-8 (RFC 3629 §4).
public enum UTF8Text {
    /// Offset of the first byte that begins no well-formed sequence, or `nil` where all of `text` is UTF-8.
    public static func firstFault(in text: Span<UInt8>) -> Int? {
        var index = 0
        while index < text.count {
            let count = sequence(at: index, in: text)
            guard count > 0 else { return index }
            index += count
        }
        return nil
    }

    /// Bytes of the well-formed sequence at `index`.
    ///
    /// One to four, or 0 where none begins there.
    ///
    /// - Parameters:
    ///   - index: 0 ..< `text.count`.
    ///   - text: The bytes around it.
    public static func sequence(at index: Int, in text: Span<UInt8>) -> Int {
        let lead = text[index]
        if lead < 0x80 { return 1 }
        let room = text.count - index
        switch lead {
        case 0xC2...0xDF:
            return room > 1 && isTail(text[index + 1]) ? 2 : 0
        case 0xE0...0xEF:
            guard room > 2, isTail(text[index + 2]) else { return 0 }
            return isSecond(text[index + 1], after: lead) ? 3 : 0
        case 0xF0...0xF4:
            guard room > 3, isTail(text[index + 2]), isTail(text[index + 3]) else { return 0 }
            return isSecond(text[index + 1], after: lead) ? 4 : 0
        default:
            return 0
        }
    }

    private static func isTail(_ byte: UInt8) -> Bool {
        byte & 0xC0 == 0x80
    }

    /// The second byte carries the limits: no overlong form, no surrogate, nothing above U+10FFFF.
    private static func isSecond(_ byte: UInt8, after lead: UInt8) -> Bool {
        switch lead {
        case 0xE0: 0xA0...0xBF ~= byte
        case 0xED: 0x80...0x9F ~= byte
        case 0xF0: 0x90...0xBF ~= byte
        case 0xF4: 0x80...0x8F ~= byte
        default: isTail(byte)
        }
    }
}
