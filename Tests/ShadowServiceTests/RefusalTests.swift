//  Section 2.8: which rule is broken first, and what is said.
import ShadowDocument
import ShadowService
import Testing

private struct Case: CustomTestStringConvertible, Sendable {
    var payload: String
    var answer: String
    var token: String?
    var testDescription: String { String(payload.prefix(60)) }

    init(_ payload: String, _ answer: String, token: String? = nil) {
        (self.payload, self.answer, self.token) = (payload, answer, token)
    }
}

private let nesting = "400 JSON contains too many levels of nesting; maximum is 8"

/// `{"a":{"a":…1}}` with so many keys on its path.
private func nested(_ keys: Int) -> String {
    String(repeating: #"{"a":"#, count: keys) + "1" + String(repeating: "}", count: keys)
}

private let malformed = [
    Case("", "400 Invalid JSON"),
    Case("{", "400 Invalid JSON"),
    Case("[]", "400 Invalid JSON"),
    Case("null", "400 Invalid JSON"),
    Case(#""state""#, "400 Invalid JSON"),
    Case(#"{"state":{}} x"#, "400 Invalid JSON"),
    Case(#"{"state":{"desired":{"a":[1,null]}},"clientToken":"t"}"#, "400 Invalid JSON", token: "t"),
    Case(#"{"state":{"desired":{"a":[[null]]}},"clientToken":7}"#, "400 Invalid JSON"),
]

private let tokens = [
    Case(#"{"clientToken":7}"#, "400 Invalid clientToken"),
    Case(#"{"state":5,"clientToken":null}"#, "400 Invalid clientToken"),
    Case(#"{"state":5,"clientToken":""# + String(repeating: "x", count: 65) + #""}"#, "400 Invalid clientToken"),
    Case(#"{"state":{},"clientToken":""# + String(repeating: "é", count: 33) + #""}"#, "400 Invalid clientToken"),
]

private let states = [
    Case("{}", "400 Missing required node: state"),
    Case(#"{"clientToken":"t","version":"x"}"#, "400 Missing required node: state", token: "t"),
    Case(#"{"state":5,"clientToken":""}"#, "400 State node must be an object", token: ""),
    Case(#"{"state":[]}"#, "400 State node must be an object"),
    Case(#"{"state":{"foo":1}}"#, "400 State contains an invalid node: 'foo'"),
    Case(#"{"state":{"delta":{}}}"#, "400 State contains an invalid node: 'delta'"),
    Case(#"{"state":{"Desired":{}}}"#, "400 State contains an invalid node: 'Desired'"),
    Case(#"{"state":{"desired":5,"foo":1}}"#, "400 State contains an invalid node: 'foo'"),
    Case(#"{"state":{"a\"\u0041":1}}"#, #"400 State contains an invalid node: 'a"A'"#),
    Case(#"{"state":{"desired":[]}}"#, "400 Desired node must be an object"),
    Case(#"{"state":{"reported":1,"desired":"x"}}"#, "400 Desired node must be an object"),
    Case(#"{"state":{"reported":1}}"#, "400 Reported node must be an object"),
    Case(#"{"state":{"reported":1},"version":"x"}"#, "400 Reported node must be an object"),
]

private let deep = [
    Case(#"{"state":{"desired":"# + nested(9) + "}}", nesting),
    Case(#"{"state":{"reported":"# + nested(9) + #"},"version":-1,"clientToken":"t"}"#, nesting, token: "t"),
    Case(#"{"state":{"desired":{"a":[[{"b":"# + nested(7) + "}]]}}}", nesting),
    Case(#"{"clientToken":"t","x":"# + nested(70) + #","state":{}}"#, nesting, token: "t"),
    Case(#"{"x":"# + nested(300) + #","clientToken":"t"}"#, nesting, token: "t"),
    Case(String(repeating: "[", count: 5000), nesting),
]

private let versionMembers = [
    Case(#"{"state":{},"version":"1"}"#, "400 Invalid version"),
    Case(#"{"state":{},"version":-1}"#, "400 Invalid version"),
    Case(#"{"state":{},"version":1.5}"#, "400 Invalid version"),
    Case(#"{"state":{},"version":null}"#, "400 Invalid version"),
    Case(#"{"state":{},"version":1}"#, "409 Version conflict"),
    Case(#"{"state":{},"version":99999999999999999999999}"#, "409 Version conflict"),
]

@Test(
    "2.8: what is no JSON object, and null in an array [AWS-2.8-3] [AWS-2.3-5] [AWS-18-6] [AWS-18-8] [AWS-3.6-1]",
    arguments: malformed)
private func refusesBroken(_ row: Case) throws { try refuses(row) }

@Test("2.8: client tokens [AWS-2.8-4] [AWS-1.2-3]", arguments: tokens)
private func refusesTokens(_ row: Case) throws { try refuses(row) }

@Test(
    "2.8: state and its sections [AWS-2.8-5] [AWS-2.8-6] [AWS-2.8-7] [AWS-2.8-8] [AWS-2.2-1]", arguments: states)
private func refusesStates(_ row: Case) throws { try refuses(row) }

@Test("2.7, 2.8: levels [AWS-2.8-9] [AWS-2.7-3] [AWS-2.7-4] [AWS-1.2-2] [AWS-18-1]", arguments: deep)
private func refusesDeep(_ row: Case) throws { try refuses(row) }

@Test("2.8: versions [AWS-2.8-10] [AWS-2.2-4] [AWS-3.6-2]", arguments: versionMembers)
private func refusesVersions(_ row: Case) throws { try refuses(row) }

private func refuses(_ row: Case) throws {
    var shell = try Shell()
    let reply = shell.update(row.payload)
    #expect(reply.answer == row.answer)
    #expect(reply.messages.count == 1)
    let message = try #require(reply.messages.first)
    #expect(message.hasPrefix(#"update/rejected {"code":"# + row.answer.prefix(3) + #","message":""#))
    if let token = row.token {
        #expect(message.hasSuffix(#"","clientToken":"\#(token)"}"#))
    } else {
        #expect(!message.contains("clientToken\":"))
    }
    #expect(shell.stored == nil)
}

@Test("1.2, 2.8: too many requests in flight are 429, whatever they ask, with their token [AWS-2.8-16] [AWS-1.2-4]")
func throttled() throws {
    let id = try #require(ShadowID(thing: "T", name: nil))
    let rows = [
        (ShadowOperation.get, ShadowSuffix.getRejected), (.update, .updateRejected), (.delete, .deleteRejected),
    ]
    for (operation, suffix) in rows {
        for (payload, token) in [(#"{"clientToken":"t"}"#, #","clientToken":"t""#), ("{", ""), ("", "")] {
            let bytes = Array(payload.utf8)
            let outcome = ShadowService.throttled(
                ShadowRequest(id: id, operation: operation), payload: bytes.span, timestampSeconds: 5)
            #expect(outcome.stored == nil && outcome.publications.map(\.suffix) == [suffix])
            let text = outcome.publications.map { String(decoding: $0.payload, as: UTF8.self) }
            #expect(text == [#"{"code":429,"message":"Too many requests in flight on this connection"\#(token)}"#])
        }
    }
    #expect(ShadowService.exceptionName(forCode: 429) == "ThrottlingException")
}

@Test("2.8: what is not UTF-8 is 415, whatever else is wrong with it [AWS-2.8-2]")
func encoding() throws {
    let head = Array(#"{"state":{"desired":{"a":""#.utf8)
    let tails: [[UInt8]] = [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]]
    for tail in tails {
        for end in ["\"}}}", "", "\"}}} x"] {
            var shell = try Shell()
            let reply = shell.ask(.update, bytes: head + tail + Array(end.utf8), at: 1)
            #expect(reply.answer == "415 Unsupported documented encoding; supported encoding is UTF-8")
            #expect(shell.stored == nil)
        }
    }
    var shell = try Shell()
    #expect(shell.ask(.update, bytes: Array(#"{"a" x "#.utf8) + [0xFF], at: 1).answer.hasPrefix("415 "))
    #expect(shell.ask(.get, bytes: [0xFF], at: 1).answer.hasPrefix("415 "))
}

@Test(
    "2.7: 8192 bytes of both sections fit, one more does not, and the shadow stays as it was [AWS-1.2-1] [AWS-2.7-1] [AWS-2.7-2] [AWS-2.8-15]"
)
func size() throws {
    // Sections {"a":"…"} and {"b":1} are 8 + n and 7 bytes.
    func update(_ count: Int) -> String {
        #"{"state":{"desired":{"a":""# + String(repeating: "x", count: count) + #""},"reported":{ "b" : 1 }}}"#
    }
    var shell = try Shell()
    #expect(shell.update(update(8192 - 15 + 1)).answer == "413 The payload exceeds the maximum size allowed")
    #expect(shell.stored == nil)
    #expect(shell.update(update(8192 - 15)).answer.hasPrefix(#"{"state":"#))
    let before = shell.stored
    #expect(shell.update(#"{"state":{"reported":{"b":11}}}"#).answer.hasPrefix("413 "))
    #expect(shell.stored == before)
    // Deleting is always possible, and metadata does not count.
    #expect(shell.update(#"{"state":{"desired":{"a":null}}}"#).answer.hasPrefix(#"{"state":"#))
    #expect(shell.update(#"{"state":{"reported":{"b":11}}}"#).answer.contains(#""version":3"#))
}

@Test("2.7: eight keys on a path fit [AWS-2.7-3]")
func depth() throws {
    var shell = try Shell()
    let update = #"{"state":{"desired":"# + nested(8) + #"},"metadata":"# + nested(40) + "}"
    #expect(shell.update(update).answer.contains(#""version":1"#))
    let arrays = #"{"state":{"desired":{"b":"# + String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
    #expect(shell.update(arrays + "}}}").answer.contains(#""version":2"#))
}

@Test("2.2: other top-level members are ignored, nulls in them too [AWS-2.2-5]")
func strangers() throws {
    var shell = try Shell()
    let update = #"{"metadata":[null,{"a":1}],"timestamp":"x","state":{"desired":{"a":1}},"foo":null}"#
    #expect(
        shell.update(update, at: 9).answer
            == #"{"state":{"desired":{"a":1}},"metadata":{"desired":{"a":{"timestamp":9}}},"version":1,"timestamp":9}"#)
}

@Test("2.6: without version no check, with it exactly the current one [AWS-2.2-4] [AWS-2.6-3] [AWS-2.6-4] [AWS-2.6-5]")
func versions() throws {
    var shell = try Shell()
    #expect(shell.update(#"{"state":{},"version":0}"#).answer.contains(#""version":1"#))
    for wrong in [0, 2, 3] {
        #expect(shell.update(#"{"state":{},"version":\#(wrong)}"#).answer == "409 Version conflict")
    }
    #expect(shell.update(#"{"state":{},"version":1}"#).answer.contains(#""version":2"#))
    #expect(shell.update(#"{"state":{}}"#).answer.contains(#""version":3"#))
    #expect(shell.ask(.delete, "", at: 1).answer == #"{"version":3,"timestamp":1}"#)
    #expect(shell.ask(.delete, "", at: 1).answer == "404 No shadow exists with name: 'MyThing'")
    #expect(shell.update(#"{"state":{},"version":4}"#).answer == "409 Version conflict")
    #expect(shell.update(#"{"state":{},"version":0}"#).answer.contains(#""version":5"#))
}

@Test(
    "a version that cannot grow and a document that cannot be read are failures of the service, not an empty shadow [AWS-2.8-17]"
)
func broken() throws {
    var shell = try Shell()
    shell.stored = StoredShadow(document: Array("{}".utf8), metadata: Array("[]".utf8), version: .max, isDeleted: false)
    #expect(shell.update(#"{"state":{}}"#).answer == "500 Internal service failure")
    for text in ["", "[]", #"{"desired":"#] {
        let stored = StoredShadow(document: Array(text.utf8), metadata: [], version: 3, isDeleted: false)
        shell.stored = stored
        #expect(shell.update(#"{"state":{}}"#).answer == "500 Internal service failure")
        #expect(shell.get() == "500 Internal service failure")
        #expect(shell.stored == stored)
    }
}
