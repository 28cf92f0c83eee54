import ApusTestKit
import Broker
import MQTTWire
import Testing

private let malformed = ["$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/g#/a", "$share/g/a#"]

extension Stage {
    /// Publishes numbers as the server.
    fileprivate mutating func speak(_ numbers: ClosedRange<Int>, _ qos: QoS = .atLeastOnce, topic: String = "a") {
        for number in numbers {
            core.publish(topic: Array(topic.utf8), payload: Array("\(number)".utf8), qos: qos, now: now)
            settle()
        }
    }
}

@Suite("Shared subscriptions (MQTT 5, clause 4.8.2)")
struct SharedSubscriptionTests {
    /// The numbers among what a client was sent.
    private func numbers(_ client: Client) -> [Int] {
        client.received().compactMap {
            let words = $0.split(separator: " ")
            return words[0] == "publish" ? Int(words[2]) : nil
        }
    }

    @Test(
        "name and filter must be there, the name without wildcards [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]",
        arguments: malformed)
    func form(filter: String) {
        var stage = Stage()
        let client = stage.client("c", .v5)
        _ = client.received()
        stage.subscribe(filter, from: client)
        #expect(client.received() == ["disconnect 143"])
    }

    @Test("No Local on a shared subscription is a protocol error [MQTT5-3.8.3-4]")
    func noLocal() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        var options = SubscriptionOptions(qos: .atMostOnce)
        options.noLocal = true
        _ = client.received()
        stage.subscribe("$share/g/a", options: options, from: client)
        #expect(client.received() == ["disconnect 130"])
    }

    @Test("each group gets one copy, members in turn; other subscriptions are not touched")
    func turns() {
        var stage = Stage()
        let members = ["1", "2", "3"].map { stage.client($0, $0 == "2" ? .v311 : .v5) }
        let (loner, plain) = (stage.client("l", .v5), stage.client("p"))
        for member in members { stage.subscribe("$share/g/+", qos: .exactlyOnce, from: member) }
        stage.subscribe("$share/h/a", qos: .atMostOnce, from: loner)
        stage.subscribe("a", qos: .atMostOnce, from: plain)
        stage.speak(1...6)
        #expect(members.map(numbers) == [[1, 4], [2, 5], [3, 6]])
        #expect(numbers(loner) == [1, 2, 3, 4, 5, 6] && numbers(plain) == [1, 2, 3, 4, 5, 6])
    }

    @Test("the granted QoS and the identifier of the member hold [MQTT5-4.8.2-3]")
    func grantedQoS() {
        var stage = Stage()
        let (low, high) = (stage.client("l", .v5), stage.client("h", .v5))
        stage.subscribe("$share/g/a", qos: .atMostOnce, identifier: 5, from: low)
        stage.subscribe("$share/g/a", qos: .exactlyOnce, identifier: 6, from: high)
        stage.speak(1...2, .exactlyOnce)
        #expect(low.received().last == "publish a 1 0 <5>" && high.received().last == "publish a 2 2 #1 <6>")
    }

    @Test("wildcards of a shared filter do not match what starts with $ either [MQTT5-4.7.2-1]")
    func reserved() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.subscribe("$share/g/#", from: client)
        stage.speak(1...1, topic: "$aws/things/x/shadow/update/accepted")
        #expect(numbers(client) == [])
    }

    @Test("the rules for topics apply to the filter behind the name")
    func policy() {
        var stage = Stage(denied: ["secret/#"])
        let device = stage.client("lamp", .v5, as: .device(thing: Array("lamp".utf8)))
        let admin = stage.client("a", .v5)
        stage.subscribe("$share/g/$aws/things/lamp/shadow/#", from: device)
        stage.subscribe("$share/g/$aws/things/other/shadow/#", from: device)
        stage.subscribe("$share/g/secret/x", from: admin)
        #expect(device.received() == ["connack 0 false", "suback 1", "suback 128"])
        #expect(admin.received() == ["connack 0 false", "suback 128"])
    }

    @Test("no retained messages for a shared subscription, and UNSUBSCRIBE names it whole")
    func retainedAndUnsubscribe() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.publish("a", "kept", retain: .yes, from: client)
        stage.subscribe("$share/g/a", from: client)
        #expect(client.received() == ["connack 0 false", "suback 1"])
        stage.unsubscribe("a", from: client)
        stage.speak(1...1)
        stage.unsubscribe("$share/g/a", from: client)
        stage.speak(2...2)
        #expect(client.received() == ["unsuback", "publish a 1 1 #1", "unsuback"])
    }

    @Test("who has room goes first; who is away gets nothing while somebody is there")
    func room() {
        var stage = Stage()
        var block: [UInt8] = []
        Property.append(.receiveMaximum, u16: 1, to: &block)
        let narrow = stage.client("n", .v5, properties: block)
        let (wide, away) = (stage.client("w", .v5), stage.client("a", session: .resume))
        for client in [narrow, wide, away] { stage.subscribe("$share/g/a", from: client) }
        stage.breakLink(of: away)
        stage.speak(1...5)
        #expect(numbers(narrow) == [1] && numbers(wide) == [2, 3, 4, 5])
        stage.breakLink(of: narrow)
        stage.breakLink(of: wide)
        stage.speak(6...6)
        // What the first had not acknowledged went to the second, what both had not to the third.
        #expect(numbers(stage.client("a", session: .resume)) == [2, 3, 4, 5, 1, 6])
    }

    @Test("what a member was sent with QoS 2 goes to nobody else [MQTT5-4.8.2-5], what it was not sent does")
    func sentQoS2() {
        var stage = Stage()
        var block: [UInt8] = []
        Property.append(.receiveMaximum, u16: 1, to: &block)
        let first = stage.client("1", .v5, properties: block)
        stage.subscribe("$share/g/a", qos: .exactlyOnce, from: first)
        stage.speak(1...2, .exactlyOnce)
        let second = stage.client("2", .v5)
        stage.subscribe("$share/g/a", qos: .exactlyOnce, from: second)
        #expect(numbers(first) == [1])
        stage.breakLink(of: first)
        #expect(numbers(second) == [2])
    }

    @Test("a message that the client refuses is dropped [MQTT5-4.8.2-6]")
    func refusedByClient() {
        var stage = Stage()
        let (first, second) = (stage.client("1", .v5), stage.client("2", .v5))
        stage.subscribe("$share/g/a", from: first)
        stage.speak(1...1)
        stage.subscribe("$share/g/a", from: second)
        stage.answer(.puback, 1, .unspecifiedError, from: first)
        stage.breakLink(of: first)
        #expect(numbers(second) == [])
    }

    @Test("a kept member's messages stay with it, through a restart, until its session ends")
    func kept() {
        var stage = Stage()
        let member = stage.client("m", session: .resume)
        stage.subscribe("$share/g/a", from: member)
        stage.breakLink(of: member)
        stage.speak(1...2)
        stage.restart()
        let other = stage.client("o", .v5)
        stage.subscribe("$share/g/a", from: other)
        #expect(numbers(other) == [])
        stage.breakLink(of: stage.client("m", session: .clean))
        #expect(numbers(other) == [1, 2])
    }

    @Test("members come, go and answer as they like: every message arrives", arguments: UInt64(0)..<100)
    func neverLost(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        var clients: [Client?] = [nil, nil, nil]
        var arrived: Set<Int> = []
        func join(_ index: Int) {
            let session: SessionStart = index == 0 ? .resume : .clean
            let client = stage.client("\(index)", session: session)
            stage.subscribe("$share/g/a", from: client)
            clients[index] = client
        }
        func look(_ index: Int, answers: Int) {
            guard let client = clients[index] else { return }
            for frame in client.frames().filter({ $0[0] >> 4 == 3 }).prefix(answers) {
                let length = Int(frame[3])
                if let number = Int(String(decoding: frame[(6 + length)...], as: UTF8.self)) { arrived.insert(number) }
                stage.answer(.puback, UInt16(frame[4 + length]) << 8 | UInt16(frame[5 + length]), from: client)
            }
        }
        join(0)
        for number in 1...60 {
            stage.speak(number...number)
            let index = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: look(index, answers: Int.random(in: 0...3, using: &random))
            case 1:
                if let client = clients[index] {
                    stage.breakLink(of: client)
                    clients[index] = nil
                }
            default: if clients[index] == nil { join(index) }
            }
        }
        for index in 0..<3 {
            if let client = clients[index] { stage.breakLink(of: client) }
        }
        join(0)
        for _ in 0..<60 { look(0, answers: .max) }
        #expect(arrived == Set(1...60))
    }
}
