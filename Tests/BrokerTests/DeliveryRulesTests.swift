//  Session state, delivery, repetition, order and flow control (chapter 4).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

/// A client with a kept session that comes and goes.
private struct Guest {
    let name: String
    let version: MQTTVersion
    var client: Client

    init(_ version: MQTTVersion, _ stage: inout Stage, name: String = "c") {
        (self.name, self.version) = (name, version)
        client = Self.join(name, version, &stage)
        _ = client.received()
    }

    private static func join(_ name: String, _ version: MQTTVersion, _ stage: inout Stage) -> Client {
        let settings = version == .v5 ? block((.sessionExpiryInterval, 1000)) : []
        return stage.client(name, version, session: .resume, properties: settings)
    }

    /// Loses the connection and comes back: what it is sent then.
    mutating func again(_ stage: inout Stage) -> [String] {
        stage.breakLink(of: client)
        client = Self.join(name, version, &stage)
        let words = client.received()
        #expect(words.first == "connack 0 true")
        return Array(words.dropFirst())
    }
}

extension Stage {
    fileprivate mutating func speak(_ text: String, _ qos: QoS, topic: String = "a") {
        core.publish(topic: Array(topic.utf8), payload: Array(text.utf8), qos: qos, now: now)
        settle()
    }
}

@Suite("Rules of delivery (4.3, 4.4)")
struct DeliveryRulesTests {
    @Test(
        """
        QoS 0 is sent with QoS 0 and DUP 0, and never again \
        [MQTT3-3.3.1-2] [MQTT3-4.3.1-1] [MQTT5-3.3.1-2] [MQTT5-4.3.1-1]
        """, arguments: both)
    func atMostOnce(version: MQTTVersion) {
        var stage = Stage()
        var guest = Guest(version, &stage)
        stage.subscribe("a", qos: .exactlyOnce, from: guest.client)
        _ = guest.client.frames()
        stage.speak("x", .atMostOnce)
        #expect(guest.client.frames() == [frame(0x30, field("a") + properties(version) + [0x78])])
        #expect(guest.again(&stage) == [])
    }

    @Test(
        """
        QoS 1 is sent with DUP 0 first, and is open until PUBACK \
        [MQTT3-4.3.2-1] [MQTT3-3.3.1-1] [MQTT5-3.3.1-1] [MQTT5-4.3.2-2] [MQTT5-4.3.2-3]
        """, arguments: both)
    func atLeastOnce(version: MQTTVersion) {
        var stage = Stage()
        var guest = Guest(version, &stage)
        stage.subscribe("a", qos: .atLeastOnce, from: guest.client)
        _ = guest.client.received()
        for text in ["x", "y"] { stage.speak(text, .atLeastOnce) }
        #expect(guest.client.received() == ["publish a x 1 #1", "publish a y 1 #2"])
        stage.answer(.puback, 1, from: guest.client)
        for _ in 0..<2 { #expect(guest.again(&stage) == ["publish a y 1 dup #2"]) }
        stage.answer(.puback, 2, from: guest.client)
        #expect(guest.again(&stage) == [])
    }

    @Test(
        "a QoS 1 message is answered, after which its identifier is free [MQTT3-4.3.2-2] [MQTT5-4.3.2-4] [MQTT5-4.3.2-5]",
        arguments: both)
    func answered(version: MQTTVersion) {
        var stage = Stage()
        let (speaker, listener) = (stage.client("s", version), stage.client("l"))
        stage.subscribe("a", qos: .atMostOnce, from: listener)
        _ = (speaker.received(), listener.received())
        for first in [0x32, 0x32, 0x3A] as [UInt8] {
            stage.send(frame(first, field("a") + [0, 7] + properties(version) + [0x78]), from: speaker)
            #expect(speaker.received() == ["puback #7"] && listener.received() == ["publish a x 0"])
        }
    }

    @Test(
        """
        QoS 2 is open until PUBREC, then PUBREL is until PUBCOMP, and the message is not sent again \
        [MQTT3-4.3.3-1] [MQTT5-4.3.3-3] [MQTT5-4.3.3-5] [MQTT5-4.3.3-6] [MQTT5-4.4.0-1]
        """, arguments: both)
    func exactlyOnce(version: MQTTVersion) {
        var stage = Stage()
        var guest = Guest(version, &stage)
        stage.subscribe("a", qos: .exactlyOnce, from: guest.client)
        _ = guest.client.received()
        stage.speak("x", .exactlyOnce)
        #expect(guest.client.received() == ["publish a x 2 #1"])
        stage.pass(seconds: 900)
        #expect(guest.client.received() == [], "nothing is sent again while the connection stands")
        for _ in 0..<2 { #expect(guest.again(&stage) == ["publish a x 2 dup #1"]) }
        stage.answer(.pubrec, 1, from: guest.client)
        #expect(guest.client.received() == ["pubrel #1"])
        for _ in 0..<2 { #expect(guest.again(&stage) == ["pubrel #1"]) }
        stage.answer(.pubcomp, 1, from: guest.client)
        #expect(guest.again(&stage) == [])
    }

    @Test("the exchange of QoS 2 goes on although the message has expired [MQTT5-4.3.3-13]")
    func expired() {
        var stage = Stage()
        var guest = Guest(.v5, &stage, name: "away")
        stage.subscribe("a", qos: .exactlyOnce, from: guest.client)
        stage.breakLink(of: guest.client)
        let speaker = stage.client("s", .v5)
        _ = speaker.received()
        let expiry = block((.messageExpiryInterval, 5))
        stage.send(frame(0x34, field("a") + [0, 9] + properties(.v5, expiry) + [0x78]), from: speaker)
        #expect(speaker.received() == ["pubrec #9"])
        stage.pass(seconds: 10)
        stage.send(frame(0x3C, field("a") + [0, 9] + properties(.v5, expiry) + [0x78]), from: speaker)
        stage.answer(.pubrel, 9, from: speaker)
        #expect(speaker.received() == ["pubrec #9", "pubcomp #9"])
        #expect(guest.again(&stage) == [], "nobody gets it any more")
    }

    @Test("a message that the client refuses is done [MQTT5-4.4.0-2]")
    func refused() {
        var stage = Stage()
        var guest = Guest(.v5, &stage)
        stage.subscribe("a", qos: .exactlyOnce, from: guest.client)
        stage.speak("x", .atLeastOnce)
        stage.speak("y", .exactlyOnce)
        _ = guest.client.received()
        stage.answer(.puback, 1, .unspecifiedError, from: guest.client)
        stage.answer(.pubrec, 2, .quotaExceeded, from: guest.client)
        #expect(guest.client.received() == [], "no PUBREL either")
        #expect(guest.again(&stage) == [])
    }

    @Test("a QoS 2 message of a shared subscription is brought to its end at the same client [MQTT5-4.8.2-4]")
    func shared() {
        var stage = Stage()
        var guest = Guest(.v5, &stage)
        stage.subscribe("$share/g/a", qos: .exactlyOnce, from: guest.client)
        stage.speak("x", .exactlyOnce)
        stage.speak("y", .exactlyOnce)
        let other = stage.client("o", .v5)
        stage.subscribe("$share/g/a", qos: .exactlyOnce, from: other)
        _ = (guest.client.received(), other.received())
        stage.answer(.pubrec, 2, from: guest.client)
        #expect(guest.again(&stage) == ["publish a x 2 dup #1", "pubrel #2"])
        stage.answer(.pubrec, 1, from: guest.client)
        #expect(guest.client.received() == ["pubrel #1"] && other.received() == [])
    }
}

@Suite("Rules of session state, order and flow control (4.1, 4.6, 4.9)")
struct StateRulesTests {
    @Test(
        "a session lasts as long as its connection, whatever its interval [MQTT3-4.1.0-2] [MQTT5-4.1.0-1]",
        arguments: both)
    func lasts(version: MQTTVersion) {
        for seconds in [0, 1] as [UInt32] {
            var stage = Stage()
            let settings = version == .v5 ? block((.sessionExpiryInterval, seconds)) : []
            let client = stage.client("c", version, properties: settings)
            stage.subscribe("a", qos: .exactlyOnce, from: client)
            stage.speak("x", .exactlyOnce)
            _ = client.received()
            stage.pass(seconds: 10_000_000)
            stage.answer(.pubrec, 1, from: client)
            stage.speak("y", .atLeastOnce)
            #expect(client.received() == ["pubrel #1", "publish a y 1 #2"])
        }
        var stage = Stage()
        var guest = Guest(version, &stage)
        stage.subscribe("a", qos: .atLeastOnce, from: guest.client)
        _ = guest.again(&stage)
        stage.pass(seconds: 10_000_000)
        stage.speak("x", .atLeastOnce)
        #expect(guest.client.received() == ["publish a x 1 #1"], "who came back does not end when it would have")
    }

    @Test("a kept session keeps all of its state while the client is away [MQTT3-4.1.0-1] [MQTT3-3.1.2-4]")
    func kept() {
        var stage = Stage()
        var guest = Guest(.v311, &stage)
        stage.subscribe("a", qos: .exactlyOnce, from: guest.client)
        for text in ["1", "2"] { stage.speak(text, .exactlyOnce) }
        stage.answer(.pubrec, 2, from: guest.client)
        stage.publish("b", "x", qos: .exactlyOnce, id: 7, from: guest.client)
        _ = guest.client.received()
        stage.breakLink(of: guest.client)
        stage.pass(seconds: 6 * 24 * 3600)
        stage.speak("3", .atLeastOnce)
        #expect(guest.again(&stage) == ["publish a 1 2 dup #1", "pubrel #2", "publish a 3 1 #3"])
        let listener = stage.client("l")
        stage.subscribe("b", from: listener)
        _ = listener.received()
        stage.publish("b", "x", qos: .exactlyOnce, id: 7, from: guest.client)
        #expect(guest.client.received() == ["pubrec #7"] && listener.received() == [], "it was taken before")
    }

    @Test("PUBACK and PUBREC leave in the order of the messages [MQTT3-4.6.0-2] [MQTT3-4.6.0-3]", arguments: both)
    func acknowledgements(version: MQTTVersion) {
        var stage = Stage()
        let speaker = stage.client("s", version)
        _ = speaker.received()
        stage.commits = false
        // Every other one waits for the disk.
        for id in 1...6 as ClosedRange<UInt16> {
            let qos: QoS = id > 3 ? .atLeastOnce : .exactlyOnce
            stage.publish("a", "x", qos: qos, id: id, retain: id.isMultiple(of: 2) ? .yes : .no, from: speaker)
        }
        stage.commitAll()
        #expect(
            speaker.received() == ["pubrec #1", "pubrec #2", "pubrec #3", "puback #4", "puback #5", "puback #6"])
    }

    @Test(
        "PUBRELs leave in the order of the PUBRECs, repetitions in that of the messages [MQTT3-4.6.0-1] [MQTT3-4.6.0-4]"
    )
    func releases() {
        var stage = Stage()
        var guest = Guest(.v311, &stage)
        stage.subscribe("a", qos: .exactlyOnce, from: guest.client)
        for (text, qos) in [("1", .exactlyOnce), ("2", .atLeastOnce), ("3", .exactlyOnce)] as [(String, QoS)] {
            stage.speak(text, qos)
        }
        #expect(guest.again(&stage) == ["publish a 1 2 dup #1", "publish a 2 1 dup #2", "publish a 3 2 dup #3"])
        stage.speak("4", .exactlyOnce)
        _ = guest.client.received()
        stage.commits = false
        for id in [3, 1, 4] as [UInt16] { stage.answer(.pubrec, id, from: guest.client) }
        stage.commitAll()
        #expect(guest.client.received() == ["pubrel #3", "pubrel #1", "pubrel #4"])
    }

    @Test(
        "a full window holds back messages of QoS 1 and 2 and nothing else [MQTT5-3.3.4-10] [MQTT5-4.9.0-2] [MQTT5-4.9.0-3]"
    )
    func fullWindow() {
        var stage = Stage()
        let client = stage.client("c", .v5, properties: [PropertyID.receiveMaximum.rawValue, 0, 1])
        stage.subscribe("a", qos: .exactlyOnce, from: client)
        stage.speak("1", .exactlyOnce)
        stage.speak("2", .atLeastOnce)
        _ = client.received()
        stage.send([0xC0, 0], from: client)
        stage.subscribe("b", from: client)
        stage.unsubscribe("b", from: client)
        stage.publish("a", "own", qos: .atLeastOnce, id: 1, from: client)
        stage.publish("c", "own", qos: .exactlyOnce, id: 2, from: client)
        stage.answer(.pubrel, 2, from: client)
        stage.speak("0", .atMostOnce)
        #expect(
            client.received() == [
                "pingresp", "suback 1", "unsuback", "puback #1", "pubrec #2", "pubcomp #2", "publish a 0 0",
            ])
        stage.answer(.pubrec, 1, from: client)
        #expect(client.received() == ["pubrel #1"])
        stage.answer(.pubcomp, 1, from: client)
        #expect(client.received() == ["publish a 2 1 #2"])
    }
}
