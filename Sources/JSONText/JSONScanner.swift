//  Reading JSON where it lies: no copy, no table, no allocation.
//
//  `validate` once, then look up. The look-ups walk the text again each time; that is cheap for the few
//  members a device asks for. A server that visits everything builds a `JSONTape` instead.
public import ByteKit

/// Looks into a JSON text of bytes.
///
/// All but `validate` expect a text that it took, but answer (something, or nothing) on any other as well.
public enum JSONScanner {
    /// Checks a whole text: RFC 8259, UTF-8, each surrogate escape in a pair.
    ///
    /// - Parameters:
    ///   - text: One value, white space around it allowed; a byte order mark is not.
    ///   - maximumDepth: Containers inside each other, 0 ... 256; larger numbers count as 256.
    /// - Returns: The place of the value, without the white space.
    /// - Throws: The first fault of the text.
    public static func validate(_ text: Span<UInt8>, maximumDepth: Int) throws(JSONFault) -> ByteRange {
        var grammar = JSONGrammar(maximumDepth: maximumDepth)
        var visitor = JSONDeafVisitor()
        return try grammar.read(text, &visitor)
    }

    /// The kind of a value, by its first byte; what begins no value counts as `null`.
    public static func kind(of value: ByteRange, in text: Span<UInt8>) -> JSONKind {
        let bounds = bounds(of: value, in: text)
        guard !bounds.isEmpty else { return .null }
        switch text[bounds.start] {
        case Mark.openBrace: return .object
        case Mark.openBracket: return .array
        case Mark.quote: return .string
        case Mark.minus, 0x30...0x39: return .number
        case 0x74: return .true
        case 0x66: return .false
        default: return .null
        }
    }

    /// A walk over the members of `object`; empty where it is something else.
    public static func members(of object: ByteRange) -> JSONMembers {
        JSONMembers(of: bounded(object))
    }

    /// A walk over the elements of `array`; empty where it is something else.
    public static func elements(of array: ByteRange) -> JSONElements {
        JSONElements(of: bounded(array))
    }

    /// The value of the member called `name`; of several with that name the last one.
    public static func member(
        _ name: StaticString, of object: ByteRange, in text: Span<UInt8>
    ) -> ByteRange? {
        var members = members(of: object)
        var found: ByteRange?
        while let member = members.next(in: text) {
            if keyEquals(member, name, in: text) { found = member.value }
        }
        return found
    }

    /// Whether the member's name, escapes resolved, has the bytes of `name`.
    public static func keyEquals(_ member: JSONMember, _ name: StaticString, in text: Span<UInt8>) -> Bool {
        let key = bounds(of: member.key, in: text)
        if !member.keyHasEscape { return text.slice(key).equals(name) }
        return contentEquals(key, name, in: text)
    }

    /// Whether `value` is a string that, escapes resolved, has the bytes of `content`.
    public static func stringEquals(
        _ value: ByteRange, _ content: StaticString, in text: Span<UInt8>
    ) -> Bool {
        guard let inside = inside(of: value, in: text) else { return false }
        return contentEquals(inside, content, in: text)
    }

    /// The number `value` where it is a plain non-negative integer without sign, fraction or exponent.
    ///
    /// - Returns: 0 to 2⁶⁴-1, or `nil` for all else.
    public static func unsigned(of value: ByteRange, in text: Span<UInt8>) -> UInt64? {
        let digits = bounds(of: value, in: text)
        guard digits.count > 0, digits.count <= 20 else { return nil }
        guard text[digits.start] != Mark.zero || digits.count == 1 else { return nil }
        var number: UInt64 = 0
        for index in digits.start..<digits.end {
            guard Mark.isDigit(text[index]) else { return nil }
            let product = number.multipliedReportingOverflow(by: 10)
            let sum = product.partialValue.addingReportingOverflow(UInt64(text[index] - Mark.zero))
            guard !product.overflow, !sum.overflow else { return nil }
            number = sum.partialValue
        }
        return number
    }

    /// Appends the characters of a string value as UTF-8, escapes resolved.
    ///
    /// - Returns: Whether `value` is a string; where not, nothing is appended.
    @inlinable
    @discardableResult
    public static func string(
        of value: ByteRange, in text: Span<UInt8>, into sink: inout some ByteSink
    ) -> Bool {
        guard let inside = inside(of: value, in: text) else { return false }
        var reader = JSONStringReader(inside: inside, in: text)
        while let byte = reader.next(in: text) {
            sink.append(byte)
        }
        return true
    }

    /// What lies between the quotes of `value`, or `nil` where it is no string.
    public static func inside(of value: ByteRange, in text: Span<UInt8>) -> ByteRange? {
        let bounds = bounds(of: value, in: text)
        guard bounds.count >= 2, text[bounds.start] == Mark.quote, text[bounds.end - 1] == Mark.quote else {
            return nil
        }
        return ByteRange(start: bounds.start + 1, count: bounds.count - 2)
    }
}

extension JSONScanner {
    /// The part of `range` that lies inside `text`.
    static func bounds(of range: ByteRange, in text: Span<UInt8>) -> ByteRange {
        guard range.start >= 0, range.start <= text.count, range.count > 0 else { return .empty }
        return ByteRange(start: range.start, count: min(range.count, text.count - range.start))
    }

    /// `range`, or an empty one where its end would not be a number of this machine.
    private static func bounded(_ range: ByteRange) -> ByteRange {
        guard range.start >= 0, range.count >= 0, range.count <= Int.max - range.start else { return .empty }
        return range
    }

    private static func contentEquals(
        _ inside: ByteRange, _ content: StaticString, in text: Span<UInt8>
    ) -> Bool {
        var reader = JSONStringReader(inside: inside, in: text)
        let count = content.utf8CodeUnitCount
        var index = 0
        while let byte = reader.next(in: text) {
            guard index < count, unsafe byte == content.utf8Start[index] else { return false }
            index += 1
        }
        return index == count
    }
}
