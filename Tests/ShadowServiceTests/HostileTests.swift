//  Payloads that were broken on the way, over a shadow that has something to lose.
import ApusTestKit
import ShadowDocument
import ShadowService
import Testing

private let payload =
    #"{"state":{"desired":{"a":{"b":[1,{"c":"x\u00e9"}],"d":1.50},"é":null},"reported":{"a":null,"n":-1e3}},"#
    + #""clientToken":"t\"","version":1}"#

private func loaded() throws -> Shell {
    var shell = try Shell("T", "net")
    _ = shell.update(#"{"state":{"desired":{"a":{"b":[7],"k":true}},"reported":{"a":1}}}"#, at: 5)
    return shell
}

/// Sends bytes of any kind and checks what must be true of every request.
private func send(_ operation: ShadowOperation, _ bytes: [UInt8], to shell: inout Shell) {
    let before = shell.stored
    let reply = shell.ask(operation, bytes: bytes, at: 9)
    let verb = String(describing: operation)
    let topics = reply.messages.map { String($0.prefix { $0 != " " }) }
    if reply.answer.hasPrefix("{") {
        let isSilent = topics == ["\(verb)/accepted"]
        let isUpdate =
            topics.suffix(2) == ["update/accepted", "update/documents"]
            && [[], ["update/delta"]].contains(Array(topics.dropLast(2)))
        #expect(operation == .update ? isUpdate : isSilent)
        let growth: UInt64 = operation == .get ? 0 : 1
        #expect(shell.stored?.version == (before?.version ?? 0) + growth)
    } else {
        #expect(topics == ["\(verb)/rejected"], "\(reply)")
        #expect(shell.stored == before)
    }
}

@Test("2.8: a payload cut anywhere is refused and changes nothing [AWS-2.6-2]", arguments: 0..<payload.utf8.count)
func cut(at index: Int) throws {
    var shell = try loaded()
    let before = shell.stored
    send(.update, Array(payload.utf8.prefix(index)), to: &shell)
    send(.update, Array(payload.utf8.dropFirst(index + 1)), to: &shell)
    #expect(shell.stored == before)
    if index > 0 { send(.get, Array(payload.utf8.prefix(index)), to: &shell) }
    send(.delete, Array(payload.utf8.prefix(index)), to: &shell)
    #expect(shell.stored?.isDeleted == true)
}

@Test(
    "whatever arrives, the answer has a shape and a refusal changes nothing [AWS-2.6-2] [AWS-3.6-3]",
    arguments: UInt64(0)..<200)
func mutations(seed: UInt64) throws {
    var random = SeededRandom(seed)
    var shell = try loaded()
    let alphabet = Array("{}[],:\"\\u0e-.tn1 ".utf8) + [0x00, 0x80, 0xC3, 0xFF]
    for _ in 0..<40 {
        var bytes = Array(payload.replacing(#","version":1"#, with: "").utf8)
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let byte = alphabet.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = byte
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(byte, at: place)
            default: bytes.append(contentsOf: bytes[place...])
            }
        }
        send([.update, .update, .update, .get, .delete].randomElement(using: &random) ?? .update, bytes, to: &shell)
    }
}

@Test("2.7: the reader takes 64 levels; beyond it the answer is about nesting, not about JSON [AWS-2.7-4]")
func readerBound() throws {
    func update(_ levels: Int) -> String {
        // One level is the request itself.
        let (open, close) = (String(repeating: "[", count: levels - 1), String(repeating: "]", count: levels - 1))
        return #"{"x":\#(open)\#(close),"state":{},"clientToken":"t"}"#
    }
    var shell = try Shell()
    #expect(shell.update(update(64)).answer.hasPrefix(#"{"state":{}"#))
    let refusal = #"update/rejected {"code":400,"message":"JSON contains too many levels of nesting; maximum is 8","#
    for levels in [65, 66, 300, 20_000] {
        #expect(shell.update(update(levels)).messages == [refusal + #""clientToken":"t"}"#])
    }
    #expect(shell.update(#"{"x":"# + String(repeating: "[", count: 70)).messages == [refusal.dropLast() + "}"])
}

@Test(
    "1.2: a token of 64 bytes is taken and echoed as it was spelled [AWS-1.2-3] [AWS-2.2-3]",
    arguments: ["x", "é", #"\u0041"#, #"\n"#])
func longestToken(unit: String) throws {
    let count = unit == "é" ? 32 : 64
    let token = String(repeating: unit, count: count)
    var shell = try Shell()
    #expect(shell.update(#"{"state":{},"clientToken":"\#(token)"}"#).answer.hasSuffix(#","clientToken":"\#(token)"}"#))
    #expect(shell.update(#"{"state":{},"clientToken":"\#(token)x"}"#).answer == "400 Invalid clientToken")
}

@Test("3.5: delete echoes a token even where the rest is no legal request [AWS-3-4]")
func tokenOfDelete() throws {
    for rest in [
        #""state":{"desired":{"a":[null]}}"#,
        #""x":"# + String(repeating: "[", count: 70) + String(repeating: "]", count: 70),
    ] {
        var shell = try loaded()
        #expect(
            shell.ask(.delete, #"{"clientToken":"t",\#(rest)}"#, at: 8).answer
                == #"{"version":1,"timestamp":8,"clientToken":"t"}"#)
    }
}

@Test(
    "2.6: every round of deletion and creation counts on [AWS-2.6-1] [AWS-2.6-6] [AWS-2.6-7] [AWS-2.6-8] [AWS-18-2]",
    arguments: UInt64(0)..<50)
func rounds(seed: UInt64) throws {
    var random = SeededRandom(seed)
    var shell = try Shell()
    var (version, exists): (UInt64, Bool) = (0, false)
    for _ in 0..<30 {
        if Int.random(in: 0..<3, using: &random) > 0 {
            let expected = exists ? version : 0
            let guess = UInt64.random(in: 0...(version + 1), using: &random)
            let reply = shell.update(#"{"state":{"desired":{"n":\#(version)}},"version":\#(guess)}"#)
            if guess == expected {
                version += 1
                #expect(reply.answer.contains(#""version":\#(version),"#))
                #expect(reply.messages.last?.hasPrefix(#"update/documents {"previous":null"#) == !exists)
                exists = true
            } else {
                #expect(reply.answer == "409 Version conflict")
            }
        } else {
            let reply = shell.ask(.delete, "", at: 3)
            #expect(
                reply.answer
                    == (exists
                        ? #"{"version":\#(version),"timestamp":3}"# : "404 No shadow exists with name: 'MyThing'"))
            if exists { version += 1 }
            exists = false
            #expect(shell.get() == "404 No shadow exists with name: 'MyThing'")
        }
    }
}

@Test("4: tokens of another making are refused, and one of ours may name a shadow that is gone [AWS-4-9]")
func foreignTokens() {
    func list(_ token: String) -> ShadowAnswer {
        ShadowService.listNamed(names: ["b", "c"], pageSize: nil, nextToken: token, timestampSeconds: 7)
    }
    let bad = ["n", "n6", "n6g", "n+1", "x61", "n2f", "n00", "nff", "n" + String(repeating: "61", count: 65), "N61"]
    for token in bad {
        #expect(list(token) == .refusal(ShadowRefusal(400, "Invalid nextToken")), "\(token)")
    }
    #expect(list("n61") == .success(Array(#"{"results":["b","c"],"timestamp":7}"#.utf8)))
    #expect(list("n62") == .success(Array(#"{"results":["c"],"timestamp":7}"#.utf8)))
    #expect(list("n7a") == .success(Array(#"{"results":[],"timestamp":7}"#.utf8)))
}
