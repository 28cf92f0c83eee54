//  Random histories of shadows against the model, from seeds.
import ApusTestKit
import JSONText
import ShadowDocument
import Testing

/// Carries out an update and reads all that came of it.
struct Applied {
    var update: ShadowUpdate
    var accepted: JSON
    var delta: JSON?
    var documents: JSON
    var shown: JSON

    init(_ payload: String, over current: StoredShadow?, at seconds: Int) throws {
        let bytes = Array(payload.utf8)
        update = try ShadowRequestBody(bytes.span).update(current, at: UInt64(seconds))
        accepted = try #require(JSON(update.accepted))
        delta = update.delta.flatMap { JSON($0) }
        #expect((delta == nil) == (update.delta == nil))
        documents = try #require(JSON(update.documents))
        let get = ShadowAnswers(token: nil, seconds: UInt64(seconds)).get(update.stored)
        shown = try #require(get.flatMap { JSON($0) })
    }
}

private func number(_ value: Int) -> JSON { .number(String(value)) }

@Test(
    "a history of random updates does what the model does [AWS-3.1-1] [AWS-3.1-2] [AWS-3.3-1] [AWS-3.4-4] [AWS-3.4-5]",
    arguments: UInt64(0)..<200)
func history(seed: UInt64) throws {
    var dice = SeededRandom(seed)
    var model = ModelShadow()
    var stored: StoredShadow?
    for step in 1...12 {
        let state = dice.stateOfRequest()
        let seconds = 100 + step / 2
        let payload = #"{"state":"# + dice.spelling(state, strange: seed % 2 == 0) + "}"
        let before = model
        model.update(state, at: seconds)
        let applied = try Applied(payload, over: stored, at: seconds)
        let (version, time) = (number(model.version), number(seconds))
        #expect(applied.update.stored.version == UInt64(step))
        #expect(JSON(applied.update.stored.document) == model.state)

        // 3.1
        var shown = try #require(model.state.members)
        shown["delta"] = model.delta?.value
        #expect(
            applied.shown
                == .object(["state": .object(shown), "metadata": model.metadata, "version": version, "timestamp": time])
        )
        // 3.2
        let stamped: JSON = Times(of: state, at: seconds).json
        #expect(
            applied.accepted == .object(["state": state, "metadata": stamped, "version": version, "timestamp": time]))
        // 3.3
        let delta = model.delta.map {
            JSON.object(["state": $0.value, "metadata": $0.times.json, "version": version, "timestamp": time])
        }
        #expect(applied.delta == delta)
        #expect((applied.delta == nil) == covers(model.reported.value, model.desired.value))
        // 3.4
        #expect(
            applied.documents
                == .object([
                    "previous": step == 1 ? .null : before.snapshot, "current": model.snapshot, "timestamp": time,
                ]))
        stored = applied.update.stored
    }
}

@Test("replaying the accepted updates rebuilds the document", arguments: UInt64(500)..<560)
func replay(seed: UInt64) throws {
    var dice = SeededRandom(seed)
    var (first, second): (StoredShadow?, StoredShadow?)
    for step in 1...10 {
        let payload = #"{"state":"# + dice.spelling(dice.stateOfRequest(), strange: true) + "}"
        let applied = try Applied(payload, over: first, at: step)
        first = applied.update.stored
        let echo = dice.spelling(try #require(applied.accepted["state"]), strange: false)
        second = try Applied(#"{"state":"# + echo + "}", over: second, at: step).update.stored
        let (left, right) = (try #require(first), try #require(second))
        #expect(JSON(left.document) == JSON(right.document))
        #expect(left.version == right.version)
    }
}

@Test("a device that reports back each delta is in sync after it [AWS-3.3-1] [AWS-3.3-5]", arguments: UInt64(700)..<760)
func following(seed: UInt64) throws {
    var dice = SeededRandom(seed)
    var stored: StoredShadow?
    var heard = 0
    for step in 1...12 {
        let payload = #"{"state":"# + dice.spelling(dice.stateOfRequest(), strange: true) + "}"
        let applied = try Applied(payload, over: stored, at: step)
        stored = applied.update.stored
        guard let delta = applied.delta?["state"] else { continue }
        heard += 1
        let report = #"{"state":{"reported":"# + dice.spelling(delta, strange: false) + "}}"
        let answer = try Applied(report, over: stored, at: step)
        #expect(answer.delta == nil)
        stored = answer.update.stored
    }
    #expect(heard > 0)
}

@Test("wide objects in any order, more than a finder's patience", arguments: UInt64(0)..<3)
func wide(seed: UInt64) throws {
    var dice = SeededRandom(seed)
    func names(_ count: Int) -> [String] { (0..<count).map { "\($0 * 7 % 997)" } }
    var model = ModelShadow()
    var stored: StoredShadow?
    for step in 1...3 {
        var sections: [String: JSON] = [:]
        for section in ["desired", "reported"] {
            var members: [String: JSON] = [:]
            for name in names(300) where dice.roll(3) > 0 {
                members[name] = dice.roll(4) == 0 ? .number("1") : dice.roll(3) == 0 ? .number("2") : .null
            }
            sections[section] = .object(members)
        }
        let state = JSON.object(sections)
        model.update(state, at: step)
        let applied = try Applied(#"{"state":"# + dice.spelling(state, strange: false) + "}", over: stored, at: step)
        #expect(JSON(applied.update.stored.document) == model.state)
        #expect(applied.shown["metadata"] == model.metadata)
        #expect(applied.delta?["state"] == model.delta?.value)
        stored = applied.update.stored
    }
}

@Test("both readers take the same texts, bent anywhere", arguments: UInt64(0)..<200)
func readers(seed: UInt64) {
    var dice = SeededRandom(seed)
    for _ in 0..<20 {
        var bytes = Array(dice.spelling(dice.value(4, nulls: true), strange: true).utf8)
        for _ in 0..<dice.roll(4) where !bytes.isEmpty {
            let place = dice.roll(bytes.count)
            switch dice.roll(3) {
            case 0: bytes[place] = UInt8(dice.roll(256))
            case 1: bytes.remove(at: place)
            default: bytes.insert(dice.pick(Array("{}[],:\"\\u0e-.tn ".utf8)), at: place)
            }
        }
        let isTaken = (try? JSONScanner.validate(bytes.span, maximumDepth: 256)) != nil
        let isOnTape = (try? JSONTape(bytes.span, maximumDepth: 256)) != nil
        #expect(isTaken == (JSON(bytes) != nil))
        #expect(isOnTape == isTaken)
    }
}

private let whole =
    #"{"state":{"desired":{"a":{"b":[1,{"c":"x\u00e9"}],"d":1.50}},"reported":{"a":null}},"clientToken":"t","version":0}"#

@Test("an update with one byte changed is refused or stores JSON", arguments: 0..<whole.utf8.count)
func bent(at index: Int) throws {
    for byte in Array("\"\\{}[],:01-e. nu".utf8) + [0x00, 0x80, 0xC3, 0xFF] {
        var bytes = Array(whole.utf8)
        bytes[index] = byte
        guard let body = try? ShadowRequestBody(bytes.span), let update = try? body.update(nil, at: 5) else { continue }
        let request = try #require(JSON(bytes))
        var model = ModelShadow()
        model.update(try #require(request["state"]), at: 5)
        #expect(JSON(update.stored.document) == model.state)
        #expect(JSON(update.accepted)?["state"] == request["state"])
        #expect(JSON(update.documents)?["current"] == model.snapshot)
    }
}
