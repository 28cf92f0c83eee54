//  Sections 2.1, 2.6 and 2.8: what is stored, what is not there, and what is remembered.
import ShadowDocument
import ShadowService
import Testing

@Test("2.1: stored are two sections, their times, a version and a tombstone, and no delta [AWS-2.1-1] [AWS-2.1-6]")
func whatIsStored() throws {
    var shell = try Shell()
    let reply = shell.update(#"{"state":{"desired":{"a":1,"b":2},"reported":{"a":0}}}"#, at: 7)
    #expect(reply.messages.first?.hasPrefix("update/delta ") == true)
    #expect(
        shell.stored
            == StoredShadow(
                document: Array(#"{"desired":{"a":1,"b":2},"reported":{"a":0}}"#.utf8),
                metadata: Array("[7,3]".utf8), version: 1, isDeleted: false))
    _ = shell.ask(.delete, "", at: 8)
    #expect(
        shell.stored
            == StoredShadow(document: Array("{}".utf8), metadata: Array("[]".utf8), version: 2, isDeleted: true))
}

@Test("2.1: no shadow until the first accepted update makes one [AWS-2.1-3] [AWS-2.8-13] [AWS-2.8-18] [AWS-18-7]")
func nothingThere() throws {
    for (name, label) in [(nil, "T"), ("net", "T~net")] as [(String?, String)] {
        var shell = try Shell("T", name)
        let missing = "404 No shadow exists with name: '\(label)'"
        for operation in [ShadowOperation.get, .delete] {
            #expect(shell.ask(operation, "", at: 1).answer == missing)
        }
        #expect(shell.update(#"{"state":{"x":1}}"#).answer.hasPrefix("400"))
        #expect(shell.get() == missing)
        #expect(shell.update(#"{"state":{}}"#).answer.hasPrefix(#"{"state":{}"#))
        #expect(shell.get().hasPrefix(#"{"state":{}"#))
        _ = shell.ask(.delete, "", at: 1)
        for operation in [ShadowOperation.get, .delete] {
            #expect(shell.ask(operation, "", at: 1).answer == missing)
        }
    }
}

@Test("2.1: the classic shadow and the named ones are others, also where names look alike [AWS-2.1-2] [AWS-1.1-8]")
func independence() throws {
    var texts: Set<String> = []
    var ids: Set<ShadowID> = []
    for (thing, name) in [("T", nil), ("t", nil), ("T", "T"), ("T", "t"), ("T", "name"), ("T:t", nil)]
        as [(String, String?)]
    {
        let id = try #require(ShadowID(thing: thing, name: name))
        ids.insert(id)
        texts.insert(String(decoding: ShadowService.topic(for: id, .updateAccepted), as: UTF8.self))
        let topic = Array("$aws/things/\(thing)/shadow\(name.map { "/name/\($0)" } ?? "")/update".utf8)
        #expect(ShadowRequest.parse(topic: topic.span) == ShadowRequest(id: id, operation: .update))
    }
    #expect(ids.count == 6 && texts.count == 6)
}

@Test("2.6: the counter of a deleted shadow is remembered for ever [AWS-2.6-9]")
func remembered() throws {
    var shell = try Shell()
    for _ in 1...5 {
        _ = shell.update(#"{"state":{"desired":{"a":1}}}"#, at: 1)
    }
    #expect(shell.ask(.delete, "", at: 2).answer == #"{"version":5,"timestamp":2}"#)
    // 48 hours, and a century.
    for later in [172_803, 3_155_760_000] as [UInt64] {
        var other = shell
        #expect(other.update(#"{"state":{}}"#, at: later).answer.contains(#""version":7"#))
    }
}

@Test("3.1: after the last key is gone the shadow is an empty one [AWS-3.1-1] [AWS-3.1-2] [AWS-20-2]")
func emptied() throws {
    var shell = try Shell()
    _ = shell.update(#"{"state":{"desired":{"a":1},"reported":{"b":2}}}"#)
    _ = shell.update(#"{"state":{"desired":{"a":null},"reported":{"b":null}}}"#)
    #expect(shell.get(at: 4) == #"{"state":{},"metadata":{},"version":2,"timestamp":4}"#)
}

@Test("20: an empty message to get, no token and no version: the small device's requests [AWS-20-3]")
func smallDevice() throws {
    var shell = try Shell("lamp")
    _ = shell.update(#"{"state":{"desired":{"config":{"firmware_version":"1.0.5"}}}}"#, at: 1)
    let get = shell.ask(.get, "", at: 2)
    #expect(get.messages.count == 1)
    #expect(
        get.messages[0].hasPrefix(#"get/accepted {"state":{"desired":{"config":{"firmware_version":"1.0.5"}},"delta""#))
    let report = shell.update(#"{"state":{"reported":{"config":{"firmware_version":"1.0.5"}}}}"#, at: 3)
    #expect(report.messages.map { $0.prefix { $0 != " " } } == ["update/accepted", "update/documents"])
}
