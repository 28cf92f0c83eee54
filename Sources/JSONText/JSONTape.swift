//  A text read once into a flat table, for those who look at it more than once (the server's shadows).
//
//  One token a value and one a member's name, in the order of the text; a container knows where its contents end, so
//  that skipping it is one step. Numbers and strings stay text: nothing is converted, so nothing is lost.
public import ByteKit

/// One value, or one member's name.
public struct JSONToken: Equatable, Sendable {
    /// What it is; a name is a string.
    public let kind: JSONKind
    /// Whether the text has an escape, so that its bytes are not its characters.
    public let hasEscape: Bool
    /// Whether a later member of the same object has the same name: the last one wins.
    public internal(set) var isSuperseded = false
    let start: UInt32
    var count: UInt32
    /// For a value the index of the token behind it and its contents, for a name a hash of its characters.
    var link: UInt32

    /// The value's text, or a name's inside its quotes.
    public var range: ByteRange { ByteRange(start: Int(start), count: Int(count)) }
}

/// A whole text as tokens.
public struct JSONTape: Sendable {
    /// Bytes that a text may have.
    public static let maximumBytes = 1 << 24

    /// The tokens; the top-level value is the first.
    public private(set) var tokens: [JSONToken] = []
    private var open: [Int] = []

    /// Reads a text.
    ///
    /// - Throws: what `JSONScanner.validate` throws for it, or `.tooLarge`.
    public init(_ text: Span<UInt8>, maximumDepth: Int) throws(JSONFault) {
        guard text.count <= Self.maximumBytes else { throw .tooLarge(bytes: text.count) }
        if let fault = UTF8Text.firstFault(in: text) { throw .notUTF8(at: fault) }
        tokens.reserveCapacity(text.count / 8 + 8)
        var grammar = JSONGrammar(maximumDepth: maximumDepth)
        _ = try grammar.read(text, &self)
    }

    /// Index of the token behind the value at `index` and its contents.
    public func end(of index: Int) -> Int {
        Int(tokens[index].link)
    }

    /// The members of the object at `index`: pairs of token indices, without superseded ones.
    public func members(of index: Int) -> JSONTapeMembers {
        JSONTapeMembers(next: index + 1, end: tokens[index].kind == .object ? end(of: index) : index + 1)
    }

    /// The value of the member called `name`, which must be ASCII without escapes.
    public func member(_ name: StaticString, of index: Int, in text: Span<UInt8>) -> Int? {
        var members = members(of: index)
        while let member = members.next(in: self) {
            let token = tokens[member.name]
            if token.hasEscape {
                if JSONScanner.keyEquals(key(token), name, in: text) { return member.value }
            } else if text.slice(token.range).equals(name) {
                return member.value
            }
        }
        return nil
    }

    /// Whether the names at two indices, in two texts, have the same characters.
    public func nameEquals(
        _ index: Int, in text: Span<UInt8>, _ other: JSONTape, _ otherIndex: Int, in otherText: Span<UInt8>
    ) -> Bool {
        let (left, right) = (tokens[index], other.tokens[otherIndex])
        guard left.link == right.link else { return false }
        return Self.charactersEqual(left, text, right, otherText)
    }

    /// Whether two tokens' characters, inside quotes, are the same; escapes count as what they stand for.
    static func charactersEqual(
        _ left: JSONToken, _ text: Span<UInt8>, _ right: JSONToken, _ otherText: Span<UInt8>
    ) -> Bool {
        guard left.hasEscape || right.hasEscape else {
            return text.slice(left.range).equals(otherText.slice(right.range))
        }
        var first = JSONStringReader(inside: left.range, in: text)
        var second = JSONStringReader(inside: right.range, in: otherText)
        while true {
            let (a, b) = (first.next(in: text), second.next(in: otherText))
            guard a == b else { return false }
            if a == nil { return true }
        }
    }

    /// Whether the strings at two indices of this tape have the same characters.
    public func stringEquals(_ left: Int, _ right: Int, in text: Span<UInt8>) -> Bool {
        Self.charactersEqual(inside(left), text, inside(right), text)
    }

    /// A string's token without its quotes.
    private func inside(_ index: Int) -> JSONToken {
        let token = tokens[index]
        return JSONToken(
            kind: .string, hasEscape: token.hasEscape, start: token.start + 1, count: token.count - 2, link: 0)
    }

    private func key(_ token: JSONToken) -> JSONMember {
        JSONMember(key: token.range, keyHasEscape: token.hasEscape, value: .empty)
    }
}

/// Walks the members of one object on a tape.
public struct JSONTapeMembers: Sendable {
    var next: Int
    /// Index of the token that comes next.
    public var position: Int { next }
    let end: Int

    /// The indices of the next member's name and value.
    public mutating func next(in tape: JSONTape) -> (name: Int, value: Int)? {
        while next < end {
            let name = next
            next = tape.end(of: name + 1)
            if !tape.tokens[name].isSuperseded { return (name, name + 1) }
        }
        return nil
    }
}

// MARK: - Building

extension JSONTape: JSONVisitor {
    mutating func opened(_ kind: JSONKind, at start: Int) {
        open.append(tokens.count)
        tokens.append(
            JSONToken(kind: kind, hasEscape: false, start: UInt32(start), count: 0, link: 0))
    }

    mutating func closed(before end: Int, in text: Span<UInt8>) {
        guard let index = open.popLast() else { return }
        tokens[index].count = UInt32(end) - tokens[index].start
        tokens[index].link = UInt32(tokens.count)
        if tokens[index].kind == .object { supersede(in: index, text) }
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
                kind: .string, hasEscape: hasEscape, start: UInt32(name.start), count: UInt32(name.count), link: hash))
    }

    mutating func scalar(_ kind: JSONKind, _ range: ByteRange, hasEscape: Bool) {
        tokens.append(
            JSONToken(
                kind: kind, hasEscape: hasEscape, start: UInt32(range.start), count: UInt32(range.count),
                link: UInt32(tokens.count + 1)))
    }

    /// Marks members whose name comes again later in the object; sorted by hash, so that many members cost little.
    private mutating func supersede(in object: Int, _ text: Span<UInt8>) {
        let end = end(of: object)
        guard end - object > 4 else { return }
        var names: [UInt64] = []
        var index = object + 1
        while index < end {
            names.append(UInt64(tokens[index].link) << 32 | UInt64(index))
            index = self.end(of: index + 1)
        }
        names.sort()
        for place in names.indices.dropLast() where names[place] >> 32 == names[place + 1] >> 32 {
            // Within one hash the indices ascend: compare with all that follow.
            let early = Int(names[place] & 0xFFFF_FFFF)
            for later in names[(place + 1)...] {
                guard later >> 32 == names[place] >> 32 else { break }
                let same = Self.charactersEqual(tokens[early], text, tokens[Int(later & 0xFFFF_FFFF)], text)
                if same {
                    tokens[early].isSuperseded = true
                    break
                }
            }
        }
    }
}
