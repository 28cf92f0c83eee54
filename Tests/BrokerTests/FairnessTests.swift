//  What one client leaves behind costs the others nothing: bounds that all share, what has expired, rights that ended.

import Broker
import MQTTWire
import Testing

@Suite("Clients that are away and their neighbours")
struct FairnessTests {
    private static func limits(session: Int = 1 << 20, all: Int = 1 << 20, share: Int = 0) -> BrokerLimits {
        var limits = BrokerLimits()
        (limits.sessionQueueBytes, limits.queueBytes, limits.sessionShareBytes) = (session, all, share)
        return limits
    }

    @Test("a session has its share also when the others have filled what all may have")
    func share() {
        var stage = Stage(limits: Self.limits(all: 2000, share: 1000))
        let greedy = stage.client("greedy", session: .resume)
        stage.subscribe("g", from: greedy)
        stage.breakLink(of: greedy)
        let modest = stage.client("modest", session: .resume)
        stage.subscribe("m", from: modest)
        stage.breakLink(of: modest)
        let sender = stage.client("s", .v5)
        for _ in 1...12 { stage.publish("g", "x", qos: .atLeastOnce, id: 1, from: sender) }
        _ = sender.received()
        stage.publish("g", "x", qos: .atLeastOnce, id: 2, from: sender)
        stage.publish("m", "x", qos: .atLeastOnce, id: 3, from: sender)
        #expect(sender.received() == ["puback #2 151", "puback #3"])
    }

    @Test("what has expired makes room, in memory and on disk [MQTT5-3.3.2-5]")
    func expired() throws {
        var stage = Stage(limits: Self.limits(session: 1000))
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        let brief = ProgramMessage(topic: Array("q".utf8), payload: [120], qos: 1, expirySeconds: 1)
        var outcome = ProgramOutcome.invalid
        for _ in 1...10 { outcome = stage.core.publish(brief, as: .administrator, now: stage.now) }
        stage.settle()
        #expect(outcome == .full)
        stage.changes = []
        stage.now += 2500
        stage.core.timeUp(now: stage.now)
        stage.settle()
        let gone = stage.changes.filter { if case .dequeue = $0 { true } else { false } }
        #expect(gone.count >= 4)
        let waiting = stage.core.memoryBytes
        #expect(waiting == 0)
        let sender = stage.client("s", .v5)
        stage.publish("q", "y", qos: .atLeastOnce, id: 2, from: sender)
        #expect(sender.received().last == "puback #2")
        let words = stage.client("d", session: .resume).received()
        #expect(words.count == 2 && words.last?.hasPrefix("publish q y 1") == true)
    }

    @Test("with its rights a device loses what was kept for it")
    func revoked() {
        var stage = Stage()
        let thing = Array("lamp".utf8)
        let device = stage.client("lamp", session: .resume, as: .device(thing: thing))
        stage.subscribe("$aws/things/lamp/jobs/notify", from: device)
        stage.core.disconnect(thing: thing, now: stage.now)
        stage.settle()
        #expect(device.connection.isClosing)
        stage.core.publish(topic: Array("$aws/things/lamp/jobs/notify".utf8), payload: [1], now: stage.now)
        stage.settle()
        let waiting = stage.core.memoryBytes
        #expect(waiting == 0)
        let next = stage.client("lamp", session: .resume, as: .device(thing: thing))
        #expect(next.received() == ["connack 0 false"])
    }

    @Test("between a failed commit and the restore programs are told to come again")
    func forgetful() {
        var stage = Stage()
        let device = stage.client("d", session: .resume)
        stage.commits = false
        stage.subscribe("q", from: device)
        stage.settle()
        for ticket in stage.open { stage.core.commitFailed(ticket, now: stage.now) }
        stage.open = []
        let message = ProgramMessage(topic: Array("q".utf8), payload: [1], qos: 1)
        let outcomes = [
            stage.core.publish(message, as: .administrator, now: stage.now),
            stage.core.send(message, to: Array("d".utf8), now: stage.now),
            stage.core.disconnect(client: Array("d".utf8), endsSession: true, dropsWill: true, now: stage.now),
        ]
        #expect(outcomes == [.unavailable, .unavailable, .unavailable])
    }
}
