import Broker
import MQTTWire
import Testing

extension Stage {
    /// The events since the last call, such as `disconnected c CONNECTION_LOST 0`.
    fileprivate mutating func events() -> [LifecycleEvent] {
        defer { steps = [] }
        return steps.compactMap { if case .lifecycle(let event) = $0 { event } else { nil } }
    }

    fileprivate mutating func endings() -> [DisconnectReason] {
        events().compactMap { if case .disconnected(let reason) = $0.kind { reason } else { nil } }
    }
}

@Suite("Lifecycle events (AWS IoT)")
struct LifecycleTests {
    private struct Row: CustomStringConvertible {
        var word: DisconnectReason
        var sendsWill = true
        var end: @Sendable (inout Stage, Client) -> Void
        var description: String { word.rawValue }
    }

    private static let byClient = [
        Row(word: .clientInitiated, sendsWill: false) { $0.send([0xE0, 0], from: $1) },
        Row(word: .connectionLost) { $0.breakLink(of: $1) },
        Row(word: .keepAliveTimeout) { stage, _ in stage.pass(seconds: 16) },
        Row(word: .duplicateClientID) { stage, _ in _ = stage.client("c", .v5, as: .device(thing: [0x63])) },
        Row(word: .clientError) { $0.send([0x10, 0], from: $1) },
        Row(word: .clientError) { $0.publish("somebody/else", "x", from: $1) },
    ]

    private static let byServer = [
        // A server that stops keeps wills for the case that nobody comes back (MQTT 5, 3.1.2.5).
        Row(word: .serverInitiated, sendsWill: false) { stage, _ in stage.core.shutDown(now: stage.now) },
        Row(word: .authorization) { stage, _ in stage.core.disconnect(thing: [0x63], now: stage.now) },
    ]

    @Test(
        "how a client's end is said in AWS's words [AWS-9-7] [AWS-9-8] [AWS-9-9] [AWS-9-10] [AWS-9-11]",
        arguments: byClient)
    private func endings(row: Row) { check(row) }

    @Test("how an end by the server is said in AWS's words [AWS-9-12] [AWS-9-13]", arguments: byServer)
    private func serverEndings(row: Row) { check(row) }

    private func check(_ row: Row) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("c/things/c/logs", qos: .atMostOnce, from: listener)
        let client = stage.client(
            "c", .v5, as: .device(thing: [0x63]), keepAlive: 10, will: ("c/things/c/logs", "gone"))
        _ = (stage.events(), listener.received())
        row.end(&stage, client)
        stage.settle()
        let words = stage.endings()
        #expect(words.contains(row.word) && Set(words).count == 1)
        let wills = listener.received().filter { $0 == "publish c/things/c/logs gone 0" }
        #expect(wills.count == (row.sendsWill ? 1 : 0))
    }

    @Test("a client that is not let in leaves no event")
    func refused() {
        var stage = Stage()
        let client = Client(.v5, now: 0)
        stage.core.opened(client.connection, now: stage.now)
        stage.send([0x10, 13, 0, 4, 77, 81, 84, 84, 5, 2, 0, 0, 0, 0, 0], from: client)
        stage.core.refuse(client.connection, .notAuthorized, "no")
        stage.settle()
        let events = stage.events()
        #expect(events.isEmpty)
    }

    @Test(
        "all events of a connection carry its identifier; versions count up and begin again after an hour [AWS-9-5] [AWS-9-6]"
    )
    func numbers() {
        var stage = Stage()
        var (identifiers, versions): ([[UInt8]], [Int]) = ([], [])
        for pause in [10, 10, 3600] as [Int64] {
            let client = stage.client("c", .v5)
            stage.subscribe("a", from: client)
            stage.pass(seconds: 5000)
            stage.breakLink(of: client)
            let events = stage.events()
            #expect(Set(events.map(\.sessionIdentifier)).count == 1 && events.count == 3)
            #expect(Set(events.map(\.versionNumber)).count == 1)
            identifiers.append(events[0].sessionIdentifier)
            versions.append(events[0].versionNumber)
            stage.pass(seconds: pause)
        }
        _ = stage.client("c", .v5)
        let last = stage.events()
        versions += last.map(\.versionNumber)
        #expect(versions == [0, 1, 2, 0] && Set(identifiers).count == 3)
    }

    @Test("SUBSCRIBE and UNSUBSCRIBE tell the filters that took effect [AWS-9-15]")
    func filters() {
        var stage = Stage(denied: ["no/#"])
        let client = stage.client("c")
        _ = stage.events()
        let filters: [UInt8] = [0, 1, 0x61, 1, 0, 4, 0x6E, 0x6F, 0x2F, 0x78, 1]
        stage.send([0x82, 13, 0, 1] + filters, from: client)
        stage.send([0xA2, 8, 0, 2, 0, 1, 0x61, 0, 1, 0x62], from: client)
        stage.send([0xA2, 5, 0, 2, 0, 1, 0x62], from: client)
        let kinds = stage.events().map(\.kind)
        #expect(kinds == [.subscribed([[0x61]]), .unsubscribed([[0x61]])])
    }

    @Test("the messages have AWS's members [AWS-9-3] [AWS-9-4] [AWS-9-15] [AWS-1.3-2]")
    func messages() {
        var stage = Stage()
        stage.now = 1700
        _ = stage.client("c\"1", as: .device(thing: Array("lamp".utf8)))
        var event = stage.events()[0]
        event.sessionIdentifier = Array("0f".utf8)
        func payload(_ kind: LifecycleEvent.Kind) -> String {
            event.kind = kind
            return String(decoding: event.payload, as: UTF8.self)
        }
        let start = #"{"clientId":"c\"1","timestamp":1700,"eventType":"#
        let who = #","sessionIdentifier":"0f","principalIdentifier":"lamp","#
        #expect(payload(.connected) == start + #""connected""# + who + #""ipAddress":"127.0.0.1","versionNumber":0}"#)
        let ending = #""clientInitiatedDisconnect":false,"disconnectReason":"CONNECTION_LOST","versionNumber":0}"#
        #expect(payload(.disconnected(.connectionLost)) == start + #""disconnected""# + who + ending)
        #expect(payload(.subscribed([[0x61], [0x62]])) == start + #""subscribed""# + who + #""topics":["a","b"]}"#)
    }

    @Test("whoever subscribed hears of it; identifiers with wildcards have no topic [AWS-9-1] [AWS-9-2]")
    func heard() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("$aws/events/presence/connected/+", from: listener)
        _ = (listener.received(), stage.events())
        for name in ["c", "d+", "e#"] { _ = stage.client(name) }
        let events = stage.events()
        for event in events { stage.core.publish(event, now: stage.now) }
        stage.settle()
        #expect(events.map { $0.topic == nil } == [false, true, true])
        let words = listener.received()
        #expect(words.count == 1 && words[0].hasPrefix("publish $aws/events/presence/connected/c {"))
        #expect(words.first?.hasSuffix("} 1 #1") == true, "QoS 1, not retained")
    }
}
