//  Messages, retained and live (clauses 3.3 and 4.7).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

@Suite("Rules of retained messages (3.3.1.3)")
struct RetainRulesTests {
    /// What a new subscriber of `k` is sent.
    private func kept(_ stage: inout Stage) -> [String] {
        let client = stage.client("late")
        stage.subscribe("k", qos: .exactlyOnce, from: client)
        return Array(client.received().dropFirst(2))
    }

    @Test("a message with RETAIN replaces the one of its topic and no other [MQTT3-3.3.1-7] [MQTT5-3.3.1-5]")
    func replaced() {
        for version in both {
            var stage = Stage()
            let client = stage.client("c", version)
            stage.publish("k", "old", qos: .exactlyOnce, id: 1, retain: .yes, from: client)
            stage.publish("k/1", "other", retain: .yes, from: client)
            #expect(kept(&stage) == ["publish k old 2 retain #1"])
            stage.publish("k", "new", retain: .yes, from: client)
            #expect(kept(&stage) == ["publish k new 0 retain"])
        }
    }

    @Test(
        "an empty one is handed out, removes the other and is not kept [MQTT3-3.3.1-10] [MQTT3-3.3.1-11]")
    func emptyOld() { empty(.v311) }

    @Test("an empty one is handed out, removes the other and is not kept, MQTT 5 [MQTT5-3.3.1-6] [MQTT5-3.3.1-7]")
    func emptyNew() { empty(.v5) }

    private func empty(_ version: MQTTVersion) {
        var stage = Stage()
        let (client, listener) = (stage.client("c", version), stage.client("l"))
        stage.subscribe("k", qos: .atLeastOnce, from: listener)
        stage.publish("k", "v", retain: .yes, from: client)
        _ = (client.received(), listener.received())
        stage.publish("k", "", qos: .atLeastOnce, id: 1, retain: .yes, from: client)
        #expect(listener.received() == ["publish k  1 #1"] && client.received() == ["puback #1"])
        #expect(kept(&stage) == [])
        stage.publish("k", "", retain: .yes, from: client)
        #expect(kept(&stage) == [])
    }

    @Test("a message without RETAIN leaves the kept one alone [MQTT3-3.3.1-12] [MQTT5-3.3.1-8]", arguments: both)
    func live(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.publish("k", "live", from: client)
        #expect(kept(&stage) == [])
        stage.publish("k", "kept", retain: .yes, from: client)
        for payload in ["live", ""] { stage.publish("k", payload, qos: .atLeastOnce, id: 1, from: client) }
        #expect(kept(&stage) == ["publish k kept 0 retain"])
    }

    @Test("a kept message outlives the session of its publisher [MQTT3-3.1.2-7]", arguments: both)
    func outlives(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.publish("k", "v", retain: .yes, from: client)
        stage.breakLink(of: client)
        _ = stage.client("c", version)
        stage.pass(seconds: 100_000)
        #expect(kept(&stage) == ["publish k v 0 retain"])
    }

    @Test("an established subscription sees RETAIN 0 [MQTT3-3.3.1-9] [MQTT5-3.3.1-12]", arguments: both)
    func established(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.subscribe("k", qos: .exactlyOnce, from: client)
        _ = client.received()
        for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
            stage.core.publish(topic: [0x6B], payload: [], qos: qos, now: stage.now)
            stage.publish("k", "x", qos: qos, id: 9, retain: .yes, from: client)
        }
        let words = client.received().filter { $0.hasPrefix("publish") }
        #expect(words.count == 6 && !words.contains { $0.contains("retain") })
    }
}

@Suite("Rules of PUBLISH (3.3, 4.7)")
struct PublishRulesTests {
    private static let names = [
        Breach("#", .topicNameInvalid) { frame(0x30, field("#") + properties($0)) },
        Breach("+", .topicNameInvalid) { frame(0x30, field("a/+/b") + properties($0)) },
        Breach("# at the end of a word", .topicNameInvalid) { frame(0x30, field("a#") + properties($0)) },
    ]

    @Test("a topic name with wildcards closes the connection [MQTT3-3.3.2-2] [MQTT3-4.7.1-1]", arguments: names)
    private func wildcardsOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test("a topic name with wildcards, MQTT 5 [MQTT5-3.3.2-2] [MQTT5-4.7.0-1]", arguments: names)
    private func wildcardsNew(_ breach: Breach) { expectClosed(breach, .v5) }

    private static let empty = [
        Breach("filter to subscribe", .topicFilterInvalid) { frame(0x82, [0, 1] + properties($0) + field("") + [0]) },
        Breach("filter to unsubscribe", .topicFilterInvalid) { frame(0xA2, [0, 1] + properties($0) + field("")) },
    ]

    @Test(
        "names and filters have at least one character [MQTT3-4.7.3-1]",
        arguments: empty + [
            Breach("topic name", .topicNameInvalid) { frame(0x30, field("") + properties($0)) }
        ])
    private func emptyOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test(
        "names and filters have at least one character, MQTT 5 [MQTT5-4.7.3-1]",
        arguments: empty + [
            Breach("topic name", .protocolError) { frame(0x30, field("") + properties($0)) }
        ])
    private func emptyNew(_ breach: Breach) { expectClosed(breach, .v5) }

    @Test("65,535 bytes of topic are carried, more cannot be said [MQTT3-4.7.3-3] [MQTT5-4.7.3-3]", arguments: both)
    func longest(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        let topic = String(repeating: "a", count: 65_535)
        stage.subscribe(topic, qos: .atMostOnce, from: client)
        stage.publish(topic, "x", from: client)
        #expect(client.received() == ["connack 0 false", "suback 0", "publish \(topic) x 0"])
    }

    @Test(
        "names and filters are compared byte by byte [MQTT3-4.7.3-4] [MQTT5-4.7.3-4]",
        arguments: [("\u{E9}", "e\u{301}"), ("a", "A"), ("a/", "a"), ("/a", "a"), ("a b", "a  b"), ("a\u{1}", "a")])
    func identity(left: String, right: String) {
        for (filter, topic) in [(left, right), (right, left)] {
            var stage = Stage()
            let client = stage.client("c", .v5)
            stage.subscribe(filter, qos: .atMostOnce, from: client)
            _ = client.frames()
            stage.publish(topic, "x", from: client)
            #expect(client.frames() == [])
            stage.publish(filter, "x", from: client)
            #expect(client.frames() == [frame(0x30, field(filter) + [0, 0x78])])
        }
    }

    @Test("what a subscriber gets matches its filter [MQTT3-3.3.2-3] [MQTT5-3.3.2-3]", arguments: both)
    func matching(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.subscribe("a/+/c", qos: .atMostOnce, from: client)
        stage.subscribe("d/#", qos: .atMostOnce, from: client)
        stage.subscribe("g/+", qos: .atMostOnce, from: client)
        _ = client.received()
        for topic in ["a/b/c", "a/c", "a/b/b/c", "a/b/c/d", "d", "d/e/f", "de", "b/d", "g", "g/", "g/h/i"] {
            stage.publish(topic, "x", from: client)
        }
        #expect(client.received() == ["publish a/b/c x 0", "publish d x 0", "publish d/e/f x 0", "publish g/ x 0"])
    }

    @Test("each QoS has its answer [MQTT3-3.3.4-1] [MQTT5-3.3.4-1]", arguments: both)
    func answers(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        _ = client.received()
        stage.publish("a", "x", from: client)
        #expect(client.received() == [])
        stage.publish("a", "x", qos: .atLeastOnce, id: 5, from: client)
        #expect(client.received() == ["puback #5"])
        stage.publish("a", "x", qos: .exactlyOnce, id: 6, from: client)
        #expect(client.received() == ["pubrec #6"])
    }

    @Test("DUP of the publisher is not passed on [MQTT3-3.3.1-3] [MQTT5-3.3.1-3]", arguments: both)
    func duplicates(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.subscribe("a", qos: .exactlyOnce, from: client)
        _ = client.received()
        for (first, id) in [(0x3A, 1), (0x3C, 2)] as [(UInt8, UInt8)] {
            stage.send(frame(first, field("a") + [0, id] + properties(version)), from: client)
        }
        #expect(client.received() == ["publish a  1 #1", "puback #1", "publish a  2 #2", "pubrec #2"])
    }

    @Test("a Subscription Identifier from a client is a protocol error [MQTT5-3.3.4-6]")
    func foreignIdentifier() {
        expectClosed(Breach("PUBLISH", .protocolError) { frame(0x30, field("a") + properties($0, [0x0B, 1])) }, .v5)
    }

    @Test(
        "a wildcard in front does not match what begins with $ [MQTT3-4.7.2-1] [MQTT5-4.7.2-1]",
        arguments: ["#", "+/x", "+/#", "+"])
    func reserved(filter: String) {
        for topic in ["$SYS/x", "$SYS", "$x"] {
            var stage = Stage()
            let client = stage.client("c")
            stage.core.publish(topic: Array(topic.utf8), payload: [1], now: stage.now)
            stage.subscribe(filter, from: client)
            _ = client.received()
            stage.core.publish(topic: Array(topic.utf8), payload: [1], now: stage.now)
            #expect(client.received() == [])
        }
    }
}
