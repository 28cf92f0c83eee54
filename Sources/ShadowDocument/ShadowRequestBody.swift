import ByteKit
import JSONText

/// The payload of a shadow request, read and checked.
public struct ShadowRequestBody: Sendable {
    /// Levels of containers that the reader itself takes.
    static let readerDepth = 64
    /// Nested keys that a section may have.
    static let sectionDepth = 8
    /// Bytes of a client token.
    static let tokenBytes = 64

    /// What an update says of the version that it is based on.
    enum ExpectedVersion: Equatable {
        case any
        case exactly(UInt64)
        /// An integer that no shadow reaches.
        case beyond
    }

    let document: JSONDocument
    /// The `clientToken` as JSON text, quotes included, if there is one.
    public let clientToken: [UInt8]?

    /// A refusal, with the client token where it could be read.
    public struct Rejected: Error, Equatable, Sendable {
        /// Code and text.
        public var refusal: ShadowRefusal
        /// The token to echo, as JSON text.
        public var clientToken: [UInt8]?

        /// A refusal and the token to echo, if it could be read.
        public init(refusal: ShadowRefusal, clientToken: [UInt8]? = nil) {
            self.refusal = refusal
            self.clientToken = clientToken
        }
    }

    /// Reads a payload: UTF-8, JSON, an object without a null in an array of its state, a legal client token.
    ///
    /// - Throws: the first of these that does not hold (2.8: codes 415 and 400).
    public init(_ payload: Span<UInt8>) throws(Rejected) {
        do throws(JSONFault) {
            document = JSONDocument(payload.copy(), try JSONTape(payload, maximumDepth: Self.readerDepth))
        } catch {
            throw Self.rejected(error, payload)
        }
        guard document.kind(0) == .object else { throw Rejected(refusal: .invalidJSON) }
        let token = document.member("clientToken", of: 0)
        if let token {
            clientToken = Self.legalToken(document.tape.tokens[token].range, payload)
        } else {
            clientToken = nil
        }
        if let state = document.member("state", of: 0), document.hasNullInArray(in: state) {
            throw Rejected(refusal: .invalidJSON, clientToken: clientToken)
        }
        if token != nil, clientToken == nil { throw Rejected(refusal: .invalidToken) }
    }

    /// The text of a client token that is a string of at most 64 bytes.
    private static func legalToken(_ value: ByteRange, _ text: Span<UInt8>) -> [UInt8]? {
        var content: [UInt8] = []
        guard JSONScanner.string(of: value, in: text, into: &content), content.count <= tokenBytes else { return nil }
        return text.slice(value).copy()
    }

    /// Encoding comes before grammar; a text that nests too deep may still carry a token.
    private static func rejected(_ fault: JSONFault, _ payload: Span<UInt8>) -> Rejected {
        if UTF8Text.firstFault(in: payload) != nil { return Rejected(refusal: .notUTF8) }
        switch fault {
        case .notUTF8: return Rejected(refusal: .notUTF8)
        case .malformed: return Rejected(refusal: .invalidJSON)
        case .tooLarge: return Rejected(refusal: .tooLarge)
        case .tooDeep: return Rejected(refusal: .tooDeep, clientToken: tokenOfDeepText(payload))
        }
    }

    private static func tokenOfDeepText(_ payload: Span<UInt8>) -> [UInt8]? {
        let whole = ByteRange(start: 0, count: payload.count)
        guard let value = JSONScanner.member("clientToken", of: whole, in: payload),
            (try? JSONScanner.validate(payload.slice(value), maximumDepth: 0)) != nil
        else { return nil }
        return legalToken(value, payload)
    }
}

// MARK: - Updates

extension ShadowRequestBody {
    /// What an update asks for, once it has passed the checks.
    struct Update {
        /// Compact, with `state` at `index`.
        let patch: JSONDocument
        let index: Int
        let expected: ExpectedVersion
    }

    /// Checks the rest of what an update must be, in the order of the specification (2.8).
    func checkedUpdate() throws(ShadowRefusal) -> Update {
        guard let state = document.member("state", of: 0) else { throw .missingState }
        switch document.kind(state) {
        case .null: break
        case .object: try checkSections(of: state)
        default: throw .stateNotObject
        }
        let expected = try expectedVersion()
        if document.tape.isCompact { return Update(patch: document, index: state, expected: expected) }
        var text: [UInt8] = []
        text.reserveCapacity(document.bounds(state).count)
        document.writeCompact(state, to: &text)
        guard let patch = try? JSONDocument(text, maximumDepth: Self.readerDepth) else { throw .invalidJSON }
        return Update(patch: patch, index: 0, expected: expected)
    }

    private func checkSections(of state: Int) throws(ShadowRefusal) {
        var members = document.tape.members(of: state)
        while let member = members.next(in: document.tape) {
            guard section(member.name) != nil else { throw strangeNode(member.name) }
        }
        for section in ShadowSection.allCases {
            guard let index = document.member(section.name, of: state) else { continue }
            let kind = document.kind(index)
            guard kind == .object || kind == .null else { throw ShadowRefusal(400, section.notObject) }
        }
        for section in ShadowSection.allCases {
            guard let index = document.member(section.name, of: state) else { continue }
            guard document.depth(of: index) <= Self.sectionDepth else { throw .tooDeep }
        }
    }

    private func section(_ name: Int) -> ShadowSection? {
        ShadowSection.allCases.first { document.tape.nameEquals(name, $0.name, in: document.text.span) }
    }

    private func strangeNode(_ name: Int) -> ShadowRefusal {
        let text = document.text.span
        var reader = JSONStringReader(inside: document.tape.tokens[name].range, in: text)
        var content: [UInt8] = []
        while let byte = reader.next(in: text) {
            content.append(byte)
        }
        return ShadowRefusal(400, "State contains an invalid node: '\(String(decoding: content, as: UTF8.self))'")
    }

    private func expectedVersion() throws(ShadowRefusal) -> ExpectedVersion {
        guard let index = document.member("version", of: 0) else { return .any }
        let text = document.text.span
        let range = document.tape.tokens[index].range
        if let number = JSONScanner.unsigned(of: range, in: text) { return .exactly(number) }
        for place in range.start..<range.end where text[place] &- 0x30 > 9 {
            throw .invalidVersion
        }
        return .beyond
    }
}

extension ShadowSection {
    /// How a refusal calls a section that is neither an object nor null.
    var notObject: String {
        switch self {
        case .desired: "Desired node must be an object"
        case .reported: "Reported node must be an object"
        }
    }
}
