//  Sections 2.3 to 2.5, a row for each rule.
import ShadowDocument
import Testing

private struct Row: CustomTestStringConvertible, Sendable {
    var rule: String
    var states: [String]
    var document: String
    var testDescription: String { rule }
}

private let namedFields = [
    Row(
        rule: "only named fields change", states: [#"{"desired":{"a":1,"b":2}}"#, #"{"desired":{"b":3}}"#],
        document: #"{"desired":{"a":1,"b":3}}"#),
    Row(
        rule: "null removes", states: [#"{"desired":{"a":1,"b":2}}"#, #"{"desired":{"a":null,"z":null}}"#],
        document: #"{"desired":{"b":2}}"#),
    Row(
        rule: "null removes at depth", states: [#"{"desired":{"a":{"b":1,"c":2}}}"#, #"{"desired":{"a":{"b":null}}}"#],
        document: #"{"desired":{"a":{"c":2}}}"#),
    Row(
        rule: "null in a new object is not stored", states: [#"{"desired":{"a":{"b":null,"c":{"d":null}}}}"#],
        document: #"{"desired":{"a":{"c":{}}}}"#),
    Row(
        rule: "null in an object over a scalar is not stored",
        states: [#"{"desired":{"a":1}}"#, #"{"desired":{"a":{"b":null}}}"#], document: #"{"desired":{"a":{}}}"#),
]

private let emptyObjects = [
    Row(
        rule: "arrays are replaced whole", states: [#"{"desired":{"a":[1,2,3]}}"#, #"{"desired":{"a":[4]}}"#],
        document: #"{"desired":{"a":[4]}}"#),
    Row(rule: "an empty object is stored", states: [#"{"desired":{"d":{}}}"#], document: #"{"desired":{"d":{}}}"#),
    Row(
        rule: "an empty object replaces a scalar and an array",
        states: [#"{"desired":{"a":1,"b":[1]}}"#, #"{"desired":{"a":{},"b":{}}}"#],
        document: #"{"desired":{"a":{},"b":{}}}"#),
    Row(
        rule: "an empty object over an object changes nothing",
        states: [#"{"desired":{"a":{"b":1}}}"#, #"{"desired":{"a":{}}}"#], document: #"{"desired":{"a":{"b":1}}}"#),
    Row(
        rule: "null for the last key of an object leaves an empty one",
        states: [#"{"desired":{"a":{"b":1}}}"#, #"{"desired":{"a":{"b":null}}}"#], document: #"{"desired":{"a":{}}}"#),
]

private let sections = [
    Row(
        rule: "the last key of a section takes the section along",
        states: [#"{"desired":{"a":1},"reported":{"b":1}}"#, #"{"desired":{"a":null}}"#],
        document: #"{"reported":{"b":1}}"#),
    Row(
        rule: "a section set to null goes",
        states: [#"{"desired":{"a":1},"reported":{"b":1}}"#, #"{"reported":null}"#], document: #"{"desired":{"a":1}}"#),
    Row(
        rule: "an empty section leaves it alone", states: [#"{"desired":{"a":1}}"#, #"{"desired":{}}"#],
        document: #"{"desired":{"a":1}}"#),
    Row(
        rule: "a state of null removes both", states: [#"{"desired":{"a":1},"reported":{"b":1}}"#, "null"],
        document: "{}"),
    Row(
        rule: "an empty state clears nothing", states: [#"{"desired":{"a":1}}"#, "{}"],
        document: #"{"desired":{"a":1}}"#),
]

private let values = [
    Row(
        rule: "types change freely",
        states: [#"{"desired":{"a":{"b":1},"c":1,"d":[1]}}"#, #"{"desired":{"a":1,"c":{"x":true},"d":"s"}}"#],
        document: #"{"desired":{"a":1,"c":{"x":true},"d":"s"}}"#),
    Row(
        rule: "spelling survives",
        states: [#"{"desired":{ "n" : [9007199254740993, 1.0, 1e3, -0, 1.10], "\u0041/é" : "\u00e9\/", "t": true }}"#],
        document: #"{"desired":{"n":[9007199254740993,1.0,1e3,-0,1.10],"\u0041/é":"\u00e9\/","t":true}}"#),
    Row(
        rule: "names with a meaning elsewhere are data",
        states: [#"{"desired":{"state":1,"desired":{"delta":2},"metadata":3,"version":4}}"#],
        document: #"{"desired":{"state":1,"desired":{"delta":2},"metadata":3,"version":4}}"#),
    Row(
        rule: "a name is its characters", states: [#"{"desired":{"a":1}}"#, #"{"desired":{"\u0061":2}}"#],
        document: #"{"desired":{"a":2}}"#),
    Row(
        rule: "sections may be spelled with escapes", states: [#"{"des\u0069red":{"a":1}}"#],
        document: #"{"desired":{"a":1}}"#),
    Row(
        rule: "of repeated names the last one counts", states: [#"{"desired":{"a":{"x":1},"b":1,"a":{"y":2}}}"#],
        document: #"{"desired":{"b":1,"a":{"y":2}}}"#),
    Row(
        rule: "sections come in one order", states: [#"{"reported":{"a":1},"desired":{"b":1}}"#],
        document: #"{"desired":{"b":1},"reported":{"a":1}}"#),
]

@Test("2.3: named fields and nulls [AWS-2.3-1] [AWS-2.3-2] [AWS-2.3-3]", arguments: namedFields)
private func mergeNamedFields(_ row: Row) throws { try check(row) }

@Test(
    "2.3: arrays and empty objects [AWS-2.3-4] [AWS-2.3-6] [AWS-2.3-7] [AWS-2.3-8] [AWS-18-4]", arguments: emptyObjects)
private func mergeEmptyObjects(_ row: Row) throws { try check(row) }

@Test("2.3: sections [AWS-2.3-9] [AWS-2.3-10] [AWS-2.3-11] [AWS-2.3-12]", arguments: sections)
private func mergeSections(_ row: Row) throws { try check(row) }

@Test("2.3: types, spelling and names [AWS-2.3-13] [AWS-2.3-14] [AWS-2.3-15]", arguments: values)
private func mergeValues(_ row: Row) throws { try check(row) }

private func check(_ row: Row) throws {
    var stored: StoredShadow?
    for state in row.states {
        stored = try Applied(#"{"state":"# + state + "}", over: stored, at: 1).update.stored
    }
    let document = try #require(stored?.document)
    #expect(String(decoding: document, as: UTF8.self) == row.document)
    #expect(stored?.version == UInt64(row.states.count))
}

private typealias Difference = (desired: String, reported: String?, delta: String?)

private let deltas: [Difference] = [
    (#"{"a":1}"#, nil, #"{"a":1}"#), (#"{"a":1}"#, #"{"b":1}"#, #"{"a":1}"#), (#"{"a":1}"#, #"{"a":1}"#, nil),
    (#"{"a":1}"#, #"{"a":1,"b":2}"#, nil), (#"{"a":1}"#, #"{"a":2}"#, #"{"a":1}"#),
    ("{}", #"{"a":2}"#, nil), (#"{"a":"x","b":{"c":1}}"#, #"{"b":3}"#, #"{"a":"x","b":{"c":1}}"#),
]

private let nestedDeltas: [Difference] = [
    (#"{"a":{"b":1,"c":2}}"#, #"{"a":{"b":1,"c":3}}"#, #"{"a":{"c":2}}"#),
    (#"{"a":{"b":1}}"#, #"{"a":{"b":1,"c":3}}"#, nil),
    (#"{"a":{}}"#, #"{"b":1}"#, #"{"a":{}}"#), (#"{"a":{}}"#, #"{"a":{"b":1}}"#, nil),
    (#"{"a":{"b":{}}}"#, #"{"a":{}}"#, #"{"a":{"b":{}}}"#),
]

private let deltasOfValues: [Difference] = [
    (#"{"a":[1,2]}"#, #"{"a":[2,1]}"#, #"{"a":[1,2]}"#), (#"{"a":[1,2]}"#, #"{"a":[1,2]}"#, nil),
    (#"{"a":[1]}"#, #"{"a":[1,2]}"#, #"{"a":[1]}"#),
    (#"{"a":[{"x":1,"y":2}]}"#, #"{"a":[{"y":2,"x":1.0}]}"#, nil),
    (#"{"a":[{"x":1}]}"#, #"{"a":[{"x":1,"y":2}]}"#, #"{"a":[{"x":1}]}"#),
    (#"{"a":true}"#, #"{"a":1}"#, #"{"a":true}"#), (#"{"a":"1"}"#, #"{"a":1}"#, #"{"a":"1"}"#),
    (#"{"a":{}}"#, #"{"a":[]}"#, #"{"a":{}}"#),
    (#"{"a":1}"#, #"{"a":1.0}"#, nil), (#"{"a":100}"#, #"{"a":1e2}"#, nil), (#"{"a":0}"#, #"{"a":-0.0}"#, nil),
    (#"{"a":9007199254740993}"#, #"{"a":9007199254740992}"#, #"{"a":9007199254740993}"#),
    (#"{"a":"\u0061"}"#, #"{"a":"a"}"#, nil), (#"{"\u0061":"x"}"#, #"{"a":"x"}"#, nil),
    (#"{"a":"A"}"#, #"{"a":"a"}"#, #"{"a":"A"}"#),
]

@Test("2.4: what is in the delta [AWS-2.4-1] [AWS-2.4-3] [AWS-2.4-4] [AWS-2.4-9] [AWS-3.3-5]", arguments: deltas)
private func delta(_ row: Difference) throws { try check(row) }

@Test("2.4: objects in objects [AWS-2.4-2] [AWS-2.4-5] [AWS-2.4-6] [AWS-2.4-10]", arguments: nestedDeltas)
private func nestedDelta(_ row: Difference) throws { try check(row) }

@Test("2.4: arrays and types [AWS-2.4-7] [AWS-2.4-8]", arguments: deltasOfValues)
private func deltaOfValues(_ row: Difference) throws { try check(row) }

private func check(_ row: Difference) throws {
    let (desired, reported, delta) = row
    let other = reported.map { #","reported":"# + $0 } ?? ""
    let applied = try Applied(#"{"state":{"desired":"# + desired + other + "}}", over: nil, at: 1)
    let text = try applied.update.delta.map { payload in
        let text = String(decoding: payload, as: UTF8.self)
        let start = #"{"version":1,"timestamp":1,"state":"#
        #expect(text.hasPrefix(start))
        let end = try #require(text.firstRange(of: #","metadata":"#)).lowerBound
        return String(text[text.index(text.startIndex, offsetBy: start.count)..<end])
    }
    #expect(text == delta)
    #expect(applied.shown["state"]?["delta"] == delta.flatMap { JSON($0) })
}

/// The metadata that a get shows after updates at 10, 20, 30 and so on.
private func metadata(_ states: String...) throws -> String {
    var stored: StoredShadow?
    for (step, state) in states.enumerated() {
        stored = try Applied(#"{"state":"# + state + "}", over: stored, at: 10 + 10 * step).update.stored
    }
    let body = ShadowAnswers(token: nil, seconds: 99).get(try #require(stored))
    let text = String(decoding: try #require(body), as: UTF8.self)
    let match = try #require(text.firstMatch(of: /"metadata":(.*),"version"/))
    return String(match.1).replacing(/{"timestamp":([0-9]+)}/) { "\($0.1)" }
}

@Test("2.5: the time of a leaf is that of the last update that named it [AWS-2.5-4] [AWS-2.5-5]")
func times() throws {
    #expect(
        try metadata(#"{"desired":{"a":1,"b":{"c":2,"d":3}},"reported":{"a":1}}"#, #"{"desired":{"b":{"c":2}}}"#)
            == #"{"desired":{"a":10,"b":{"c":20,"d":10}},"reported":{"a":10}}"#)
    #expect(try metadata(#"{"desired":{"a":1}}"#, #"{"desired":{"a":1}}"#) == #"{"desired":{"a":20}}"#)
    #expect(
        try metadata(#"{"desired":{"a":1,"b":2,"c":3}}"#, #"{"desired":{"b":null}}"#, #"{"desired":{"b":7}}"#)
            == #"{"desired":{"a":10,"c":10,"b":30}}"#)
}

@Test("2.5: arrays have a time for each element, empty values none [AWS-2.5-1] [AWS-2.5-2] [AWS-2.5-3]")
func timesOfArrays() throws {
    #expect(
        try metadata(#"{"reported":{"a":[1,[2,{"x":3}],[],{}],"e":{},"s":"q"}}"#)
            == #"{"reported":{"a":[10,[10,{"x":10}],[],{}],"e":{},"s":10}}"#)
    #expect(
        try metadata(#"{"reported":{"a":[1,2,3],"b":1}}"#, #"{"reported":{"a":[1]}}"#)
            == #"{"reported":{"a":[20],"b":10}}"#)
    #expect(
        try metadata(#"{"reported":{"a":{"x":1,"y":2},"b":1}}"#, #"{"reported":{"a":5}}"#)
            == #"{"reported":{"a":20,"b":10}}"#)
}

@Test("2.5: metadata of a section that goes, goes along [AWS-2.5-6]")
func timesOfSections() throws {
    #expect(
        try metadata(#"{"desired":{"a":1},"reported":{"b":1}}"#, #"{"reported":{"b":1}}"#, #"{"desired":null}"#)
            == #"{"reported":{"b":20}}"#)
    #expect(try metadata(#"{"desired":{"a":1}}"#, "null", #"{"desired":{"a":1}}"#) == #"{"desired":{"a":30}}"#)
    #expect(try metadata(#"{"desired":{"a":1}}"#, "null") == "{}")
}

@Test("2.5: a delta shows desired's own times [AWS-2.5-7] [AWS-3.3-6]")
func timesOfDelta() throws {
    let first = try Applied(
        #"{"state":{"desired":{"a":1,"b":{"c":[1,2],"d":3}},"reported":{"a":1}}}"#, over: nil, at: 10)
    let second = try Applied(#"{"state":{"desired":{"b":{"d":4}}}}"#, over: first.update.stored, at: 20)
    let third = try Applied(#"{"state":{"reported":{"x":1,"a":2}}}"#, over: second.update.stored, at: 30)
    let payload = try #require(third.update.delta)
    #expect(
        String(decoding: payload, as: UTF8.self)
            == #"{"version":3,"timestamp":30,"state":{"a":1,"b":{"c":[1,2],"d":4}},"#
            + #""metadata":{"a":{"timestamp":10},"b":{"c":[{"timestamp":10},{"timestamp":10}],"d":{"timestamp":20}}}}"#)
}

@Test("metadata that does not fit its document shows the time 0, and an update goes on")
func strangeMetadata() throws {
    for text in ["", "{}", "[", "[5]", "[5,1]", "[\"a\",1]", "[5,0,6,99999999999999999999]", "[-1,3]"] {
        let stored = StoredShadow(
            document: Array(#"{"desired":{"a":[1,2],"b":3}}"#.utf8), metadata: Array(text.utf8), version: 3,
            isDeleted: false)
        let applied = try Applied(#"{"state":{"desired":{"c":1}}}"#, over: stored, at: 9)
        #expect(applied.shown["metadata"]?["desired"]?["c"] == .object(["timestamp": .number("9")]))
        #expect(applied.shown["metadata"]?["desired"]?["b"] == .object(["timestamp": .number("0")]))
    }
}

@Test("metadata stored in the shape of its document is read as well")
func shapedMetadata() throws {
    let stored = StoredShadow(
        document: Array(#"{"desired":{"a":[1,{"x":2}],"b":3,"e":{}},"reported":{"c":4}}"#.utf8),
        metadata: Array(#"{"desired":{"a":[5,{"x":6}],"b":7,"e":{}},"reported":{"c":8}}"#.utf8), version: 3,
        isDeleted: false)
    let applied = try Applied(#"{"state":{"desired":{"b":4}}}"#, over: stored, at: 9)
    #expect(
        applied.shown["metadata"]
            == JSON(
                #"{"desired":{"a":[{"timestamp":5},{"x":{"timestamp":6}}],"b":{"timestamp":9},"e":{}},"#
                    + #""reported":{"c":{"timestamp":8}}}"#))
}

@Test("a look into a document")
func look() throws {
    let payload =
        #"{"state":{"reported":{"config":{"firmware_version":"1.0.\u0035","n":7},"update":{"state":"x","list":[1]}}}}"#
    let stored = try Applied(payload, over: nil, at: 1).update.stored
    #expect(stored.string(.reported, ["config", "firmware_version"]) == "1.0.5")
    #expect(stored.string(.reported, ["config", "n"]) == nil)
    #expect(stored.string(.desired, ["config", "n"]) == nil)
    #expect(stored.value(.reported, ["update"]) == Array(#"{"state":"x","list":[1]}"#.utf8))
    #expect(stored.value(.reported, ["config", "n"]) == Array("7".utf8))
    #expect(stored.value(.reported, ["config", "n", "x"]) == nil)
    #expect(stored.value(.reported, ["update", "list", "x"]) == nil)
    #expect(stored.tombstone.value(.reported, []) == nil)
    #expect(stored.tombstone.version == 2)
}

@Test(
    "the last change is the newest time of any leaf",
    arguments: [
        ("[]", nil), ("[1700000000,3]", 1_700_000_000), ("[5,1,9,2,7,1]", 9), ("[5]", nil), ("", nil),
    ] as [(String, UInt64?)])
func lastChange(metadata: String, newest: UInt64?) {
    let shadow = StoredShadow(document: Array("{}".utf8), metadata: Array(metadata.utf8), version: 1, isDeleted: false)
    #expect(shadow.changed == newest)
}
