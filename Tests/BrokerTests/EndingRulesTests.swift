//  How a connection ends, and what is left to say (clauses 3.12 to 3.15, 4.12 and 4.13; 4.8 of 3.1.1).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

@Suite("Rules of PINGREQ, DISCONNECT and AUTH (3.12, 3.14, 3.15, 4.12)")
struct EndingRulesTests {
    @Test("PINGREQ is answered with PINGRESP [MQTT3-3.12.4-1] [MQTT5-3.12.4-1]", arguments: both)
    func ping(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        _ = client.frames()
        for _ in 0..<3 { stage.send([0xC0, 0], from: client) }
        #expect(client.frames() == [[0xD0, 0], [0xD0, 0], [0xD0, 0]])
    }

    @Test("who has not been let in gets no DISCONNECT [MQTT5-3.14.0-1]")
    func tooEarly() {
        let ways: [(inout Stage, Client) -> Void] = [
            { $0.send([0xC0, 0], from: $1) }, { stage, _ in stage.pass(seconds: 11) },
            { stage, _ in stage.core.shutDown(now: stage.now) },
            { $0.core.protocolFault($1.connection, .packetTooLarge) },
        ]
        for way in ways {
            for bytes in [connect(.v5), frame(0x10, field("MQTT") + [5, 3, 0, 0, 0] + field("c"))] {
                var stage = Stage()
                let client = stage.stranger(.v5, bytes)
                way(&stage, client)
                #expect(client.connection.isClosing && client.connection.output == [])
            }
        }
        var stage = Stage()
        let refused = stage.stranger(.v5, connect(.v5))
        stage.core.refuse(refused.connection, .banned, "no")
        #expect(refused.received() == ["connack 138 false"])
    }

    @Test(
        """
        after DISCONNECT the server says nothing more, and closes; it names no Session Expiry Interval \
        [MQTT5-3.14.2-2] [MQTT5-3.14.4-1] [MQTT5-3.14.4-2]
        """)
    func nothingMore() throws {
        let ways: [(ReasonCode, (inout Stage, Client) -> Void)] = [
            (.protocolError, { $0.send([0xF0, 0], from: $1) }),
            (.keepAliveTimeout, { stage, _ in stage.pass(seconds: 40) }),
            (.serverShuttingDown, { stage, _ in stage.core.shutDown(now: stage.now) }),
        ]
        for (reason, way) in ways {
            var stage = Stage()
            let client = stage.client(
                "c", .v5, session: .resume, keepAlive: 10, properties: block((.sessionExpiryInterval, 60)))
            stage.subscribe("#", qos: .exactlyOnce, from: client)
            _ = client.frames()
            way(&stage, client)
            let frames = client.frames()
            let goodbye = try #require(frames.first)
            #expect(frames.count == 1 && goodbye.first == 0xE0 && goodbye.dropFirst(2).first == reason.rawValue)
            #expect(!goodbye.contains(PropertyID.sessionExpiryInterval.rawValue))
            #expect(client.connection.isClosing)
            stage.publish("a", "x", qos: .atLeastOnce, id: 1, from: stage.client("s"))
            stage.send([0xC0, 0], from: client)
            stage.publish("a", "x", qos: .atLeastOnce, id: 1, from: client)
            #expect(client.connection.output == [])
        }
    }

    private static let authentications = [
        Breach("nothing", .protocolError) { _ in [0xF0, 0] },
        Breach("no method", .protocolError) { _ in frame(0xF0, [0x18, 0]) },
        Breach("a method", .protocolError) { _ in frame(0xF0, [0x18, 4, 0x15] + field("m")) },
        Breach("a new start", .protocolError) { _ in frame(0xF0, [0x19, 4, 0x15] + field("m")) },
        Breach("Success, which a server says", .protocolError) { _ in frame(0xF0, [0, 4, 0x15] + field("m")) },
    ]

    /// "It is a Protocol Error […] to send an AUTH packet if the CONNECT packet did not contain the same
    /// Authentication Method" (3.15), and to omit the method (3.15.2.2.2): 0x82 for all of them.
    @Test(
        "AUTH without an Authentication Method in CONNECT is a protocol error [MQTT5-4.12.0-7]",
        arguments: authentications)
    private func authentication(_ breach: Breach) { expectClosed(breach, .v5) }

    @Test("without an Authentication Method in CONNECT the server sends no AUTH [MQTT5-4.12.0-6]")
    func noAuthentication() {
        var stage = Stage()
        let client = stage.client("c", .v5, will: ("gone", "x"))
        stage.subscribe("#", from: client)
        stage.publish("a", "x", qos: .exactlyOnce, id: 1, from: client)
        let frames = client.frames()
        #expect(frames.count == 4 && !frames.contains { $0[0] >> 4 == PacketType.auth.rawValue })
    }
}

@Suite("Rules of errors (4.13; 4.8 of 3.1.1)")
struct ErrorRulesTests {
    private static let violations = [
        Breach("CONNACK", .protocolError) { frame(0x20, [0, 0] + properties($0)) },
        Breach("SUBACK", .protocolError) { frame(0x90, [0, 1] + properties($0) + [0]) },
        Breach("UNSUBACK", .protocolError) { frame(0xB0, [0, 1] + properties($0) + ($0 == .v5 ? [0] : [])) },
        Breach("PINGRESP", .protocolError) { _ in [0xD0, 0] },
        Breach("CONNECT again", .protocolError) { connect($0) },
        Breach("packet type 0", .malformedPacket) { _ in [0, 0] },
        Breach("a packet that ends too soon", .malformedPacket) { _ in [0x30, 2, 0, 9] },
        Breach("a packet that is too long", .malformedPacket) { _ in [0xC0, 1, 0] },
        Breach("an overlong length", .malformedPacket) { _ in [0xC0, 0x80, 0] },
    ]

    @Test("a protocol violation closes the connection [MQTT3-4.8.0-1]", arguments: violations)
    private func violationOld(_ breach: Breach) { expectClosed(breach, .v311) }

    @Test("a malformed packet or protocol error closes the connection [MQTT5-4.13.1-1]", arguments: violations)
    private func violationNew(_ breach: Breach) { expectClosed(breach, .v5) }

    @Test("a failure closes the connection, whether or not the client can be told [MQTT5-4.13.2-1]")
    func untold() {
        for limit in [3, 100] as [UInt32] {
            var stage = Stage()
            let client = stage.stranger(.v5, connect(.v5, block((.maximumPacketSize, limit))))
            stage.core.refuse(client.connection, .notAuthorized, "no")
            #expect(client.received() == (limit == 3 ? [] : ["connack 135 false"]) && client.connection.isClosing)
        }
        for version in both {
            var stage = Stage()
            let client = stage.client("c", version)
            _ = client.received()
            stage.send([0xD0, 0], from: client)
            #expect(client.received() == (version == .v5 ? ["disconnect 130"] : []) && client.connection.isClosing)
        }
    }

    @Test(
        "a request that fails at the server closes the connection [MQTT3-4.8.0-2]", arguments: both)
    func transient(version: MQTTVersion) {
        var stage = Stage()
        let client = stage.client("c", version)
        _ = client.received()
        stage.commits = false
        stage.publish("k", "v", qos: .atLeastOnce, id: 1, retain: .yes, from: client)
        for ticket in stage.open { stage.core.commitFailed(ticket, now: stage.now) }
        #expect(client.received() == (version == .v5 ? ["disconnect 131"] : []) && client.connection.isClosing)
    }
}
