//  Walking through containers without a table: each step skips one value.
//
//  Written for texts that `JSONScanner.validate` took, yet safe on any bytes: a walk over something else
//  ends early, and every step moves forward.
public import ByteKit

/// One member of an object.
public struct JSONMember: Equatable, Sendable {
    /// The name, inside its quotes.
    public var key: ByteRange
    /// Whether the name has an escape, so that its bytes are not its characters.
    public var keyHasEscape: Bool
    /// The value, with its quotes or brackets.
    public var value: ByteRange
}

/// The members of one object, in the order of the text.
public struct JSONMembers: Sendable {
    private var position: Int
    private let end: Int

    init(of object: ByteRange) {
        position = object.start
        end = object.end
    }

    /// The next member, or `nil` behind the last one.
    public mutating func next(in text: Span<UInt8>) -> JSONMember? {
        guard let quote = JSONSkip.opener(&position, Mark.openBrace, end, text), text[quote] == Mark.quote else {
            return nil
        }
        let name = JSONSkip.string(at: quote, end, text)
        guard name.isClosed else { return nil }
        let colon = JSONSkip.space(from: name.end, end, text)
        guard colon < end, text[colon] == Mark.colon else { return nil }
        let start = JSONSkip.space(from: colon + 1, end, text)
        let valueEnd = JSONSkip.value(at: start, end, text)
        guard valueEnd > start else { return nil }
        position = valueEnd
        return JSONMember(
            key: ByteRange(start: quote + 1, count: name.end - quote - 2), keyHasEscape: name.hasEscape,
            value: ByteRange(start: start, count: valueEnd - start))
    }
}

/// The elements of one array, in the order of the text.
public struct JSONElements: Sendable {
    private var position: Int
    private let end: Int

    init(of array: ByteRange) {
        position = array.start
        end = array.end
    }

    /// The next element, or `nil` behind the last one.
    public mutating func next(in text: Span<UInt8>) -> ByteRange? {
        guard let start = JSONSkip.opener(&position, Mark.openBracket, end, text) else { return nil }
        let valueEnd = JSONSkip.value(at: start, end, text)
        guard valueEnd > start else { return nil }
        position = valueEnd
        return ByteRange(start: start, count: valueEnd - start)
    }
}

/// Steps over parts of a text; `end` never lies behind it.
enum JSONSkip {
    struct StringEnd {
        /// Offset behind the closing quote.
        var end: Int
        var hasEscape: Bool
        var isClosed: Bool
    }

    /// Start of the item behind an opening bracket or a comma, or `nil` where no item follows.
    static func opener(_ position: inout Int, _ bracket: UInt8, _ end: Int, _ text: Span<UInt8>) -> Int? {
        guard position >= 0, end <= text.count else { return nil }
        let separator = space(from: position, end, text)
        guard separator < end, text[separator] == bracket || text[separator] == Mark.comma else { return nil }
        let item = space(from: separator + 1, end, text)
        return item < end ? item : nil
    }

    static func space(from start: Int, _ end: Int, _ text: Span<UInt8>) -> Int {
        var index = start
        while index < end, Mark.isSpace(text[index]) {
            index += 1
        }
        return index
    }

    /// Skips the string whose opening quote is at `quote`.
    static func string(at quote: Int, _ end: Int, _ text: Span<UInt8>) -> StringEnd {
        var index = quote + 1
        var hasEscape = false
        while index < end {
            let byte = text[index]
            index += 1
            if byte == Mark.quote {
                return StringEnd(end: index, hasEscape: hasEscape, isClosed: true)
            } else if byte == Mark.backslash {
                hasEscape = true
                index += 1
            }
        }
        return StringEnd(end: end, hasEscape: hasEscape, isClosed: false)
    }

    /// Offset behind the value at `start`; `start` itself where there is none.
    static func value(at start: Int, _ end: Int, _ text: Span<UInt8>) -> Int {
        guard start < end else { return start }
        switch text[start] {
        case Mark.quote:
            let string = string(at: start, end, text)
            return string.isClosed ? string.end : start
        case Mark.openBrace, Mark.openBracket:
            return container(at: start, end, text)
        default:
            return word(at: start, end, text)
        }
    }

    private static func container(at start: Int, _ end: Int, _ text: Span<UInt8>) -> Int {
        var index = start
        var depth = 0
        while index < end {
            switch text[index] {
            case Mark.quote:
                index = string(at: index, end, text).end
                continue
            case Mark.openBrace, Mark.openBracket: depth += 1
            case Mark.closeBrace, Mark.closeBracket: depth -= 1
            default: break
            }
            index += 1
            if depth == 0 { return index }
        }
        return start
    }

    private static func word(at start: Int, _ end: Int, _ text: Span<UInt8>) -> Int {
        var index = start
        while index < end {
            let byte = text[index]
            let isEnd =
                byte == Mark.comma || byte == Mark.closeBrace || byte == Mark.closeBracket || byte == Mark.colon
            if isEnd || Mark.isSpace(byte) { break }
            index += 1
        }
        return index
    }
}
