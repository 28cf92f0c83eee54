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

    let text: [UInt8]
    let tape: JSONTape
    /// The `clientToken` as JSON text, quotes included, if there is one that is legal.
    public let clientToken: [UInt8]?
    /// Index of `state` on the tape, an object or null; only after `checkUpdate`.
    private(set) var state = 0
    private(set) var expectedVersion: UInt64?

    /// A refusal, with the client token where it could be read.
    public struct Rejected: Error, Equatable, Sendable {
        /// Code and text.
        public var refusal: ShadowRefusal
        /// The token to echo.
        public var clientToken: [UInt8]?

        /// A refusal and the token to echo, if it could be read.
        public init(refusal: ShadowRefusal, clientToken: [UInt8]? = nil) {
            self.refusal = refusal
            self.clientToken = clientToken
        }
    }

    /// Reads a payload: UTF-8, JSON, an object, a legal client token.
    ///
    /// - Throws: the first of these that does not hold (codes 415 and 400).
    public init(_ payload: Span<UInt8>) throws(Rejected) {
        do throws(JSONFault) {
            tape = try JSONTape(payload, maximumDepth: Self.readerDepth)
        } catch {
            switch error {
            case .notUTF8: throw Rejected(refusal: .notUTF8)
            case .tooDeep: throw Rejected(refusal: .tooDeep)
            case .malformed, .tooLarge: throw Rejected(refusal: .invalidJSON)
            }
        }
        text = payload.copy()
        guard tape.tokens[0].kind == .object else { throw Rejected(refusal: .invalidJSON) }
        clientToken = try Self.token(tape, payload)
    }

    private static func token(_ tape: JSONTape, _ text: Span<UInt8>) throws(Rejected) -> [UInt8]? {
        guard let index = tape.member("clientToken", of: 0, in: text) else { return nil }
        let token = tape.tokens[index]
        var content: [UInt8] = []
        guard token.kind == .string, JSONScanner.string(of: token.range, in: text, into: &content),
            content.count <= tokenBytes
        else { throw Rejected(refusal: .invalidToken) }
        return text.slice(token.range).copy()
    }

    /// Checks the rest of what an update must be, in the order of the specification (2.8).
    mutating func checkUpdate() throws(ShadowRefusal) {
        let text = self.text
        if hasNullInArray() { throw .invalidJSON }
        guard let state = tape.member("state", of: 0, in: text.span) else { throw .missingState }
        self.state = state
        switch tape.tokens[state].kind {
        case .null: break
        case .object: try checkSections(text.span)
        default: throw .stateNotObject
        }
        guard let version = tape.member("version", of: 0, in: text.span) else { return }
        guard let number = JSONScanner.unsigned(of: tape.tokens[version].range, in: text.span) else {
            throw .invalidVersion
        }
        expectedVersion = number
    }

    private func checkSections(_ text: Span<UInt8>) throws(ShadowRefusal) {
        var members = tape.members(of: state)
        var sections: [Int] = []
        while let member = members.next(in: tape) {
            let name = text.slice(tape.tokens[member.name].range)
            guard name.equals("desired") || name.equals("reported") else {
                throw ShadowRefusal(
                    400, "State contains an invalid node: '\(String(decoding: name.copy(), as: UTF8.self))'")
            }
            let kind = tape.tokens[member.value].kind
            guard kind == .object || kind == .null else {
                throw ShadowRefusal(400, (name.equals("desired") ? "Desired" : "Reported") + " node must be an object")
            }
            sections.append(member.value)
        }
        for section in sections where depth(of: section) > Self.sectionDepth { throw .tooDeep }
    }

    /// Nested keys on the longest path in a value; arrays add none.
    private func depth(of index: Int) -> Int {
        let token = tape.tokens[index]
        var deepest = 0
        switch token.kind {
        case .object:
            var members = tape.members(of: index)
            while let member = members.next(in: tape) {
                deepest = max(deepest, 1 + depth(of: member.value))
            }
        case .array:
            var next = index + 1
            while next < tape.end(of: index) {
                deepest = max(deepest, depth(of: next))
                next = tape.end(of: next)
            }
        default: break
        }
        return deepest
    }

    /// Whether some array has a null in it, at any depth.
    private func hasNullInArray() -> Bool {
        var index = 0
        while index < tape.tokens.count {
            if tape.tokens[index].kind == .array {
                let end = tape.end(of: index)
                if tape.tokens[index..<end].contains(where: { $0.kind == .null }) { return true }
                index = end
            } else {
                index += 1
            }
        }
        return false
    }
}
