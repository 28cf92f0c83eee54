import ApusTestKit
import Broker
import MQTTWire
import Testing

extension Stage {
    /// Publishes and tells which of the clients get it, in the order of delivery.
    fileprivate mutating func recipients(of topic: String, among clients: [Client]) -> [Int] {
        core.publish(topic: Array(topic.utf8), payload: [1], qos: .atMostOnce, now: now)
        _ = core.takeSteps()
        let touched = core.takeDirty()
        for client in clients { _ = client.received() }
        return touched.compactMap { one in clients.firstIndex { $0.connection === one } }
    }
}

@Suite("Many subscribers of one filter")
struct RosterTests {
    @Test("they get a message in the order in which they came, whoever left", arguments: UInt64(0)..<30)
    func order(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        let clients = (0..<40).map { stage.client("\($0)") }
        var model: [Int] = []
        for round in 0..<300 {
            let (number, joins) = (Int.random(in: 0..<40, using: &random), Int.random(in: 0..<5, using: &random))
            // Fewer and more of them, by turns.
            if joins < (round / 75 % 2 == 0 ? 4 : 1) {
                stage.subscribe("a", qos: .atMostOnce, from: clients[number])
                if !model.contains(number) { model.append(number) }
            } else {
                stage.unsubscribe("a", from: clients[number])
                model.removeAll { $0 == number }
            }
            guard round.isMultiple(of: 7) else { continue }
            let found = stage.recipients(of: "a", among: clients)
            #expect(found == model)
        }
    }

    @Test("a group's turn goes on from member to member, whoever comes and leaves", arguments: UInt64(0)..<30)
    func turns(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        let clients = (0..<40).map { stage.client("\($0)") }
        var (model, turn): ([Int], Int) = ([], 0)
        for round in 0..<400 {
            let (number, joins) = (Int.random(in: 0..<40, using: &random), Int.random(in: 0..<5, using: &random))
            if joins < (round / 100 % 2 == 0 ? 4 : 1) {
                stage.subscribe("$share/g/a", qos: .atMostOnce, from: clients[number])
                if model.isEmpty { turn = 0 }
                if !model.contains(number) { model.append(number) }
            } else {
                stage.unsubscribe("$share/g/a", from: clients[number])
                if let place = model.firstIndex(of: number) {
                    model.remove(at: place)
                    if turn > place { turn -= 1 }
                }
            }
            guard !model.isEmpty else { continue }
            let found = stage.recipients(of: "a", among: clients)
            #expect(found == [model[turn % model.count]])
            turn = (turn % model.count + 1) % model.count
        }
    }

    @Test("after any change of subscriptions a message goes to whom it matches", arguments: UInt64(0)..<20)
    func audiences(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        let clients = (0..<6).map { stage.client("\($0)") }
        let (filters, topics) = (["a", "b", "a/b", "a/+", "+", "#", "a/#", "$s/+"], ["a", "b", "a/b", "c", "$s/x"])
        var model = clients.map { _ in Set<String>() }
        for _ in 0..<300 {
            let (number, filter) = (Int.random(in: 0..<6, using: &random), filters.randomElement(using: &random) ?? "a")
            if model[number].remove(filter) != nil {
                stage.unsubscribe(filter, from: clients[number])
            } else {
                stage.subscribe(filter, qos: .atMostOnce, from: clients[number])
                model[number].insert(filter)
            }
            for topic in topics where Int.random(in: 0..<3, using: &random) > 0 {
                let found = Set(stage.recipients(of: topic, among: clients))
                let wanted = model.indices.filter { number in
                    model[number].contains { filter in
                        let (a, b) = (Array(filter.utf8), Array(topic.utf8))
                        return TopicFilter.matches(filter: a.span, topic: b.span)
                    }
                }
                #expect(found == Set(wanted), "topic \(topic)")
            }
        }
    }

    @Test("many groups of one filter come and go, each gets its copy")
    func groups() {
        var stage = Stage()
        let client = stage.client("c")
        for name in 0..<20 { stage.subscribe("$share/\(name)/a", qos: .atMostOnce, from: client) }
        for name in [0, 19, 7, 7, 3] { stage.unsubscribe("$share/\(name)/a", from: client) }
        _ = client.received()
        stage.speak("x", .atMostOnce)
        #expect(client.received() == Array(repeating: "publish a x 0", count: 16))
        for name in 0..<20 { stage.unsubscribe("$share/\(name)/a", from: client) }
        _ = client.received()
        stage.speak("x", .atMostOnce)
        #expect(client.received() == [])
    }
}
