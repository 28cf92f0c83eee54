//  A text read once into a flat table, for those who look at it more than once (the server's shadows).
//
//  One token a value and one a member's name, in the order of the text; a container knows where its contents
//  end, so that skipping it is one step. Numbers and strings stay text: nothing is converted, so nothing is lost.
public import ByteKit

/// One value, or one member's name.
public struct JSONToken: Equatable, Sendable {
    /// What it is; a name is a string.
    public let kind: JSONKind
    /// Whether the text has an escape, so that its bytes are not its characters.
    public let hasEscape: Bool
    /// Whether it is a member's name.
    public let isName: Bool
    /// Whether a later member of the same object has the same name: the last one wins.
    public internal(set) var isSuperseded = false
    @usableFromInline let start: UInt32
    @usableFromInline var count: UInt32
    /// For a value the index of the token behind it and its contents, for a name a hash of its characters.
    @usableFromInline var link: UInt32

    /// The value's text, or a name's inside its quotes.
    @inlinable public var range: ByteRange { ByteRange(start: Int(start), count: Int(count)) }

    /// Whether it is a value that holds no others.
    @inlinable public var isLeaf: Bool { !isName && !kind.isContainer }
}

/// A whole text as tokens.
public struct JSONTape: Sendable {
    /// Bytes that a text may have.
    public static let maximumBytes = 1 << 24

    /// The tokens; the top-level value is the first.
    public private(set) var tokens: [JSONToken] = []
    /// Whether the text has neither optional white space nor a superseded member.
    public private(set) var isCompact = true
    /// The container that was opened last; its link names the one around it until it is closed.
    private var innermost = UInt32.max
    private let repeats: RepeatedNames
    private var names: [UInt32] = []

    /// What is done about members of one object that have the same name.
    public enum RepeatedNames: Sendable {
        /// All but the last one are marked as superseded.
        case superseded
        /// The text is known to have none.
        case absent
    }

    /// Reads a text.
    ///
    /// - Parameters:
    ///   - text: One value, white space around it allowed.
    ///   - maximumDepth: Containers inside each other, 0 ... 256.
    ///   - repeats: Whether repeated names are looked for.
    /// - Throws: what `JSONScanner.validate` throws for it, or `.tooLarge`.
    public init(
        _ text: Span<UInt8>, maximumDepth: Int, repeats: RepeatedNames = .superseded
    ) throws(JSONFault) {
        self.repeats = repeats
        guard text.count <= Self.maximumBytes else { throw .tooLarge(bytes: text.count) }
        tokens.reserveCapacity(text.count / 6 + 8)
        var grammar = JSONGrammar(maximumDepth: maximumDepth)
        _ = try grammar.read(text, &self)
        names = []
        if grammar.sawSpace { isCompact = false }
    }

    /// Index of the token behind the value at `index` and its contents.
    @inlinable
    public func end(of index: Int) -> Int {
        Int(tokens[index].link)
    }

    /// The members of the object at `index`: pairs of token indices, without superseded ones.
    @inlinable
    public func members(of index: Int) -> JSONTapeMembers {
        JSONTapeMembers(position: index + 1, end: tokens[index].kind == .object ? end(of: index) : index + 1)
    }

    /// The value of the member called `name`.
    public func member(_ name: StaticString, of index: Int, in text: Span<UInt8>) -> Int? {
        var members = members(of: index)
        while let member = members.next(in: self) {
            if nameEquals(member.name, name, in: text) { return member.value }
        }
        return nil
    }

    /// Whether the name at `index`, escapes resolved, has the bytes of `name`.
    public func nameEquals(_ index: Int, _ name: StaticString, in text: Span<UInt8>) -> Bool {
        let token = tokens[index]
        let member = JSONMember(key: token.range, keyHasEscape: token.hasEscape, value: .empty)
        return JSONScanner.keyEquals(member, name, in: text)
    }

    /// How the names at two indices, in two texts, are ordered: below, at or above zero; 0 for the same characters.
    ///
    /// Any total order will do for searching: by hash first, then by bytes.
    @inlinable
    public func compareNames(
        _ index: Int, in text: Span<UInt8>, _ other: JSONTape, _ otherIndex: Int, in otherText: Span<UInt8>
    ) -> Int {
        let (left, right) = (tokens[index], other.tokens[otherIndex])
        if left.link != right.link { return left.link < right.link ? -1 : 1 }
        return JSONCharacters.compare(left, text, right, otherText)
    }

    /// Whether the strings at two indices of this tape have the same characters; escapes count as what they
    /// stand for.
    public func stringEquals(_ left: Int, _ right: Int, in text: Span<UInt8>) -> Bool {
        JSONCharacters.compare(inside(left), text, inside(right), text) == 0
    }

    /// A string's token without its quotes.
    private func inside(_ index: Int) -> JSONToken {
        let token = tokens[index]
        guard token.kind == .string, token.count >= 2 else { return token }
        return JSONToken(
            kind: .string, hasEscape: token.hasEscape, isName: false, start: token.start + 1,
            count: token.count - 2, link: 0)
    }
}

/// Walks the members of one object on a tape.
public struct JSONTapeMembers: Sendable {
    /// Index of the token that comes next.
    public private(set) var position: Int
    private let end: Int

    @usableFromInline
    init(position: Int, end: Int) {
        self.position = position
        self.end = end
    }

    /// The indices of the next member's name and value.
    public mutating func next(in tape: JSONTape) -> (name: Int, value: Int)? {
        while position < end {
            let name = position
            position = tape.end(of: name + 1)
            if !tape.tokens[name].isSuperseded { return (name, name + 1) }
        }
        return nil
    }
}

/// Compares what two texts say, not how they spell it.
@usableFromInline
enum JSONCharacters {
    /// Below, at or above zero, by the bytes of the characters.
    @usableFromInline
    static func compare(
        _ left: JSONToken, _ text: Span<UInt8>, _ right: JSONToken, _ otherText: Span<UInt8>
    ) -> Int {
        if left.hasEscape || right.hasEscape { return compareResolved(left, text, right, otherText) }
        let (first, second) = (text.slice(left.range), otherText.slice(right.range))
        for index in 0..<min(first.count, second.count) where first[index] != second[index] {
            return first[index] < second[index] ? -1 : 1
        }
        return first.count - second.count
    }

    private static func compareResolved(
        _ left: JSONToken, _ text: Span<UInt8>, _ right: JSONToken, _ otherText: Span<UInt8>
    ) -> Int {
        var first = JSONStringReader(inside: left.range, in: text)
        var second = JSONStringReader(inside: right.range, in: otherText)
        while let a = first.next(in: text) {
            guard let b = second.next(in: otherText) else { return 1 }
            if a != b { return a < b ? -1 : 1 }
        }
        return second.next(in: otherText) == nil ? 0 : -1
    }
}

// MARK: - Building

extension JSONTape: JSONVisitor {
    mutating func opened(_ kind: JSONKind, at start: Int) {
        let index = UInt32(tokens.count)
        tokens.append(
            JSONToken(
                kind: kind, hasEscape: false, isName: false, start: UInt32(start), count: 0, link: innermost))
        innermost = index
    }

    mutating func closed(before end: Int, in text: Span<UInt8>) {
        let index = Int(innermost)
        innermost = tokens[index].link
        tokens[index].count = UInt32(end) - tokens[index].start
        tokens[index].link = UInt32(tokens.count)
        if tokens[index].kind == .object, repeats == .superseded { supersede(in: index, text) }
    }

    mutating func key(_ name: ByteRange, hasEscape: Bool, in text: Span<UInt8>) {
        var hash: UInt32 = 0x811C_9DC5
        if hasEscape {
            var reader = JSONStringReader(inside: name, in: text)
            while let byte = reader.next(in: text) {
                hash = (hash ^ UInt32(byte)) &* 0x0100_0193
            }
        } else {
            for index in name.start..<name.end {
                hash = (hash ^ UInt32(text[index])) &* 0x0100_0193
            }
        }
        tokens.append(
            JSONToken(
                kind: .string, hasEscape: hasEscape, isName: true, start: UInt32(name.start),
                count: UInt32(name.count), link: hash))
    }

    mutating func scalar(_ kind: JSONKind, _ range: ByteRange, hasEscape: Bool) {
        tokens.append(
            JSONToken(
                kind: kind, hasEscape: hasEscape, isName: false, start: UInt32(range.start),
                count: UInt32(range.count), link: UInt32(tokens.count + 1)))
    }

    /// Marks members whose name comes again later in the object.
    ///
    /// Few are compared each with each; many are sorted, so that no choice of names makes it slow.
    private mutating func supersede(in object: Int, _ text: Span<UInt8>) {
        names.removeAll(keepingCapacity: true)
        let end = end(of: object)
        var index = object + 1
        while index < end {
            names.append(UInt32(index))
            index = self.end(of: index + 1)
        }
        guard names.count > 1 else { return }
        if names.count <= 12 { supersedeFew(text) } else { supersedeMany(text) }
    }

    private mutating func supersedeFew(_ text: Span<UInt8>) {
        for later in 1..<names.count {
            let hash = tokens[Int(names[later])].link
            for early in 0..<later where tokens[Int(names[early])].link == hash {
                mark(Int(names[early]), ifNamedAs: Int(names[later]), text)
            }
        }
    }

    private mutating func supersedeMany(_ text: Span<UInt8>) {
        var sorted = names
        sorted.sort { left, right in
            let order = compareNames(Int(left), in: text, self, Int(right), in: text)
            return order == 0 ? left < right : order < 0
        }
        for place in 1..<sorted.count {
            mark(Int(sorted[place - 1]), ifNamedAs: Int(sorted[place]), text)
        }
    }

    private mutating func mark(_ early: Int, ifNamedAs later: Int, _ text: Span<UInt8>) {
        guard compareNames(early, in: text, self, later, in: text) == 0 else { return }
        tokens[early].isSuperseded = true
        isCompact = false
    }
}
