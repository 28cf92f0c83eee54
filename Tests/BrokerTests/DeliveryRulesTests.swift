//  Delivery and repetition (clauses 4.3, 4.4 and 4.8).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

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
        stage.pass(seconds: 500)
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

    @Test(
        "what was sent is sent again although it has expired, what was not is forgotten [MQTT5-4.4.0-1] [MQTT5-3.3.2-5]"
    )
    func expiredOnTheWay() {
        for qos in [QoS.atLeastOnce, .exactlyOnce] {
            var stage = Stage()
            var guest = Guest(.v5, &stage)
            stage.subscribe("a", qos: qos, from: guest.client)
            let topic: [UInt8] = [0x61]
            stage.core.publish(topic: topic, payload: [0x31], qos: qos, expires: stage.now + 5000, now: stage.now)
            stage.settle()
            #expect(guest.client.received().last == "publish a 1 \(qos.rawValue) #1")
            stage.breakLink(of: guest.client)
            stage.core.publish(topic: topic, payload: [0x32], qos: qos, expires: stage.now + 5000, now: stage.now)
            stage.settle()
            stage.pass(seconds: 10)
            for _ in 0..<2 { #expect(guest.again(&stage) == ["publish a 1 \(qos.rawValue) dup #1"]) }
        }
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
