//  Sections 3 and 4: who hears what of which request, topics, names, lists.
import ByteKit
import ShadowDocument
import ShadowService
import Testing

@Test("3.1: get takes nothing, an empty object or a token [AWS-3-2] [AWS-3.1-3] [AWS-3.1-4] [AWS-3.1-5]")
func getPayloads() throws {
    var shell = try Shell("T", "net")
    _ = shell.update(#"{"state":{"desired":{"a":1}}}"#, at: 5)
    let body =
        #"{"state":{"desired":{"a":1},"delta":{"a":1}},"metadata":{"desired":{"a":{"timestamp":5}}},"version":1,"timestamp":6"#
    for (payload, end) in [("", "}"), ("{}", "}"), (#"{"clientToken":"\u0041"}"#, #","clientToken":"\u0041"}"#)] {
        #expect(shell.ask(.get, payload, at: 6).messages == ["get/accepted " + body + end])
    }
    #expect(
        shell.ask(.get, "{", at: 6).messages == [#"get/rejected {"code":400,"message":"Invalid JSON"}"#])
    #expect(
        shell.ask(.get, #"{"clientToken":1}"#, at: 6).messages == [
            #"get/rejected {"code":400,"message":"Invalid clientToken"}"#
        ])
    #expect(shell.stored?.version == 1)
}

@Test(
    "3.2: accepted echoes the sections and keys of the request, nulls included, without white space [AWS-3.2-1] [AWS-2.5-8] [AWS-3.7-8]"
)
func accepted() throws {
    var shell = try Shell()
    _ = shell.update(#"{"state":{"desired":{"a":1,"b":{"c":2}}}}"#, at: 5)
    let reply = shell.update(
        """
        { "state" : { "reported" : null, "desired" : { "a" : null, "b" : { "d" : [ 1, {"e": "x y"}, [] ] }, "n" : {} } } }
        """, at: 6)
    #expect(
        reply.answer
            == #"{"state":{"reported":null,"desired":{"a":null,"b":{"d":[1,{"e":"x y"},[]]},"n":{}}},"#
            + #""metadata":{"reported":{"timestamp":6},"desired":{"a":{"timestamp":6},"#
            + #""b":{"d":[{"timestamp":6},{"e":{"timestamp":6}},[]]},"n":{}}},"version":2,"timestamp":6}"#)
    #expect(
        shell.get(at: 7)
            == #"{"state":{"desired":{"b":{"c":2,"d":[1,{"e":"x y"},[]]},"n":{}},"#
            + #""delta":{"b":{"c":2,"d":[1,{"e":"x y"},[]]},"n":{}}},"#
            + #""metadata":{"desired":{"b":{"c":{"timestamp":5},"d":[{"timestamp":6},{"e":{"timestamp":6}},[]]},"n":{}}},"#
            + #""version":2,"timestamp":7}"#)
}

@Test("3.2: an empty state is echoed as one, creates the shadow and counts [AWS-2.2-2] [AWS-2.3-12] [AWS-3.4-1]")
func emptyState() throws {
    var shell = try Shell()
    #expect(
        shell.update(#"{"state":{}}"#, at: 5).messages == [
            #"update/accepted {"state":{},"metadata":{},"version":1,"timestamp":5}"#,
            #"update/documents {"previous":null,"current":{"state":{},"metadata":{},"version":1},"timestamp":5}"#,
        ])
    #expect(
        shell.update(#"{"state":{"desired":{}}}"#, at: 6).messages == [
            #"update/accepted {"state":{"desired":{}},"metadata":{"desired":{}},"version":2,"timestamp":6}"#,
            #"update/documents {"previous":{"state":{},"metadata":{},"version":1},"#
                + #""current":{"state":{},"metadata":{},"version":2},"timestamp":6}"#,
        ])
    #expect(shell.get(at: 7) == #"{"state":{},"metadata":{},"version":2,"timestamp":7}"#)
}

@Test(
    "3.3: reporting away from desired and deleting a reported key make a delta, bringing both in line does not [AWS-3.3-3]"
)
func deltas() throws {
    var shell = try Shell()
    func hasDelta(_ reply: Shell.Reply) -> Bool { reply.messages.first?.hasPrefix("update/delta ") == true }
    let both = shell.update(#"{"state":{"desired":{"a":1},"reported":{"a":1.0}}}"#)
    #expect(!hasDelta(both))
    #expect(hasDelta(shell.update(#"{"state":{"reported":{"a":2}}}"#)))
    #expect(!hasDelta(shell.update(#"{"state":{"reported":{"a":1}}}"#)))
    #expect(hasDelta(shell.update(#"{"state":{"reported":{"a":null}}}"#)))
    #expect(!hasDelta(shell.update(#"{"state":{"desired":null}}"#)))
}

@Test("3.5: delete ignores its payload but for a token [AWS-3-4] [AWS-3.5-1] [AWS-3.5-2]")
func deletes() throws {
    for payload in ["", "{", "[1]", #"{"clientToken":5}"#, #"{"state":{"foo":1}}"#] {
        var shell = try Shell()
        _ = shell.update(#"{"state":{"desired":{"a":1}}}"#)
        #expect(shell.ask(.delete, payload, at: 8).messages == [#"delete/accepted {"version":1,"timestamp":8}"#])
        #expect(shell.stored?.isDeleted == true)
        #expect(shell.stored?.version == 2)
    }
    var shell = try Shell("T", "net")
    let request = #"{"clientToken":"t"}"#
    #expect(
        shell.ask(.delete, request, at: 8).messages == [
            #"delete/rejected {"code":404,"message":"No shadow exists with name: 'T~net'","clientToken":"t"}"#
        ])
    #expect(shell.stored == nil)
    _ = shell.update(#"{"state":{}}"#)
    #expect(
        shell.ask(.delete, request, at: 8).answer == #"{"version":1,"timestamp":8,"clientToken":"t"}"#)
}

@Test("3.7: HTTP is announced like MQTT, but its refusals are not [AWS-3.7-6] [AWS-3.7-7]")
func http() throws {
    var (mqtt, http) = (try Shell(), try Shell())
    http.origin = .http
    let update = #"{"state":{"desired":{"a":1}}}"#
    #expect(mqtt.update(update) == http.update(update))
    #expect(mqtt.ask(.delete, "", at: 2) == http.ask(.delete, "", at: 2))
    for operation in [ShadowOperation.get, .delete, .update] {
        let reply = http.ask(operation, "", at: 2)
        #expect(reply.messages.isEmpty)
        #expect(
            reply.answer == (operation == .update ? "400 Invalid JSON" : "404 No shadow exists with name: 'MyThing'"))
    }
}

private let topics: [(String, String?)] = [
    ("$aws/things/T/shadow/get", "T get"), ("$aws/things/T/shadow/update", "T update"),
    ("$aws/things/T/shadow/delete", "T delete"), ("$aws/things/a:b_c-9/shadow/name/$x/update", "a:b_c-9~$x update"),
    ("$aws/things/T/shadow/name/name/get", "T~name get"),
    ("$aws/things/T/shadow/Update", nil), ("$aws/things/T/shadow/update/", nil),
    ("$aws/things/T/shadow/update/accepted", nil), ("$aws/things/T/shadow/name/get", nil),
    ("$aws/things/T/shadow/name//get", nil), ("$aws/things//shadow/get", nil), ("/aws/things/T/shadow/get", nil),
    ("$aws/things/T/shadow", nil), ("$aws/things/T.x/shadow/get", nil), ("$aws/things/$T/shadow/get", nil),
    ("$aws/things/T/shadow/name/a b/get", nil), ("$aws/things/T/shadows/get", nil), ("", nil),
    ("$aws/things/T/shadow/name/x/y/get", nil), ("$aws/things/T/shadow/mane/x/get", nil),
    ("$aws/things/" + String(repeating: "t", count: 128) + "/shadow/get", String(repeating: "t", count: 128) + " get"),
    ("$aws/things/" + String(repeating: "t", count: 129) + "/shadow/get", nil),
    ("$aws/things/T/shadow/name/" + String(repeating: "t", count: 65) + "/get", nil),
]

@Test(
    "1.1, 3: only the three request topics are requests [AWS-1.1-1] [AWS-1.1-2] [AWS-1.1-9] [AWS-1.1-10] [AWS-7-7]",
    arguments: topics)
func requestTopics(topic: String, expected: String?) {
    let bytes = Array(topic.utf8)
    let request = ShadowRequest.parse(topic: bytes.span)
    #expect(request.map { "\($0.id.label) \($0.operation)" } == expected)
}

@Test("3: answer topics [AWS-3-1] [AWS-3-5]")
func answerTopics() throws {
    let classic = try #require(ShadowID(thing: "T", name: nil))
    let named = try #require(ShadowID(thing: "T", name: "net"))
    func text(_ id: ShadowID, _ suffix: ShadowSuffix) -> String {
        String(decoding: ShadowService.topic(for: id, suffix), as: UTF8.self)
    }
    #expect(text(classic, .updateDelta) == "$aws/things/T/shadow/update/delta")
    #expect(text(classic, .getAccepted) == "$aws/things/T/shadow/get/accepted")
    #expect(text(named, .deleteRejected) == "$aws/things/T/shadow/name/net/delete/rejected")
    #expect(ShadowRequest.parse(topic: ShadowService.topic(for: named, .updateDocuments).span) == nil)
}

@Test("4: pages of named shadows [AWS-4-7]", arguments: [1, 2, 3, 25, 100])
func pages(size: Int) throws {
    let names = (0..<60).map { "s\($0)" }.sorted()
    var seen: [String] = []
    var token: String?
    repeat {
        let answer = ShadowService.listNamed(names: names, pageSize: size, nextToken: token, timestampSeconds: 7)
        guard case .success(let body) = answer else { throw Unexpected(answer: answer) }
        let text = String(decoding: body, as: UTF8.self)
        let list = try #require(text.firstMatch(of: /^{"results":\[(.*?)\](?:,"nextToken":"([^"]*)")?,"timestamp":7}$/))
        let page = list.1.split(separator: ",").map { String($0.dropFirst().dropLast()) }
        #expect(page.count == min(size, 60 - seen.count))
        seen += page
        token = list.2.map(String.init)
    } while token != nil && seen.count < 100
    #expect(seen == names)
}

private struct Unexpected: Error {
    var answer: ShadowAnswer
}

@Test("4: no shadows, sizes out of range, tokens that are none [AWS-1.2-6] [AWS-4-9] [AWS-4-10]")
func listEdges() {
    func list(_ size: Int?, _ token: String?) -> ShadowAnswer {
        ShadowService.listNamed(names: [], pageSize: size, nextToken: token, timestampSeconds: 7)
    }
    #expect(list(nil, nil) == .success(Array(#"{"results":[],"timestamp":7}"#.utf8)))
    for answer in [list(0, nil), list(101, nil), list(-1, nil), list(nil, ""), list(nil, "garbage"), list(nil, "né")] {
        guard case .refusal(let refusal) = answer else {
            Issue.record("accepted")
            continue
        }
        #expect(refusal.code == 400)
    }
    let many = ShadowService.listNamed(
        names: (10..<40).map { "s\($0)" }, pageSize: nil, nextToken: nil, timestampSeconds: 7)
    guard case .success(let body) = many else {
        Issue.record("refused")
        return
    }
    let text = String(decoding: body, as: UTF8.self)
    #expect(text.contains(#""s34"]"#))
    #expect(text.contains("nextToken"))
}

@Test("1.2, 4: thousands of named shadows are listed, each once and in order [AWS-1.2-5] [AWS-4-7]")
func thousandsOfNames() throws {
    let names = (0..<5000).map { "s\($0)" }.sorted()
    var seen: [Substring] = []
    var token: String?
    repeat {
        let answer = ShadowService.listNamed(names: names, pageSize: 100, nextToken: token, timestampSeconds: 7)
        guard case .success(let body) = answer else { throw Unexpected(answer: answer) }
        let parts = String(decoding: body, as: UTF8.self).split(separator: "\"")
        seen += parts.filter { $0.hasPrefix("s") }
        token = parts.firstIndex(of: "nextToken").map { String(parts[$0 + 2]) }
    } while token != nil
    #expect(seen.map(String.init) == names)
}

@Test("2.8: names of the exceptions [AWS-6.3-3]")
func exceptionNames() {
    let names = [
        400: "InvalidRequestException", 401: "UnauthorizedException", 403: "ForbiddenException",
        404: "ResourceNotFoundException", 405: "MethodNotAllowedException", 409: "ConflictException",
        413: "RequestEntityTooLargeException", 415: "UnsupportedDocumentEncodingException",
        429: "ThrottlingException", 500: "InternalFailureException", 503: "ServiceUnavailableException",
    ]
    for (code, name) in names {
        #expect(ShadowService.exceptionName(forCode: code) == name)
    }
}
