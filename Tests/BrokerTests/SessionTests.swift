import ApusTestKit
import Broker
import MQTTWire
import Testing

/// CONNECT properties that ask for a session of `seconds`.
private func keeping(_ seconds: UInt32) -> [UInt8] {
    var block: [UInt8] = []
    Property.append(.sessionExpiryInterval, u32: seconds, to: &block)
    return block
}

extension Stage {
    mutating func unsubscribe(_ filter: String, from client: Client) {
        let encoder = PacketEncoder(version: client.version)
        let name = Array(filter.utf8)
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        try? encoder.appendFilter(name.span, to: &block)
        try? encoder.unsubscribe(8, filters: block.span, to: &bytes)
        send(bytes, from: client)
    }

    mutating func breakLink(of client: Client) {
        core.closed(client.connection, now: now)
        settle()
    }

    mutating func pass(seconds: Int64) {
        now += seconds * 1000
        core.tick(now: now)
        settle()
    }
}

@Suite("Sessions and what is kept for them")
struct SessionTests {
    @Test("a clean start ends the kept session with all that waits in it [MQTT3-3.1.2-6]")
    func cleanStart() {
        var stage = Stage()
        var device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        stage.publish("q", "lost", qos: .atLeastOnce, id: 1, from: stage.client("s"))
        device = stage.client("d", session: .clean)
        #expect(device.received() == ["connack 0 false"])
        stage.publish("q", "unheard", from: device)
        #expect(device.received() == [])
    }

    @Test(
        """
        a kept session of MQTT 5 ends after its expiry interval, and not before \
        [MQTT5-3.1.2-5] [MQTT5-3.1.2-6] [MQTT5-3.1.2-23] [MQTT5-4.1.0-2]
        """)
    func expiry() {
        var stage = Stage()
        var device = stage.client("d", .v5, session: .resume, properties: keeping(60))
        stage.breakLink(of: device)
        stage.pass(seconds: 59)
        device = stage.client("d", .v5, session: .resume, properties: keeping(60))
        #expect(device.received() == ["connack 0 true"])
        stage.breakLink(of: device)
        stage.pass(seconds: 61)
        device = stage.client("d", .v5, session: .resume, properties: keeping(60))
        #expect(device.received() == ["connack 0 false"])
        stage.send([0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0], from: device)
        #expect(stage.client("d", .v5, session: .resume).received() == ["connack 0 false"], "ended by DISCONNECT")
    }

    @Test("a session that is not kept cannot become one by DISCONNECT [MQTT 5, 3.14.2.2.2]")
    func lateWish() {
        var stage = Stage()
        let device = stage.client("d", .v5)
        _ = device.received()
        stage.send([0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9], from: device)
        #expect(device.received() == ["disconnect 130"] && device.connection.isClosing)
    }

    @Test("a session of 3.1.1 is kept for seven days")
    func sevenDays() {
        var stage = Stage()
        stage.breakLink(of: stage.client("d", session: .resume))
        stage.pass(seconds: 7 * 24 * 3600 - 1)
        let back = stage.client("d", session: .resume)
        #expect(back.received() == ["connack 0 true"])
        stage.breakLink(of: back)
        stage.pass(seconds: 7 * 24 * 3600)
        #expect(stage.client("d", session: .resume).received() == ["connack 0 false"])
    }

    @Test("no more than Receive Maximum messages are open at a client [MQTT5-3.3.4-9] [MQTT5-4.9.0-1]")
    func receiveMaximum() {
        var stage = Stage()
        var block: [UInt8] = []
        Property.append(.receiveMaximum, u16: 2, to: &block)
        let device = stage.client("d", .v5, properties: block)
        stage.subscribe("q", from: device)
        for number in 1...4 {
            stage.core.publish(topic: Array("q".utf8), payload: Array("\(number)".utf8), now: stage.now)
        }
        #expect(
            device.received() == ["connack 0 false", "suback 1", "publish q 1 1 #1", "publish q 2 1 #2"])
        stage.acknowledge(2, from: device)
        #expect(device.received() == ["publish q 3 1 #3"])
        stage.acknowledge(9, from: device)
        #expect(device.received() == [], "an identifier that is not open frees nothing")
        stage.acknowledge(1, from: device)
        #expect(device.received() == ["publish q 4 1 #4"])
    }

    @Test("a packet larger than the client takes is left out as if it were delivered [MQTT5-3.1.2-25]")
    func packetSize() {
        var stage = Stage()
        var block: [UInt8] = []
        Property.append(.maximumPacketSize, u32: 40, to: &block)
        let device = stage.client("d", .v5, properties: block)
        stage.subscribe("q", from: device)
        _ = device.received()
        let speaker = stage.client("s")
        for payload in [String(repeating: "x", count: 60), "small"] {
            stage.publish("q", payload, from: speaker)
            stage.publish("q", payload, qos: .atLeastOnce, id: 1, from: speaker)
        }
        #expect(device.received() == ["publish q small 0", "publish q small 1 #2"])
    }

    @Test("a message that has expired is not sent any more [MQTT5-3.3.2-5]")
    func messageExpiry() throws {
        var stage = Stage()
        var device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        let speaker = stage.client("s", .v5)
        let (topic, payload) = (Array("q".utf8), Array("x".utf8))
        for (id, seconds) in [(1, 5), (2, 50)] as [(UInt16, UInt32)] {
            var (block, bytes): ([UInt8], [UInt8]) = ([], [])
            Property.append(.messageExpiryInterval, u32: seconds, to: &block)
            _ = try PacketEncoder(version: .v5).publish(
                topic: topic.span, qos: .atLeastOnce, packetID: id, properties: block.span, payload: payload.span,
                to: &bytes)
            stage.send(bytes, from: speaker)
        }
        stage.pass(seconds: 6)
        device = stage.client("d", session: .resume)
        #expect(device.received() == ["connack 0 true", "publish q x 1 #2"])
    }

    @Test("after UNSUBSCRIBE nothing more comes, and other filters stay [MQTT5-3.10.4-2]")
    func unsubscribing() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.subscribe("a", from: client)
        stage.subscribe("b", from: client)
        stage.unsubscribe("a", from: client)
        stage.unsubscribe("never", from: client)
        stage.publish("a", "x", from: client)
        stage.publish("b", "y", from: client)
        #expect(
            client.received() == ["connack 0 false", "suback 1", "suback 1", "unsuback", "unsuback", "publish b y 0"])
    }
}

@Suite("Options of subscriptions")
struct SubscriptionOptionTests {
    private static let handling: [(RetainHandling, first: Bool, again: Bool)] = [
        (.sendAlways, true, true), (.sendIfNew, true, false), (.never, false, false),
    ]

    @Test(
        "Retain Handling says when retained messages are sent [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11]",
        arguments: handling)
    func retainHandling(handling: RetainHandling, first: Bool, again: Bool) {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.publish("k", "v", retain: .yes, from: client)
        _ = client.received()
        var options = SubscriptionOptions(qos: .atMostOnce)
        options.retainHandling = handling
        for isSent in [first, again] {
            stage.subscribe("k", options: options, from: client)
            #expect(client.received() == ["suback 0"] + (isSent ? ["publish k v 0 retain"] : []))
        }
    }

    @Test("No Local keeps a client's own messages away, but not those of others [MQTT5-3.8.3-3]")
    func noLocal() {
        var stage = Stage()
        let (own, other) = (stage.client("own", .v5), stage.client("other"))
        var options = SubscriptionOptions(qos: .atLeastOnce)
        options.noLocal = true
        stage.subscribe("a", options: options, from: own)
        _ = own.received()
        stage.publish("a", "mine", qos: .atLeastOnce, id: 1, from: own)
        stage.publish("a", "theirs", from: other)
        #expect(own.received() == ["puback #1", "publish a theirs 0"])
    }

    @Test("Retain As Published keeps the flag of a live message [MQTT5-3.3.1-13]")
    func retainAsPublished() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        var options = SubscriptionOptions(qos: .atMostOnce)
        options.retainAsPublished = true
        stage.subscribe("a", options: options, from: client)
        _ = client.received()
        stage.publish("a", "x", retain: .yes, from: client)
        stage.publish("a", "y", from: client)
        #expect(client.received() == ["publish a x 0 retain", "publish a y 0"])
    }

    @Test("retained messages come at the lower of both QoS, with RETAIN set [MQTT3-3.3.1-5] [MQTT3-3.3.1-8]")
    func retainedQoS() {
        var stage = Stage()
        let client = stage.client("c")
        stage.publish("k/0", "zero", retain: .yes, from: client)
        stage.publish("k/1", "one", qos: .atLeastOnce, id: 1, retain: .yes, from: client)
        _ = client.received()
        stage.subscribe("k/1", qos: .atLeastOnce, from: client)
        #expect(client.received() == ["suback 1", "publish k/1 one 1 retain #1"])
        stage.subscribe("k/1", qos: .atMostOnce, from: client)
        #expect(client.received() == ["suback 0", "publish k/1 one 0 retain"])
        stage.subscribe("k/0", qos: .atLeastOnce, from: client)
        #expect(client.received() == ["suback 1", "publish k/0 zero 0 retain"])
    }
}
