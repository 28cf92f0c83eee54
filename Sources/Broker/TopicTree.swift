import ByteKit

/// A tree of topic levels: of filters, to be asked with a topic, or of topics, to be asked with filters (MQTT 4.7).
///
/// A level's name is looked up by a seeded hash of its bytes and then compared byte by byte; nothing is allocated while a
/// topic is matched. Recursion is as deep as the topic has levels, which `TopicPolicy.levelLimit` bounds. Filters are
/// matched by a `TopicWalk`.
package struct TopicTree<Value> {
    let root = TopicNode<Value>(name: [], hash: 0, serial: 0)
    private let seed = UInt64.random(in: .min ... .max)
    /// The serial of the newest node.
    private(set) var lastSerial: UInt64 = 0
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

    /// Visits every value.
    package func forEach(_ visit: (Value) -> Void) {
        forEach(root, visit)
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

    func child(of node: TopicNode<Value>, _ level: Span<UInt8>) -> TopicNode<Value>? {
        node.count == 0 ? nil : node.find(level, hash: hash(level))
    }

    private mutating func add(_ level: Span<UInt8>, to node: TopicNode<Value>) -> TopicNode<Value> {
        lastSerial += 1
        let made = TopicNode<Value>(name: level.copy(), hash: hash(level), serial: lastSerial)
        node.add(made)
        return made
    }

    private func find(_ path: Span<UInt8>) -> TopicNode<Value>? {
        var node = root
        var levels = TopicLevels(path, from: 0)
        while let level = levels.next(path) {
            guard let next = child(of: node, path.slice(level)) else { return nil }
            node = next
        }
        return node
    }

    private func prune(_ trail: [TopicNode<Value>]) {
        for index in trail.indices.dropFirst().reversed() {
            let node = trail[index]
            guard node.value == nil, node.count == 0 else { return }
            trail[index - 1].remove(node)
        }
    }

    private func matchFilters(
        _ node: TopicNode<Value>, _ topic: Span<UInt8>, _ levels: TopicLevels, wildcards: Bool, _ visit: (Value) -> Void
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

    /// Visits the values below `node`.
    private func forEach(_ node: TopicNode<Value>, _ visit: (Value) -> Void) {
        var place = TopicNode<Value>.Place()
        while let next = node.next(&place) {
            if let value = next.value { visit(value) }
            forEach(next, visit)
        }
    }
}
