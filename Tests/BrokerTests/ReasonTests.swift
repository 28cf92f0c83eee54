import Broker
import ByteKit
import MQTTWire
import Testing

private let lamp = Principal.device(thing: Array("lamp".utf8))

/// A block of one-byte properties.
private func block(_ id: PropertyID, _ value: UInt8) -> [UInt8] { [id.rawValue, value] }

/// The Reason String of a packet to an MQTT 5 client.
private func reason(in frame: [UInt8]) -> String? {
    guard let packet = try? Packet.decode(frame.span, version: .v5, from: .server) else { return "malformed" }
    let properties: ByteRange? =
        switch packet {
        case .connack(let ack): ack.properties
        case .puback(let ack), .pubrec(let ack): ack.properties
        case .suback(let ack): ack.properties
        case .disconnect(let goodbye): goodbye.properties
        default: nil
        }
    guard let range = properties?.range(.reasonString, in: frame.span) else { return nil }
    return String(decoding: frame[range.start..<range.end], as: UTF8.self)
}

@Suite("Reasons in words, and packets that are too large (MQTT 5, clauses 3.1.2.11.4 and 3.1.2.11.7)")
struct ReasonTests {
    private struct Row: CustomStringConvertible {
        var rule: String
        var text: String
        /// Whether it may be said although Request Problem Information is 0.
        var isLast = false
        var cause: @Sendable (inout Stage, Client) -> Void
        var description: String { rule }
    }

    private static let rows = [
        Row(rule: "PUBACK [MQTT5-3.4.2-2]", text: "the client may not publish to this topic") {
            $0.publish("free", "x", qos: .atLeastOnce, id: 1, from: $1)
        },
        Row(rule: "PUBREC [MQTT5-3.5.2-2]", text: "the client may not publish to this topic") {
            $0.publish("free", "x", qos: .exactlyOnce, id: 1, from: $1)
        },
        Row(rule: "SUBACK [MQTT5-3.9.2-1]", text: "a filter is not open to the client") {
            $0.subscribe("free", from: $1)
        },
        Row(rule: "DISCONNECT [MQTT5-3.14.2-3]", text: "the topic alias is 0 or above the maximum", isLast: true) {
            $0.send([0x30, 7, 0, 1, 0x61, 3, 0x23, 0, 99], from: $1)
        },
    ]

    @Test(
        """
        a reason is said where the client wants it and has room for it \
        [MQTT5-3.1.2-29] [MQTT5-3.4.2-2] [MQTT5-3.5.2-2] [MQTT5-3.9.2-1] [MQTT5-3.14.2-3]
        """, arguments: rows)
    private func words(row: Row) {
        for (settings, isSaid) in [
            ([], true), (block(.requestProblemInformation, 1), true),
            (block(.requestProblemInformation, 0), row.isLast), (Self.limit(40), false),
        ] {
            var stage = Stage()
            let client = stage.client("c", .v5, as: lamp, properties: settings)
            _ = client.frames()
            row.cause(&stage, client)
            #expect(client.frames().map(reason) == [isSaid ? row.text : nil])
        }
    }

    private static func limit(_ bytes: UInt32) -> [UInt8] {
        var block: [UInt8] = []
        Property.append(.maximumPacketSize, u32: bytes, to: &block)
        return block
    }

    @Test("CONNACK says why, and 3.1.1 has no words")
    func refusals() {
        var stage = Stage()
        let will = (topic: "somebody/else", payload: "x")
        let text = "the will's topic is not the client's to publish"
        #expect(stage.client("c", .v5, as: lamp, will: will).frames().map(reason) == [text])
        #expect(stage.client("c", .v311, as: lamp, will: will).received() == ["connack 135 false"])
    }

    @Test(
        """
        enhanced authentication is refused with 0x8C, AUTH without it is a protocol error \
        [MQTT5-4.12.0-1] [MQTT5-4.12.0-4] [MQTT5-4.12.0-7]
        """)
    func authentication() throws {
        var stage = Stage()
        let method = Array("SCRAM-SHA-1".utf8)
        var properties: [UInt8] = []
        try Property.append(.authenticationMethod, bytes: method.span, to: &properties)
        let client = stage.client("c", .v5, properties: properties)
        #expect(client.received() == ["connack 140 false"] && client.connection.isClosing)
        let other = stage.client("d", .v5)
        _ = other.received()
        stage.send([0xF0, 0], from: other)
        #expect(other.received() == ["disconnect 130"] && other.connection.isClosing)
    }

    @Test(
        "no packet is larger than the client takes; one that cannot hear CONNACK or SUBACK is closed [MQTT5-3.1.2-24]")
    func tooLarge() {
        var stage = Stage()
        let tiny = stage.client("t", .v5, properties: Self.limit(4))
        #expect(tiny.connection.output.isEmpty && tiny.connection.isClosing)
        let small = stage.client("s", .v5, properties: Self.limit(25))
        _ = small.received()
        for index in 0..<3 {
            stage.publish("a", String(repeating: "x", count: 10 * index), from: small)
            stage.subscribe("a", from: small)
        }
        #expect(small.received() == ["suback 1", "publish a xxxxxxxxxx 0", "suback 1", "suback 1"])
        let filters = [UInt8](repeating: 0x61, count: 30).flatMap { [0, 1, $0, 0] as [UInt8] }
        stage.send([0x82, UInt8(3 + filters.count), 0, 9, 0] + filters, from: small)
        #expect(small.received() == [] && small.connection.isClosing)
    }

    @Test("a message that is too large counts as delivered [MQTT5-3.1.2-25]")
    func counted() {
        var stage = Stage()
        let settings = Self.limit(30) + [PropertyID.receiveMaximum.rawValue, 0, 1]
        let client = stage.client("c", .v5, properties: settings)
        stage.subscribe("a", from: client)
        let other = stage.client("o")
        for text in [String(repeating: "x", count: 40), "y"] {
            stage.publish("a", text, qos: .atLeastOnce, id: 1, from: other)
        }
        #expect(client.received() == ["connack 0 false", "suback 1", "publish a y 1 #2"])
    }

    @Test(
        """
        what a message says about itself goes on unchanged \
        [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-20]
        """)
    func passedOn() throws {
        var block: [UInt8] = [PropertyID.payloadFormatIndicator.rawValue, 1]
        for (id, text) in [(.contentType, "text"), (.responseTopic, "re/ply")] as [(PropertyID, String)] {
            let bytes = Array(text.utf8)
            try Property.append(id, bytes: bytes.span, to: &block)
        }
        let data: [UInt8] = [0, 0xFF, 1]
        try Property.append(.correlationData, bytes: data.span, to: &block)
        try expectForwarded(block)
    }

    @Test("User Properties go on unchanged and in order [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]")
    func userProperties() throws {
        var block: [UInt8] = []
        for (name, value) in [("b", "1"), ("a", ""), ("b", "1"), ("", "2")] {
            let (name, value) = (Array(name.utf8), Array(value.utf8))
            try Property.appendUserProperty(name: name.span, value: value.span, to: &block)
        }
        try expectForwarded(block)
    }

    private func expectForwarded(_ block: [UInt8]) throws {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.subscribe("t", from: client)
        _ = client.frames()
        let (topic, body) = (Array("t".utf8), Array("x".utf8))
        var bytes: [UInt8] = []
        _ = try PacketEncoder(version: .v5).publish(
            topic: topic.span, qos: .atMostOnce, properties: block.span, payload: body.span, to: &bytes)
        stage.send(bytes, from: client)
        #expect(client.frames() == [bytes])
    }
}
