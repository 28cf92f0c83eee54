//  The grammar of RFC 8259, once, for everyone who reads a whole text.
//
//  A loop instead of recursion: which containers are open is one bit a level, so hostile nesting costs
//  nothing but a fault. The visitor hears what was found, in order; the scanner listens to nothing, the
//  tape notes everything. Both therefore accept exactly the same texts.
import ByteKit

/// Hears what a text is made of, in the order of the text.
protocol JSONVisitor {
    /// A container begins with the bracket at `start`.
    mutating func opened(_ kind: JSONKind, at start: Int)
    /// The container opened last and not closed ends before `end`.
    mutating func closed(before end: Int, in text: Span<UInt8>)
    /// A member's name; `name` lies inside the quotes.
    mutating func key(_ name: ByteRange, hasEscape: Bool, in text: Span<UInt8>)
    /// A string (with its quotes), number or literal.
    mutating func scalar(_ kind: JSONKind, _ range: ByteRange, hasEscape: Bool)
}

/// Walks one text from the first byte to the last.
struct JSONGrammar {
    /// Levels of containers that can be told apart, whatever the caller allows.
    static var deepest: Int { 256 }

    private enum Expected {
        case value
        case memberOrEnd
        case elementOrEnd
        case separatorOrEnd
    }

    /// Whether optional white space was skipped.
    private(set) var sawSpace = false
    private var position = 0
    private var depth = 0
    private let maximumDepth: Int
    /// One bit a level, set for an object.
    private var objects = InlineArray<4, UInt64>(repeating: 0)

    init(maximumDepth: Int) {
        self.maximumDepth = min(max(maximumDepth, 0), Self.deepest)
    }

    /// Reads one value with white space around it.
    mutating func read(
        _ text: Span<UInt8>, _ visitor: inout some JSONVisitor
    ) throws(JSONFault) -> ByteRange {
        skipSpace(text)
        let start = position
        var end = position
        var expected = Expected.value
        repeat {
            expected = try step(expected, text, &visitor)
            end = position
            skipSpace(text)
        } while depth > 0
        guard position == text.count else { throw .malformed(at: position) }
        return ByteRange(start: start, count: end - start)
    }

    private mutating func step(
        _ expected: Expected, _ text: Span<UInt8>, _ visitor: inout some JSONVisitor
    ) throws(JSONFault) -> Expected {
        switch expected {
        case .value:
            return try value(text, &visitor)
        case .memberOrEnd:
            if peek(text) == Mark.closeBrace { return close(text, &visitor) }
            return try key(text, &visitor)
        case .elementOrEnd:
            if peek(text) == Mark.closeBracket { return close(text, &visitor) }
            return try value(text, &visitor)
        case .separatorOrEnd:
            return try separator(text, &visitor)
        }
    }

    private mutating func separator(
        _ text: Span<UInt8>, _ visitor: inout some JSONVisitor
    ) throws(JSONFault) -> Expected {
        let byte = peek(text)
        if byte == Mark.comma {
            position += 1
            skipSpace(text)
            return isInObject ? try key(text, &visitor) : try value(text, &visitor)
        }
        guard byte == (isInObject ? Mark.closeBrace : Mark.closeBracket) else {
            throw .malformed(at: position)
        }
        return close(text, &visitor)
    }

    private mutating func key(
        _ text: Span<UInt8>, _ visitor: inout some JSONVisitor
    ) throws(JSONFault) -> Expected {
        guard peek(text) == Mark.quote else { throw .malformed(at: position) }
        let start = position + 1
        let hasEscape = try string(text)
        visitor.key(ByteRange(start: start, count: position - 1 - start), hasEscape: hasEscape, in: text)
        skipSpace(text)
        guard peek(text) == Mark.colon else { throw .malformed(at: position) }
        position += 1
        return .value
    }

    private mutating func value(
        _ text: Span<UInt8>, _ visitor: inout some JSONVisitor
    ) throws(JSONFault) -> Expected {
        let start = position
        var kind = JSONKind.string
        var hasEscape = false
        switch peek(text) {
        case Mark.quote:
            hasEscape = try string(text)
        case Mark.openBrace:
            try open(.object, &visitor)
            return .memberOrEnd
        case Mark.openBracket:
            try open(.array, &visitor)
            return .elementOrEnd
        case Mark.minus, 0x30...0x39:
            kind = .number
            try number(text)
        default:
            kind = try literal(text)
        }
        visitor.scalar(kind, ByteRange(start: start, count: position - start), hasEscape: hasEscape)
        return .separatorOrEnd
    }
}

// MARK: - Containers

extension JSONGrammar {
    private var isInObject: Bool {
        let level = depth - 1
        return objects[level >> 6] & (1 << UInt64(level & 63)) != 0
    }

    private mutating func open(
        _ kind: JSONKind, _ visitor: inout some JSONVisitor
    ) throws(JSONFault) {
        guard depth < maximumDepth else { throw .tooDeep(at: position) }
        let bit: UInt64 = 1 << UInt64(depth & 63)
        if kind == .object {
            objects[depth >> 6] |= bit
        } else {
            objects[depth >> 6] &= ~bit
        }
        visitor.opened(kind, at: position)
        depth += 1
        position += 1
    }

    private mutating func close(_ text: Span<UInt8>, _ visitor: inout some JSONVisitor) -> Expected {
        depth -= 1
        position += 1
        visitor.closed(before: position, in: text)
        return .separatorOrEnd
    }
}

// MARK: - Scalars

extension JSONGrammar {
    /// The byte at the position, or 0, which the grammar allows nowhere outside strings, at the end.
    private func peek(_ text: Span<UInt8>) -> UInt8 {
        position < text.count ? text[position] : 0
    }

    private mutating func skipSpace(_ text: Span<UInt8>) {
        while position < text.count, Mark.isSpace(text[position]) {
            sawSpace = true
            position += 1
        }
    }

    /// Moves behind the closing quote and answers whether the string has an escape.
    private mutating func string(_ text: Span<UInt8>) throws(JSONFault) -> Bool {
        var hasEscape = false
        position += 1
        while position < text.count {
            let byte = text[position]
            if byte == Mark.quote {
                position += 1
                return hasEscape
            } else if byte == Mark.backslash {
                hasEscape = true
                try escape(text)
            } else if byte >= 0x80 {
                let count = UTF8Text.sequence(at: position, in: text)
                guard count > 0 else { throw .notUTF8(at: position) }
                position += count
            } else if byte >= 0x20 {
                skipPlain(text)
            } else {
                break
            }
        }
        throw .malformed(at: position)
    }

    /// Moves to the next byte of a string that needs a look.
    private mutating func skipPlain(_ text: Span<UInt8>) {
        var index = position + 1
        while index < text.count {
            let byte = text[index]
            if byte == Mark.quote || byte == Mark.backslash || byte &- 0x20 >= 0x60 { break }
            index += 1
        }
        position = index
    }

    /// Moves behind one escape; a surrogate must be the high one of a pair with its low one behind it.
    private mutating func escape(_ text: Span<UInt8>) throws(JSONFault) {
        let start = position
        guard position + 1 < text.count else { throw .malformed(at: start) }
        position += 2
        switch text[start + 1] {
        case Mark.quote, Mark.backslash, Mark.slash, 0x62, 0x66, 0x6E, 0x72, 0x74:
            return
        case 0x75:
            guard let unit = JSONStringReader.hexUnit(at: position, in: text) else { throw .malformed(at: start) }
            position += 4
            guard unit & 0xF800 == 0xD800 else { return }
            guard unit < 0xDC00, peek(text) == Mark.backslash,
                let low = JSONStringReader.lowSurrogate(at: position, in: text), low & 0xFC00 == 0xDC00
            else { throw .malformed(at: start) }
            position += 6
        default:
            throw .malformed(at: start)
        }
    }

    private mutating func number(_ text: Span<UInt8>) throws(JSONFault) {
        if peek(text) == Mark.minus { position += 1 }
        if peek(text) == Mark.zero {
            position += 1
        } else {
            try digits(text)
        }
        if peek(text) == Mark.point {
            position += 1
            try digits(text)
        }
        guard peek(text) | 0x20 == 0x65 else { return }
        position += 1
        if peek(text) == Mark.plus || peek(text) == Mark.minus { position += 1 }
        try digits(text)
    }

    /// Moves behind one digit or more.
    private mutating func digits(_ text: Span<UInt8>) throws(JSONFault) {
        guard Mark.isDigit(peek(text)) else { throw .malformed(at: position) }
        while Mark.isDigit(peek(text)) {
            position += 1
        }
    }

    private mutating func literal(_ text: Span<UInt8>) throws(JSONFault) -> JSONKind {
        let rest = text.extracting(droppingFirst: position)
        if rest.starts(with: "true") {
            position += 4
            return .true
        } else if rest.starts(with: "false") {
            position += 5
            return .false
        } else if rest.starts(with: "null") {
            position += 4
            return .null
        }
        throw .malformed(at: position)
    }
}

/// Hears nothing: the grammar alone is asked.
struct JSONDeafVisitor: JSONVisitor {
    func opened(_ kind: JSONKind, at start: Int) {}
    func closed(before end: Int, in text: Span<UInt8>) {}
    func key(_ name: ByteRange, hasEscape: Bool, in text: Span<UInt8>) {}
    func scalar(_ kind: JSONKind, _ range: ByteRange, hasEscape: Bool) {}
}
