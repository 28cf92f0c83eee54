import ApusTestKit
import Broker
import ByteKit
import MQTTWire
import Testing

private struct Access: CustomStringConvertible {
    var topic: String
    var publish: Bool
    var subscribe: Bool
    var description: String { topic }
}

private let device: [Access] = [
    Access(topic: "$aws/things/lamp/shadow/update", publish: true, subscribe: true),
    Access(topic: "$aws/things/lamp/shadow/get", publish: true, subscribe: true),
    Access(topic: "$aws/things/lamp/shadow/name/cfg/update", publish: true, subscribe: true),
    Access(topic: "$aws/things/lamp/shadow/update/delta", publish: false, subscribe: true),
    Access(topic: "$aws/things/lamp/shadow/update/accepted", publish: false, subscribe: true),
    Access(topic: "$aws/things/lamp/shadow/#", publish: false, subscribe: true),
    Access(topic: "$aws/things/lamp/+/get/+", publish: false, subscribe: true),
    Access(topic: "$aws/things/+/shadow/update/delta", publish: false, subscribe: false),
    Access(topic: "$aws/things/#", publish: false, subscribe: false),
    Access(topic: "$aws/#", publish: false, subscribe: false),
    Access(topic: "#", publish: false, subscribe: false),
    Access(topic: "+/+/+", publish: false, subscribe: false),
    Access(topic: "$aws/things/lamp", publish: false, subscribe: false),
    Access(topic: "$aws/things/lamp2/shadow/update", publish: false, subscribe: false),
    Access(topic: "$aws/things/other/shadow/get", publish: false, subscribe: false),
    Access(topic: "mia/things/lamp/logs", publish: true, subscribe: true),
    Access(topic: "+/things/lamp/logs", publish: false, subscribe: true),
    Access(topic: "mia/things/other/logs", publish: false, subscribe: false),
    Access(topic: "mia/things/+/logs", publish: false, subscribe: false),
    Access(topic: "anything", publish: false, subscribe: false),
]

@Suite("Topics and who may use them")
struct TopicTests {
    private let policy = TopicPolicy(denied: [Array("secret/+/x".utf8)])

    @Test("a device touches its own thing and nothing else", arguments: device)
    private func deviceRights(row: Access) {
        let topic = Array(row.topic.utf8)
        let lamp = Principal.device(thing: Array("lamp".utf8))
        let isName = TopicName.isValid(topic.span)
        let mayPublish = isName && policy.mayPublish(lamp, topic: topic.span)
        let maySubscribe = policy.maySubscribe(lamp, filter: topic.span)
        #expect(mayPublish == row.publish && maySubscribe == row.subscribe)
    }

    @Test(
        "answer topics are closed to every publisher",
        arguments: [
            "$aws/things/x/shadow/update/accepted", "$aws/things/x/shadow/get/rejected",
            "$aws/things/x/shadow/update/documents",
            "$aws/things/x/shadow/name/n/update/delta", "$aws/events/thing/x/created", "$SYS/broker/clients",
        ])
    func closed(topic: String) {
        let bytes = Array(topic.utf8)
        let mayPublish = policy.mayPublish(.administrator, topic: bytes.span)
        #expect(!mayPublish)
    }

    @Test(
        "a denied filter shuts whatever overlaps it",
        arguments: [
            ("secret/a/x", true), ("secret/#", true), ("+/a/x", true), ("#", true), ("secret/a/y", false),
            ("secret/a", false),
        ])
    func denied(filter: String, isDenied: Bool) {
        let bytes = Array(filter.utf8)
        let maySubscribe = policy.maySubscribe(.administrator, filter: bytes.span)
        #expect(maySubscribe == !isDenied)
    }

    @Test("the tree finds what the rules of 4.7 match, and only that", arguments: UInt64(0)..<100)
    func treeAgainstRules(seed: UInt64) {
        var random = SeededRandom(seed)
        let levels = ["a", "b", "", "$x", "+"]
        func path(wild: Bool) -> String {
            var parts = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                levels[Int.random(in: 0..<(wild ? 5 : 4), using: &random)]
            }
            if wild, Bool.random(using: &random) { parts.append("#") }
            return parts.joined(separator: "/")
        }
        let filters = Set((0..<30).map { _ in path(wild: true) }.filter { !$0.isEmpty })
        let topics = Set((0..<30).map { _ in path(wild: false) }.filter { !$0.isEmpty })
        var filterTree = TopicTree<String>()
        var topicTree = TopicTree<String>()
        for filter in filters { filterTree.put(filter) }
        for topic in topics { topicTree.put(topic) }
        func matches(_ filter: String, _ topic: String) -> Bool {
            let (a, b) = (Array(filter.utf8), Array(topic.utf8))
            return TopicFilter.matches(filter: a.span, topic: b.span)
        }
        for topic in topics {
            var found: Set<String> = []
            let bytes = Array(topic.utf8)
            filterTree.matchFilters(topic: bytes.span) { found.insert($0) }
            #expect(found == filters.filter { matches($0, topic) }, "topic \(topic)")
        }
        let together = Array(filters)
        let found = topicTree.found(by: together)
        for (number, filter) in together.enumerated() {
            let wanted = topics.filter { matches(filter, $0) }.sorted()
            #expect(found[number] == wanted, "filter \(filter) among others")
            let alone = topicTree.found(by: [filter])
            #expect(alone == [wanted], "filter \(filter)")
        }
        for filter in filters { filterTree.remove(filter) }
        #expect(filterTree.count == 0)
    }
}

extension TopicTree<String> {
    /// What each of the filters matches, sorted.
    fileprivate func found(by filters: [String]) -> [[String]] {
        var walk = TopicWalk(filters.map { Array($0.utf8) }, in: self)
        var (found, steps) = (filters.map { _ in [String]() }, Int.max)
        while let (value, filter) = walk.next(in: self, steps: &steps) { found[filter].append(value) }
        return found.map { $0.sorted() }
    }

    fileprivate mutating func put(_ path: String) {
        let bytes = Array(path.utf8)
        update(bytes.span) { $0 = path }
    }

    fileprivate mutating func remove(_ path: String) {
        let bytes = Array(path.utf8)
        update(bytes.span) { $0 = nil }
    }
}
