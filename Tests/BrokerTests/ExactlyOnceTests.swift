import Broker
import MQTTWire
import Testing

@Suite("QoS 2 (clause 4.3.3)")
struct ExactlyOnceTests {
    @Test(
        """
        a message of QoS 2 goes through PUBREC, PUBREL and PUBCOMP on both sides \
        [MQTT5-4.3.3-2] [MQTT5-4.3.3-4] [MQTT5-4.3.3-8] [MQTT5-4.3.3-11] [MQTT5-2.2.1-5]
        """, arguments: [MQTTVersion.v311, .v5])
    func wholeFlow(version: MQTTVersion) {
        var stage = Stage()
        let (speaker, listener) = (stage.client("s", version), stage.client("l", version))
        stage.subscribe("a", qos: .exactlyOnce, from: listener)
        stage.publish("a", "x", qos: .exactlyOnce, id: 9, from: speaker)
        #expect(speaker.received() == ["connack 0 false", "pubrec #9"])
        #expect(listener.received() == ["connack 0 false", "suback 2", "publish a x 2 #1"])
        stage.answer(.pubrel, 9, from: speaker)
        #expect(speaker.received() == ["pubcomp #9"])
        stage.answer(.pubrec, 1, from: listener)
        #expect(listener.received() == ["pubrel #1"])
        stage.answer(.pubcomp, 1, from: listener)
        #expect(listener.received() == [])
    }

    @Test(
        """
        until PUBREL the same identifier is the same message, after PUBCOMP a new one \
        [MQTT3-4.3.3-2] [MQTT5-4.3.3-10] [MQTT5-4.3.3-12]
        """, arguments: [MQTTVersion.v311, .v5])
    func duplicates(version: MQTTVersion) {
        var stage = Stage()
        let (speaker, listener) = (stage.client("s", version), stage.client("l", version))
        stage.subscribe("a", qos: .atMostOnce, from: listener)
        _ = (speaker.received(), listener.received())
        stage.publish("a", "one", qos: .exactlyOnce, id: 9, from: speaker)
        stage.publish("a", "one", qos: .exactlyOnce, id: 9, from: speaker)
        #expect(speaker.received() == ["pubrec #9", "pubrec #9"])
        stage.answer(.pubrel, 9, from: speaker)
        stage.publish("a", "two", qos: .exactlyOnce, id: 9, from: speaker)
        #expect(speaker.received() == ["pubcomp #9", "pubrec #9"])
        #expect(listener.received() == ["publish a one 0", "publish a two 0"])
    }

    @Test("a refused message leaves its identifier free [MQTT5-4.3.3-9]")
    func refused() {
        var stage = Stage()
        let device = stage.client("lamp", .v5, as: .device(thing: Array("lamp".utf8)))
        _ = device.received()
        stage.publish("free", "x", qos: .exactlyOnce, id: 3, from: device)
        #expect(device.received() == ["pubrec #3 135"])
        stage.publish("x/things/lamp/logs", "line", qos: .exactlyOnce, id: 3, from: device)
        #expect(device.received() == ["pubrec #3"])
        #expect(stage.steps.contains { if case .deviceLog = $0 { true } else { false } })
    }

    @Test("PUBREL and PUBREC for what is not known are answered, so that the peer can end [MQTT5-4.3.3-11]")
    func unknown() {
        var stage = Stage()
        let (new, old) = (stage.client("n", .v5), stage.client("o"))
        _ = (new.received(), old.received())
        for client in [new, old] {
            stage.answer(.pubrel, 7, from: client)
            stage.answer(.pubrec, 8, from: client)
            stage.answer(.pubcomp, 9, from: client)
            stage.answer(.puback, 9, from: client)
        }
        #expect(new.received() == ["pubcomp #7 146", "pubrel #8 146"])
        #expect(old.received() == ["pubcomp #7", "pubrel #8"])
    }

    @Test("an acknowledgement of the wrong kind ends the connection", arguments: [PacketType.puback, .pubcomp])
    func wrongKind(type: PacketType) {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.subscribe("a", qos: .exactlyOnce, from: client)
        stage.core.publish(topic: Array("a".utf8), payload: [], qos: .exactlyOnce, now: stage.now)
        _ = client.received()
        stage.answer(type, 1, from: client)
        #expect(client.received() == ["disconnect 130"])
    }

    @Test(
        """
        after a resume come DUP and PUBREL with the same identifiers, in order, before anything new \
        [MQTT3-4.4.0-1] [MQTT3-4.3.3-1]
        """,
        arguments: [false, true])
    func resume(restarts: Bool) {
        var stage = Stage()
        var device = stage.client("d", session: .resume)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        for (text, qos) in [("1", .exactlyOnce), ("2", .exactlyOnce), ("3", .atLeastOnce)] as [(String, QoS)] {
            stage.core.publish(topic: Array("q".utf8), payload: Array(text.utf8), qos: qos, now: stage.now)
            stage.settle()
        }
        stage.answer(.pubrec, 2, from: device)
        #expect(
            device.received() == [
                "connack 0 false", "suback 2", "publish q 1 2 #1", "publish q 2 2 #2", "publish q 3 1 #3", "pubrel #2",
            ])
        stage.breakLink(of: device)
        if restarts { stage.restart() }
        stage.core.publish(topic: Array("q".utf8), payload: Array("4".utf8), qos: .atLeastOnce, now: stage.now)
        stage.settle()
        device = stage.client("d", session: .resume)
        #expect(
            device.received() == [
                "connack 0 true", "publish q 1 2 dup #1", "pubrel #2", "publish q 3 1 dup #3",
                "publish q 4 1 #4",
            ])
    }

    @Test(
        "a window is taken until PUBCOMP, and given back by a PUBREC that refuses [MQTT5-3.3.4-9] [MQTT5-4.9.0-2]")
    func window() {
        var stage = Stage()
        var block: [UInt8] = []
        Property.append(.receiveMaximum, u16: 2, to: &block)
        let device = stage.client("d", .v5, properties: block)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        for number in 1...4 {
            stage.core.publish(
                topic: Array("q".utf8), payload: Array("\(number)".utf8), qos: .exactlyOnce, now: stage.now)
        }
        #expect(device.received().suffix(2) == ["publish q 1 2 #1", "publish q 2 2 #2"])
        stage.answer(.pubrec, 1, from: device)
        #expect(device.received() == ["pubrel #1"])
        stage.answer(.pubcomp, 1, from: device)
        #expect(device.received() == ["publish q 3 2 #3"])
        stage.answer(.pubrec, 2, .quotaExceeded, from: device)
        #expect(device.received() == ["publish q 4 2 #4"])
    }

    @Test("more than our Receive Maximum ends an MQTT 5 connection with 0x93; PUBCOMP gives room [MQTT5-3.3.4-7]")
    func ourWindow() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        for id in 1...100 as ClosedRange<UInt16> { stage.publish("a", "", qos: .exactlyOnce, id: id, from: client) }
        stage.answer(.pubrel, 50, from: client)
        stage.publish("a", "", qos: .exactlyOnce, id: 101, from: client)
        #expect(client.received().suffix(2) == ["pubcomp #50", "pubrec #101"])
        stage.publish("a", "", qos: .atLeastOnce, id: 102, from: client)
        #expect(client.received() == ["disconnect 147"])
    }

    @Test("PUBREC, PUBCOMP, PUBREL and the message itself wait for the commit that remembers them")
    func commits() {
        var stage = Stage()
        let speaker = stage.client("s", session: .resume)
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        _ = (speaker.received(), device.received())
        stage.commits = false
        stage.publish("q", "x", qos: .exactlyOnce, id: 1, from: speaker)
        #expect(speaker.received() == [] && device.received() == [])
        stage.commitAll()
        #expect(speaker.received() == ["pubrec #1"] && device.received() == ["publish q x 2 #1"])
        stage.answer(.pubrel, 1, from: speaker)
        stage.answer(.pubrec, 1, from: device)
        #expect(speaker.received() == [] && device.received() == [])
        stage.commitAll()
        #expect(speaker.received() == ["pubcomp #1"] && device.received() == ["pubrel #1"])
    }

    @Test("a shadow request of QoS 2: PUBREC waits for the shadow, then for its identifier")
    func shadowRequest() throws {
        var stage = Stage()
        let device = stage.client("lamp", session: .resume, as: .device(thing: Array("lamp".utf8)))
        _ = device.received()
        stage.commits = false
        stage.publish("$aws/things/lamp/shadow/update", "{}", qos: .exactlyOnce, id: 1, from: device)
        stage.commitAll()
        #expect(device.received() == [])
        for case .request(_, let ticket) in stage.steps { stage.core.complete(ticket, now: stage.now) }
        stage.settle()
        #expect(device.received() == [] && !stage.open.isEmpty)
        stage.commitAll()
        #expect(device.received() == ["pubrec #1"])
    }

    @Test("what was sent goes on after its expiry, what was not is dropped [MQTT5-4.3.3-7]")
    func expiry() throws {
        var stage = Stage()
        let settings = block((.sessionExpiryInterval, 60))
        var device = stage.client("d", .v5, session: .resume, properties: settings)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        stage.core.publish(
            topic: Array("q".utf8), payload: Array("x".utf8), qos: .exactlyOnce, expires: stage.now + 5000,
            now: stage.now)
        stage.settle()
        #expect(device.received().last == "publish q x 2 #1")
        stage.breakLink(of: device)
        stage.pass(seconds: 6)
        device = stage.client("d", .v5, session: .resume, properties: settings)
        #expect(device.received() == ["connack 0 true", "publish q x 2 dup #1"])
    }

    @Test("with AWS's limits QoS 2 is not offered [MQTT5-3.2.2-10] [MQTT5-3.2.2-11]")
    func awsLimits() {
        var stage = Stage(limits: .aws)
        let (new, old) = (stage.client("n", .v5), stage.client("o"))
        _ = (new.received(), old.received())
        stage.subscribe("a", qos: .exactlyOnce, from: new)
        #expect(new.received() == ["suback 1"])
        stage.publish("a", "x", qos: .exactlyOnce, id: 1, from: new)
        stage.publish("a", "x", qos: .exactlyOnce, id: 1, from: old)
        #expect(new.received() == ["disconnect 155"] && old.received() == [] && old.connection.isClosing)
    }
}
