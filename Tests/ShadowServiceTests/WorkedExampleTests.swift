//  The wire payloads of the specification's section 17, byte by byte.
import ShadowService
import Testing

@Test("17: the first update by the device [AWS-3-3] [AWS-3.2-3] [AWS-3.4-2] [AWS-3.4-3]")
func firstUpdate() throws {
    var shell = try Shell()
    let reply = shell.update(#"{"state":{"reported":{"Color":"green"}},"clientToken":"t1"}"#, at: 100)
    let accepted =
        #"{"state":{"reported":{"Color":"green"}},"metadata":{"reported":{"Color":{"timestamp":100}}},"#
        + #""version":1,"timestamp":100,"clientToken":"t1"}"#
    #expect(
        reply.messages == [
            "update/accepted " + accepted,
            #"update/documents {"previous":null,"current":{"state":{"reported":{"Color":"green"}},"#
                + #""metadata":{"reported":{"Color":{"timestamp":100}}},"version":1},"timestamp":100,"#
                + #""clientToken":"t1"}"#,
        ])
    #expect(reply.answer == accepted)
}

/// The device reported green at 100, the application wants red at 200.
private func wantingRed() throws -> (shell: Shell, reply: Shell.Reply) {
    var shell = try Shell()
    _ = shell.update(#"{"state":{"reported":{"Color":"green"}},"clientToken":"t1"}"#, at: 100)
    let reply = shell.update(#"{"state":{"desired":{"Color":"red"}},"clientToken":"t2"}"#, at: 200)
    return (shell, reply)
}

@Test(
    "17: the application wants red, and the delta comes before accepted and documents [AWS-3.3-4] [AWS-3.3-7] [AWS-3.7-4]"
)
func wantsRed() throws {
    #expect(
        try wantingRed().reply.messages == [
            #"update/delta {"version":2,"timestamp":200,"state":{"Color":"red"},"#
                + #""metadata":{"Color":{"timestamp":200}},"clientToken":"t2"}"#,
            #"update/accepted {"state":{"desired":{"Color":"red"}},"#
                + #""metadata":{"desired":{"Color":{"timestamp":200}}},"version":2,"timestamp":200,"clientToken":"t2"}"#,
            #"update/documents {"previous":{"state":{"reported":{"Color":"green"}},"#
                + #""metadata":{"reported":{"Color":{"timestamp":100}}},"version":1},"#
                + #""current":{"state":{"desired":{"Color":"red"},"reported":{"Color":"green"}},"#
                + #""metadata":{"desired":{"Color":{"timestamp":200}},"reported":{"Color":{"timestamp":100}}},"version":2},"#
                + #""timestamp":200,"clientToken":"t2"}"#,
        ])
}

@Test("17: get [AWS-18-5] [AWS-1.3-1]")
func getsAll() throws {
    var shell = try wantingRed().shell
    let reply = shell.ask(.get, #"{"clientToken":"t3"}"#, at: 250)
    let document =
        #"{"state":{"desired":{"Color":"red"},"reported":{"Color":"green"},"delta":{"Color":"red"}},"#
        + #""metadata":{"desired":{"Color":{"timestamp":200}},"reported":{"Color":{"timestamp":100}}},"#
        + #""version":2,"timestamp":250,"clientToken":"t3"}"#
    #expect(reply.messages == ["get/accepted " + document])
    #expect(reply.answer == document)
}

@Test("17: an unrelated report repeats the delta [AWS-3.3-2]")
func unrelatedReport() throws {
    var shell = try wantingRed().shell
    let reply = shell.update(#"{"state":{"reported":{"temp":20}}}"#, at: 300)
    #expect(
        reply.messages.prefix(2) == [
            #"update/delta {"version":3,"timestamp":300,"state":{"Color":"red"},"#
                + #""metadata":{"Color":{"timestamp":200}}}"#,
            #"update/accepted {"state":{"reported":{"temp":20}},"#
                + #""metadata":{"reported":{"temp":{"timestamp":300}}},"version":3,"timestamp":300}"#,
        ])
}

@Test(
    "17: back in sync, a stale writer, clear, delete, come back [AWS-2.8-14] [AWS-3.2-2] [AWS-2.5-9] [AWS-2.3-11] [AWS-18-3]"
)
func restOfTheStory() throws {
    var shell = try wantingRed().shell
    _ = shell.update(#"{"state":{"reported":{"temp":20}}}"#, at: 300)
    let inSync = shell.update(#"{"state":{"reported":{"Color":"red"}}}"#, at: 350)
    #expect(inSync.messages.map { $0.prefix { $0 != " " } } == ["update/accepted", "update/documents"])
    #expect(inSync.answer.contains(#""version":4"#))

    let stale = #"{"state":{"desired":{"Color":"blue"}},"version":2,"clientToken":"t5"}"#
    #expect(
        shell.update(stale, at: 360).messages == [
            #"update/rejected {"code":409,"message":"Version conflict","clientToken":"t5"}"#
        ])
    shell.origin = .http
    #expect(shell.update(stale, at: 360) == Shell.Reply(messages: [], answer: "409 Version conflict"))
    shell.origin = .mqtt

    #expect(
        shell.update(#"{"state":null}"#, at: 400).answer
            == #"{"state":null,"metadata":{"timestamp":400},"version":5,"timestamp":400}"#)
    #expect(shell.get(at: 450) == #"{"state":{},"metadata":{},"version":5,"timestamp":450}"#)
    #expect(
        shell.ask(.delete, "", at: 500)
            == Shell.Reply(
                messages: [#"delete/accepted {"version":5,"timestamp":500}"#],
                answer: #"{"version":5,"timestamp":500}"#))
    #expect(
        shell.ask(.get, "", at: 510).messages == [
            #"get/rejected {"code":404,"message":"No shadow exists with name: 'MyThing'"}"#
        ])
    let back = shell.update(#"{"state":{"desired":{"a":1}}}"#, at: 520)
    #expect(back.answer.contains(#""version":7"#))
    #expect(back.messages.last?.contains(#"{"previous":null,"current":{"state":{"desired":{"a":1}}"#) == true)
}
