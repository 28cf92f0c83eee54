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
}
