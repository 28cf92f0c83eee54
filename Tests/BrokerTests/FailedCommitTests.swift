//  A disk that refuses a commit: the broker goes back to what is on disk, and nothing that was promised is lost.

import ApusTestKit
import Broker
import MQTTWire
import Testing

extension Stage {
    /// Lets the open commit fail.
    fileprivate mutating func failCommit() {
        settle()
        for ticket in open { core.commitFailed(ticket, now: now) }
        open = []
        settle()
    }

    /// Carries out the step `restore` as often as it was asked for.
    fileprivate mutating func restore() {
        for case .restore in steps { core.restore(disk.state(), now: now) }
        steps = []
        settle()
    }
}

@Suite("When a commit fails")
struct FailedCommitTests {
    @Test("nobody is told that the disk took a message; all clients are told to go, and let in again after the restore")
    func everybodyGoes() {
        var stage = Stage()
        let (speaker, other) = (stage.client("s"), stage.client("o", .v5))
        _ = (speaker.received(), other.received())
        stage.commits = false
        stage.publish("k", "kept", qos: .atLeastOnce, id: 1, retain: .yes, from: speaker)
        stage.failCommit()
        #expect(speaker.received() == [] && speaker.connection.isClosing)
        #expect(other.received() == ["disconnect 131"] && other.connection.isClosing)
        let failed = stage.core.counters.failedCommits
        #expect(failed == 1)
        #expect(stage.client("s").received() == ["connack 136 false"])
        #expect(stage.client("n", .v5).received() == ["connack 136 false"])
        stage.restore()
        let back = stage.client("s", .v5)
        stage.subscribe("k", from: back)
        #expect(back.received() == ["connack 0 false", "suback 1"], "what was not stored is not kept")
    }

    @Test("while one commit is under way no other is handed out, so that none is stored behind a failed one")
    func oneAtATime() {
        var stage = Stage()
        stage.commits = false
        let device = stage.client("d", session: .resume)
        #expect(stage.open.count == 1)
        let count = stage.changes.count
        stage.subscribe("q", from: device)
        #expect(stage.open.count == 1 && stage.changes.count == count)
        stage.commit(77)
        stage.settle()
        #expect(stage.changes.count == count, "a ticket that was never handed out means nothing")
        stage.commit(stage.open.removeFirst())
        stage.settle()
        #expect(stage.open.count == 1 && stage.changes.count == count + 1)
        #expect(device.received() == ["connack 0 false"])
        stage.commitAll()
        #expect(device.received() == ["suback 1"])
    }

    @Test("a QoS 2 message whose commit failed counts as new when it comes again, and nobody gets it twice")
    func exactlyOnce() {
        var stage = Stage()
        var device = stage.client("d", session: .resume)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        let first = stage.client("s", session: .resume)
        stage.commits = false
        _ = device.received()
        stage.publish("q", "x", qos: .exactlyOnce, id: 1, from: first)
        stage.failCommit()
        #expect(device.received() == [], "it was not sent before it was safe")
        stage.restore()
        stage.commits = true
        device = stage.client("d", session: .resume)
        let again = stage.client("s", session: .resume)
        stage.publish("q", "x", qos: .exactlyOnce, id: 1, from: again)
        #expect(again.received() == ["connack 0 true", "pubrec #1"])
        #expect(device.received() == ["connack 0 true", "publish q x 2 #1"])
    }

    @Test("wills do not leave for a disk that is full; those of kept sessions wait on disk for their client")
    func wills() {
        var stage = Stage()
        let client = stage.client("w", .v5, session: .resume, will: ("gone", "w"), properties: [0x11, 0, 0, 0, 9])
        stage.commits = false
        stage.publish("k", "x", retain: .yes, from: client)
        stage.failCommit()
        stage.restore()
        stage.commits = true
        let listener = stage.client("l")
        stage.subscribe("gone", from: listener)
        #expect(listener.received() == ["connack 0 false", "suback 1"])
        stage.pass(seconds: 1)
        #expect(listener.received() == ["publish gone w 1 #1"])
    }
}
