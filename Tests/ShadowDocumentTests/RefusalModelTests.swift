//  Requests that are wrong in one way or several, against the model of 2.8; sizes and numbers at their edges.
import ApusTestKit
import ShadowDocument
import Testing

/// Applies a payload and answers the refusal, nil where it was accepted.
private func refusal(_ payload: [UInt8], over current: StoredShadow?) -> ShadowRefusal? {
    let body: ShadowRequestBody
    do throws(ShadowRequestBody.Rejected) { body = try ShadowRequestBody(payload.span) } catch { return error.refusal }
    do throws(ShadowRefusal) { _ = try body.update(current, at: 9) } catch { return error }
    return nil
}

private let existing = StoredShadow(
    document: Array(#"{"desired":{"a":1}}"#.utf8), metadata: Array("[5,1]".utf8), version: 3, isDeleted: false)

extension SeededRandom {
    /// A request of which any part may be of the wrong kind.
    fileprivate mutating func request() -> String {
        var members: [String] = []
        if roll(12) > 0 { members.append(#""state":"# + (roll(4) == 0 ? anything() : strangeState())) }
        if roll(2) == 0 { members.append(#""clientToken":"# + (roll(4) == 0 ? anything() : #""t""#)) }
        if roll(6) == 0 { members.append(#""clientToken":""# + String(repeating: "é", count: 31 + roll(3)) + #"""#) }
        if roll(2) == 0 { members.append(#""version":"# + pick(["0", "1", "3", "3", "3.0", "-3", "4", "null", "{}"])) }
        if roll(3) == 0 { members.append(#""x":"# + anything()) }
        return "{" + members.shuffled(using: &self).joined(separator: ",") + "}"
    }

    private mutating func anything() -> String { spelling(value(3, nulls: true), strange: true) }

    private mutating func strangeState() -> String {
        var state = stateOfRequest()
        if roll(3) == 0, var sections = state.members {
            let part = pick(["desired", "reported", "delta", "Desired", "x"])
            sections[part] = roll(2) == 0 ? nested(roll(3) + 7) : value(2, nulls: true)
            state = .object(sections)
        }
        return spelling(state, strange: true)
    }

    /// So many keys on one path, some of them with arrays between.
    private mutating func nested(_ keys: Int) -> JSON {
        (0..<keys).reduce(.bool(true)) { inner, _ in .object(["k": roll(3) == 0 ? .array([inner]) : inner]) }
    }

    fileprivate mutating func bent(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<roll(3) where !bytes.isEmpty {
            let place = roll(bytes.count)
            switch roll(4) {
            case 0: bytes[place] = UInt8(roll(256))
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(pick(Array("{}[],:\"\\u0e-.tn ".utf8)), at: place)
            default: bytes = Array(bytes.prefix(place))
            }
        }
        return bytes
    }
}

@Test("2.8: whatever is wrong, the first rule that is broken answers [AWS-2.8-1]", arguments: UInt64(0)..<200)
func firstRule(seed: UInt64) {
    var dice = SeededRandom(seed)
    for _ in 0..<60 {
        let payload = dice.bent(dice.request())
        let current = dice.roll(3) == 0 ? nil : existing
        let expected = expectedRefusal(payload, version: current.map { Int($0.version) })
        let found = refusal(payload, over: current)
        // Of several strange keys any one may be named.
        let text = expected?.message.hasPrefix("State contains") == true ? "State contains" : expected?.message ?? ""
        #expect(
            found?.code == expected?.code && (found?.message.hasPrefix(text) ?? (expected == nil)),
            "\(String(decoding: payload, as: UTF8.self)): \(String(describing: expected)), \(String(describing: found))"
        )
    }
}

@Test("2.8: each pair of faults is answered by the one that comes first [AWS-2.8-1]")
func pairsOfFaults() {
    let tokens = [#""clientToken":7,"#, ""]
    let states = [
        "", #""state":5,"#, #""state":{"x":1},"#, #""state":{"desired":1},"#,
        #""state":{"desired":"# + String(repeating: #"{"a":"#, count: 9) + "1" + String(repeating: "}", count: 9)
            + "},",
    ]
    let versions = [#""version":"x","#, #""version":7,"#, ""]
    for token in tokens {
        for state in states {
            for version in versions {
                let payload = Array(("{" + token + state + version + #""y":0}"#).utf8)
                #expect(refusal(payload, over: existing) == expectedRefusal(payload, version: 3))
                #expect(refusal(Array(payload.dropLast()), over: existing)?.message == "Invalid JSON")
                #expect(refusal(Array(payload.dropLast()) + [0xC0], over: existing)?.code == 415)
            }
        }
    }
    let large = #"{"state":{"desired":{"b":""# + String(repeating: "x", count: 8192) + #""}},"version":"#
    #expect(refusal(Array((large + "3}").utf8), over: existing)?.code == 413)
    #expect(refusal(Array((large + "4}").utf8), over: existing)?.code == 409)
    #expect(refusal(Array((large + "-4}").utf8), over: existing)?.message == "Invalid version")
}

/// Bytes of compact JSON whose strings need no escapes.
private func size(_ value: JSON) -> Int {
    switch value {
    case .object(let members): members.reduce(1 + max(1, members.count)) { $0 + $1.key.utf8.count + 3 + size($1.value) }
    case .array(let elements): elements.reduce(1 + max(1, elements.count)) { $0 + size($1) }
    case .string(let text): text.utf8.count + 2
    case .number(let text): text.utf8.count
    case .bool(let flag): flag ? 4 : 5
    case .null: 4
    }
}

@Test("2.7: at 8192 bytes an update fits or is refused by the size of what would be stored", arguments: UInt64(0)..<40)
func sizes(seed: UInt64) throws {
    var dice = SeededRandom(seed)
    var model = ModelShadow()
    var stored: StoredShadow?
    var refused = 0
    for step in 1...40 {
        // Fills what is left, give or take a few bytes, or makes room.
        let left = 8192 - [model.desired, model.reported].filter { $0 != .empty }.reduce(0) { $0 + size($1.value) }
        let count = dice.roll(3) == 0 ? left - 25 + dice.roll(30) : dice.roll(2000)
        let text = JSON.string(String(repeating: dice.pick(["x", "é"]), count: max(0, count)))
        let change: JSON = dice.roll(4) == 0 ? .null : dice.roll(2) == 0 ? text : .array([text, .bool(true)])
        let state = JSON.object([dice.pick(["desired", "reported"]): .object([dice.pick(["a", "b", "c"]): change])])
        var next = model
        next.update(state, at: step)
        let bytes = [next.desired, next.reported].filter { $0 != .empty }.reduce(0) { $0 + size($1.value) }
        let payload = Array((#"{"state":"# + dice.spelling(state, strange: false) + "}").utf8)
        let found = refusal(payload, over: stored)
        #expect(found == (bytes > 8192 ? ShadowRefusal(413, "The payload exceeds the maximum size allowed") : nil))
        if found == nil {
            stored = try Applied(String(decoding: payload, as: UTF8.self), over: stored, at: step).update.stored
            model = next
        } else {
            refused += 1
        }
    }
    #expect(stored.flatMap { JSON($0.document) } == model.state)
    #expect(refused > 0)
}

private let large = String(repeating: "7", count: 400)

/// Numbers that no machine type holds, and whether the two of a row are the same.
private let numbers: [(desired: String, reported: String, isSame: Bool)] = [
    ("1e400", "10E+399", true), ("1e400", "1e401", false), ("-1e-400", "-0.1e-399", true), (large, large, true),
    (large, large + "0", false), (large, large + ".0", true), (large, large + "e0", true), ("0e999999", "0", true),
    ("1e99999999999999999999", "1e99999999999999999999", true), ("9007199254740993", "9007199254740993.0", true),
    ("9007199254740993", "9007199254740992", false), ("-0", "0", true),
]

@Test("2.3, 2.4: huge numbers come back as they were and are compared by value", arguments: numbers)
func hugeNumbers(_ row: (desired: String, reported: String, isSame: Bool)) throws {
    let payload = #"{"state":{"desired":{"n":\#(row.desired)},"reported":{"n":\#(row.reported)}}}"#
    let applied = try Applied(payload, over: nil, at: 1)
    #expect((applied.delta == nil) == row.isSame)
    #expect(
        String(decoding: applied.update.stored.document, as: UTF8.self)
            == #"{"desired":{"n":\#(row.desired)},"reported":{"n":\#(row.reported)}}"#)
}
