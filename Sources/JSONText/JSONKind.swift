/// The seven kinds of value of RFC 8259 §3.
public enum JSONKind: UInt8, Equatable, Sendable {
    /// Members in braces.
    case object
    /// Elements in brackets.
    case array
    /// Characters in quotes.
    case string
    /// Decimal digits, perhaps with a fraction and an exponent.
    case number
    /// The literal `true`.
    case `true`
    /// The literal `false`.
    case `false`
    /// The literal `null`.
    case null

    /// Whether values of this kind hold other values.
    @inlinable public var isContainer: Bool { rawValue <= JSONKind.array.rawValue }
}

/// Why a text was not taken as JSON.
///
/// Offsets count bytes from its start.
public enum JSONFault: Error, Equatable, Sendable {
    /// The byte at this offset, or the end there, breaks the grammar of RFC 8259.
    case malformed(at: Int)
    /// The container that opens at this offset lies deeper than the reader allows.
    case tooDeep(at: Int)
    /// The bytes from this offset are not UTF-8 (RFC 3629): overlong, a surrogate, too high or cut off.
    case notUTF8(at: Int)
    /// The text has more bytes than the reader allows.
    case tooLarge(bytes: Int)
}

/// The bytes that JSON gives a meaning.
@usableFromInline
enum Mark {
    @usableFromInline static var quote: UInt8 { 0x22 }
    @usableFromInline static var comma: UInt8 { 0x2C }
    @usableFromInline static var minus: UInt8 { 0x2D }
    @usableFromInline static var plus: UInt8 { 0x2B }
    @usableFromInline static var point: UInt8 { 0x2E }
    @usableFromInline static var slash: UInt8 { 0x2F }
    @usableFromInline static var zero: UInt8 { 0x30 }
    @usableFromInline static var nine: UInt8 { 0x39 }
    @usableFromInline static var colon: UInt8 { 0x3A }
    @usableFromInline static var backslash: UInt8 { 0x5C }
    @usableFromInline static var openBracket: UInt8 { 0x5B }
    @usableFromInline static var closeBracket: UInt8 { 0x5D }
    @usableFromInline static var openBrace: UInt8 { 0x7B }
    @usableFromInline static var closeBrace: UInt8 { 0x7D }

    /// Space, tab, line feed or carriage return (RFC 8259 §2).
    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte &- zero <= 9
    }

    /// The value of a hexadecimal digit in either case.
    static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x41 + 10)
        case 0x61...0x66: UInt32(byte - 0x61 + 10)
        default: nil
        }
    }
}
