import ApusTestKit
import Broker
import MQTTWire
import Testing

@Suite("The broker's core")
struct BrokerTests {
    @Test("QoS 0 and 1 reach a subscriber at the lower of both")
    func delivery() {
        var stage = Stage()
        let (speaker, listener) = (stage.client("s"), stage.client("l"))
        #expect(listener.received() == ["connack 0 false"])
        stage.subscribe("a/+", qos: .atLeastOnce, from: listener)
        stage.publish("a/b", "x", from: speaker)
        stage.publish("a/b", "y", qos: .atLeastOnce, id: 9, from: speaker)
        #expect(listener.received() == ["suback 1", "publish a/b x 0", "publish a/b y 1 #1"])
        #expect(speaker.received() == ["connack 0 false", "puback #9"])
    }

    @Test("overlapping filters give one copy at the highest QoS [MQTT3-3.3.5-1]")
    func overlap() {
        var stage = Stage()
        let client = stage.client("c")
        stage.subscribe("a/#", qos: .atMostOnce, from: client)
        stage.subscribe("a/b", qos: .atLeastOnce, from: client)
        _ = client.received()
        stage.publish("a/b", "x", qos: .atLeastOnce, id: 1, from: client)
        #expect(client.received() == ["publish a/b x 1 #1", "puback #1"])
    }

    @Test(
        "retained messages are kept, replaced and deleted [MQTT3-3.3.1-6] [MQTT3-3.3.1-7] [MQTT3-3.3.1-8] [MQTT3-3.3.1-9]"
    )
    func retained() {
        var stage = Stage()
        let speaker = stage.client("s")
        stage.publish("k/1", "old", retain: .yes, from: speaker)
        stage.publish("k/1", "new", retain: .yes, from: speaker)
        stage.publish("k/2", "two", retain: .yes, from: speaker)
        stage.publish("k/2", "", retain: .yes, from: speaker)
        let late = stage.client("l")
        stage.subscribe("k/#", from: late)
        #expect(late.received() == ["connack 0 false", "suback 1", "publish k/1 new 0 retain"])
        stage.publish("k/1", "live", retain: .yes, from: speaker)
        #expect(late.received() == ["publish k/1 live 0"], "a live message has no RETAIN flag")
    }

    @Test(
        "a will is sent when the link breaks, and not after DISCONNECT [MQTT3-3.1.2-8] [MQTT3-3.1.2-10] [MQTT3-3.14.4-3]"
    )
    func will() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", qos: .atMostOnce, from: listener)
        let polite = stage.client("p", will: ("gone", "p"))
        let rude = stage.client("r", will: ("gone", "r"))
        _ = listener.received()
        stage.send([0xE0, 0], from: polite)
        stage.core.closed(rude.connection, now: stage.now)
        stage.settle()
        #expect(listener.received() == ["publish gone r 0"])
    }

    @Test("a takeover ends the old connection, whose late close touches nothing [MQTT5-3.1.4-3]")
    func takeover() {
        var stage = Stage()
        let old = stage.client("same", .v5)
        stage.subscribe("a", from: old)
        _ = old.received()
        let new = stage.client("same", .v5)
        #expect(old.received() == ["disconnect 142"] && old.connection.isClosing)
        stage.subscribe("a", from: new)
        stage.core.closed(old.connection, now: stage.now)
        stage.settle()
        _ = new.received()
        stage.publish("a", "x", from: new)
        #expect(new.received() == ["publish a x 0"])
    }

    @Test("two principals never share a session, whatever they call themselves")
    func principals() {
        var stage = Stage()
        let device = stage.client("lamp", as: .device(thing: Array("lamp".utf8)))
        _ = stage.client("lamp", as: .device(thing: Array("other".utf8)))
        #expect(!device.connection.isClosing)
    }

    @Test(
        """
        a kept session gets what it missed, in order, and again as duplicates with the same identifiers \
        [MQTT3-3.1.2-4] [MQTT3-2.3.1-4] [MQTT3-3.3.1-1] [MQTT3-4.6.0-1]
        """
    )
    func keptSession() {
        var stage = Stage()
        let speaker = stage.client("s")
        var device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.core.closed(device.connection, now: stage.now)
        stage.settle()
        for number in 1...3 { stage.publish("q", "\(number)", qos: .atLeastOnce, id: UInt16(number), from: speaker) }
        device = stage.client("d", session: .resume)
        #expect(
            device.received() == ["connack 0 true", "publish q 1 1 #1", "publish q 2 1 #2", "publish q 3 1 #3"])
        stage.acknowledge(1, from: device)
        stage.core.closed(device.connection, now: stage.now)
        stage.settle()
        device = stage.client("d", session: .resume)
        #expect(device.received() == ["connack 0 true", "publish q 2 1 dup #2", "publish q 3 1 dup #3"])
    }

    @Test(
        "what a kept session is owed is acknowledged after the commit, in the order of the publications [MQTT3-4.6.0-2]"
    )
    func durableAcknowledgement() {
        var stage = Stage()
        let speaker = stage.client("s")
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        _ = speaker.received()
        stage.commits = false
        stage.publish("q", "kept", qos: .atLeastOnce, id: 1, from: speaker)
        stage.publish("nobody", "free", qos: .atLeastOnce, id: 2, from: speaker)
        #expect(speaker.received() == [])
        stage.commitAll()
        #expect(speaker.received() == ["puback #1", "puback #2"])
    }

    @Test("after a restart sessions, queues and retained messages are there again")
    func restored() {
        var stage = Stage()
        let key = Array("a//d".utf8)
        let entry = StoredEntry(
            sequence: 4, qos: 1, topic: Array("q".utf8), payload: Array("old".utf8), properties: [], retain: false,
            expires: nil)
        for change in [
            .session(key: key, principal: "a/", expirySeconds: 3600, endedAt: nil),
            .subscribe(key: key, filter: Array("q".utf8), options: 1, identifier: 0), .enqueue(key: key, entry),
            .retain(
                topic: Array("k".utf8), payload: Array("v".utf8), qos: 0, properties: [], stored: 0, expires: nil),
        ] as [DurableChange] {
            stage.disk.apply(change)
        }
        stage.restart()
        let device = stage.client("d", session: .resume)
        stage.publish("q", "new", qos: .atLeastOnce, id: 1, from: device)
        #expect(
            device.received() == ["connack 0 true", "publish q old 1 dup #4", "publish q new 1 #5", "puback #1"])
        stage.subscribe("k", from: device)
        #expect(device.received() == ["suback 1", "publish k v 0 retain"])
    }

    @Test("silence of one and a half keep-alives ends a connection, and ten seconds without CONNECT [MQTT3-3.1.2-24]")
    func timeouts() {
        var stage = Stage()
        let client = stage.client("c", keepAlive: 10)
        let mute = Client(.v311, now: stage.now)
        stage.core.opened(mute.connection, now: stage.now)
        stage.core.tick(now: stage.now + 10_001)
        #expect(mute.connection.isClosing && !client.connection.isClosing)
        stage.core.tick(now: stage.now + 15_001)
        #expect(client.connection.isClosing)
    }

    @Test("an older client above its window has to wait, an MQTT 5 client is told")
    func window() {
        var stage = Stage()
        let (new, old) = (stage.client("n", .v5), stage.client("o"))
        _ = new.received()
        stage.commits = false
        for number in 1...100 {
            stage.publish("k", "x", qos: .atLeastOnce, id: UInt16(number), retain: .yes, from: old)
            stage.publish("k", "x", qos: .atLeastOnce, id: UInt16(number), retain: .yes, from: new)
        }
        #expect(old.connection.mustWait && !new.connection.mustWait)
        stage.publish("k", "x", qos: .atLeastOnce, id: 101, retain: .yes, from: new)
        #expect(new.received() == ["disconnect 147"])
    }

    @Test("the first packet is CONNECT, and there is only one [MQTT3-3.1.0-1] [MQTT3-3.1.0-2]")
    func firstPacket() {
        var stage = Stage()
        let early = Client(.v311, now: stage.now)
        stage.core.opened(early.connection, now: stage.now)
        stage.send([0xC0, 0], from: early)
        #expect(early.connection.isClosing)
        let twice = stage.client("t")
        var bytes: [UInt8] = []
        let id = Array("t".utf8)
        try? PacketEncoder(version: .v311).connect(clientID: id.span, session: .clean, keepAliveSeconds: 0, to: &bytes)
        stage.send(bytes, from: twice)
        #expect(twice.connection.isClosing)
    }

    @Test(
        "random packets never trap, leave the others alone and get answers that keep to the standard",
        arguments: UInt64(0)..<60)
    func garbage(seed: UInt64) {
        var stage = Stage()
        let witness = stage.client("w")
        stage.subscribe("w", qos: .atMostOnce, from: witness)
        var random = SeededRandom(seed)
        for number in 0..<20 {
            let client = stage.client("g\(number)", number.isMultiple(of: 2) ? .v5 : .v311, session: .resume)
            for _ in 0..<20 where !client.connection.isClosing {
                let body = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                stage.send([UInt8.random(in: 0...255, using: &random), UInt8(body.count)] + body, from: client)
            }
            #expect(!client.received().contains("malformed"))
        }
        _ = witness.received()
        stage.publish("w", "well", from: stage.client("s"))
        #expect(witness.received() == ["publish w well 0"])
    }
}
