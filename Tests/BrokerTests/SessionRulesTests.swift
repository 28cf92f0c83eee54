//  The session that a CONNECT asks for (clauses 3.1.2.4, 3.1.3.1 and 3.2.2.1).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

@Suite("Rules of sessions and client identifiers (3.1.2.4, 3.1.3.1)")
struct SessionRulesTests {
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
        [MQTT3-3.1.2-5] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3]
        """)
    func resumedOld() { resume(.v311) }

    @Test(
        """
        a session goes on with subscriptions and messages, MQTT 5 \
        [MQTT5-3.1.2-5] [MQTT5-3.1.2-6] [MQTT5-3.1.2-23] [MQTT5-3.2.2-3]
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

    /// Who subscribes with what, whether it is there when the message comes, and the highest QoS that it gets.
    private static let audience: [(filters: [String], qos: QoS, isThere: Bool, gets: Int?)] = [
        (["h/1/t"], .atMostOnce, true, 0), (["h/+/t"], .atLeastOnce, true, 1), (["h/#"], .exactlyOnce, true, 2),
        (["#"], .exactlyOnce, true, 2), (["h/1/t"], .atLeastOnce, false, 1), (["+/1/+"], .exactlyOnce, false, 2),
        (["h/1/t", "h/#", "x"], .atLeastOnce, true, 1), (["h/1/t", "+/+/t"], .exactlyOnce, false, 2),
        (["h/2/t", "h/1", "h/1/t/u", "H/1/t", "+/t"], .exactlyOnce, true, nil), (["$x/#"], .atLeastOnce, false, nil),
    ]

    @Test(
        "every client with a matching subscription gets its copy, there or away, and nobody else [MQTT3-4.5.0-1]",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func everySubscriberOld(qos: QoS) { everySubscriber(.v311, qos) }

    @Test(
        "every client with a matching subscription gets its copy, there or away, and nobody else [MQTT5-4.5.0-1]",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func everySubscriberNew(qos: QoS) { everySubscriber(.v5, qos) }

    private func everySubscriber(_ version: MQTTVersion, _ qos: QoS) {
        var stage = Stage()
        // Ten of each, so that no place in the order is special.
        let rows = (0..<10).flatMap { _ in Self.audience }
        var guests = rows.indices.map { Guest(version, &stage, name: "\($0)") }
        for (row, guest) in zip(rows, guests) {
            for filter in row.filters { stage.subscribe(filter, qos: row.qos, from: guest.client) }
            _ = guest.client.received()
            if !row.isThere { stage.breakLink(of: guest.client) }
        }
        let speaker = stage.client("speaker", version)
        stage.publish("h/1/t", "all", qos: qos, id: qos == .atMostOnce ? 0 : 1, from: speaker)
        for (number, row) in rows.enumerated() {
            let words = row.isThere ? guests[number].client.received() : guests[number].again(&stage)
            let level = row.gets.map { min($0, Int(qos.rawValue)) }
            // QoS 0 is not kept for who is away (4.1).
            let isHeard = level.map { row.isThere || $0 > 0 } ?? false
            // Two filters may bring two copies to a client of 3.1.1; here one copy stands for all of them (3.3.5).
            #expect(words == (isHeard ? ["publish h/1/t all \(level ?? 0)" + (level == 0 ? "" : " #1")] : []), "\(row)")
        }
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
        [MQTT5-3.1.3-6] [MQTT5-3.1.3-7]
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

    @Test("an identifier that the server gives is no other session's, among many, there and away [MQTT5-3.2.2-16]")
    func unique() throws {
        var stage = Stage()
        var taken: Set<[UInt8]> = []
        var clients: [Client] = []
        for number in 0..<600 {
            // Named ones stand between them, kept, away, and as devices.
            if number.isMultiple(of: 3) {
                let name = "\(number)"
                let client = stage.client(
                    name, .v5, session: .resume, as: .device(thing: Array("\(number % 50)".utf8)),
                    properties: kept(.v5))
                #expect(Welcome(client)?.text(.assignedClientIdentifier) == nil)
                taken.insert(Array(name.utf8))
            }
            let client = stage.client(
                "", .v5, session: number.isMultiple(of: 2) ? .clean : .resume, properties: kept(.v5))
            let welcome = try #require(Welcome(client))
            let name = try #require(welcome.text(.assignedClientIdentifier))
            #expect(!name.isEmpty && taken.insert(name).inserted, "\(name)")
            if number.isMultiple(of: 5) { stage.breakLink(of: client) } else { clients.append(client) }
        }
        // Nobody took over anybody's session: each has its own subscription, and hears only that.
        for (number, client) in clients.enumerated() { stage.subscribe("t/\(number)", from: client) }
        for (number, client) in clients.enumerated() {
            #expect(client.connection.isConnected && client.received() == ["suback 1"])
            stage.speak("x", .atMostOnce, topic: "t/\(number)")
            #expect(client.received() == ["publish t/\(number) x 0"])
        }
    }
}
