//  Asking for topics and giving them back (clauses 3.8 to 3.11).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

extension Stage {
    /// Sends SUBSCRIBE, or UNSUBSCRIBE where `qos` is nil, for several filters.
    mutating func request(_ filters: [String], _ qos: UInt8?, id: UInt8, from client: Client) {
        let list = filters.flatMap { field($0) + (qos.map { [$0] } ?? []) }
        send(frame(qos == nil ? 0xA2 : 0x82, [0, id] + properties(client.version) + list), from: client)
    }
}

@Suite("Rules of SUBSCRIBE and SUBACK (3.8, 3.9)")
struct SubscribeRulesTests {
    private static let noFilter = [
        Breach("SUBSCRIBE", .protocolError) { frame(0x82, [0, 1] + properties($0)) },
        Breach("UNSUBSCRIBE", .protocolError) { frame(0xA2, [0, 1] + properties($0)) },
    ]

    @Test("without a filter the connection is closed [MQTT3-3.8.3-3] [MQTT3-3.10.3-2]", arguments: noFilter)
    private func noFilterOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test("without a filter the connection is closed, MQTT 5 [MQTT5-3.8.3-2] [MQTT5-3.10.3-2]", arguments: noFilter)
    private func noFilterNew(_ breach: Breach) { expectClosed(breach, .v5) }

    private static func options(_ byte: UInt8, _ reason: ReasonCode) -> Breach {
        Breach("options \(byte)", reason) { frame(0x82, [0, 1] + properties($0) + field("a") + [byte]) }
    }

    @Test(
        "3.1.1: reserved bits and QoS 3 in the payload close the connection [MQTT3-3.8.3-4]",
        arguments: (UInt8(3)...255).map { options($0, .malformedPacket) })
    private func optionsOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test(
        "MQTT 5: reserved bits in the options are malformed [MQTT5-3.8.3-5]",
        arguments: (UInt8(64)...255).map { options($0, .malformedPacket) })
    private func optionsNew(_ breach: Breach) { expectClosed(breach, .v5) }

    private static let filters = ["a/#/b", "a#", "##", "a/+b", "+a", "#/a"].map { filter in
        Breach(filter, .topicFilterInvalid) { frame(0x82, [0, 1] + properties($0) + field(filter) + [0]) }
    }

    @Test("wildcards in the wrong place close the connection [MQTT3-4.7.1-2] [MQTT3-4.7.1-3]", arguments: filters)
    private func filtersOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test("wildcards in the wrong place, MQTT 5 [MQTT5-4.7.1-1] [MQTT5-4.7.1-2]", arguments: filters)
    private func filtersNew(_ breach: Breach) { expectClosed(breach, .v5) }

    @Test(
        """
        SUBSCRIBE is answered with SUBACK and its identifier \
        [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT5-3.8.4-1] [MQTT5-3.8.4-2]
        """, arguments: both)
    func answered(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        _ = client.frames()
        for (id, qos) in [(1, 0), (200, 1), (201, 2)] as [(UInt8, UInt8)] {
            stage.request(["a"], qos, id: id, from: client)
            #expect(client.frames() == [frame(0x90, [0, id] + properties(version) + [qos])])
        }
    }

    @Test(
        "several filters are like several SUBSCRIBEs, with one SUBACK [MQTT3-3.8.4-4] [MQTT5-3.8.4-5]",
        arguments: both)
    func several(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.publish("k/1", "kept", retain: .yes, from: client)
        _ = client.received()
        stage.request(["k/1", "a", "k/1", "b"], 1, id: 9, from: client)
        #expect(
            client.received() == ["suback 1,1,1,1", "publish k/1 kept 0 retain", "publish k/1 kept 0 retain"])
        for topic in ["a", "b", "k/1"] { stage.publish(topic, "live", from: client) }
        #expect(client.received() == ["publish a live 0", "publish b live 0", "publish k/1 live 0"])
    }

    @Test("a message comes with the lower of both QoS [MQTT3-3.8.4-6] [MQTT5-3.8.4-8]", arguments: both)
    func lowerQoS(version: MQTTVersion) {
        let levels = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce]
        for granted in levels {
            for published in levels {
                var stage = Stage()
                let (client, speaker) = (stage.client("c", version), stage.client("s", version))
                stage.subscribe("a", qos: granted, from: client)
                _ = client.received()
                stage.publish("a", "x", qos: published, id: 1, from: speaker)
                let qos = min(granted, published)
                #expect(client.received() == ["publish a x \(qos.rawValue)" + (qos > .atMostOnce ? " #1" : "")])
            }
        }
    }

    @Test(
        """
        the same filter again replaces the subscription, repeats retained messages and loses nothing \
        [MQTT3-3.8.4-3] [MQTT5-3.8.4-3] [MQTT5-3.8.4-4]
        """, arguments: both)
    func replaced(version: MQTTVersion) {
        var stage = Stage()
        let (client, speaker) = (stage.client("c", version), stage.client("s"))
        stage.publish("a", "kept", retain: .yes, from: speaker)
        stage.subscribe("a", qos: .exactlyOnce, from: client)
        stage.publish("a", "1", qos: .exactlyOnce, id: 1, from: speaker)
        #expect(
            client.received() == ["connack 0 false", "suback 2", "publish a kept 0 retain", "publish a 1 2 #1"])
        stage.subscribe("a", qos: .atLeastOnce, from: client)
        #expect(client.received() == ["suback 1", "publish a kept 0 retain"])
        stage.publish("a", "2", qos: .exactlyOnce, id: 2, from: speaker)
        #expect(client.received() == ["publish a 2 1 #2"], "once, and with the new QoS")
        stage.answer(.pubrec, 1, from: client)
        #expect(client.received() == ["pubrel #1"], "what was on its way goes on")
    }
}

@Suite("Rules of UNSUBSCRIBE and UNSUBACK (3.10, 3.11)")
struct UnsubscribeRulesTests {
    @Test(
        """
        UNSUBSCRIBE is answered with UNSUBACK and its identifier, also where there was nothing \
        [MQTT3-3.10.4-4] [MQTT3-3.10.4-5] [MQTT5-3.10.4-4] [MQTT5-3.10.4-5]
        """, arguments: both)
    func answered(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.subscribe("a", from: client)
        _ = client.frames()
        for (id, code) in [(200, 0), (201, 0x11)] as [(UInt8, UInt8)] {
            stage.request(["a"], nil, id: id, from: client)
            let codes = version == .v5 ? [code] : []
            #expect(client.frames() == [frame(0xB0, [0, id] + properties(version) + codes)])
        }
    }

    @Test(
        "only the very same filter is given back, character by character [MQTT3-3.10.4-1] [MQTT5-3.10.4-1]",
        arguments: both)
    func sameFilter(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        for filter in ["a/+", "A/b"] { stage.subscribe(filter, qos: .atMostOnce, from: client) }
        for other in ["a/b", "a/#", "+/+", "#", "A/+", "a/B"] { stage.unsubscribe(other, from: client) }
        _ = client.received()
        for topic in ["a/b", "A/b"] { stage.publish(topic, "x", from: client) }
        #expect(client.received() == ["publish a/b x 0", "publish A/b x 0"])
        stage.unsubscribe("a/+", from: client)
        _ = client.received()
        for topic in ["a/b", "A/b"] { stage.publish(topic, "x", from: client) }
        #expect(client.received() == ["publish A/b x 0"])
    }

    @Test(
        """
        nothing new is added after it, what has begun is brought to its end \
        [MQTT3-3.10.4-2] [MQTT3-3.10.4-3] [MQTT5-3.10.4-2] [MQTT5-3.10.4-3]
        """, arguments: both)
    func begun(version: MQTTVersion) {
        var stage = Stage()
        let settings = version == .v5 ? block((.sessionExpiryInterval, 60)) : []
        var client = stage.client("c", version, session: .resume, properties: settings)
        stage.subscribe("a", qos: .exactlyOnce, from: client)
        stage.core.publish(topic: [0x61], payload: [0x31], qos: .exactlyOnce, now: stage.now)
        stage.core.publish(topic: [0x61], payload: [0x32], qos: .atLeastOnce, now: stage.now)
        stage.settle()
        #expect(client.received().suffix(2) == ["publish a 1 2 #1", "publish a 2 1 #2"])
        stage.unsubscribe("a", from: client)
        stage.core.publish(topic: [0x61], payload: [0x33], qos: .atLeastOnce, now: stage.now)
        stage.settle()
        #expect(client.received() == ["unsuback"])
        stage.answer(.pubrec, 1, from: client)
        #expect(client.received() == ["pubrel #1"])
        stage.breakLink(of: client)
        client = stage.client("c", version, session: .resume, properties: settings)
        #expect(client.received() == ["connack 0 true", "pubrel #1", "publish a 2 1 dup #2"])
    }

    @Test(
        """
        several filters are like several UNSUBSCRIBEs, with one UNSUBACK and its codes in their order \
        [MQTT3-3.10.4-6] [MQTT5-3.10.4-6] [MQTT5-3.11.3-1] [MQTT5-3.11.3-2]
        """, arguments: both)
    func several(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.request(["a", "b", "c"], 0, id: 1, from: client)
        _ = client.frames()
        stage.request(["a", "never", "c", "a"], nil, id: 9, from: client)
        let codes: [UInt8] = version == .v5 ? [0, 0x11, 0, 0x11] : []
        #expect(client.frames() == [frame(0xB0, [0, 9] + properties(version) + codes)])
        for topic in ["a", "b", "c"] { stage.publish(topic, "x", from: client) }
        #expect(client.received() == ["publish b x 0"])
    }
}
