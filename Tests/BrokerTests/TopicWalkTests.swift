import ApusTestKit
import Broker
import ByteKit
import MQTTWire
import Testing

/// A tree of topics, each with its own name as value, that changes while somebody walks through it.
private struct Wood {
    var tree = TopicTree<String>()
    var topics: Set<String> = []

    mutating func put(_ topic: String) {
        let bytes = Array(topic.utf8)
        tree.update(bytes.span) { $0 = topic }
        topics.insert(topic)
    }

    mutating func remove(_ topic: String) {
        let bytes = Array(topic.utf8)
        tree.update(bytes.span) { $0 = nil }
        topics.remove(topic)
    }

    static func matches(_ filter: String, _ topic: String) -> Bool {
        let (a, b) = (Array(filter.utf8), Array(topic.utf8))
        return TopicFilter.matches(filter: a.span, topic: b.span)
    }
}

@Suite("Looking for topics in steps")
struct TopicWalkTests {
    private static func path(_ random: inout SeededRandom, wild: Bool, names: Int) -> String {
        var parts = (0..<Int.random(in: 1...4, using: &random)).map { level in
            if wild, Int.random(in: 0..<3, using: &random) == 0 { return "+" }
            if level == 0, Int.random(in: 0..<8, using: &random) == 0 { return "$s" }
            return "\(Int.random(in: 0..<names, using: &random))"
        }
        if wild, Int.random(in: 0..<3, using: &random) == 0 { parts[parts.count - 1] = "#" }
        return parts.joined(separator: "/")
    }

    @Test("what stands all the time is found once, whatever comes and goes at every step", arguments: UInt64(0)..<150)
    func changes(seed: UInt64) {
        var random = SeededRandom(seed)
        let names = [2, 4, 30][Int(seed % 3)]
        var wood = Wood()
        for _ in 0..<Int.random(in: 1...150, using: &random) {
            wood.put(Self.path(&random, wild: false, names: names))
        }
        let standing = wood.topics.filter { _ in Int.random(in: 0..<3, using: &random) > 0 }
        let filters = Array(Set((0..<8).map { _ in Self.path(&random, wild: true, names: names) }))
        var walk = TopicWalk(filters.map { Array($0.utf8) }, in: wood.tree)
        var found: [String: [String: Int]] = [:]
        while !walk.isDone {
            var steps = Int.random(in: 0...1, using: &random)
            if let (topic, filter) = walk.next(in: wood.tree, steps: &steps) {
                found[filters[filter], default: [:]][topic, default: 0] += 1
                #expect(wood.topics.contains(topic), "it is there at the moment")
            }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let topic = Self.path(&random, wild: false, names: names)
                if Bool.random(using: &random) {
                    wood.put(topic)
                } else if !standing.contains(topic) {
                    wood.remove(topic)
                }
            }
        }
        for filter in filters {
            let seen = found[filter] ?? [:]
            #expect(standing.allSatisfy { !Wood.matches(filter, $0) || seen[$0] == 1 }, "filter \(filter)")
            #expect(seen.allSatisfy { Wood.matches(filter, $0.key) && $0.value == 1 }, "filter \(filter)")
        }
    }

    @Test("wide levels empty and fill while a walk rests in them")
    func wideLevels() {
        var wood = Wood()
        for number in 0..<1000 { wood.put("a/\(number)") }
        var walk = TopicWalk([Array("a/+".utf8)], in: wood.tree)
        var steps = 500
        var found: [String] = []
        for _ in 0..<400 { if let next = walk.next(in: wood.tree, steps: &steps) { found.append(next.value) } }
        for number in 0..<1000 where !number.isMultiple(of: 10) { wood.remove("a/\(number)") }
        for number in 1000..<3000 { wood.put("a/\(number)") }
        steps = .max
        while let next = walk.next(in: wood.tree, steps: &steps) { found.append(next.value) }
        #expect(found.count == 400 + 60 && Set(found).count == found.count)
        let left = Set(found.compactMap { $0.split(separator: "/").last.flatMap { Int($0) } })
        #expect((0..<100).allSatisfy { left.contains($0 * 10) })
    }

    @Test("no more nodes are looked at than steps are given; filters that begin alike share them")
    func steps() {
        var wood = Wood()
        for number in 0..<2000 { wood.put("r/\(number / 100)/\(number % 100)/s") }
        var walk = TopicWalk((0..<500).map { Array("+/+/+/y\($0)".utf8) }, in: wood.tree)
        var rounds = 0
        while !walk.isDone {
            var steps = 100
            let found = walk.next(in: wood.tree, steps: &steps)
            #expect(found == nil && (steps == 0 || walk.isDone))
            rounds += 1
        }
        // 1 + 20 + 2000 nodes of the first three levels, and one look below each of the last.
        #expect((40...65).contains(rounds))
    }
}

@Suite("Looking for retained messages")
struct RetainedSearchTests {
    @Test("a feed that rests after each message gives all that stands once", arguments: UInt64(0)..<40)
    func interrupted(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        let sender = stage.client("s", .v5)
        let client = stage.client("c", .v5, properties: [PropertyID.receiveMaximum.rawValue, 0, 1])
        for number in 0..<40 {
            stage.publish("k/\(number)", "old", qos: .atLeastOnce, id: 1, retain: .yes, from: sender)
        }
        _ = (sender.received(), client.received())
        stage.subscribe("k/+", options: SubscriptionOptions(qos: .atLeastOnce), from: client)
        var fed: [Substring: Int] = [:]
        var words = client.received()
        while words.contains(where: { $0.hasPrefix("publish") }) {
            for word in words where word.hasPrefix("publish") {
                if word.contains(" retain") { fed[word.split(separator: " ")[1], default: 0] += 1 }
                if let id = word.split(separator: "#").last.flatMap({ UInt16($0) }) {
                    stage.acknowledge(id, from: client)
                }
            }
            if Bool.random(using: &random) {
                let (topic, text) = (Int.random(in: 20..<60, using: &random), Bool.random(using: &random) ? "new" : "")
                stage.publish("k/\(topic)", text, retain: .yes, from: sender)
                stage.publish("k/\(Int.random(in: 0..<20, using: &random))", "new", retain: .yes, from: sender)
            }
            words = client.received()
        }
        #expect((0..<20).allSatisfy { fed["k/\($0)"] == 1 }, "\(fed)")
        #expect(fed.values.allSatisfy { $0 == 1 })
    }

    @Test("a search is cut into turns, between which others are served")
    func turns() {
        var stage = Stage()
        for number in 0..<20_000 {
            stage.core.publish(kept: "r/\(number / 100)/\(number % 100)/s", now: stage.now)
        }
        stage.settle()
        let (client, other) = (stage.client("c", .v5), stage.client("o"))
        _ = (client.received(), other.received())
        // They share no levels but the first ones: each walks by itself.
        let filters = ["+/+/+/y", "r/+/+/y", "+/+/+/+/y", "r/+/+/+/y"]
        stage.request(filters, 1, id: 1, from: client)
        stage.request(["r/7/7/s"], 1, id: 1, from: other)
        #expect(client.received() == ["suback 1,1,1,1"])
        #expect(other.received() == ["suback 1", "publish r/7/7/s x 0 retain"], "no search takes a whole turn")
        var turns = 0
        while stage.core.mustSearch {
            stage.core.search(now: stage.now)
            stage.settle()
            turns += 1
        }
        #expect(turns >= 2 * 2 * 20_000 / BrokerCore.stepsPerTurn)
        #expect(client.received() == [] && !client.connection.hasMore)
    }

    @Test("who subscribes to the same again and again, or leaves, has nothing left behind")
    func again() {
        var stage = Stage()
        for number in 0..<5000 { stage.core.publish(kept: "r/\(number)", now: stage.now) }
        let (client, other) = (stage.client("c"), stage.client("o"))
        for _ in 0..<100 { stage.subscribe("r/+", qos: .atMostOnce, from: client) }
        stage.subscribe("r/+", from: other)
        stage.breakLink(of: other)
        var words = client.received()
        while stage.core.mustSearch {
            stage.core.search(now: stage.now)
            stage.settle()
            words += client.received()
        }
        let first = words.lastIndex { $0.hasPrefix("suback") } ?? 0
        let last = words[first...].filter { $0.hasPrefix("publish") }
        #expect(last.count == 5000 && Set(last).count == 5000)
    }
}

extension BrokerCore {
    /// A retained message `x` of the server.
    fileprivate mutating func publish(kept topic: String, now: Int64) {
        let message = ProgramMessage(topic: Array(topic.utf8), payload: Array("x".utf8), retain: true)
        _ = publish(message, as: .administrator, now: now)
    }
}
