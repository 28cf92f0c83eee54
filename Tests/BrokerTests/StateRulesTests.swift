//  Session state, order and flow control (clauses 4.1, 4.6 and 4.9).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

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
