public import ByteKit

/// The characters of a JSON string as UTF-8, one byte at a time, escapes resolved (RFC 8259 §7).
///
/// Takes any bytes: an escape that is none is passed on as it stands, a lone surrogate becomes U+FFFD.
public struct JSONStringReader: Sendable {
    private var position: Int
    private let end: Int
    /// Bytes of a resolved escape that were not handed out yet, the next one lowest.
    private var pending: UInt32 = 0

    /// Reads what lies between the quotes at `inside`; what reaches beyond the text is left out.
    public init(inside range: ByteRange, in text: Span<UInt8>) {
        let bounds = JSONScanner.bounds(of: range, in: text)
        position = bounds.start
        end = bounds.end
    }

    /// The next byte, or `nil` at the end.
    public mutating func next(in text: Span<UInt8>) -> UInt8? {
        if pending != 0 {
            let byte = UInt8(truncatingIfNeeded: pending)
            pending >>= 8
            return byte
        }
        guard position < end, position < text.count else { return nil }
        let byte = text[position]
        position += 1
        guard byte == Mark.backslash, position < end, position < text.count else { return byte }
        return resolve(text)
    }

    /// Resolves the escape whose letter is at the position.
    private mutating func resolve(_ text: Span<UInt8>) -> UInt8 {
        let letter = text[position]
        position += 1
        switch letter {
        case 0x62: return 0x08
        case 0x66: return 0x0C
        case 0x6E: return 0x0A
        case 0x72: return 0x0D
        case 0x74: return 0x09
        case 0x75: return resolveUnit(text)
        default: return letter
        }
    }

    private mutating func resolveUnit(_ text: Span<UInt8>) -> UInt8 {
        guard end - position >= 4, let unit = Self.hexUnit(at: position, in: text) else { return 0x75 }
        position += 4
        guard unit & 0xF800 == 0xD800 else { return encode(unit) }
        guard unit < 0xDC00, end - position >= 6, text.count > position, text[position] == Mark.backslash,
            let low = Self.lowSurrogate(at: position, in: text), low & 0xFC00 == 0xDC00
        else { return encode(0xFFFD) }
        position += 6
        return encode(0x10000 + ((unit & 0x3FF) << 10 | low & 0x3FF))
    }

    /// Keeps the bytes behind the first one of a scalar's UTF-8 and answers that.
    ///
    /// None of them is zero, so `pending` needs no count.
    private mutating func encode(_ scalar: UInt32) -> UInt8 {
        func tail(_ shift: UInt32) -> UInt32 { 0x80 | (scalar >> shift & 0x3F) }
        if scalar < 0x80 {
            return UInt8(truncatingIfNeeded: scalar)
        } else if scalar < 0x800 {
            pending = tail(0)
            return UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6)
        } else if scalar < 0x10000 {
            pending = tail(6) | tail(0) << 8
            return UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12)
        }
        pending = tail(12) | tail(6) << 8 | tail(0) << 16
        return UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18)
    }

    /// The number that four hexadecimal digits at `index` write.
    static func hexUnit(at index: Int, in text: Span<UInt8>) -> UInt32? {
        guard text.count - index >= 4 else { return nil }
        var unit: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = Mark.hexadecimal(text[index + offset]) else { return nil }
            unit = unit << 4 | digit
        }
        return unit
    }

    /// The unit of the `\uXXXX` at `index`, whose backslash the caller has seen.
    static func lowSurrogate(at index: Int, in text: Span<UInt8>) -> UInt32? {
        guard text.count - index >= 6, text[index + 1] == 0x75 else { return nil }
        return hexUnit(at: index + 2, in: text)
    }
}
