//  What becomes of a CONNECT, and what CONNACK says (clauses 3.1.2 to 3.2).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

@Suite("Rules of CONNECT and CONNACK (3.1, 3.2)")
struct ConnectRulesTests {
    @Test(
        """
        a valid CONNECT is answered with CONNACK 0, the first packet that the server sends \
        [MQTT3-3.1.4-4] [MQTT3-3.2.0-1] [MQTT5-3.1.4-5] [MQTT5-3.2.0-1]
        """, arguments: both)
    func accepted(version: MQTTVersion) {
        var stage = Stage()
        let first = stage.client("c", version, session: .resume, will: ("gone", "x"), properties: kept(version))
        stage.subscribe("#", from: first)
        stage.publish("kept", "v", retain: .yes, from: first)
        // The old connection's will is for the session that now goes on.
        let client = stage.stranger(version, connect(version, flags: 0, kept(version)))
        stage.publish("a", "x", qos: .atLeastOnce, id: 1, from: stage.client("s"))
        #expect(client.received() == [], "nothing before the client is known")
        stage.core.authenticated(client.connection, as: .administrator, now: stage.now)
        stage.settle()
        let words = client.received()
        #expect(words.first == "connack 0 true" && words.count > 2)
    }

    @Test(
        "a second CONNECT ends the connection, and gets no CONNACK [MQTT3-3.1.0-2] [MQTT5-3.1.0-2] [MQTT5-3.2.0-2]",
        arguments: both)
    func second(version: MQTTVersion) {
        expectClosed(Breach("CONNECT", .protocolError) { connect($0) }, version)
    }

    @Test("whatever comes before CONNECT ends the connection [MQTT3-3.1.0-1] [MQTT5-3.1.0-1]")
    func first() {
        for bytes in [[0xC0, 0], [0xE0, 0], [0x30, 3, 0, 1, 0x61], [0xF0, 0], [0x40, 2, 0, 1]] as [[UInt8]] {
            expectTurnedAway(bytes, .v5)
        }
    }

    @Test("an identifier that the server refuses is told and closed [MQTT3-3.1.3-9] [MQTT5-3.1.3-8]")
    func refusedIdentifier() {
        for (version, answer) in [(.v311, [0x20, 2, 0, 2]), (.v5, [0x20, 3, 0, 0x85, 0])] as [(MQTTVersion, [UInt8])] {
            var stage = Stage()
            let client = stage.stranger(version, connect(version))
            stage.core.refuse(client.connection, .clientIdentifierNotValid, "no such client")
            #expect(client.connection.output == answer && client.connection.isClosing)
        }
    }

    @Test(
        "after a refusal nothing that the client sends is heard [MQTT3-3.1.4-5] [MQTT5-3.1.4-6]", arguments: both)
    func afterRefusal(version: MQTTVersion) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("#", from: listener)
        _ = listener.received()
        let client = stage.stranger(version, connect(version))
        stage.core.refuse(client.connection, .notAuthorized, "no such token")
        client.connection.output = []
        stage.publish("a", "x", qos: .atLeastOnce, id: 1, retain: .yes, from: client)
        stage.subscribe("#", from: client)
        stage.send([0xC0, 0], from: client)
        #expect(client.connection.output == [] && listener.received() == [])
    }

    @Test("where no return code fits, 3.1.1 is closed without CONNACK [MQTT3-3.2.2-6]")
    func noReturnCode() {
        for (reason, code) in [(.qosNotSupported, nil), (.quotaExceeded, 3), (.notAuthorized, 5)]
            as [(ReasonCode, UInt8?)]
        {
            var stage = Stage()
            let client = stage.stranger(.v311, connect(.v311))
            stage.core.refuse(client.connection, reason, "no")
            #expect(client.connection.output == (code.map { [0x20, 2, 0, $0] } ?? []) && client.connection.isClosing)
        }
    }

    @Test("an older connection of the same client is closed [MQTT3-3.1.4-2] [MQTT5-3.1.4-3]", arguments: both)
    func takeover(version: MQTTVersion) {
        var stage = Stage()
        let (old, other) = (stage.client("c", version), stage.client("o", version))
        _ = old.received()
        let new = stage.client("c", version)
        #expect(old.received() == (version == .v5 ? ["disconnect 142"] : []) && old.connection.isClosing)
        #expect(!new.connection.isClosing && !other.connection.isClosing)
    }

    @Test(
        """
        without Server Keep Alive the client's interval holds, silence counts as a broken link \
        [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] [MQTT5-3.2.2-22]
        """, arguments: both)
    func keepAlive(version: MQTTVersion) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", qos: .atMostOnce, from: listener)
        _ = listener.received()
        let client = stage.client("c", version, keepAlive: 10, will: ("gone", "x"))
        let patient = stage.client("p", version, keepAlive: 0)
        stage.pass(seconds: 9)
        stage.send([0xC0, 0], from: client)
        stage.pass(seconds: 15)
        #expect(!client.connection.isClosing && listener.received() == [])
        stage.pass(seconds: 1)
        #expect(client.connection.isClosing && listener.received() == ["publish gone x 0"])
        stage.pass(seconds: 1000)
        #expect(!patient.connection.isClosing)
    }

    @Test("what a client did not ask for is not in CONNACK [MQTT5-3.1.2-28] [MQTT5-3.2.2-1] [MQTT5-4.12.0-6]")
    func plain() throws {
        for wish in [[], [PropertyID.requestResponseInformation.rawValue, 0]] as [[UInt8]] {
            var stage = Stage()
            let welcome = try #require({ Welcome(stage.client("c", .v5, properties: wish)) }())
            #expect(welcome.frame[2] == 0)
            for id in [.responseInformation, .authenticationMethod, .authenticationData] as [PropertyID] {
                #expect(welcome.text(id) == nil)
            }
        }
    }

    @Test("a refusal is told without its reason where that would be too large [MQTT5-3.2.2-19]")
    func shortRefusal() throws {
        for (limit, isSaid) in [(200, true), (12, false)] as [(UInt32, Bool)] {
            var stage = Stage()
            let client = stage.client(
                "c", .v5, as: .device(thing: [0x64]), will: ("foreign", "x"),
                properties: block((.maximumPacketSize, limit)))
            let frames = client.frames()
            let bytes = try #require(frames.first)
            #expect(frames.count == 1 && bytes.count <= limit)
            #expect(bytes.starts(with: [0x20, UInt8(bytes.count - 2), 0, 0x87]) && (bytes.count > 5) == isSaid)
        }
    }

    @Test("a server without QoS 2 says so, and refuses such a will [MQTT5-3.2.2-9] [MQTT5-3.2.2-12]")
    func maximumQoS() throws {
        var stage = Stage(limits: .aws)
        let welcome = try #require({ Welcome(stage.client("c", .v5)) }())
        #expect(welcome.byte(.maximumQoS) == 1)
        let will = properties(.v5) + field("gone") + field("x")
        let client = stage.stranger(.v5, connect(.v5, flags: 0x16, rest: will))
        #expect(client.received() == ["connack 155 false"] && client.connection.isClosing)
        let old = stage.stranger(.v311, connect(.v311, flags: 0x16, rest: field("gone") + field("x")))
        #expect(old.received() == [] && old.connection.isClosing)
    }
}
