package import ByteKit
import MQTTWire

/// Who a client is, proven by its credential; its rights follow from this and never from its client identifier.
package enum Principal: Hashable, Sendable {
    /// A device, by its certificate or token.
    case device(thing: [UInt8])
    /// An operator's token, or anybody with `--dev`.
    case administrator
}

/// What kind of place a topic is.
package enum TopicClass: Equatable, Sendable {
    /// A topic like any other.
    case ordinary
    /// A request to a shadow: the server answers it.
    case shadowRequest
    /// A request to the jobs service, or a topic under `…/jobs/` that is none: the server answers the one who asks.
    case jobRequest
    /// A line of a device's log; the thing's name stands at `thing`.
    case deviceLog(thing: ByteRange)
    /// A reserved topic that only the server publishes.
    case closed

    /// Tells what `topic` is (AWS IoT reserved topics; `PREFIX/things/THING/logs` with any one-level prefix).
    package static func of(_ topic: Span<UInt8>) -> TopicClass {
        guard !topic.isEmpty, topic[0] == UInt8(ascii: "$") else {
            return deviceLog(topic)
        }
        guard topic.starts(with: "$aws/things/") else { return .closed }
        if isShadowRequest(topic) { return .shadowRequest }
        return isJobRequest(topic) ? .jobRequest : .closed
    }

    /// Everything under `$aws/things/THING/jobs/` on which the server does not speak itself.
    private static func isJobRequest(_ topic: Span<UInt8>) -> Bool {
        var levels = TopicLevels(topic, from: 12)
        guard let thing = levels.next(topic), !thing.isEmpty, let jobs = levels.next(topic),
            topic.slice(jobs).equals("jobs"), let first = levels.next(topic)
        else { return false }
        var last = first
        while let level = levels.next(topic) {
            last = level
        }
        if last == first, topic.slice(last).starts(with: "notify") { return false }
        return !topic.slice(last).equals("accepted") && !topic.slice(last).equals("rejected")
    }

    private static func isShadowRequest(_ topic: Span<UInt8>) -> Bool {
        var levels = TopicLevels(topic, from: 12)
        guard let thing = levels.next(topic), !thing.isEmpty, let shadow = levels.next(topic),
            topic.slice(shadow).equals("shadow"), var word = levels.next(topic)
        else { return false }
        if topic.slice(word).equals("name") {
            guard let name = levels.next(topic), !name.isEmpty, let verb = levels.next(topic) else { return false }
            word = verb
        }
        let verb = topic.slice(word)
        return levels.next(topic) == nil && (verb.equals("get") || verb.equals("update") || verb.equals("delete"))
    }

    private static func deviceLog(_ topic: Span<UInt8>) -> TopicClass {
        var levels = TopicLevels(topic, from: 0)
        guard levels.next(topic) != nil, let things = levels.next(topic), topic.slice(things).equals("things"),
            let thing = levels.next(topic), !thing.isEmpty, let logs = levels.next(topic),
            topic.slice(logs).equals("logs"),
            levels.next(topic) == nil
        else { return .ordinary }
        return .deviceLog(thing: thing)
    }
}

/// The access rules: who may publish and subscribe where.
///
/// A device touches the requests and answers of its own thing and its own log, and nothing else; an administrator
/// everything except that the server's answer topics are closed to every publisher.
package struct TopicPolicy: Sendable {
    /// Levels that a topic or filter may have (AWS IoT: 8): the trees are walked recursively, one call a level.
    package static let levelLimit = 256

    /// Filters where nobody may publish or subscribe (`--deny`).
    private let denied: [[UInt8]]

    /// Rules with these filters closed to everyone.
    package init(denied: [[UInt8]] = []) {
        self.denied = denied
    }

    /// Whether `principal` may publish to `topic`.
    package func mayPublish(_ principal: Principal, topic: Span<UInt8>) -> Bool {
        guard !isTooDeep(topic), !isDenied(topic) else { return false }
        let kind = TopicClass.of(topic)
        guard kind != .closed else { return false }
        switch principal {
        case .administrator:
            return true
        case .device(let thing):
            switch kind {
            case .shadowRequest, .jobRequest: return belongs(topic, to: thing)
            case .deviceLog(let name): return topic.slice(name).equals(thing.span)
            case .ordinary, .closed: return false
            }
        }
    }

    /// Whether `principal` may subscribe to `filter`, wildcards included.
    package func maySubscribe(_ principal: Principal, filter: Span<UInt8>) -> Bool {
        guard !isTooDeep(filter), !isDenied(filter) else { return false }
        switch principal {
        case .administrator:
            return true
        case .device(let thing):
            if belongs(filter, to: thing) { return true }
            guard case .deviceLog(let name) = TopicClass.of(filter) else { return false }
            return filter.slice(name).equals(thing.span)
        }
    }

    /// Whether the topic or filter lies under `$aws/things/THING/`.
    private func belongs(_ topic: Span<UInt8>, to thing: [UInt8]) -> Bool {
        guard topic.starts(with: "$aws/things/"), topic.count > 12 + thing.count else { return false }
        return topic.slice(ByteRange(start: 12, count: thing.count)).equals(thing.span)
            && topic[12 + thing.count] == UInt8(ascii: "/")
    }

    private func isTooDeep(_ topic: Span<UInt8>) -> Bool {
        var levels = 1
        for index in topic.indices where topic[index] == UInt8(ascii: "/") {
            levels += 1
        }
        return levels > Self.levelLimit
    }

    private func isDenied(_ topic: Span<UInt8>) -> Bool {
        denied.contains { TopicFilter.overlaps($0.span, topic) }
    }
}

/// Walks the levels of a topic from a byte offset on.
struct TopicLevels {
    private var start: Int?

    init(_ topic: Span<UInt8>, from start: Int) {
        self.start = start
    }

    mutating func next(_ topic: Span<UInt8>) -> ByteRange? {
        guard let start else { return nil }
        var end = start
        while end < topic.count, topic[end] != UInt8(ascii: "/") {
            end += 1
        }
        self.start = end < topic.count ? end + 1 : nil
        return ByteRange(start: start, count: end - start)
    }
}

extension TopicFilter {
    /// Whether some topic matches both filters; a topic counts as a filter without wildcards.
    static func overlaps(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        var lefts = TopicLevels(left, from: 0)
        var rights = TopicLevels(right, from: 0)
        while true {
            let l = lefts.next(left)
            let r = rights.next(right)
            if let l, left.slice(l).equals("#") { return true }
            if let r, right.slice(r).equals("#") { return true }
            guard let l, let r else { return l == nil && r == nil }
            let a = left.slice(l)
            let b = right.slice(r)
            guard a.equals("+") || b.equals("+") || a.equals(b) else { return false }
        }
    }
}
