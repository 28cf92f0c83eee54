//  Long queues of kept sessions: on disk, not in memory, and in order wherever they are.

import ApusTestKit
import Broker
import MQTTWire
import Testing

extension Stage {
    /// Publishes numbers from `range` to `topic`.
    fileprivate mutating func speak(_ range: ClosedRange<Int>, _ qos: QoS = .atLeastOnce, topic: String = "q") {
        for number in range { speak("\(number)", qos, topic: topic) }
    }

    /// Reads and acknowledges until nothing comes any more; answers what came and the most memory that it took.
    fileprivate mutating func readAll(_ client: Client) -> (words: [String], memory: Int) {
        var (all, memory): ([String], Int) = ([], 0)
        while true {
            memory = max(memory, core.memoryBytes)
            let words = client.received()
            core.drained(client.connection)
            guard !words.isEmpty else { return (all, memory) }
            all += words
            for word in words {
                guard let id = word.split(separator: "#").last.flatMap({ UInt16($0) }) else { continue }
                if word.hasPrefix("pubrel") {
                    answer(.pubcomp, id, from: client)
                } else if word.hasPrefix("publish") {
                    answer(word.contains(" 2 #") || word.contains(" 2 dup #") ? .pubrec : .puback, id, from: client)
                }
            }
            core.fill(client.connection, now: now)
            settle()
        }
    }
}

/// The numbers in `publish q NUMBER …`.
private func numbers(_ words: [String]) -> [Int] {
    words.filter { $0.hasPrefix("publish") }.compactMap { Int($0.split(separator: " ")[2]) }
}

@Suite("The tail of a kept session's queue is on disk")
struct QueueTailTests {
    private static func limits(head: Int = 256) -> BrokerLimits {
        var limits = BrokerLimits()
        (limits.headCount, limits.sendWindow) = (head, 20)
        return limits
    }

    @Test(
        "a client that is away costs no memory, and comes back to all of it in order",
        arguments: [QoS.atLeastOnce, .exactlyOnce])
    func away(qos: QoS) {
        var stage = Stage(limits: Self.limits())
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", qos: qos, from: device)
        stage.breakLink(of: device)
        stage.core.drained(device.connection)
        stage.speak(1...3000, qos)
        let idle = stage.core.memoryBytes
        #expect(idle == 0)
        let (words, memory) = stage.readAll(stage.client("d", session: .resume))
        #expect(numbers(words) == Array(1...3000))
        #expect(memory < 2 * 256 * 300)
        let (left, rows) = (stage.core.memoryBytes, stage.disk.sessions.values.map(\.queue.count))
        #expect(left == 0 && rows == [0])
    }

    @Test("a client that is there and slow has the head of its queue in memory, and what is new goes behind the tail")
    func slow() {
        var stage = Stage(limits: Self.limits(head: 10))
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        var (words, most): ([String], Int) = ([], 0)
        for round in 0..<100 {
            stage.speak((round * 10 + 1)...(round * 10 + 10))
            _ = stage.core.drained(device.connection)
            most = max(most, stage.core.memoryBytes)
            // Takes five where ten come.
            let new = device.received().filter { $0.hasPrefix("publish") }
            words += new
            for word in new.prefix(5) {
                if let id = word.split(separator: "#").last.flatMap({ UInt16($0) }) {
                    stage.acknowledge(id, from: device)
                }
            }
        }
        #expect(most < 50 * 300)
        for word in words {
            if let id = word.split(separator: "#").last.flatMap({ UInt16($0) }) { stage.acknowledge(id, from: device) }
        }
        words += stage.readAll(device).words
        #expect(numbers(words) == Array(1...1000) && !words.contains { $0.contains("dup") })
    }

    @Test("large messages count by their bytes")
    func large() {
        var stage = Stage(limits: Self.limits())
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        let text = String(repeating: "x", count: 100_000)
        for number in 1...40 { stage.speak("\(number) \(text)", .atLeastOnce, topic: "q") }
        let (words, memory) = stage.readAll(stage.client("d", session: .resume))
        #expect(numbers(words) == Array(1...40) && memory < 1_500_000)
    }

    @Test("a start takes nothing of the queues into memory; what may have been sent has DUP, the rest has not")
    func restart() {
        var stage = Stage(limits: Self.limits())
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        stage.speak(1...1000)
        stage.restart()
        let idle = stage.core.memoryBytes
        #expect(idle == 0)
        stage.speak(1001...1010)
        let (words, _) = stage.readAll(stage.client("d", session: .resume))
        #expect(numbers(words) == Array(1...1010))
        #expect(words.filter { $0.contains("dup") }.count == 20)
    }

    @Test("what was sent has DUP however often the client leaves, and nothing else has")
    func duplicates() {
        var stage = Stage(limits: Self.limits(head: 4))
        stage.subscribe("q", from: stage.client("d", session: .resume))
        stage.speak(1...100)
        let first = stage.client("d", session: .resume)
        #expect(numbers(first.received()) == Array(1...20))
        stage.acknowledge(1, from: first)
        stage.acknowledge(3, from: first)
        stage.breakLink(of: first)
        let words = stage.client("d", session: .resume).received().dropFirst()
        #expect(numbers(Array(words)) == [2] + Array(4...22))
        #expect(words.map { $0.contains("dup") } == (0..<20).map { $0 < 20 })
    }

    @Test("what was answered but is not off the disk yet does not come again")
    func unsettled() {
        var stage = Stage(limits: Self.limits())
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", qos: .exactlyOnce, from: device)
        stage.speak(1...3, .exactlyOnce)
        _ = device.received()
        stage.commits = false
        stage.answer(.pubrec, 2, from: device)
        stage.commitAll()
        _ = device.received()
        stage.answer(.pubcomp, 2, from: device)
        stage.breakLink(of: device)
        let back = stage.client("d", session: .resume)
        #expect(back.received() == ["connack 0 true"])
        stage.commitAll()
        #expect(back.received() == ["publish q 1 2 dup #1", "publish q 3 2 dup #3"])
    }

    @Test(
        "what expires on disk goes, in pages, and makes room; what was sent stays [MQTT5-4.4.0-1]",
        arguments: [false, true])
    func expiry(restarts: Bool) {
        var limits = Self.limits()
        limits.sessionQueueBytes = 500 * 202
        var stage = Stage(limits: limits)
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        let brief = ProgramMessage(topic: Array("q".utf8), payload: [120], qos: 1, expirySeconds: 10)
        for _ in 1...30 { _ = stage.core.publish(brief, as: .administrator, now: stage.now) }
        stage.settle()
        #expect(device.received().count == 22)
        stage.breakLink(of: device)
        var outcome = ProgramOutcome.invalid
        for _ in 1...480 { outcome = stage.core.publish(brief, as: .administrator, now: stage.now) }
        stage.settle()
        #expect(outcome == .full)
        if restarts { stage.restart() }
        stage.pass(seconds: 12)
        let rows = stage.disk.sessions.values.map(\.queue.count)
        #expect(rows == [20], "those that had been sent are sent again whatever their age")
        stage.speak(1...1)
        let words = stage.readAll(stage.client("d", session: .resume)).words
        // After a crash nobody knows that they were sent, only that they may have been.
        #expect(words.filter { $0.hasPrefix("publish") }.count == (restarts ? 1 : 21))
    }

    @Test("what was found to have expired is not counted twice while it is still on disk")
    func searchedTwice() {
        var stage = Stage(limits: Self.limits())
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        for seconds in [10, 20, 30] as [UInt32] {
            let brief = ProgramMessage(topic: Array("q".utf8), payload: [120], qos: 1, expirySeconds: seconds)
            _ = stage.core.publish(brief, as: .administrator, now: stage.now)
        }
        stage.speak(1...1)
        stage.settle()
        stage.commits = false
        for _ in 0..<4 { stage.pass(seconds: 11) }
        stage.commits = true
        stage.commitAll()
        stage.pass(seconds: 2)
        #expect(numbers(stage.readAll(stage.client("d", session: .resume)).words) == [1])
        let rows = stage.disk.sessions.values.map(\.queue.count)
        #expect(rows == [0])
    }

    @Test("rows that are not there are not waited for")
    func lost() {
        var stage = Stage(limits: Self.limits())
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        stage.speak(1...50)
        for key in stage.disk.sessions.keys { stage.disk.sessions[key]?.queue.removeAll { $0.sequence > 30 } }
        let back = stage.client("d", session: .resume)
        let words = stage.readAll(back).words
        #expect(numbers(words) == Array(1...30))
        stage.speak(51...51)
        #expect(numbers(back.received()) == [51])
    }

    @Test(
        "a member's queue on disk goes to the others of its group when its session ends, through any crash",
        arguments: UInt64(0)..<60)
    func estate(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage(limits: Self.limits(head: 1 + Int(random.next() % 5)))
        let qos = QoS(rawValue: UInt8(1 + seed % 2)) ?? .atLeastOnce
        let member = stage.client("m", session: .resume)
        stage.subscribe("$share/g/q", qos: qos, from: member)
        stage.subscribe("own", from: member)
        stage.breakLink(of: member)
        stage.speak(1...30, qos)
        stage.speak(1...5, topic: "own")
        stage.subscribe("$share/g/q", qos: qos, from: stage.client("o", session: .resume))
        stage.commits = false
        _ = stage.client("m", session: .clean)
        for _ in 0..<(random.next() % 8) where !stage.open.isEmpty { stage.commit(stage.open.removeFirst()) }
        let restarts = random.next() % 2 == 0
        if restarts { stage.restart() }
        stage.commits = true
        stage.commitAll()
        // The member's session may have come back with a crash before its end was on disk.
        _ = stage.client("m", session: .clean)
        let other = stage.client("o", session: .resume)
        let got = numbers(stage.readAll(other).words)
        // After a crash the first 20 may have been sent to the member: QoS 2 must go to nobody else then [MQTT5-4.8.2-5].
        let surely = qos == .exactlyOnce && restarts ? 21...30 : 1...30
        #expect(Set(got).isSuperset(of: surely) && Set(got).count == got.count && got.count <= 30)
        let rows = stage.disk.sessions.values.map(\.queue.count)
        #expect(rows.allSatisfy { $0 == 0 } && !stage.disk.sessions.keys.contains { $0.starts(with: Array("e/".utf8)) })
    }

    @Test("a QoS 2 message that a member was sent goes to nobody else when its session ends [MQTT5-4.8.2-5]")
    func sentToMember() {
        var stage = Stage(limits: Self.limits())
        let member = stage.client("m", session: .resume)
        stage.subscribe("$share/g/q", qos: .exactlyOnce, from: member)
        stage.speak(1...25, .exactlyOnce)
        #expect(numbers(member.received()) == Array(1...20), "the window")
        stage.breakLink(of: member)
        let other = stage.client("o", session: .resume)
        stage.subscribe("$share/g/q", qos: .exactlyOnce, from: other)
        _ = stage.client("m", session: .clean)
        #expect(numbers(stage.readAll(other).words) == Array(21...25))
    }
}
