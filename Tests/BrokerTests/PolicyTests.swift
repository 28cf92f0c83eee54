import ApusTestKit
import Broker
import ByteKit
import MQTTWire
import Testing

/// Topics and filters around the borders of what a device may touch.
private struct Paths {
    var random: SeededRandom
    private static let heads = [
        ["$aws", "things"], ["$aws"], ["x", "things"], ["things"], ["", "things"], ["$SYS"], [],
    ]
    private static let names = [
        "lamp", "lamp2", "lam", "other", "", "shadow", "logs", "update", "get", "name", "things",
    ]

    mutating func path(wild: Bool) -> [UInt8] {
        var levels = Self.heads.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            levels.append(Self.names.randomElement(using: &random) ?? "")
        }
        if wild {
            for index in levels.indices where Int.random(in: 0..<5, using: &random) == 0 { levels[index] = "+" }
            if Int.random(in: 0..<3, using: &random) == 0 { levels.append("#") }
        }
        let text = levels.joined(separator: "/")
        return Array((text.isEmpty ? "x" : text).utf8)
    }
}

@Suite("No filter reaches further than it may")
struct PolicyTests {
    private let lamp = Principal.device(thing: Array("lamp".utf8))

    private func isOwn(_ topic: [UInt8]) -> Bool {
        let levels = String(decoding: topic, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false)
        if levels.starts(with: ["$aws", "things", "lamp"]) { return true }
        return levels.count == 4 && levels[1...] == ["things", "lamp", "logs"] && topic.first != UInt8(ascii: "$")
    }

    @Test("what a device may subscribe to matches its own topics only", arguments: UInt64(0)..<200)
    func ownOnly(seed: UInt64) {
        var paths = Paths(random: SeededRandom(seed))
        let policy = TopicPolicy()
        for _ in 0..<50 {
            let filter = paths.path(wild: true)
            guard policy.maySubscribe(lamp, filter: filter.span) else { continue }
            for _ in 0..<50 {
                let topic = paths.path(wild: false)
                let isReached = TopicFilter.matches(filter: filter.span, topic: topic.span)
                #expect(!isReached || isOwn(topic), "\(String(decoding: filter + [32] + topic, as: UTF8.self))")
            }
        }
    }

    @Test("what a device may publish is a request to its own shadow or its own log", arguments: UInt64(0)..<100)
    func publishing(seed: UInt64) {
        var paths = Paths(random: SeededRandom(seed))
        let policy = TopicPolicy()
        for _ in 0..<200 {
            let topic = paths.path(wild: false)
            guard policy.mayPublish(lamp, topic: topic.span) else { continue }
            let levels = topic.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            let last = levels.last.map { String(decoding: $0, as: UTF8.self) } ?? ""
            #expect(isOwn(topic))
            #expect(["get", "update", "delete", "logs"].contains(last))
        }
    }

    @Test("no allowed filter shares a topic with a denied one", arguments: UInt64(0)..<200)
    func denied(seed: UInt64) {
        var paths = Paths(random: SeededRandom(seed))
        let closed = [paths.path(wild: true), paths.path(wild: true)]
        let policy = TopicPolicy(denied: closed)
        let filters = (0..<40).map { _ in paths.path(wild: true) }
        for _ in 0..<40 {
            let topic = paths.path(wild: false)
            func matches(_ filter: [UInt8]) -> Bool { TopicFilter.matches(filter: filter.span, topic: topic.span) }
            guard closed.contains(where: matches) else { continue }
            #expect({ !policy.mayPublish(.administrator, topic: topic.span) }())
            for filter in filters where matches(filter) {
                #expect({ !policy.maySubscribe(.administrator, filter: filter.span) }())
            }
        }
    }

    @Test("a topic has at most 256 levels, so that no walk through the trees is deeper", arguments: [256, 257, 32_000])
    func deepTopics(levels: Int) {
        var stage = Stage()
        let topic = String(repeating: "a/", count: levels - 1) + "b"
        let listener = stage.client("l", .v5)
        stage.subscribe(topic, qos: .atMostOnce, from: listener)
        stage.subscribe("#", qos: .atMostOnce, from: listener)
        let speaker = stage.client("s", will: (topic, "gone"))
        stage.publish(topic, "x", retain: .yes, from: speaker)
        stage.subscribe("a/#", qos: .atMostOnce, from: listener)
        stage.unsubscribe(topic, from: listener)
        let words = listener.received().map { $0.replacing(topic, with: "T") }
        if levels <= TopicPolicy.levelLimit {
            #expect(
                words == [
                    "connack 0 false", "suback 0", "suback 0", "publish T x 0", "suback 0", "publish T x 0 retain",
                    "unsuback",
                ])
        } else {
            #expect(words == ["connack 0 false", "suback 128", "suback 0", "suback 0", "unsuback"])
            #expect(speaker.connection.isClosing)
        }
    }
}
