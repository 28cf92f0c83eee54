import ByteKit

/// A tree of topic levels: of filters, to be asked with a topic, or of topics, to be asked with a filter (MQTT 4.7).
///
/// A level's name is looked up by a seeded hash of its bytes and then compared byte by byte; nothing is allocated while
/// matching. Recursion is as deep as the topic has levels, which `TopicPolicy.levelLimit` bounds.
package struct TopicTree<Value> {
    private final class Node {
        let name: [UInt8]
        var children: [UInt64: [Node]] = [:]
        var value: Value?

        init(name: [UInt8]) {
            self.name = name
        }
    }

    private let root = Node(name: [])
    private let seed = UInt64.random(in: .min ... .max)
    /// Topics or filters that have a value.
    package private(set) var count = 0

    package init() {}

    /// The value at exactly these levels.
    package func value(at path: Span<UInt8>) -> Value? {
        find(path)?.value
    }

    /// Changes the value at exactly these levels; a value that becomes nil leaves no node behind.
    package mutating func update(_ path: Span<UInt8>, _ change: (inout Value?) -> Void) {
        var trail = [root]
        var node = root
        var levels = TopicLevels(path, from: 0)
        while let level = levels.next(path) {
            let next = child(of: node, path.slice(level)) ?? add(path.slice(level), to: node)
            trail.append(next)
            node = next
        }
        let had = node.value != nil
        change(&node.value)
        count += (node.value != nil ? 1 : 0) - (had ? 1 : 0)
        prune(trail)
    }

    /// Visits the values of all filters in the tree that match `topic`.
    ///
    /// A wildcard at the front does not match a topic that starts with `$` [MQTT-4.7.2-1].
    package func matchFilters(topic: Span<UInt8>, _ visit: (Value) -> Void) {
        let isReserved = !topic.isEmpty && topic[0] == UInt8(ascii: "$")
        matchFilters(root, topic, TopicLevels(topic, from: 0), wildcards: !isReserved, visit)
    }

    /// Visits the values of all topics in the tree that match `filter`.
    package func matchTopics(filter: Span<UInt8>, _ visit: (Value) -> Void) {
        matchTopics(root, filter, TopicLevels(filter, from: 0), isRoot: true, visit)
    }

    /// Visits every value.
    package func forEach(_ visit: (Value) -> Void) {
        forEach(root, isRoot: false, visit)
    }
}

private let hashSign: [UInt8] = [UInt8(ascii: "#")]
private let plusSign: [UInt8] = [UInt8(ascii: "+")]

extension TopicTree {
    private func hash(_ level: Span<UInt8>) -> UInt64 {
        var state = seed ^ 0xcbf2_9ce4_8422_2325
        for index in level.indices {
            state = (state ^ UInt64(level[index])) &* 0x0000_0100_0000_01b3
        }
        return state ^ (state >> 29)
    }

    private func child(of node: Node, _ level: Span<UInt8>) -> Node? {
        guard !node.children.isEmpty, let bucket = node.children[hash(level)] else { return nil }
        for node in bucket {
            let name = node.name
            if name.span.equals(level) { return node }
        }
        return nil
    }

    private func add(_ level: Span<UInt8>, to node: Node) -> Node {
        var name: [UInt8] = []
        name.append(level)
        let made = Node(name: name)
        node.children[hash(level), default: []].append(made)
        return made
    }

    private func find(_ path: Span<UInt8>) -> Node? {
        var node = root
        var levels = TopicLevels(path, from: 0)
        while let level = levels.next(path) {
            guard let next = child(of: node, path.slice(level)) else { return nil }
            node = next
        }
        return node
    }

    private func prune(_ trail: [Node]) {
        for index in trail.indices.dropFirst().reversed() {
            let node = trail[index]
            guard node.value == nil, node.children.isEmpty else { return }
            let parent = trail[index - 1]
            let name = node.name
            let key = hash(name.span)
            parent.children[key]?.removeAll { $0 === node }
            if parent.children[key]?.isEmpty == true {
                parent.children[key] = nil
            }
        }
    }

    private func matchFilters(
        _ node: Node, _ topic: Span<UInt8>, _ levels: TopicLevels, wildcards: Bool, _ visit: (Value) -> Void
    ) {
        if wildcards, let rest = child(of: node, hashSign.span), let value = rest.value {
            visit(value)
        }
        var levels = levels
        guard let level = levels.next(topic) else {
            if let value = node.value { visit(value) }
            return
        }
        if let exact = child(of: node, topic.slice(level)) {
            matchFilters(exact, topic, levels, wildcards: true, visit)
        }
        if wildcards, let single = child(of: node, plusSign.span) {
            matchFilters(single, topic, levels, wildcards: true, visit)
        }
    }

    private func matchTopics(
        _ node: Node, _ filter: Span<UInt8>, _ levels: TopicLevels, isRoot: Bool, _ visit: (Value) -> Void
    ) {
        var levels = levels
        guard let level = levels.next(filter) else {
            if let value = node.value { visit(value) }
            return
        }
        let name = filter.slice(level)
        if name.equals(hashSign.span) {
            if !isRoot, let value = node.value { visit(value) }
            forEach(node, isRoot: isRoot, visit)
        } else if name.equals(plusSign.span) {
            for next in node.children.values.joined() where !(isRoot && next.name.first == UInt8(ascii: "$")) {
                matchTopics(next, filter, levels, isRoot: false, visit)
            }
        } else if let next = child(of: node, name) {
            matchTopics(next, filter, levels, isRoot: false, visit)
        }
    }

    /// Visits the values below `node`, without its own.
    private func forEach(_ node: Node, isRoot: Bool, _ visit: (Value) -> Void) {
        for next in node.children.values.joined() where !(isRoot && next.name.first == UInt8(ascii: "$")) {
            if let value = next.value { visit(value) }
            forEach(next, isRoot: false, visit)
        }
    }
}
