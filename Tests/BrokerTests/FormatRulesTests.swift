//  Chapters 1 and 2 of both standards: text, fixed header, packet identifiers, properties.
import Broker
import MQTTWire
import Testing

@Suite("Rules of text (1.5)")
struct TextRulesTests {
    /// Text in every place where a connected client sends some.
    private static func places(_ name: String, _ reason: ReasonCode, _ text: [UInt8]) -> [Breach] {
        [
            Breach("\(name) in PUBLISH", reason) { frame(0x30, field(text) + properties($0)) },
            Breach("\(name) in SUBSCRIBE", reason) { frame(0x82, [0, 1] + properties($0) + field(text) + [0]) },
            Breach("\(name) in UNSUBSCRIBE", reason) { frame(0xA2, [0, 1] + properties($0) + field(text)) },
        ]
    }

    private static let illFormed =
        places("a cut sequence", .malformedPacket, [0x61, 0xC3]) + places("a stray byte", .malformedPacket, [0xFF])
        + places("an overlong form", .malformedPacket, [0xC0, 0xAF])
        + places("a surrogate", .malformedPacket, [0xED, 0xA0, 0x80])

    @Test(
        """
        3.1.1: text that is not UTF-8 closes the connection \
        [MQTT3-1.5.3-1] [MQTT3-3.3.2-1] [MQTT3-3.8.3-1] [MQTT3-3.10.3-1]
        """, arguments: illFormed)
    private func illFormedOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test(
        """
        MQTT 5: text that is not UTF-8 is malformed \
        [MQTT5-1.5.4-1] [MQTT5-3.3.2-1] [MQTT5-3.8.3-1] [MQTT5-3.10.3-1]
        """, arguments: illFormed)
    private func illFormedNew(_ breach: Breach) { expectClosed(breach, .v5) }

    private static let null = places("U+0000", .malformedPacket, [0x61, 0, 0x62])

    @Test("3.1.1: U+0000 closes the connection [MQTT3-1.5.3-2] [MQTT3-4.7.3-2]", arguments: null)
    private func nullOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test("MQTT 5: U+0000 is malformed [MQTT5-1.5.4-2] [MQTT5-4.7.3-2]", arguments: null)
    private func nullNew(_ breach: Breach) { expectClosed(breach, .v5) }

    private static func property(_ name: String, _ reason: ReasonCode, _ block: [UInt8]) -> Breach {
        Breach(name, reason) { frame(0x30, field("a") + properties($0, block)) }
    }

    private static let pieces = [
        property("the name of a User Property", .malformedPacket, [0x26] + field([0xFF]) + field("v")),
        property("the value of a User Property", .malformedPacket, [0x26] + field("n") + field([0xED, 0xA0, 0x80])),
        property("U+0000 in a User Property", .malformedPacket, [0x26] + field("n") + field([0])),
        property("Response Topic", .malformedPacket, [0x08] + field([0xC3])),
        property("Content Type", .malformedPacket, [0x03] + field([0xFF])),
        property("wildcard in Response Topic", .topicNameInvalid, [0x08] + field("a/+")),
    ]

    @Test(
        """
        text in properties is held to the same rules \
        [MQTT5-1.5.7-1] [MQTT5-3.3.2-13] [MQTT5-3.3.2-14] [MQTT5-3.3.2-19]
        """, arguments: pieces)
    private func propertyText(_ breach: Breach) { expectClosed(breach, .v5) }

    @Test("U+FEFF is a character like any other [MQTT3-1.5.3-3] [MQTT5-1.5.4-3]", arguments: [MQTTVersion.v311, .v5])
    func byteOrderMark(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.subscribe("\u{FEFF}a", qos: .atMostOnce, from: client)
        _ = client.frames()
        stage.publish("a", "x", from: client)
        #expect(client.frames() == [])
        stage.publish("\u{FEFF}a", "x", from: client)
        #expect(client.frames() == [frame(0x30, field([0xEF, 0xBB, 0xBF, 0x61]) + properties(version) + [0x78])])
    }
}

@Suite("Rules of the fixed header (2.1, 2.2)")
struct HeaderRulesTests {
    /// A valid packet of each type that a client sends, by its first byte, with all other flags.
    private static func wrongFlags(_ first: UInt8, _ body: @escaping @Sendable (MQTTVersion) -> [UInt8]) -> [Breach] {
        (UInt8(0)...15).filter { $0 != first & 15 }.map { flags in
            Breach("type \(first >> 4), flags \(flags)", .malformedPacket) {
                frame(first & 0xF0 | flags, body($0))
            }
        }
    }

    private static let acknowledgements =
        wrongFlags(0x40) { _ in [0, 1] } + wrongFlags(0x50) { _ in [0, 1] } + wrongFlags(0x62) { _ in [0, 1] }
        + wrongFlags(0x70) { _ in [0, 1] }
    private static let requests =
        wrongFlags(0x82) { [0, 1] + properties($0) + field("a") + [0] }
        + wrongFlags(0xA2) { [0, 1] + properties($0) + field("a") } + wrongFlags(0xC0) { _ in [] }
    private static let goodbyes = wrongFlags(0xE0) { _ in [] }
    private static let authentications = wrongFlags(0xF0) { _ in [0x18, 4, 0x15] + field("m") }

    @Test(
        """
        3.1.1: flags other than the listed ones close the connection \
        [MQTT3-2.2.2-1] [MQTT3-2.2.2-2] [MQTT3-3.6.1-1] [MQTT3-3.8.1-1] [MQTT3-3.10.1-1]
        """, arguments: acknowledgements + requests)
    private func flagsOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test(
        """
        MQTT 5: flags other than the listed ones are malformed \
        [MQTT5-2.1.3-1] [MQTT5-3.6.1-1] [MQTT5-3.8.1-1] [MQTT5-3.10.1-1] [MQTT5-3.15.1-1]
        """, arguments: acknowledgements + requests + authentications)
    private func flagsNew(_ breach: Breach) { expectClosed(breach, .v5) }

    @Test(
        "reserved bits in DISCONNECT close the connection, and it is no goodbye [MQTT3-3.14.1-1] [MQTT5-3.14.1-1]",
        arguments: goodbyes, [MQTTVersion.v311, .v5])
    private func goodbye(_ breach: Breach, version: MQTTVersion) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", from: listener)
        let client = stage.client("c", version, will: ("gone", "x"))
        _ = (listener.received(), client.received())
        stage.send(breach.bytes(version), from: client)
        #expect(client.connection.isClosing && listener.received() == ["publish gone x 1 #1"])
        #expect(client.received() == (version == .v5 ? ["disconnect 129"] : []))
    }

    private static let qos3 = [UInt8(0x36), 0x37, 0x3E].map { first in
        Breach("first byte \(first)", .malformedPacket) { frame(first, field("a") + [0, 1] + properties($0)) }
    }

    @Test("3.1.1: both QoS bits close the connection [MQTT3-3.3.1-4]", arguments: qos3)
    private func qos3Old(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test("MQTT 5: both QoS bits are malformed [MQTT5-3.3.1-4]", arguments: qos3)
    private func qos3New(_ breach: Breach) { expectClosed(breach, .v5) }

    private static let noLength = [
        Breach("PUBLISH", .malformedPacket) { _ in frame(0x30, field("a")) },
        Breach("SUBSCRIBE", .malformedPacket) { _ in frame(0x82, [0, 1] + field("a") + [0]) },
        Breach("UNSUBSCRIBE", .malformedPacket) { _ in frame(0xA2, [0, 1] + field("a")) },
    ]

    @Test("without a property length a packet is malformed [MQTT5-2.2.2-1]", arguments: noLength)
    private func propertyLength(_ breach: Breach) { expectClosed(breach, .v5) }
}

@Suite("Rules of packet identifiers (2.3.1; MQTT 5: 2.2.1)")
struct IdentifierRulesTests {
    private static let zero = [
        Breach("PUBLISH of QoS 1", .protocolError) { frame(0x32, field("a") + [0, 0] + properties($0)) },
        Breach("PUBLISH of QoS 2", .protocolError) { frame(0x34, field("a") + [0, 0] + properties($0)) },
        Breach("SUBSCRIBE", .protocolError) { frame(0x82, [0, 0] + properties($0) + field("a") + [0]) },
        Breach("UNSUBSCRIBE", .protocolError) { frame(0xA2, [0, 0] + properties($0) + field("a")) },
    ]

    @Test("identifier 0 closes the connection [MQTT3-2.3.1-1]", arguments: zero, [MQTTVersion.v311, .v5])
    private func zeroCloses(_ breach: Breach, version: MQTTVersion) { expectClosed(breach, version) }

    @Test(
        "QoS 0 has no identifier, neither from a client nor to one [MQTT3-2.3.1-5] [MQTT5-2.2.1-2] [MQTT5-2.2.2-1]",
        arguments: [MQTTVersion.v311, .v5])
    func none(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        stage.subscribe("a", qos: .exactlyOnce, from: client)
        _ = client.frames()
        let bytes = frame(0x30, field("a") + properties(version) + [0, 9])
        stage.send(bytes, from: client)
        #expect(client.frames() == [bytes], "what follows is the payload")
    }

    @Test(
        """
        each answer has the identifier of what it answers \
        [MQTT3-2.3.1-6] [MQTT3-2.3.1-7] [MQTT5-2.2.1-5] [MQTT5-2.2.1-6]
        """, arguments: [MQTTVersion.v311, .v5])
    func answers(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        _ = client.frames()
        let id: [UInt8] = [0xAB, 0xCD]
        stage.send(frame(0x32, field("a") + id + properties(version)), from: client)
        stage.send(frame(0x34, field("a") + id + properties(version)), from: client)
        stage.send(frame(0x62, id), from: client)
        stage.send(frame(0x82, id + properties(version) + field("a") + [1]), from: client)
        stage.send(frame(0xA2, id + properties(version) + field("a")), from: client)
        #expect(
            client.frames() == [
                frame(0x40, id), frame(0x50, id), frame(0x70, id), frame(0x90, id + properties(version) + [1]),
                frame(0xB0, id + properties(version) + (version == .v5 ? [0] : [])),
            ])
        stage.subscribe("b", qos: .exactlyOnce, from: client)
        for _ in 0..<2 { stage.core.publish(topic: [0x62], payload: [], qos: .exactlyOnce, now: stage.now) }
        _ = client.frames()
        for id in [2, 1] as [UInt8] {
            stage.send(frame(0x50, [0, id]), from: client)
            #expect(client.frames() == [frame(0x62, [0, id])])
        }
    }

    @Test(
        """
        an identifier in use is not given to another message, however long it is open \
        [MQTT5-2.2.1-4] [MQTT5-4.3.2-1] [MQTT5-4.3.3-1]
        """, arguments: [QoS.atLeastOnce, .exactlyOnce])
    func unused(qos: QoS) {
        var stage = Stage()
        // 65,533 messages ago the first one was sent, and it is still open.
        let key = Array("a//c".utf8)
        stage.disk.apply(.session(key: key, principal: "a/", expirySeconds: 60, endedAt: nil))
        stage.disk.apply(.subscribe(key: key, filter: [0x61], options: qos.rawValue, identifier: 0))
        for sequence in [1, 65_534] as [Int64] {
            let entry = StoredEntry(
                sequence: sequence, qos: qos.rawValue, topic: [0x61], payload: [], properties: [], retain: false,
                expires: nil)
            stage.disk.apply(.enqueue(key: key, entry))
        }
        stage.restart()
        let client = stage.client(
            "c", .v5, session: .resume, properties: block((.sessionExpiryInterval, 60)))
        for _ in 0..<3 {
            stage.core.publish(topic: [0x61], payload: [], qos: qos, now: stage.now)
            stage.settle()
        }
        let number = qos.rawValue
        #expect(
            client.received() == [
                "connack 0 true", "publish a  \(number) dup #1", "publish a  \(number) dup #65534",
                "publish a  \(number) #65535",
            ], "identifier 1 is in use, 0 does not exist")
        stage.answer(qos == .atLeastOnce ? .puback : .pubrec, 1, from: client)
        if qos == .exactlyOnce { stage.answer(.pubcomp, 1, from: client) }
        #expect(client.received().suffix(2) == ["publish a  \(number) #1", "publish a  \(number) #2"])
    }
}
