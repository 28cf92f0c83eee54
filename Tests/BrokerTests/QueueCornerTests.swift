//  Where the queue of a kept session is partly on disk and partly in memory: what is easily lost, repeated or forgotten.

import ApusTestKit
import Broker
import MQTTWire
import Testing

extension Stage {
    fileprivate mutating func speak(_ range: ClosedRange<Int>, _ qos: QoS = .atLeastOnce) {
        for number in range { speak("\(number)", qos, topic: "q") }
    }

    /// Publishes a text that expires.
    fileprivate mutating func mention(_ text: String, seconds: Int64, _ qos: QoS = .atLeastOnce) {
        core.publish(
            topic: Array("q".utf8), payload: Array(text.utf8), qos: qos, expires: now + seconds * 1000, now: now)
        settle()
    }

    /// A client of MQTT 5 with a kept session that takes `window` messages at once.
    fileprivate mutating func keeper(_ name: String, window: UInt16 = 100) -> Client {
        var properties = block((.sessionExpiryInterval, 600))
        Property.append(.receiveMaximum, u16: window, to: &properties)
        return client(name, .v5, session: .resume, properties: properties)
    }

    /// Acknowledges all that has come with QoS 1; answers it.
    fileprivate mutating func takeAll(_ client: Client) -> [String] {
        var all: [String] = []
        while true {
            let words = client.received().filter { $0.hasPrefix("publish") }
            core.drained(client.connection)
            guard !words.isEmpty else { return all }
            all += words
            for word in words { acknowledge(UInt16(word.split(separator: "#")[1]) ?? 0, from: client) }
            core.fill(client.connection, now: now)
            settle()
        }
    }

    fileprivate var rows: Int { disk.sessions.values.reduce(0) { $0 + $1.queue.count } }
}

@Suite("Between the head of a queue and its tail")
struct QueueCornerTests {
    private static func limits(head: Int = 256, window: Int = 20) -> BrokerLimits {
        var limits = BrokerLimits()
        (limits.headCount, limits.sendWindow) = (head, window)
        return limits
    }

    @Test(
        "once the whole queue is in memory nothing of it is looked for on disk: what was sent stays [MQTT5-4.4.0-1]",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func searchWithoutTail(qos: QoS) {
        var stage = Stage(limits: Self.limits())
        let first = stage.keeper("d")
        stage.subscribe("q", qos: qos, from: first)
        stage.breakLink(of: first)
        stage.mention("1", seconds: 10)
        let second = stage.keeper("d")
        _ = stage.takeAll(second)
        stage.mention("2", seconds: 2, qos)
        #expect(second.received().count == 1)
        for _ in 0..<3 { stage.pass(seconds: 5) }
        #expect(stage.rows == 1)
        stage.breakLink(of: second)
        let third = stage.keeper("d")
        #expect(third.received() == ["connack 0 true", "publish q 2 \(qos.rawValue) dup #2"])
    }

    @Test("what is in memory is not looked for on disk while there is a tail either")
    func searchBehindHead() {
        var stage = Stage(limits: Self.limits(head: 2, window: 1))
        let first = stage.keeper("d")
        stage.subscribe("q", from: first)
        stage.breakLink(of: first)
        for second in [5, 100, 100, 4, 100] as [Int64] { stage.mention("\(second)", seconds: second) }
        let second = stage.keeper("d")
        #expect(second.received() == ["connack 0 true", "publish q 5 1 #1"])
        for _ in 0..<3 { stage.pass(seconds: 4) }
        #expect(stage.rows == 4)
        stage.acknowledge(1, from: second)
        #expect(stage.takeAll(second).count == 3 && stage.rows == 0)
    }

    @Test("each message on disk goes when its own time has come, also where a search was cut short by its client")
    func searchCutShort() {
        var stage = Stage(limits: Self.limits())
        let first = stage.keeper("d")
        stage.subscribe("q", from: first)
        stage.breakLink(of: first)
        for second in [100, 10, 30, 200] as [Int64] { stage.mention("\(second)", seconds: second) }
        stage.pass(seconds: 12)
        #expect(stage.rows == 3)
        let due = stage.core.deadline ?? 0
        #expect(due == 1_030_001, "not looked at before the next one expires")
        stage.reads = false
        stage.pass(seconds: 20)
        #expect(stage.openReads.count == 1)
        stage.pass(seconds: 2)
        #expect(stage.openReads.count == 1, "not looked for twice")
        let second = stage.keeper("d")
        stage.breakLink(of: second)
        stage.answerReads()
        #expect(stage.rows == 3)
        stage.reads = true
        stage.pass(seconds: 2)
        #expect(stage.rows == 2)
    }

    @Test("what is read into memory expires there")
    func readAndExpired() {
        var stage = Stage(limits: Self.limits(window: 1))
        let first = stage.keeper("d")
        stage.subscribe("q", from: first)
        stage.breakLink(of: first)
        for second in [100, 10, 20] as [Int64] { stage.mention("\(second)", seconds: second) }
        _ = stage.keeper("d")
        stage.pass(seconds: 12)
        #expect(stage.rows == 2)
        stage.pass(seconds: 12)
        #expect(stage.rows == 1)
    }

    @Test("an estate is not read before it is on disk, however late the disk is")
    func lateEstate() {
        var stage = Stage(limits: Self.limits())
        let member = stage.client("m", session: .resume)
        stage.subscribe("$share/g/q", from: member)
        stage.breakLink(of: member)
        stage.speak(1...5)
        let other = stage.client("o")
        stage.subscribe("$share/g/q", from: other)
        _ = other.received()
        stage.commits = false
        // A commit is under way when the session ends.
        stage.subscribe("x", from: stage.client("k", session: .resume))
        _ = stage.client("m", session: .clean)
        stage.commitAll()
        #expect(stage.takeAll(other).map { $0.prefix(11) } == (1...5).map { "publish q \($0)" })
    }

    @Test("a queue that has been read to its end is not looked at every second")
    func restsWithoutTail() {
        var stage = Stage(limits: Self.limits())
        let first = stage.keeper("d")
        stage.subscribe("q", from: first)
        stage.breakLink(of: first)
        stage.mention("1", seconds: 10)
        _ = stage.takeAll(stage.keeper("d"))
        stage.pass(seconds: 12)
        let due = stage.core.deadline
        #expect(due.map { $0 > stage.now + 10_000 } ?? true)
    }

    @Test("a queue is looked at for what has expired once a second, however many messages expire when")
    func looks() {
        var stage = Stage(limits: Self.limits(head: 4))
        let device = stage.keeper("d", window: 1)
        stage.subscribe("q", from: device)
        for second in 1...60 { stage.mention("\(second)", seconds: Int64(second)) }
        for _ in 0..<1000 { stage.mention("x", seconds: 3600) }
        var most = 0
        for _ in 0..<50 {
            stage.pass(seconds: 1)
            var looks = 0
            while let due = stage.core.deadline, due <= stage.now + 999 {
                stage.core.timeUp(now: due)
                stage.settle()
                looks += 1
            }
            most = max(most, looks)
        }
        #expect(most < 5)
        let left = stage.rows
        // The first was sent; of the others those of the last ten seconds are left, and perhaps what was just found.
        #expect((1010...1013).contains(left))
    }

    @Test("what expired in memory and is still on disk takes no place among those that may have been sent")
    func expiredAmongSent() {
        var stage = Stage(limits: Self.limits(window: 2))
        let device = stage.keeper("d", window: 1)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        stage.speak(1...1)
        stage.mention("2", seconds: 1)
        stage.speak(3...3, .exactlyOnce)
        _ = device.received()
        stage.commits = false
        stage.pass(seconds: 3)
        stage.acknowledge(1, from: device)
        let sent = device.received()
        stage.restart()
        stage.commits = true
        let back = stage.keeper("d", window: 10)
        let again = back.received().filter { $0.hasPrefix("publish q 3") }
        #expect(again == (sent.isEmpty ? ["publish q 3 2 #3"] : ["publish q 3 2 dup #3"]))
    }

    @Test("what expires in memory holds nothing up for longer than its commit")
    func expiredInWindow() {
        var stage = Stage(limits: Self.limits(window: 2))
        let device = stage.keeper("d", window: 1)
        stage.subscribe("q", from: device)
        stage.speak(1...1)
        for _ in 0..<5 { stage.mention("x", seconds: 1) }
        stage.speak(2...3)
        stage.commits = false
        stage.pass(seconds: 3)
        stage.commits = true
        stage.commitAll()
        #expect(stage.takeAll(device).map { $0.prefix(11) } == ["publish q 1", "publish q 2", "publish q 3"])
        #expect(stage.rows == 0)
    }

    @Test("what came by a group goes to the others also where the member has left the group before its session ends")
    func leftGroup() {
        var stage = Stage(limits: Self.limits())
        let member = stage.client("m", session: .resume)
        stage.subscribe("$share/g/q", from: member)
        stage.breakLink(of: member)
        stage.speak(1...5)
        let other = stage.client("o")
        stage.subscribe("$share/g/q", from: other)
        stage.unsubscribe("$share/g/q", from: stage.client("m", session: .resume))
        _ = other.received()
        stage.breakLink(of: stage.client("m", session: .clean))
        #expect(stage.takeAll(other).map { $0.prefix(11) } == (1...5).map { "publish q \($0)" })
        #expect(!stage.disk.sessions.keys.contains { $0.starts(with: Array("e/".utf8)) })
    }

    @Test("PUBREC for what was sent on an earlier connection and is not read again yet ends nothing [MQTT5-4.3.3-4]")
    func earlyReceived() {
        var stage = Stage(limits: Self.limits())
        let first = stage.keeper("d")
        stage.subscribe("q", qos: .exactlyOnce, from: first)
        stage.speak(1...2, .exactlyOnce)
        stage.breakLink(of: first)
        stage.reads = false
        let back = stage.keeper("d")
        _ = back.received()
        stage.answer(.pubrec, 1, from: back)
        #expect(back.received() == [], "PUBREL would have the client take the repetition for a new message")
        stage.answer(.pubrec, 3, from: back)
        #expect(back.received() == ["pubrel #3 146"], "was never sent")
        stage.answerRead()
        #expect(back.received() == ["publish q 1 2 dup #1", "publish q 2 2 dup #2"])
        stage.answer(.pubrec, 1, from: back)
        #expect(back.received() == ["pubrel #1"])
    }

    @Test("a start takes no fewer for sent than a server without --aws-limits would have sent")
    func otherLimits() {
        var limits = BrokerLimits()
        limits.sendWindow = 2000
        #expect(BrokerLimits.aws.restoredWindow == BrokerLimits().sendWindow && limits.restoredWindow == 2000)
    }

    @Test("the same where the window has no room for it yet")
    func earlyInWindow() {
        var stage = Stage(limits: Self.limits())
        let first = stage.keeper("d")
        stage.subscribe("q", qos: .exactlyOnce, from: first)
        stage.speak(1...2, .exactlyOnce)
        stage.breakLink(of: first)
        let back = stage.keeper("d", window: 1)
        _ = back.received()
        stage.answer(.pubrec, 2, from: back)
        #expect(back.received() == [])
    }
}

@Suite("Memory of queues that are read")
struct QueueMemoryTests {
    private static let text = String(repeating: "x", count: 1000)

    private static func stage(_ bytes: Int) -> Stage {
        var limits = BrokerLimits()
        limits.memoryBytes = bytes
        return Stage(limits: limits)
    }

    @Test(
        "a crowd that comes back to long queues fits in, though nobody publishes; and all get all",
        arguments: [true, false])
    func crowd(readsAtOnce: Bool) {
        var stage = Self.stage(500_000)
        let names = (0..<100).map { "d\($0)" }
        for name in names {
            let device = stage.keeper(name)
            stage.subscribe("q", from: device)
            stage.breakLink(of: device)
        }
        for number in 0..<50 { stage.speak("\(number) " + Self.text, .atLeastOnce, topic: "q") }
        stage.reads = readsAtOnce
        // Each alone could have 60 KB in memory.
        let devices = names.map { stage.keeper($0, window: 1) }
        stage.answerReads()
        let memory = stage.core.memoryBytes
        #expect(memory < 500_000 * 9 / 8 + 100 * 2 * 1400)
        stage.reads = true
        let words = devices.map { stage.takeAll($0).map { $0.split(separator: " ")[2] } }
        #expect(words.allSatisfy { $0 == (0..<50).map { "\($0)" } })
        let left = (stage.core.memoryBytes, stage.rows)
        #expect(left == (0, 0))
    }

    @Test(
        "a long queue that goes to another member comes as there is memory, and as the disk takes it",
        arguments: [true, false])
    func estate(isSlowDisk: Bool) {
        var stage = Self.stage(100_000)
        let member = stage.client("m", session: .resume)
        stage.subscribe("$share/g/q", from: member)
        stage.breakLink(of: member)
        for number in 0..<1500 { stage.speak("\(number) " + Self.text, .atLeastOnce, topic: "q") }
        let other = isSlowDisk ? stage.client("o", session: .resume) : stage.client("o")
        stage.subscribe("$share/g/q", from: other)
        if isSlowDisk { stage.breakLink(of: other) }
        stage.commits = !isSlowDisk
        _ = stage.client("m", session: .clean)
        if isSlowDisk { for _ in 0..<3 where !stage.open.isEmpty { stage.commit(stage.open.removeFirst()) } }
        let memory = stage.core.memoryBytes
        // A page is 256 KiB.
        #expect(memory < 100_000 + 2 * (256 << 10) + 256 * 300)
        (stage.commits, stage.reads) = (true, true)
        stage.commitAll()
        let reader = isSlowDisk ? stage.client("o", session: .resume) : other
        var words: [Substring] = []
        for _ in 0..<20 {
            words += stage.takeAll(reader).map { $0.split(separator: " ")[2] }
            stage.pass(seconds: 1)
        }
        #expect(words == (0..<1500).map { "\($0)" })
        #expect(stage.rows == 0)
    }
}
