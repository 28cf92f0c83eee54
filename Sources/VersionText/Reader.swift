import ByteKit

/// Walks once over a version text.
struct Reader {
    /// Bytes that part a version.
    enum Mark: UInt8 {
        case plus = 0x2B
        case hyphen = 0x2D
        case dot = 0x2E
    }

    /// Whether a numeric identifier may begin with a zero: in build metadata only.
    enum LeadingZeros {
        case allowed
        case refused
    }

    private var position = 0
    private let end: Int

    init(end: Int) {
        self.end = end
    }

    var isAtEnd: Bool { position == end }

    /// Steps over `mark` if it comes next.
    mutating func skip(_ mark: Mark, in text: Span<UInt8>) -> Bool {
        guard position < end, text[position] == mark.rawValue else { return false }
        position += 1
        return true
    }

    /// Reads one number without leading zeros.
    mutating func number(in text: Span<UInt8>) -> ByteRange? {
        let start = position
        while position < end, Self.isDigit(text[position]) {
            position += 1
        }
        let run = ByteRange(start: start, count: position - start)
        guard !run.isEmpty, run.count == 1 || text[start] != Self.zero else { return nil }
        return run
    }

    /// Reads identifiers joined by dots, none of them empty.
    mutating func identifiers(in text: Span<UInt8>, zeros: LeadingZeros) -> ByteRange? {
        let start = position
        repeat {
            guard identifier(in: text, zeros: zeros) else { return nil }
        } while skip(.dot, in: text)
        return ByteRange(start: start, count: position - start)
    }

    private mutating func identifier(in text: Span<UInt8>, zeros: LeadingZeros) -> Bool {
        let start = position
        var hasOnlyDigits = true
        while position < end, Self.isIdentifier(text[position]) {
            hasOnlyDigits = hasOnlyDigits && Self.isDigit(text[position])
            position += 1
        }
        let count = position - start
        guard count > 0 else { return false }
        return zeros == .allowed || !hasOnlyDigits || count == 1 || text[start] != Self.zero
    }

    private static let zero: UInt8 = 0x30

    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39
    }

    private static func isIdentifier(_ byte: UInt8) -> Bool {
        let folded = byte | 0x20
        return isDigit(byte) || (folded >= 0x61 && folded <= 0x7A) || byte == Mark.hyphen.rawValue
    }
}
