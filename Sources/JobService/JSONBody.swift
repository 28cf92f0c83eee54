import ByteKit
import JSONText

/// A JSON object that came with a request, read once; members that are `null` count as absent.
struct JSONBody: Sendable {
    /// Levels of containers that are read.
    static let depth = 64

    /// Why a payload is no body.
    enum Fault: Error {
        /// Not UTF-8, not JSON, too deep, or no object.
        case notAnObject
    }

    private let text: [UInt8]
    private let tape: JSONTape

    /// Reads a payload; an empty one counts as `{}`.
    init(_ payload: Span<UInt8>) throws(Fault) {
        let text = payload.isEmpty ? Array("{}".utf8) : payload.copy()
        self.text = text
        do throws(JSONFault) {
            tape = try JSONTape(text.span, maximumDepth: Self.depth)
        } catch {
            throw .notAnObject
        }
        guard tape.tokens[0].kind == .object else { throw .notAnObject }
    }

    func kind(_ index: Int) -> JSONKind { tape.tokens[index].kind }

    /// The value of a member that is there and not null.
    func member(_ name: StaticString, of object: Int) -> Int? {
        guard let index = tape.member(name, of: object, in: text.span), kind(index) != .null else { return nil }
        return index
    }

    /// Names and values of an object's members, nulls included, in their order.
    func members(of object: Int) -> [(name: String, value: Int)] {
        var walk = tape.members(of: object)
        var found: [(name: String, value: Int)] = []
        while let member = walk.next(in: tape) {
            found.append((content(tape.tokens[member.name].range), member.value))
        }
        return found
    }

    /// The elements of an array, nulls included.
    func elements(of array: Int) -> [Int] {
        guard kind(array) == .array else { return [] }
        var found: [Int] = []
        var next = array + 1
        while next < tape.end(of: array) {
            found.append(next)
            next = tape.end(of: next)
        }
        return found
    }

    /// The characters of a string; nil for all else.
    func string(_ index: Int) -> String? {
        guard kind(index) == .string else { return nil }
        let range = tape.tokens[index].range
        return content(ByteRange(start: range.start + 1, count: range.count - 2))
    }

    /// A value's text as it stands.
    func raw(_ index: Int) -> [UInt8] { text.span.slice(tape.tokens[index].range).copy() }

    private func content(_ inside: ByteRange) -> String {
        var reader = JSONStringReader(inside: inside, in: text.span)
        var bytes: [UInt8] = []
        while let byte = reader.next(in: text.span) {
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
