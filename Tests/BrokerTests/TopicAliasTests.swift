import Broker
import ByteKit
import MQTTWire
import Testing

/// A PUBLISH of QoS 0 with a topic alias.
private func packet(_ topic: String, alias: UInt16, _ payload: String = "x", retain: Retain = .no) -> [UInt8] {
    let (name, body) = (Array(topic.utf8), Array(payload.utf8))
    var (block, bytes): ([UInt8], [UInt8]) = ([], [])
    Property.append(.topicAlias, u16: alias, to: &block)
    _ = try? PacketEncoder(version: .v5).publish(
        topic: name.span, retain: retain, properties: block.span, payload: body.span, to: &bytes)
    return bytes
}

/// CONNECT properties of a client that takes `count` aliases.
private func taking(_ count: UInt16, expiry: UInt32 = 0) -> [UInt8] {
    var block: [UInt8] = []
    Property.append(.topicAliasMaximum, u16: count, to: &block)
    Property.append(.sessionExpiryInterval, u32: expiry, to: &block)
    return block
}

/// Topic and alias of every PUBLISH in frames, such as `a/b=1` or `=1`.
private func names(_ frames: [[UInt8]]) -> [String] {
    frames.compactMap { frame in
        guard case .publish(let message)? = try? Packet.decode(frame.span, version: .v5, from: .server) else {
            return nil
        }
        let topic = String(decoding: frame[message.topic.start..<message.topic.end], as: UTF8.self)
        let alias = message.properties.u16(.topicAlias, in: frame.span)
        return topic + (alias.map { "=\($0)" } ?? "")
    }
}

@Suite("Topic aliases (MQTT 5, clause 3.3.2.3.4)")
struct TopicAliasTests {
    @Test("every number up to our maximum is taken [MQTT5-3.3.2-12]")
    func everyNumber() {
        var stage = Stage()
        let (speaker, listener) = (stage.client("s", .v5), stage.client("l"))
        stage.subscribe("#", qos: .atMostOnce, from: listener)
        let maximum = speaker.frames().first.flatMap { frame -> UInt16? in
            guard case .connack(let ack)? = try? Packet.decode(frame.span, version: .v5, from: .server) else {
                return nil
            }
            return ack.properties.u16(.topicAliasMaximum, in: frame.span)
        }
        _ = listener.received()
        #expect(maximum == 16)
        for number in 1...(maximum ?? 0) {
            stage.send(packet("topic/\(number)", alias: number), from: speaker)
            stage.send(packet("", alias: number), from: speaker)
            let heard = "publish topic/\(number) x 0"
            #expect(listener.received() == [heard, heard])
        }
    }

    @Test("a client names a topic once, gives the number to another one, and uses it up to our maximum")
    func inbound() {
        var stage = Stage()
        let (speaker, listener) = (stage.client("s", .v5), stage.client("l"))
        stage.subscribe("#", qos: .atMostOnce, from: listener)
        _ = (speaker.received(), listener.received())
        for bytes in [packet("a", alias: 16), packet("", alias: 16), packet("b", alias: 16), packet("", alias: 16)] {
            stage.send(bytes, from: speaker)
        }
        #expect(listener.received() == ["publish a x 0", "publish a x 0", "publish b x 0", "publish b x 0"])
        #expect(speaker.received() == [] && !speaker.connection.isClosing)
    }

    @Test(
        """
        number 0 and numbers above our maximum are invalid, unknown ones a protocol error \
        [MQTT5-3.2.2-17] [MQTT5-3.3.2-8] [MQTT5-3.3.2-9]
        """,
        arguments: [("a", 0, 148), ("a", 17, 148), ("", 17, 148), ("", 3, 130)] as [(String, UInt16, Int)])
    func invalid(topic: String, alias: UInt16, reason: Int) {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.send(packet("known", alias: 1), from: client)
        _ = client.received()
        stage.send(packet(topic, alias: alias), from: client)
        #expect(client.received() == ["disconnect \(reason)"])
    }

    @Test("numbers end with the connection, also where the session goes on [MQTT5-3.3.2-7]")
    func reconnect() {
        var stage = Stage()
        let first = stage.client("c", .v5, session: .resume, properties: taking(9, expiry: 60))
        stage.subscribe("some/topic", from: first)
        stage.send(packet("some/topic", alias: 1), from: first)
        #expect(names(first.frames()) == ["some/topic=1"])
        stage.breakLink(of: first)
        let second = stage.client("c", .v5, session: .resume, properties: taking(9, expiry: 60))
        stage.core.publish(topic: Array("some/topic".utf8), payload: [], now: stage.now)
        #expect(names(second.frames()) == ["some/topic=1"])
        stage.send(packet("", alias: 1), from: second)
        #expect(second.received() == ["disconnect 130"])
    }

    @Test("what is kept has its topic, and no number")
    func stored() {
        var stage = Stage()
        let (client, other) = (stage.client("c", .v5), stage.client("o", .v5, properties: taking(0)))
        stage.send(packet("some/topic", alias: 1), from: client)
        stage.send(packet("", alias: 1, "kept", retain: .yes), from: client)
        stage.subscribe("some/topic", from: other)
        #expect(names(other.frames()) == ["some/topic"])
        let kept = stage.changes.compactMap {
            if case .retain(let topic, _, _, let properties, _, _) = $0 { topic + properties } else { nil }
        }
        #expect(kept == [Array("some/topic".utf8)])
    }

    @Test(
        "we give out numbers up to the client's maximum [MQTT5-3.1.2-26] [MQTT5-3.1.2-27] [MQTT5-3.3.2-11]",
        arguments: [
            (0, ["topic/1", "topic/2", "topic/1", "topic/2"]), (1, ["topic/1=1", "topic/2", "=1", "topic/2"]),
            (9, ["topic/1=1", "topic/2=2", "=1", "=2"]),
        ] as [(UInt16, [String])])
    func outbound(maximum: UInt16, expected: [String]) {
        var stage = Stage()
        let client = stage.client("c", .v5, properties: taking(maximum))
        let old = stage.client("o")
        for client in [client, old] { stage.subscribe("#", qos: .exactlyOnce, from: client) }
        _ = (client.received(), old.received())
        for topic in ["topic/1", "topic/2", "topic/1", "topic/2"] {
            stage.core.publish(topic: Array(topic.utf8), payload: [], qos: .exactlyOnce, now: stage.now)
        }
        #expect(names(client.frames()) == expected)
        #expect(old.received().count == 4, "older clients know nothing of it")
    }

    @Test("a number is told only by a packet that the client takes")
    func packetLimit() {
        var stage = Stage()
        var block = taking(9)
        Property.append(.maximumPacketSize, u32: 30, to: &block)
        let client = stage.client("c", .v5, properties: block)
        stage.subscribe("#", qos: .atMostOnce, from: client)
        _ = client.received()
        for count in [90, 16, 3] {
            stage.core.publish(
                topic: Array("topic/1".utf8), payload: [UInt8](repeating: 1, count: count), qos: .atMostOnce,
                now: stage.now)
        }
        #expect(names(client.frames()) == ["topic/1", "topic/1=1"])
    }
}
