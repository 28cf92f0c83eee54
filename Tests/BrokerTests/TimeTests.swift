import ApusTestKit
import Broker
import MQTTWire
import Testing

/// A block of four-byte properties.
func block(_ properties: (PropertyID, UInt32)...) -> [UInt8] {
    var block: [UInt8] = []
    for (id, value) in properties { Property.append(id, u32: value, to: &block) }
    return block
}

/// Message expiry intervals in what a client was sent, `nil` for a PUBLISH without one.
private func intervals(_ client: Client) -> [UInt32?] {
    client.frames().compactMap { frame in
        let packet = try? Packet.decode(frame.span, version: .v5, from: .server)
        guard case .publish(let message)? = packet else { return nil }
        return .some(message.properties.u32(.messageExpiryInterval, in: frame.span))
    }
}

@Suite("The end of retained messages")
struct RetainedExpiryTests {
    @Test("each is forgotten when its own time is over, whatever it replaced", arguments: UInt64(0)..<50)
    func replaced(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        var kept: [String: Int64?] = [:]
        for _ in 0..<300 {
            let topic = "\(Int.random(in: 0..<3, using: &random))"
            let seconds = [nil, 1, 2, 5, 20].randomElement(using: &random) ?? nil
            let message = ProgramMessage(
                topic: Array(topic.utf8), payload: [1], retain: true, expirySeconds: seconds.map { UInt32($0) })
            _ = stage.core.publish(message, as: .administrator, now: stage.now)
            kept[topic] = seconds.map { stage.now + Int64($0) * 1000 }
            stage.settle()
            stage.changes = []
            let end = stage.now + Int64.random(in: 0...3000, using: &random)
            while let due = stage.core.deadline, due <= end {
                stage.core.timeUp(now: due)
                stage.settle()
            }
            stage.now = end
            let gone = stage.changes.compactMap { change in
                if case .forgetRetained(let topic) = change { String(decoding: topic, as: UTF8.self) } else { nil }
            }
            let wanted = kept.filter { $0.value.map { $0 < end } ?? false }.keys
            #expect(gone.sorted() == wanted.sorted())
            for topic in gone { kept[topic] = nil }
        }
    }
}

extension Stage {
    fileprivate mutating func stop() {
        core.shutDown(now: now)
        settle()
    }
}

@Suite("Will delay and will expiry (MQTT 5, clauses 3.1.3.2.2 and 3.1.3.2.4)")
struct WillDelayTests {
    private struct Row: CustomStringConvertible {
        var rule: String
        var delay: UInt32
        var expiry: UInt32
        /// Seconds after which the will is there, and not a second before.
        var due: Int64
        var description: String { rule }
    }

    private static let rows = [
        Row(rule: "no delay", delay: 0, expiry: 60, due: 0),
        Row(rule: "the delay comes first [MQTT5-3.1.2-8]", delay: 10, expiry: 60, due: 10),
        Row(rule: "the session ends first [MQTT5-3.1.2-8]", delay: 60, expiry: 10, due: 10),
        Row(rule: "the session ends with the connection", delay: 60, expiry: 0, due: 0),
        Row(rule: "both at once", delay: 10, expiry: 10, due: 10),
    ]

    @Test(
        "a will leaves after its delay or with its session, whichever is first, and once [MQTT5-3.1.2-8]",
        arguments: rows)
    private func delays(row: Row) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", qos: .atMostOnce, from: listener)
        _ = listener.received()
        let client = stage.client(
            "c", .v5, session: .resume, will: ("gone", "x"), willProperties: block((.willDelayInterval, row.delay)),
            properties: block((.sessionExpiryInterval, row.expiry)))
        stage.breakLink(of: client)
        if row.due > 0 {
            let deadline = stage.core.deadline
            #expect(deadline == stage.now + row.due * 1000)
            stage.pass(seconds: row.due - 1)
            #expect(listener.received() == [])
            stage.pass(seconds: 1)
        }
        #expect(listener.received() == ["publish gone x 0"])
        stage.pass(seconds: 1000)
        #expect(listener.received() == [])
    }

    @Test("a client that is back in time cancels its will; one that starts clean lets it go [MQTT5-3.1.3-9]")
    func cancelled() {
        for (session, expected) in [(.resume, []), (.clean, ["publish gone x 0"])] as [(SessionStart, [String])] {
            for isTakeover in [false, true] {
                var stage = Stage()
                let listener = stage.client("l")
                stage.subscribe("gone", qos: .atMostOnce, from: listener)
                _ = listener.received()
                let client = stage.client(
                    "c", .v5, session: .resume, will: ("gone", "x"), willProperties: block((.willDelayInterval, 10)),
                    properties: block((.sessionExpiryInterval, 60)))
                if !isTakeover { stage.breakLink(of: client) }
                _ = stage.client("c", .v5, session: session, properties: block((.sessionExpiryInterval, 60)))
                #expect(listener.received() == expected)
                stage.pass(seconds: 100)
                #expect(listener.received() == [])
            }
        }
    }

    @Test("DISCONNECT may shorten the session and with it the delay (3.14.2.2.2)")
    func disconnect() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("gone", qos: .atMostOnce, from: listener)
        _ = listener.received()
        let client = stage.client(
            "c", .v5, will: ("gone", "x"), willProperties: block((.willDelayInterval, 50)),
            properties: block((.sessionExpiryInterval, 60)))
        stage.send([0xE0, 7, 4, 5, 0x11, 0, 0, 0, 5], from: client)
        stage.pass(seconds: 4)
        #expect(listener.received() == [])
        stage.pass(seconds: 1)
        #expect(listener.received() == ["publish gone x 0"])
    }

    @Test("a will that waits survives a restart, a cancelled one does not come back")
    func restart() {
        for isBack in [false, true] {
            var stage = Stage()
            let settings = block((.sessionExpiryInterval, 60))
            let client = stage.client(
                "c", .v5, session: .resume, will: ("gone", "x"), willRetain: .yes,
                willProperties: block((.willDelayInterval, 10)), properties: settings)
            stage.breakLink(of: client)
            if isBack { stage.send([0xE0, 0], from: stage.client("c", .v5, session: .resume, properties: settings)) }
            stage.restart()
            let listener = stage.client("l")
            stage.subscribe("gone", qos: .atMostOnce, from: listener)
            _ = listener.received()
            stage.pass(seconds: 11)
            #expect(listener.received() == (isBack ? [] : ["publish gone x 0"]))
        }
    }

    @Test("the will of a client that is there leaves after a crash or a stop, when nobody comes back [MQTT5-3.1.2-7]")
    func crash() {
        for (stops, isBack) in [(false, false), (true, false), (true, true)] {
            var stage = Stage()
            let settings = block((.sessionExpiryInterval, 60))
            _ = stage.client(
                "c", .v5, session: .resume, will: ("gone", "x"), willProperties: block((.willDelayInterval, 10)),
                properties: settings)
            if stops { stage.stop() }
            stage.now += 5000
            stage.restart()
            let listener = stage.client("l")
            stage.subscribe("gone", qos: .atMostOnce, from: listener)
            _ = listener.received()
            if isBack { _ = stage.client("c", .v5, session: .resume, properties: settings) }
            stage.pass(seconds: 9)
            #expect(listener.received() == [])
            stage.pass(seconds: 1)
            #expect(listener.received() == (isBack ? [] : ["publish gone x 0"]))
        }
    }

    @Test("a will that is not to be leaves no trace on disk [MQTT5-3.1.2-10]", arguments: [false, true])
    func forgotten(saysGoodbye: Bool) {
        var stage = Stage()
        let client = stage.client(
            "c", .v5, session: .resume, will: ("gone", "x"), properties: block((.sessionExpiryInterval, 60)))
        if saysGoodbye { stage.send([0xE0, 0], from: client) } else { stage.breakLink(of: client) }
        #expect(stage.disk.sessions.values.map { $0.will == nil } == [true])
    }

    @Test("the expiry of a will begins when it is published; a retained one is kept [MQTT5-3.1.2-15]")
    func expiry() {
        var stage = Stage()
        let listener = stage.client("l", .v5)
        stage.subscribe("gone", from: listener)
        let client = stage.client(
            "c", .v5, will: ("gone", "x"), willRetain: .yes,
            willProperties: block((.willDelayInterval, 10), (.messageExpiryInterval, 30)),
            properties: block((.sessionExpiryInterval, 60)))
        stage.pass(seconds: 100)
        stage.breakLink(of: client)
        stage.pass(seconds: 10)
        #expect(intervals(listener) == [30])
        stage.pass(seconds: 20)
        let late = stage.client("late", .v5)
        stage.subscribe("gone", from: late)
        #expect(intervals(late) == [10])
    }
}

@Suite("Message expiry (MQTT 5, clause 3.3.2.3.3)")
struct MessageExpiryTests {
    private func publish(_ topic: String, _ seconds: UInt32, retain: Retain = .no, _ stage: inout Stage) {
        let (name, body, properties) = (Array(topic.utf8), Array("x".utf8), block((.messageExpiryInterval, seconds)))
        var bytes: [UInt8] = []
        _ = try? PacketEncoder(version: .v5).publish(
            topic: name.span, qos: .atLeastOnce, retain: retain, packetID: 1, properties: properties.span,
            payload: body.span, to: &bytes)
        stage.send(bytes, from: stage.client("s", .v5))
    }

    @Test("the interval goes on, less the time that the message waited [MQTT5-3.3.2-6]", arguments: [false, true])
    func queued(restarts: Bool) {
        var stage = Stage()
        let settings = block((.sessionExpiryInterval, 600))
        let client = stage.client("d", .v5, session: .resume, properties: settings)
        stage.subscribe("q", from: client)
        stage.breakLink(of: client)
        publish("q", 100, &stage)
        publish("q", 10, &stage)
        stage.pass(seconds: 30)
        if restarts { stage.restart() }
        #expect(intervals(stage.client("d", .v5, session: .resume, properties: settings)) == [70])
    }

    @Test("a retained message counts down and is forgotten, on disk too [MQTT5-3.3.2-5]", arguments: [false, true])
    func retained(restarts: Bool) {
        var stage = Stage()
        publish("k", 100, retain: .yes, &stage)
        stage.pass(seconds: 30)
        if restarts { stage.restart() }
        let client = stage.client("c", .v5)
        stage.subscribe("k", from: client)
        #expect(intervals(client) == [70])
        stage.pass(seconds: 70)
        stage.subscribe("k", from: client)
        #expect(intervals(client) == [0], "the last second is not over")
        stage.pass(seconds: 1)
        stage.subscribe("k", from: client)
        #expect(intervals(client) == [])
        #expect(stage.disk.retained.isEmpty)
    }

    @Test("one that expired while the server was down is gone")
    func expiredWhileDown() {
        var stage = Stage()
        publish("k", 100, retain: .yes, &stage)
        stage.now += 200_000
        stage.restart()
        let client = stage.client("c", .v5)
        stage.subscribe("k", from: client)
        #expect(intervals(client) == [])
        stage.pass(seconds: 1)
        #expect(stage.disk.retained.isEmpty)
    }

    @Test("a newer message has an expiry of its own, or none")
    func replaced() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        publish("k", 10, retain: .yes, &stage)
        publish("k", 50, retain: .yes, &stage)
        publish("m", 10, retain: .yes, &stage)
        stage.publish("m", "x", retain: .yes, from: client)
        stage.pass(seconds: 20)
        stage.subscribe("k", from: client)
        stage.subscribe("m", from: client)
        #expect(intervals(client) == [30, nil])
    }

    @Test("topics that are kept and deleted again and again leave no trace")
    func churn() {
        var stage = Stage()
        for _ in 0..<5000 {
            publish("k", 1000, retain: .yes, &stage)
            stage.publish("k", "", retain: .yes, from: stage.client("s", .v5))
        }
        publish("k", 10, retain: .yes, &stage)
        let deadline = stage.core.deadline
        #expect(deadline == stage.now + 10_001)
    }
}
