import Broker
import ByteKit
import MQTTWire
import Testing

private let lamp = Principal.device(thing: Array("lamp".utf8))

@Suite("Who is refused, and how that is said")
struct RefusalTests {
    private func connect(_ version: MQTTVersion, _ name: String, _ session: SessionStart = .clean) -> [UInt8] {
        let id = Array(name.utf8)
        var bytes: [UInt8] = []
        try? PacketEncoder(version: version).connect(
            clientID: id.span, session: session, keepAliveSeconds: 0, to: &bytes)
        return bytes
    }

    @Test("an unknown protocol level is answered with code 1 [MQTT3-3.1.2-2]")
    func unknownLevel() {
        var stage = Stage()
        var bytes = connect(.v311, "c")
        bytes[8] = 3
        let client = stage.stranger(.v311, bytes)
        #expect(client.connection.output == [0x20, 2, 0, 1] && client.connection.isClosing)
    }

    @Test(
        """
        3.1.1: without an identifier no session is kept; with a clean one a name is given \
        [MQTT3-3.1.3-6] [MQTT3-3.1.3-7] [MQTT3-3.1.3-8] [MQTT3-3.1.3-9]
        """)
    func noIdentifier() {
        var stage = Stage()
        let kept = stage.stranger(.v311, connect(.v311, "", .resume))
        #expect(kept.connection.output == [0x20, 2, 0, 2] && kept.connection.isClosing)
        let (one, two) = (stage.client(""), stage.client(""))
        #expect(one.received() == ["connack 0 false"] && two.received() == ["connack 0 false"])
        #expect(!one.connection.isClosing, "two clients without a name are two clients")
    }

    @Test(
        """
        who cannot prove who he is hears so and is closed \
        [MQTT3-3.2.2-4] [MQTT3-3.2.2-5] [MQTT5-3.1.4-2] [MQTT5-3.2.2-6] [MQTT5-3.2.2-7]
        """,
        arguments: [(.v311, [0x20, 2, 0, 5]), (.v5, [0x20, 3, 0, 0x87, 0])] as [(MQTTVersion, [UInt8])])
    func badCredentials(version: MQTTVersion, answer: [UInt8]) {
        var stage = Stage()
        let client = stage.stranger(version, connect(version, "c"))
        #expect(client.connection.mustWait && !client.connection.isConnected)
        stage.core.refuse(client.connection, .notAuthorized, "no such token")
        #expect(client.connection.output == answer && client.connection.isClosing)
        client.connection.output = []
        stage.core.authenticated(client.connection, as: .administrator, now: stage.now)
        #expect(client.received() == [] && !client.connection.isConnected, "an answer that comes too late")
    }

    @Test("a fault of the protocol is logged in words, also before there is anybody to tell")
    func faultsAreLogged() {
        var stage = Stage()
        let client = Client(.v5, now: stage.now)
        stage.core.opened(client.connection, now: stage.now)
        stage.core.protocolFault(client.connection, .packetTooLarge)
        let reasons = stage.core.takeSteps().compactMap { step in
            if case .refused(_, let reason) = step { reason } else { nil }
        }
        #expect(reasons == ["the packet is too large"])
        #expect(client.connection.output == [] && client.connection.isClosing)
    }

    @Test("nothing but CONNECT is taken before the client is known [MQTT3-3.1.0-1]")
    func tooEarly() {
        var stage = Stage()
        let client = stage.stranger(.v311, connect(.v311, "c"))
        stage.send([0xC0, 0], from: client)
        #expect(client.connection.isClosing && client.received() == [])
    }

    @Test("a will that the client may not publish keeps it out")
    func foreignWill() {
        var stage = Stage()
        let topic = "$aws/things/other/shadow/update"
        let client = stage.client("lamp", .v5, as: lamp, will: (topic, "{}"))
        #expect(client.received() == ["connack 135 false"] && client.connection.isClosing)
        #expect(stage.client("lamp", as: lamp, will: ("x/things/lamp/logs", "gone")).received() == ["connack 0 false"])
    }

    @Test("a publication that is not allowed: MQTT 5 is told, 3.1.1 is closed, nobody gets it [MQTT3-3.3.5-2]")
    func foreignTopic() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("#", from: listener)
        let (new, old) = (stage.client("n", .v5, as: lamp), stage.client("o", as: lamp))
        _ = (listener.received(), new.received(), old.received())
        stage.publish("free", "x", qos: .atLeastOnce, id: 3, from: new)
        #expect(new.received() == ["puback #3 135"] && !new.connection.isClosing)
        stage.publish("free", "x", qos: .atLeastOnce, id: 3, from: old)
        #expect(old.received() == [] && old.connection.isClosing)
        stage.publish("free", "x", from: new)
        #expect(new.received() == ["disconnect 135"])
        #expect(listener.received() == [])
    }

    @Test(
        """
        3.1.1: each filter has its own answer, a refused one subscribes nothing \
        [MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1] [MQTT3-3.9.3-2]
        """)
    func mixedFiltersOld() throws {
        try mixedFilters(.v311)
    }

    @Test(
        """
        MQTT 5: each filter has its own answer, a refused one subscribes nothing \
        [MQTT5-3.8.4-5] [MQTT5-3.8.4-6] [MQTT5-3.8.4-7] [MQTT5-3.9.3-1] [MQTT5-3.9.3-2]
        """)
    func mixedFiltersNew() throws {
        try mixedFilters(.v5)
    }

    private func mixedFilters(_ version: MQTTVersion) throws {
        var stage = Stage()
        let device = stage.client("lamp", version, as: lamp)
        let encoder = PacketEncoder(version: version)
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        let filters = ["$aws/things/lamp/shadow/#", "$aws/things/other/shadow/#", "#", "x/things/lamp/logs"]
        for (index, filter) in filters.enumerated() {
            let name = Array(filter.utf8)
            let qos: QoS = index == 0 ? .exactlyOnce : .atMostOnce
            try encoder.appendFilter(name.span, options: SubscriptionOptions(qos: qos), to: &block)
        }
        try encoder.subscribe(7, filters: block.span, to: &bytes)
        stage.send(bytes, from: device)
        #expect(device.received() == ["connack 0 false", "suback 2,128,128,0"])
        let topic = Array("$aws/things/other/shadow/update/delta".utf8)
        stage.core.publish(topic: topic, payload: [], now: stage.now)
        #expect(device.received() == [])
    }

    @Test("a thing whose credential is withdrawn is disconnected, others are not")
    func withdrawn() {
        var stage = Stage()
        let (device, other) = (stage.client("lamp", .v5, as: lamp), stage.client("o"))
        _ = device.received()
        stage.core.disconnect(thing: Array("lamp".utf8), now: stage.now)
        #expect(device.received() == ["disconnect 135"] && device.connection.isClosing)
        #expect(!other.connection.isClosing)
    }

    @Test("at the end of the server clients are told, wills stay away and sessions stay [MQTT 5, 3.14.2.1]")
    func shutDown() {
        var stage = Stage()
        let listener = stage.client("l", session: .resume)
        stage.subscribe("gone", from: listener)
        let polite = stage.client("p", .v5, will: ("gone", "p"))
        _ = (listener.received(), polite.received())
        stage.core.shutDown(now: stage.now)
        #expect(polite.received() == ["disconnect 139"] && listener.received() == [])
        #expect(stage.client("l", session: .resume).received() == ["connack 0 true"])
    }
}

@Suite("Wills")
struct WillTests {
    @Test("a will leaves with reason 4, a takeover and a silent client [MQTT3-3.1.2-24]")
    func whenSent() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", qos: .atMostOnce, from: listener)
        _ = listener.received()
        stage.send([0xE0, 1, 4], from: stage.client("a", .v5, will: ("gone", "asked")))
        #expect(listener.received() == ["publish gone asked 0"])
        _ = stage.client("b", will: ("gone", "taken"))
        _ = stage.client("b")
        #expect(listener.received() == ["publish gone taken 0"])
        _ = stage.client("c", keepAlive: 2, will: ("gone", "silent"))
        stage.pass(seconds: 4)
        #expect(listener.received() == ["publish gone silent 0"])
        stage.pass(seconds: 100)
        #expect(listener.received() == [], "and only once")
    }

    @Test("a client that was never let in leaves no will, however it goes", arguments: 0..<4)
    func neverConnected(way: Int) throws {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", from: listener)
        _ = listener.received()
        let client = Client(.v311, now: stage.now)
        stage.core.opened(client.connection, now: stage.now)
        let (id, topic) = (Array("x".utf8), Array("gone".utf8))
        var bytes: [UInt8] = []
        let will = WillMessage(topic: topic.span, payload: topic.span, retain: .yes)
        try PacketEncoder(version: .v311).connect(
            clientID: id.span, session: .clean, keepAliveSeconds: 0, will: will, to: &bytes)
        stage.send(bytes, from: client)
        switch way {
        case 0: stage.core.closed(client.connection, now: stage.now)
        case 1: stage.core.protocolFault(client.connection, .reservedBits)
        case 2: stage.core.refuse(client.connection, .notAuthorized, "no such token")
        default: stage.pass(seconds: 11)
        }
        #expect(client.connection.isClosing && listener.received() == [])
        stage.subscribe("gone", from: listener)
        #expect(listener.received() == ["suback 1"], "nor a retained one")
    }
}

@Suite("Answers that wait")
struct AnswerTests {
    @Test("acknowledgements leave in the order of the publications, however long the store takes [MQTT3-4.6.0-2]")
    func order() throws {
        var stage = Stage()
        let device = stage.client("lamp", as: lamp)
        _ = device.received()
        let topic = "$aws/things/lamp/shadow/update"
        for id in [1, 2] as [UInt16] { stage.publish(topic, "{}", qos: .atLeastOnce, id: id, from: device) }
        stage.publish("x/things/lamp/logs", "line", qos: .atLeastOnce, id: 3, from: device)
        var tickets: [AnswerTicket] = []
        for case .request(_, let ticket) in stage.steps { tickets.append(ticket) }
        try #require(tickets.count == 2)
        #expect(device.received() == [])
        stage.core.complete(tickets[1], now: stage.now)
        #expect(device.received() == [])
        stage.core.complete(tickets[0], now: stage.now)
        #expect(device.received() == ["puback #1", "puback #2", "puback #3"])
        stage.core.complete(tickets[0], now: stage.now)
        #expect(device.received() == [], "an answer is given once")
    }

    @Test("a request that the server cannot carry out is not acknowledged")
    func failure() throws {
        var stage = Stage()
        let device = stage.client("lamp", .v5, as: lamp)
        _ = device.received()
        stage.publish("$aws/things/lamp/shadow/update", "{}", qos: .atLeastOnce, id: 1, from: device)
        for case .request(_, let ticket) in stage.steps { stage.core.fail(ticket, now: stage.now) }
        #expect(device.received() == ["disconnect 131"] && device.connection.isClosing)
    }
}

@Suite("Rights that are taken back")
struct RevocationTests {
    @Test("an operator's token takes its own connections with it, and no others; their sessions stay")
    func token() {
        var stage = Stage()
        var clients: [Client] = []
        for (name, credential) in [("a", "build"), ("b", "build"), ("c", "other"), ("d", nil)] as [(String, String?)] {
            let client = Client(.v5, now: stage.now)
            stage.core.opened(client.connection, now: stage.now)
            var bytes: [UInt8] = []
            let (id, block) = (Array(name.utf8), kept(.v5))
            try? PacketEncoder(version: .v5).connect(
                clientID: id.span, session: .resume, keepAliveSeconds: 0, properties: block.span, to: &bytes)
            stage.send(bytes, from: client)
            stage.core.authenticated(client.connection, as: .administrator, credential: credential, now: stage.now)
            stage.settle()
            _ = client.received()
            clients.append(client)
        }
        stage.core.disconnect(credential: "build", now: stage.now)
        stage.settle()
        #expect(clients.map { $0.received() } == [["disconnect 135"], ["disconnect 135"], [], []])
        #expect(clients.map(\.connection.isClosing) == [true, true, false, false])
        let back = stage.client("a", .v5, session: .resume, properties: kept(.v5))
        #expect(back.received() == ["connack 0 true"])
    }

    @Test("who is being judged when rights are taken back is judged once more", arguments: [false, true])
    func outdated(isDevice: Bool) {
        var stage = Stage()
        let client = Client(.v5, now: stage.now)
        stage.core.opened(client.connection, now: stage.now)
        var bytes: [UInt8] = []
        let id: [UInt8] = [0x61]
        try? PacketEncoder(version: .v5).connect(clientID: id.span, session: .clean, keepAliveSeconds: 0, to: &bytes)
        stage.send(bytes, from: client)
        if isDevice {
            stage.core.disconnect(thing: id, now: stage.now)
        } else {
            stage.core.disconnect(credential: "build", now: stage.now)
        }
        stage.core.authenticated(client.connection, as: .device(thing: id), now: stage.now)
        stage.settle()
        let questions = stage.steps.filter { if case .authenticate = $0 { true } else { false } }
        #expect(questions.count == 2 && client.received() == [])
        stage.core.authenticated(client.connection, as: .device(thing: id), now: stage.now)
        stage.settle()
        #expect(client.received() == ["connack 0 false"])
    }
}
