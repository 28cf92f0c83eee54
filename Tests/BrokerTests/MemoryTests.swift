//  Memory that runs short, and clients that send faster than they may: publishers wait, nothing grows without end.

import ApusTestKit
import Broker
import MQTTWire
import Testing

extension Stage {
    /// Publishes where the shell would read: not from a client that has to wait.
    fileprivate mutating func publishIfRead(_ topic: String, _ payload: String, qos: QoS, from client: Client) -> Bool {
        guard !client.connection.mustWait, !client.connection.isClosing else { return false }
        publish(topic, payload, qos: qos, id: qos == .atMostOnce ? 0 : 1, from: client)
        return true
    }

    /// Lets a client read and acknowledge all that it can get.
    fileprivate mutating func readAll(_ client: Client) {
        repeat {
            let words = client.received()
            core.drained(client.connection)
            for word in words {
                if let id = word.split(separator: "#").last.flatMap({ UInt16($0) }) { acknowledge(id, from: client) }
            }
            core.fill(client.connection, now: now)
            settle()
        } while !client.connection.output.isEmpty
    }
}

@Suite("When memory is short")
struct MemoryTests {
    private static func stage(_ bytes: Int) -> Stage {
        var limits = BrokerLimits()
        limits.memoryBytes = bytes
        return Stage(limits: limits)
    }

    @Test("a small machine holds less", arguments: [(UInt64(64) << 30, 1 << 30), (1 << 30, 1 << 28), (0, 0)])
    func fits(memory: UInt64, bytes: Int) {
        var limits = BrokerLimits()
        limits.fit(memory: memory, disk: 1 << 40)
        #expect(limits.memoryBytes == bytes && limits.retainedBytes <= bytes / 4)
        #expect(limits.queueBytes == 8 << 30 && limits.sessionQueueBytes == 256 << 20)
    }

    @Test("a small disk holds less", arguments: [(UInt64(10) << 30, 5 << 30), (256 << 20, 128 << 20), (0, 64 << 20)])
    func fits(disk: UInt64, bytes: Int) {
        var limits = BrokerLimits()
        limits.fit(memory: 1 << 40, disk: disk)
        #expect(limits.memoryBytes == 1 << 30 && limits.queueBytes == bytes)
        #expect(limits.sessionQueueBytes <= bytes / 2 && limits.sessionShareBytes <= bytes / 1024)
    }

    @Test("publishers are read from again when memory has fallen below 7/8", arguments: [MQTTVersion.v311, .v5])
    func held(version: MQTTVersion) {
        var stage = Self.stage(100_000)
        let (slow, sender, other) = (stage.client("slow"), stage.client("s", version), stage.client("o", version))
        stage.subscribe("t", from: slow)
        let text = String(repeating: "x", count: 1000)
        var count = 0
        while stage.publishIfRead("t", text, qos: .atLeastOnce, from: sender) { count += 1 }
        let (memory, heldBack) = (stage.core.memoryBytes, stage.core.counters.heldBack)
        #expect(memory >= 100_000 && memory < 103_000 && heldBack == 1)
        #expect(!other.connection.mustWait, "who publishes nothing is not held back")
        stage.send([0xC0, 0], from: other)
        #expect(other.received().last == "pingresp")
        stage.readAll(slow)
        #expect(!sender.connection.mustWait)
        let left = stage.core.memoryBytes
        #expect(left < 5000)
        let goesOn = stage.publishIfRead("t", text, qos: .atLeastOnce, from: sender)
        #expect(goesOn && !sender.connection.mustWait && count > 40)
    }

    @Test("who is held back may send one packet a second, and is not taken for silent")
    func onePerSecond() {
        var stage = Self.stage(10_000)
        let slow = stage.client("slow")
        let sender = stage.client("s", keepAlive: 2)
        stage.subscribe("t", from: slow)
        let text = String(repeating: "x", count: 1000)
        while stage.publishIfRead("t", text, qos: .atLeastOnce, from: sender) {}
        #expect(sender.connection.mustWait)
        stage.pass(seconds: 1)
        let second = stage.publishIfRead("t", "1", qos: .atLeastOnce, from: sender)
        #expect(second && sender.connection.mustWait)
        sender.connection.heardOf -= 60_000
        stage.pass(seconds: 1)
        #expect(!sender.connection.mustWait && !sender.connection.isClosing)
    }

    @Test("QoS 0 to a slow client is dropped from 64 KiB on; the others get it")
    func atMostOnce() {
        var stage = Self.stage(200_000)
        let (slow, quick, sender) = (stage.client("slow"), stage.client("quick"), stage.client("s"))
        for client in [slow, quick] { stage.subscribe("t", qos: .atMostOnce, from: client) }
        let text = String(repeating: "x", count: 10_000)
        var count = 0
        for _ in 0..<60 {
            stage.pass(seconds: 1)
            stage.publish("t", text, from: sender)
            count += quick.received().filter { $0.hasPrefix("publish") }.count
            stage.core.drained(quick.connection)
        }
        let counters = stage.core.counters
        #expect(count == 60 && counters.droppedToSlow == 41 && counters.dropped == 41)
        #expect(slow.connection.output.count < 210_000)
    }

    @Test("an eighth above it nothing more is made to wait: MQTT 5 hears 0x97, 3.1.1 is closed, QoS 0 is dropped")
    func overfull() {
        var stage = Self.stage(10_000)
        let slow = stage.client("slow")
        let (new, old) = (stage.client("n", .v5), stage.client("o"))
        stage.subscribe("t", from: slow)
        let text = String(repeating: "x", count: 12_000)
        stage.publish("t", text, qos: .atLeastOnce, id: 1, from: new)
        _ = (new.received(), old.received())
        let before = stage.core.memoryBytes
        stage.publish("t", text, qos: .atLeastOnce, id: 2, from: new)
        stage.publish("t", text, from: new)
        stage.publish("nobody", text, qos: .atLeastOnce, id: 3, from: new)
        #expect(new.received() == ["puback #2 151", "puback #3"])
        stage.publish("t", text, qos: .atLeastOnce, id: 2, from: old)
        #expect(old.received() == [] && old.connection.isClosing)
        let after = stage.core.memoryBytes
        #expect(after <= before + 100)
    }

    @Test("memory stays within 9/8 and one packet a subscriber, whatever is published", arguments: UInt64(0)..<20)
    func bound(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Self.stage(300_000)
        let senders = (0..<6).map { stage.client("s\($0)", $0 % 2 == 0 ? .v311 : .v5) }
        let readers = (0..<5).map { stage.client("r\($0)", session: $0 < 2 ? .resume : .clean) }
        for (index, reader) in readers.enumerated() {
            stage.subscribe("t", qos: index % 2 == 0 ? .atMostOnce : .atLeastOnce, from: reader)
        }
        var most = 0
        for round in 0..<600 {
            let qos = QoS(rawValue: UInt8(random.next() % 2)) ?? .atMostOnce
            let text = String(repeating: "x", count: Int(random.next() % 8000))
            let sender = senders[Int(random.next() % 6)]
            _ = stage.publishIfRead("t", text, qos: qos, from: sender)
            sender.connection.output = []
            if round % 7 == 0 { stage.readAll(readers[Int(random.next() % 5)]) }
            if round % 50 == 0 { stage.pass(seconds: 1) }
            most = max(most, stage.core.memoryBytes)
        }
        #expect(most < 300_000 * 9 / 8 + 5 * 2 * 8400)
        for reader in readers { stage.readAll(reader) }
        for sender in senders { stage.core.drained(sender.connection) }
        stage.settle()
        let left = stage.core.memoryBytes
        #expect(left == 0 && senders.allSatisfy { !$0.connection.mustWait })
    }
}

extension MemoryTests {
    @Test("what the disk is too slow for counts as well: retained messages of QoS 0 that are not on disk yet")
    func slowDisk() {
        var stage = Self.stage(100_000)
        let sender = stage.client("s")
        stage.commits = false
        let text = String(repeating: "x", count: 1000)
        var count = 0
        while !sender.connection.mustWait, count < 1000 {
            stage.publish("k", text, retain: .yes, from: sender)
            count += 1
        }
        #expect((70...100).contains(count))
        stage.commitAll()
        stage.settle()
        let left = stage.core.memoryBytes
        #expect(!sender.connection.mustWait && left < 100)
    }

    @Test("the filters of one client are bounded in bytes, and given back")
    func filters() {
        var limits = BrokerLimits()
        limits.filterBytesPerClient = 250
        var stage = Stage(limits: limits)
        let client = stage.client("c", .v5)
        let long = (0..<3).map { "\($0)" + String(repeating: "x", count: 99) }
        for filter in long + [long[0]] { stage.subscribe(filter, from: client) }
        stage.unsubscribe(long[1], from: client)
        stage.subscribe(long[2], from: client)
        let words = client.received().dropFirst()
        #expect(words == ["suback 1", "suback 1", "suback 151", "suback 1", "unsuback", "suback 1"])
    }

    @Test("a message that waits for many is counted once, whoever is done with it first; a dropped session gives back")
    func shared() {
        var stage = Self.stage(1 << 20)
        let readers = (0..<10).map { stage.client("r\($0)", session: $0 < 5 ? .resume : .clean) }
        let sender = stage.client("s")
        for reader in readers { stage.subscribe("t", from: reader) }
        for reader in readers { stage.breakLink(of: reader) }
        let before = stage.core.memoryBytes
        stage.commits = false
        stage.publish("t", String(repeating: "x", count: 10_000), qos: .atLeastOnce, id: 1, from: sender)
        let waiting = stage.core.memoryBytes - before
        #expect((10_000...12_000).contains(waiting), "for the queues of five sessions on disk")
        stage.commits = true
        stage.commitAll()
        let stored = stage.core.memoryBytes - before
        #expect(stored < 100)
        let back = stage.client("r0", session: .resume)
        _ = back.received()
        stage.core.drained(back.connection)
        let unacknowledged = stage.core.memoryBytes - before
        #expect((10_000...10_500).contains(unacknowledged))
        stage.acknowledge(1, from: back)
        let done = stage.core.memoryBytes - before
        #expect(done < 100)
    }
}

@Suite("How fast a client may send (--aws-limits)")
struct RateTests {
    /// What a client that always has more to send gets through in `seconds`, and how long it had to wait at most.
    private func flood(_ stage: inout Stage, _ client: Client, bytes: Int, seconds: Int) -> (count: Int, pause: Int64) {
        let text = String(repeating: "x", count: bytes)
        let end = stage.now + Int64(seconds) * 1000
        var (count, pause): (Int, Int64) = (0, 0)
        while stage.now < end {
            while stage.publishIfRead("t", text, qos: .atMostOnce, from: client) { count += 1 }
            let due = stage.core.deadline ?? .max
            #expect(due > stage.now && client.connection.mustWait)
            pause = max(pause, due - stage.now)
            stage.now = due
            stage.core.timeUp(now: due)
        }
        return (count, pause)
    }

    @Test("100 publications a second: more are read later, none is lost", arguments: [MQTTVersion.v311, .v5])
    func publications(version: MQTTVersion) {
        var stage = Stage(limits: .aws)
        let client = stage.client("c", version)
        let (count, pause) = flood(&stage, client, bytes: 10, seconds: 20)
        #expect((2000...2120).contains(count) && pause <= 110)
        let (published, throttled) = (stage.core.counters.published, stage.core.counters.throttled)
        #expect(published == count && throttled > 100)
        #expect(!client.connection.isClosing)
    }

    @Test("512 KiB a second", arguments: [MQTTVersion.v311, .v5])
    func bytes(version: MQTTVersion) {
        var stage = Stage(limits: .aws)
        let client = stage.client("c", version)
        let (count, pause) = flood(&stage, client, bytes: 128 << 10, seconds: 20)
        #expect((80...85).contains(count), "128 KiB each")
        #expect(pause <= 360)
    }

    @Test("one that keeps below never waits, and without --aws-limits nobody does")
    func calm() {
        for (limits, gap) in [(BrokerLimits.aws, 10), (BrokerLimits(), 0)] as [(BrokerLimits, Int64)] {
            var stage = Stage(limits: limits)
            let client = stage.client("c")
            for _ in 0..<3000 {
                stage.now += gap
                stage.publish("t", "x", from: client)
                #expect(!client.connection.mustWait)
            }
        }
    }

    @Test("a clock that is set back stops nobody for long")
    func clockBack() {
        var stage = Stage(limits: .aws)
        let client = stage.client("c")
        stage.now -= 3_600_000
        let (count, pause) = flood(&stage, client, bytes: 10, seconds: 5)
        #expect(count >= 500 && pause <= 110)
    }
}
