import ApusTestKit
import Broker
import MQTTWire
import Testing

extension Stage {
    /// Lets a client read all that it can get; at most `limit` bytes are unwritten at any time.
    fileprivate mutating func read(_ client: Client, limit: Int = .max) -> [String] {
        var words: [String] = []
        repeat {
            #expect(client.connection.output.count <= limit)
            words += client.received()
            core.fill(client.connection, now: now)
            if core.mustSearch { core.search(now: now) }
            settle()
        } while !client.connection.output.isEmpty || core.mustSearch
        return words
    }

    fileprivate mutating func answerAll(_ client: Client, _ words: [String]) {
        for word in words {
            if let id = word.split(separator: "#").last.flatMap({ UInt16($0) }) { acknowledge(id, from: client) }
        }
    }
}

@Suite("Clients that read slowly or are away")
struct PressureTests {
    private static func limits(session: Int = .max, all: Int = .max) -> BrokerLimits {
        var limits = BrokerLimits()
        (limits.sessionQueueBytes, limits.queueBytes, limits.sessionShareBytes) = (session, all, 0)
        return limits
    }

    @Test(
        "a full session, or all of them together: the publisher is told that its message was not taken",
        arguments: [limits(session: 2000), limits(all: 2000)])
    func fullSession(limits: BrokerLimits) {
        var stage = Stage(limits: limits)
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        stage.breakLink(of: device)
        let (new, old) = (stage.client("n", .v5), stage.client("o"))
        for _ in 1...10 { stage.publish("q", "x", qos: .atLeastOnce, id: 1, from: new) }
        _ = (new.received(), old.received())
        stage.publish("q", "x", qos: .atLeastOnce, id: 2, from: new)
        stage.publish("q", "x", qos: .exactlyOnce, id: 3, from: new)
        #expect(new.received() == ["puback #2 151", "pubrec #3 151"])
        stage.steps = []
        stage.publish("q", "x", qos: .atLeastOnce, id: 2, from: old)
        #expect(old.received() == [] && old.connection.isClosing)
        let refusals = stage.steps.filter { if case .refused = $0 { true } else { false } }
        #expect(refusals.count == 1, "and it is logged")
        let back = stage.client("d", session: .resume)
        let words = back.received()
        #expect(words.count == 11)
        stage.answerAll(back, words)
        stage.publish("q", "y", qos: .atLeastOnce, id: 4, from: new)
        #expect(new.received() == ["puback #4"] && back.received().count == 1)
    }

    @Test("what a session holds is given back: acknowledged, dropped, after a restart")
    func accounting() {
        var stage = Stage(limits: Self.limits(all: 500))
        let sender = stage.client("s", .v5)
        for round in 0..<20 {
            let device = stage.client("d", session: .resume)
            stage.subscribe("q", from: device)
            stage.breakLink(of: device)
            for id in [1, 2] as [UInt16] { stage.publish("q", "x", qos: .atLeastOnce, id: id, from: sender) }
            if round.isMultiple(of: 2) {
                let back = stage.client("d", session: .resume)
                stage.answerAll(back, back.received())
                stage.breakLink(of: back)
            } else {
                _ = stage.client("d")
            }
        }
        let refused = sender.received().filter { $0.hasSuffix("151") }
        #expect(refused == [])
    }

    @Test("QoS 0 to a client that does not read is dropped and counted; the others get it")
    func slowAtMostOnce() {
        var stage = Stage()
        let (slow, quick, sender) = (stage.client("slow"), stage.client("quick"), stage.client("s"))
        for client in [slow, quick] { stage.subscribe("t", qos: .atMostOnce, from: client) }
        let text = String(repeating: "x", count: 100_000)
        var count = 0
        for _ in 0..<50 {
            stage.publish("t", text, from: sender)
            count += quick.received().filter { $0.hasPrefix("publish") }.count
        }
        let dropped = stage.core.counters.dropped
        #expect(count == 50 && dropped == 39 && !slow.connection.isClosing)
        #expect(slow.connection.output.count < 1_200_000)
    }

    @Test("large messages of QoS 1 wait for room in the connection, whatever the window, and stay in order")
    func largeMessages() {
        var stage = Stage()
        let (client, sender) = (stage.client("c"), stage.client("s"))
        stage.subscribe("t", from: client)
        let text = String(repeating: "x", count: 100_000)
        for number in 1...90 { stage.publish("t", "\(number) \(text)", qos: .atLeastOnce, id: 1, from: sender) }
        let words = stage.read(client, limit: (256 << 10) + 101_000)
        #expect(!client.connection.isClosing)
        #expect(words.dropFirst(2).map { $0.split(separator: " ")[2] } == (1...90).map { "\($0)" })
    }

    @Test(
        "answered in any order, with breaks: the window is kept, what was open comes again first, nothing is lost",
        arguments: [1, 7, 1000], UInt64(0)..<8)
    func anyOrder(window: Int, seed: UInt64) {
        var random = SeededRandom(seed)
        var limits = BrokerLimits()
        limits.sendWindow = window
        var stage = Stage(limits: limits)
        let sender = stage.client("s")
        var client = stage.client("c", session: .resume)
        stage.subscribe("t", from: client)
        for number in 0..<3000 { stage.publish("t", "\(number)", qos: .atLeastOnce, id: 1, from: sender) }
        var open: [String] = []
        var next = 0
        while next < 3000 || !open.isEmpty {
            let words = client.received().filter { $0.hasPrefix("publish") }
            let numbers = words.compactMap { Int($0.split(separator: " ")[2]) }
            #expect(numbers == Array(next..<(next + numbers.count)), "new ones come in order")
            next += numbers.count
            open += words
            #expect(open.count <= window)
            if random.next() % 8 == 0 {
                stage.core.closed(client.connection, now: stage.now)
                client = stage.client("c", session: .resume)
                stage.settle()
                let again = client.received().filter { $0.hasPrefix("publish") }.compactMap {
                    Int($0.split(separator: " ")[2])
                }
                let expected = open.compactMap { Int($0.split(separator: " ")[2]) }
                #expect(Array(again.prefix(expected.count)) == expected, "the open ones come again first, in order")
                next += again.count - expected.count
                open += again.dropFirst(expected.count).map { "publish t \($0) #\($0 + 1)" }
            }
            // Some of the open ones, in any order.
            let answered = open.shuffled(using: &random).prefix(1 + Int(random.next() % UInt64(max(1, open.count))))
            stage.answerAll(client, Array(answered))
            open.removeAll { answered.contains($0) }
        }
        #expect(next == 3000)
        #expect(client.received().allSatisfy { !$0.hasPrefix("publish") })
    }

    @Test("clients that never acknowledge are closed with 0x97, hundreds at once, and their wills leave")
    func manySlow() {
        var stage = Stage()
        let sender = stage.client("s")
        let slow = (0..<300).map { stage.client("slow\($0)", .v5, will: ("t", "gone")) }
        for client in slow { stage.subscribe("t", from: client) }
        let listener = stage.client("l")
        stage.subscribe("t", qos: .atMostOnce, from: listener)
        _ = listener.received()
        let text = String(repeating: "x", count: 120_000)
        for _ in 0..<560 { stage.publish("t", text, qos: .atLeastOnce, id: 1, from: sender) }
        let stillOpen = slow.filter { !$0.connection.isClosing }
        #expect(stillOpen.isEmpty && stage.core.counters.slowClosed == 300)
        #expect(slow.map { $0.received().last } == slow.map { _ in "disconnect 151" })
        listener.connection.output = []
        stage.publish("t", "well", from: sender)
        #expect(listener.received() == ["publish t well 0"])
    }

    @Test("there are as many sessions as there may be")
    func sessions() {
        var limits = BrokerLimits()
        limits.sessions = 2
        var stage = Stage(limits: limits)
        let first = stage.client("a", .v5)
        _ = stage.client("b", .v5, session: .resume)
        #expect(stage.client("c", .v5).received() == ["connack 151 false"])
        #expect(stage.client("b", .v5, session: .resume).received() == ["connack 0 false"], "its old one had ended")
        stage.breakLink(of: first)
        #expect(stage.client("c", .v5).received() == ["connack 0 false"])
    }

    @Test("a device has as many sessions as it may, whatever it calls itself")
    func sessionsOfDevice() {
        var stage = Stage()
        let lamp = Principal.device(thing: Array("lamp".utf8))
        for number in 0..<16 { stage.breakLink(of: stage.client("\(number)", session: .resume, as: lamp)) }
        #expect(stage.client("x", .v5, as: lamp).received() == ["connack 151 false"])
        #expect(stage.client("3", .v5, session: .resume, as: lamp).received() == ["connack 0 true"])
        #expect(stage.client("x", .v5, as: .device(thing: [1])).received() == ["connack 0 false"])
        stage.breakLink(of: stage.client("4", as: lamp))
        #expect(stage.client("x", .v5, as: lamp).received() == ["connack 0 false"])
    }

    @Test("a client holds as many subscriptions as it may, and can change each")
    func subscriptions() {
        var limits = BrokerLimits()
        limits.subscriptionsPerClient = 2
        var stage = Stage(limits: limits)
        let client = stage.client("c", .v5)
        for filter in ["a", "b", "c", "$share/s/a", "a"] { stage.subscribe(filter, from: client) }
        let codes = client.received().dropFirst()
        #expect(codes == ["suback 1", "suback 1", "suback 151", "suback 151", "suback 1"])
    }
}

@Suite("Filters of many levels")
struct DeepFilterTests {
    @Test("levels beyond the eighth count like bytes, so that few bytes cannot hold much memory; they are given back")
    func levels() {
        var limits = BrokerLimits()
        limits.filterBytesPerClient = 2000
        var stage = Stage(limits: limits)
        let client = stage.client("c", .v5)
        let deep = String(repeating: "/", count: 20)
        for filter in ["a" + deep, "b" + deep, "a/b/c/d/e/f/g/h"] { stage.subscribe(filter, from: client) }
        stage.unsubscribe("a" + deep, from: client)
        stage.subscribe("b" + deep, from: client)
        stage.subscribe("c" + deep, from: client)
        let words = client.received().dropFirst()
        #expect(words == ["suback 1", "suback 151", "suback 1", "unsuback", "suback 1", "suback 151"])
    }
}

@Suite("Many retained messages for a new subscription")
struct RetainedFeedTests {
    private func fill(_ stage: inout Stage, _ count: Int, _ qos: QoS, _ bytes: Int) {
        let sender = stage.client("s", .v5)
        let text = String(repeating: "x", count: bytes)
        for number in 0..<count {
            stage.publish("k/\(number)", text, qos: qos, id: qos == .atMostOnce ? 0 : 1, retain: .yes, from: sender)
        }
        _ = sender.received()
    }

    @Test("they are fed as the connection drains, each once, while others are served")
    func pieces() {
        var stage = Stage()
        fill(&stage, 5000, .atMostOnce, 1000)
        let (client, other) = (stage.client("c"), stage.client("o"))
        stage.subscribe("k/#", from: client)
        #expect(client.connection.output.count < 300_000 && client.connection.hasMore)
        stage.subscribe("k/17", from: other)
        #expect(other.received().count == 3, "another client is not held up")
        let words = stage.read(client, limit: 300_000)
        #expect(words.count == 5002 && Set(words).count == 5002)
        #expect(!client.connection.hasMore)
    }

    @Test("those of QoS 1 come within the window and outside of the queue's limit", arguments: [false, true])
    func window(isKept: Bool) {
        var limits = BrokerLimits()
        limits.sessionQueueBytes = 40_000
        limits.sendWindow = 100
        var stage = Stage(limits: limits)
        fill(&stage, 1000, .atLeastOnce, 300)
        let client = stage.client("c", session: isKept ? .resume : .clean)
        stage.subscribe("k/#", from: client)
        var seen: Set<Substring> = []
        var words = stage.read(client)
        while words.contains(where: { $0.hasPrefix("publish") }) {
            #expect(words.count <= 102)
            for word in words where word.hasPrefix("publish") { seen.insert(word.split(separator: " ")[1]) }
            stage.answerAll(client, words)
            words = stage.read(client)
        }
        #expect(seen.count == 1000)
    }

    @Test("what changed meanwhile is not overtaken by what was kept before")
    func newest() {
        var stage = Stage()
        fill(&stage, 1000, .atMostOnce, 10)
        let (client, sender) = (stage.client("c"), stage.client("n"))
        stage.subscribe("k/#", from: client)
        for number in 0..<1000 {
            stage.publish("k/\(number)", number.isMultiple(of: 2) ? "new" : "", retain: .yes, from: sender)
        }
        var last: [Substring: String] = [:]
        for word in stage.read(client) where word.hasPrefix("publish") {
            last[word.split(separator: " ")[1]] = word
        }
        #expect(last.count == 1000)
        for (topic, word) in last {
            let isEven = topic.split(separator: "/").last.flatMap { Int($0) }?.isMultiple(of: 2) == true
            #expect(word.hasPrefix(isEven ? "publish \(topic) new" : "publish \(topic)  0"))
        }
    }

    @Test("a subscription that ends is fed no more; one that is cut off begins again with the session")
    func cutOff() {
        var stage = Stage()
        fill(&stage, 1000, .atMostOnce, 1000)
        let client = stage.client("c", session: .resume)
        stage.subscribe("k/#", from: client)
        #expect(client.received().count < 300)
        stage.breakLink(of: client)
        let back = stage.client("c", session: .resume)
        let words = stage.read(back)
        #expect(words.count == 1001 && words.first == "connack 0 true")
        stage.subscribe("k/#", from: back)
        stage.send([0xA2, 7, 0, 2, 0, 3, 0x6B, 0x2F, 0x23], from: back)
        let rest = stage.read(back)
        #expect(rest.count < 300 && rest.last == "unsuback")
    }

    @Test("they are bounded: a publisher of more is told, what is there can be replaced and deleted")
    func bounded() {
        var limits = BrokerLimits()
        limits.retainedBytes = 450
        var stage = Stage(limits: limits)
        let client = stage.client("c", .v5)
        _ = client.received()
        for (topic, text) in [("a", "x"), ("b", "x"), ("c", "x"), ("a", "y"), ("a", ""), ("c", "z")] {
            stage.publish(topic, text, qos: .atLeastOnce, id: 1, retain: .yes, from: client)
        }
        #expect(client.received().map { $0.hasSuffix("151") } == [false, false, true, false, false, false])
    }
}
