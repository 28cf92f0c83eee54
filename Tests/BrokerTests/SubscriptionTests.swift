import Broker
import MQTTWire
import Testing

@Suite("Subscription identifiers (MQTT 5, clauses 3.3.2.3.8 and 3.8.2.1.2)")
struct SubscriptionIdentifierTests {
    @Test("a message carries the identifier of the subscription that it came by [MQTT5-3.3.4-3]")
    func one() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.subscribe("a", qos: .atLeastOnce, identifier: 268_435_455, from: client)
        stage.subscribe("b", qos: .atLeastOnce, from: client)
        _ = client.received()
        for (topic, qos) in [("a", .atMostOnce), ("a", .exactlyOnce), ("b", .atMostOnce)] as [(String, QoS)] {
            stage.core.publish(topic: Array(topic.utf8), payload: Array("x".utf8), qos: qos, now: stage.now)
        }
        #expect(
            client.received() == [
                "publish a x 0 <268435455>", "publish a x 1 #1 <268435455>", "publish b x 0",
            ])
    }

    @Test(
        "overlapping filters give one copy with the highest QoS and all identifiers [MQTT5-3.3.4-2] [MQTT5-3.3.4-4]")
    func overlapping() {
        var stage = Stage()
        let (client, other) = (stage.client("c", .v5), stage.client("o"))
        stage.subscribe("a/#", qos: .exactlyOnce, identifier: 1, from: client)
        stage.subscribe("a/+", qos: .atMostOnce, identifier: 200, from: client)
        stage.subscribe("a/b", qos: .atLeastOnce, from: client)
        stage.subscribe("+/b", qos: .atLeastOnce, identifier: 1, from: client)
        stage.subscribe("a/b", qos: .atMostOnce, from: other)
        _ = (client.received(), other.received())
        stage.core.publish(topic: Array("a/b".utf8), payload: Array("x".utf8), qos: .exactlyOnce, now: stage.now)
        #expect(client.received() == ["publish a/b x 2 #1 <1,1,200>"])
        #expect(other.received() == ["publish a/b x 0"], "and nobody else sees them")
    }

    @Test("the same filter again replaces QoS, options and identifier [MQTT5-3.8.4-3]")
    func replaced() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.subscribe("a", qos: .atMostOnce, identifier: 1, from: client)
        stage.subscribe("a", qos: .atLeastOnce, identifier: 2, from: client)
        stage.core.publish(topic: Array("a".utf8), payload: [], now: stage.now)
        #expect(client.received().suffix(1) == ["publish a  1 #1 <2>"])
        stage.subscribe("a", qos: .atMostOnce, from: client)
        stage.core.publish(topic: Array("a".utf8), payload: [], now: stage.now)
        #expect(client.received() == ["suback 0", "publish a  0"])
    }

    @Test("retained messages carry that of the subscription they answer")
    func retained() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.publish("k", "v", retain: .yes, from: client)
        stage.subscribe("#", qos: .atMostOnce, identifier: 1, from: client)
        stage.subscribe("k", qos: .atMostOnce, identifier: 2, from: client)
        #expect(
            client.received().suffix(4) == [
                "suback 0", "publish k v 0 retain <1>", "suback 0", "publish k v 0 retain <2>",
            ])
    }

    @Test("they stay with a kept session and its queue, also through a restart")
    func kept() {
        var stage = Stage()
        var block: [UInt8] = []
        Property.append(.sessionExpiryInterval, u32: 60, to: &block)
        let away = stage.client("d", .v5, session: .resume, properties: block)
        stage.subscribe("q", qos: .atLeastOnce, identifier: 77, from: away)
        stage.breakLink(of: away)
        stage.core.publish(topic: Array("q".utf8), payload: Array("old".utf8), now: stage.now)
        stage.settle()
        stage.restart()
        let back = stage.client("d", .v5, session: .resume, properties: block)
        stage.core.publish(topic: Array("q".utf8), payload: Array("new".utf8), now: stage.now)
        #expect(
            back.received() == ["connack 0 true", "publish q old 1 dup #1 <77>", "publish q new 1 #2 <77>"])
    }

    @Test("No Local keeps only that subscription's copy away [MQTT5-3.8.3-3]")
    func noLocal() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        var options = SubscriptionOptions(qos: .exactlyOnce)
        options.noLocal = true
        options.retainAsPublished = true
        stage.subscribe("a", options: options, identifier: 1, from: client)
        stage.subscribe("+", qos: .atMostOnce, identifier: 2, from: client)
        _ = client.received()
        stage.publish("a", "own", qos: .exactlyOnce, id: 1, retain: .yes, from: client)
        #expect(client.received() == ["publish a own 0 <2>", "pubrec #1"])
        stage.publish("a", "other", qos: .exactlyOnce, id: 1, retain: .yes, from: stage.client("o"))
        #expect(client.received() == ["publish a other 2 retain #1 <1,2>"])
    }

    @Test(
        "identifier 0 and two identifiers are protocol errors (3.8.2.1.2)",
        arguments: [[0x0B, 0], [0x0B, 1, 0x0B, 2]])
    func invalid(properties: [UInt8]) {
        var stage = Stage()
        let client = stage.client("c", .v5)
        _ = client.received()
        let body = [0, 7, UInt8(properties.count)] + properties + [0, 1, 0x61, 0]
        stage.send([0x82, UInt8(body.count)] + body, from: client)
        #expect(client.received() == ["disconnect 130"])
    }
}
