//  What becomes of a CONNECT and of the session that it asks for (clauses 3.1.2 to 3.2).
import Broker
import ByteKit
import MQTTWire
import Testing

/// A CONNACK of MQTT 5.
private struct Welcome {
    let frame: [UInt8]
    private let properties: ByteRange

    /// What the client was sent, where that is a CONNACK and nothing else.
    init?(_ client: Client) {
        let frames = client.frames()
        guard frames.count == 1, let frame = frames.first,
            case .connack(let ack)? = try? Packet.decode(frame.span, version: .v5, from: .server)
        else { return nil }
        self.frame = frame
        properties = ack.properties
    }

    func text(_ id: PropertyID) -> [UInt8]? {
        properties.range(id, in: frame.span).map { Array(frame[$0.start..<$0.end]) }
    }

    func byte(_ id: PropertyID) -> UInt8? { properties.byte(id, in: frame.span) }
}

private let both = [MQTTVersion.v311, .v5]

@Suite("Rules of CONNECT and CONNACK (3.1, 3.2)")
struct ConnectRulesTests {
    /// Settings of a kept session.
    private func kept(_ version: MQTTVersion, _ seconds: UInt32 = 600) -> [UInt8] {
        version == .v5 ? block((.sessionExpiryInterval, seconds)) : []
    }

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

    @Test(
        """
        a clean start has no past: session present is 0, and nothing is left of the old session \
        [MQTT3-3.1.2-6] [MQTT3-3.1.4-3] [MQTT3-3.2.2-1]
        """)
    func cleanOld() { cleanStart(.v311) }

    @Test(
        """
        a clean start has no past, MQTT 5 [MQTT5-3.1.2-4] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2]
        """)
    func cleanNew() { cleanStart(.v5) }

    private func cleanStart(_ version: MQTTVersion) {
        var stage = Stage()
        var client = stage.client("c", version, session: .resume, properties: kept(version))
        stage.subscribe("q", qos: .exactlyOnce, from: client)
        stage.publish("q", "open", qos: .exactlyOnce, id: 7, from: client)
        stage.breakLink(of: client)
        stage.publish("q", "waits", qos: .atLeastOnce, id: 1, from: stage.client("s"))
        client = stage.client("c", version, session: .clean, properties: kept(version))
        #expect(client.received() == ["connack 0 false"])
        stage.publish("q", "unheard", from: client)
        #expect(client.received() == [], "no subscription is left")
        stage.subscribe("q", qos: .exactlyOnce, from: client)
        stage.publish("q", "new", qos: .exactlyOnce, id: 7, from: client)
        #expect(client.received().contains("publish q new 2 #1"), "no identifier is in use")
        // The session of a clean client of 3.1.1 ends with its connection.
        stage.breakLink(of: client)
        let again = stage.client("c", version, session: .resume, properties: kept(version))
        #expect(again.received().first == "connack 0 \(version == .v5)")
    }

    @Test(
        """
        a session goes on with subscriptions and messages, and session present says so \
        [MQTT3-3.1.2-5] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3] [MQTT3-4.5.0-1]
        """)
    func resumedOld() { resume(.v311) }

    @Test(
        """
        a session goes on with subscriptions and messages, MQTT 5 \
        [MQTT5-3.1.2-5] [MQTT5-3.1.2-6] [MQTT5-3.1.2-23] [MQTT5-3.2.2-3] [MQTT5-4.5.0-1]
        """)
    func resumedNew() { resume(.v5) }

    private func resume(_ version: MQTTVersion) {
        var stage = Stage()
        var client = stage.client("c", version, session: .resume, properties: kept(version))
        #expect(client.received() == ["connack 0 false"], "there was none")
        stage.subscribe("q/+", qos: .exactlyOnce, from: client)
        stage.breakLink(of: client)
        let speaker = stage.client("s")
        stage.publish("q/1", "one", qos: .atLeastOnce, id: 1, from: speaker)
        stage.publish("q/2", "two", qos: .exactlyOnce, id: 2, from: speaker)
        stage.publish("other", "no", qos: .exactlyOnce, id: 3, from: speaker)
        client = stage.client("c", version, session: .resume, properties: kept(version))
        #expect(client.received() == ["connack 0 true", "publish q/1 one 1 #1", "publish q/2 two 2 #2"])
        stage.publish("q/3", "three", from: speaker)
        #expect(client.received() == ["publish q/3 three 0"])
    }

    @Test(
        "the client identifier names the session [MQTT3-3.1.3-2] [MQTT5-3.1.3-2]", arguments: both)
    func identifiers(version: MQTTVersion) {
        var stage = Stage()
        stage.breakLink(of: stage.client("one", version, session: .resume, properties: kept(version)))
        #expect(stage.client("two", version, session: .resume).received() == ["connack 0 false"])
        #expect(stage.client("ONE", version, session: .resume).received() == ["connack 0 false"])
        #expect(stage.client("one", version, session: .resume).received() == ["connack 0 true"])
    }

    @Test(
        "identifiers of 1 to 23 digits and letters are taken [MQTT3-3.1.3-5] [MQTT5-3.1.3-5]", arguments: both)
    func allowed(version: MQTTVersion) {
        let letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        var stage = Stage()
        for start in 0..<letters.count {
            let name = String((letters + letters).dropFirst(start).prefix(1 + start % 23))
            #expect(stage.client(name, version).received() == ["connack 0 false"])
        }
    }

    @Test(
        """
        a client without an identifier gets one of its own, and has the session of that name \
        [MQTT5-3.1.3-6] [MQTT5-3.1.3-7] [MQTT5-3.2.2-16]
        """)
    func assigned() throws {
        var stage = Stage()
        var names: Set<[UInt8]> = []
        for session in [SessionStart.clean, .resume, .resume] {
            let client = stage.client("", .v5, session: session, properties: kept(.v5))
            names.insert(try #require(Welcome(client)?.text(.assignedClientIdentifier)))
            stage.breakLink(of: client)
        }
        #expect(names.count == 3)
        for name in names {
            let text = String(decoding: name, as: UTF8.self)
            #expect(stage.client(text, .v5, session: .resume).received() == ["connack 0 true"])
        }
        let named = try #require({ Welcome(stage.client("c", .v5)) }())
        #expect(named.text(.assignedClientIdentifier) == nil)
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
    func shortRefusal() {
        for (limit, isSaid) in [(200, true), (12, false)] as [(UInt32, Bool)] {
            var stage = Stage()
            let client = stage.client(
                "c", .v5, as: .device(thing: [0x64]), will: ("foreign", "x"),
                properties: block((.maximumPacketSize, limit)))
            let frames = client.frames()
            #expect(frames.count == 1 && frames[0].count <= limit)
            #expect(frames.first?.starts(with: [0x20, isSaid ? UInt8(frames[0].count - 2) : 3, 0, 0x87]) == true)
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
