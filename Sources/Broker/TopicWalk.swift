import ByteKit

/// A walk through a tree of topics that finds those that match any of several filters, step by step.
///
/// It may rest between two steps, for as long as it likes and however the tree changes: what stands in the tree all the
/// time is found exactly once for each filter that matches it, what came later is not. Filters that begin alike are walked
/// together: 500 filters that differ in their fourth level cost one walk. A wildcard at the front does not match a topic
/// that starts with `$` [MQTT-4.7.2-1].
package struct TopicWalk<Value> {
    private typealias Node = TopicNode<Value>

    /// What is still to be done below a node: the deepest last.
    private var frames: [Frame] = []
    /// Found and not yet told: a topic's node and the number of the filter that it matches.
    private var found: [(node: Node, filter: Int)] = []
    private var patterns = Patterns()
    /// The newest node that counts.
    private let newest: UInt64

    private struct Frame {
        let node: Node
        let task: Task
        var place = Node.Place()
        var position = 0
    }

    private enum Task {
        /// To look for each name that the pattern has.
        case names(Int)
        /// To look at each level whether the pattern has it.
        case levels(Int)
        /// To take all that there is, for the filter with this number.
        case all(Int)
    }

    /// Begins a walk; the filters are well formed and not shared, and have numbers from 0.
    package init(_ filters: [[UInt8]], in tree: TopicTree<Value>) {
        newest = tree.lastSerial
        for (number, filter) in filters.enumerated() { patterns.add(filter.span, number) }
        enter(tree.root, 0)
    }

    /// Whether all was found and told.
    package var isDone: Bool { frames.isEmpty && found.isEmpty }

    /// The next value and the number of the filter that its topic matches; nil where nothing or no step is left.
    ///
    /// - Parameter steps: nodes that may still be looked at; one is taken away for each.
    package mutating func next(in tree: TopicTree<Value>, steps: inout Int) -> (value: Value, filter: Int)? {
        while true {
            while let (node, filter) = found.popLast() {
                if let value = node.value { return (value, filter) }
            }
            guard steps > 0, !frames.isEmpty else { return nil }
            steps -= 1
            step(in: tree)
        }
    }

    private mutating func step(in tree: TopicTree<Value>) {
        let top = frames.count - 1
        switch frames[top].task {
        case .names(let pattern): look(for: pattern, top, in: tree)
        case .levels(let pattern): look(through: pattern, top, tree.root)
        case .all(let filter):
            guard let node = nextNode(top) else { return }
            if frames[top].node === tree.root, node.isReserved { return }
            found.append((node, filter))
            if node.count > 0 { frames.append(Frame(node: node, task: .all(filter))) }
        }
    }

    private mutating func look(for pattern: Int, _ top: Int, in tree: TopicTree<Value>) {
        let position = frames[top].position
        guard position < patterns.all[pattern].names.count else {
            frames.removeLast()
            return
        }
        frames[top].position += 1
        let (name, next) = patterns.all[pattern].names[position]
        guard let node = tree.child(of: frames[top].node, name.span), node.serial <= newest else { return }
        enter(node, next)
    }

    private mutating func look(through pattern: Int, _ top: Int, _ root: Node) {
        guard let node = nextNode(top) else { return }
        let isBelowRoot = frames[top].node === root
        let exact = patterns.all[pattern].next(node.name)
        if let single = patterns.all[pattern].single, !(isBelowRoot && node.isReserved) { enter(node, single) }
        if let exact { enter(node, exact) }
    }

    /// The next node of a frame; one that has no more is over.
    private mutating func nextNode(_ top: Int) -> Node? {
        let node = frames[top].node.next(&frames[top].place)
        if let node, node.serial <= newest { return node }
        frames.removeLast()
        return nil
    }

    /// Takes up what a pattern wants of a node and below it.
    private mutating func enter(_ node: Node, _ number: Int) {
        let pattern = patterns.all[number]
        if let end = pattern.end { found.append((node, end)) }
        if let rest = pattern.rest {
            found.append((node, rest))
            if node.count > 0 { frames.append(Frame(node: node, task: .all(rest))) }
        }
        guard node.count > 0 else { return }
        if pattern.single != nil || pattern.names.count > node.count {
            frames.append(Frame(node: node, task: .levels(number)))
        } else if !pattern.names.isEmpty {
            frames.append(Frame(node: node, task: .names(number)))
        }
    }
}

extension TopicNode {
    /// Whether its name starts with `$`.
    fileprivate var isReserved: Bool { name.first == UInt8(ascii: "$") }
}

/// Filters, merged by the levels that they begin with.
private struct Patterns {
    /// What all filters with the same first levels want next.
    struct Pattern {
        /// Names of levels and the patterns behind them.
        var names: [(name: [UInt8], next: Int)] = []
        var places: [[UInt8]: Int] = [:]
        /// The pattern behind `+`.
        var single: Int?
        /// The filter that ends here.
        var end: Int?
        /// The filter that ends here with `#`, which also wants this level.
        var rest: Int?

        func next(_ name: [UInt8]) -> Int? {
            places.isEmpty ? nil : places[name].map { names[$0].next }
        }
    }

    private(set) var all = [Pattern()]

    mutating func add(_ filter: Span<UInt8>, _ number: Int) {
        var pattern = 0
        var levels = TopicLevels(filter, from: 0)
        while let level = levels.next(filter) {
            let name = filter.slice(level)
            if name.equals("#") {
                all[pattern].rest = number
                return
            }
            pattern = next(of: pattern, name)
        }
        all[pattern].end = number
    }

    private mutating func next(of pattern: Int, _ name: Span<UInt8>) -> Int {
        let isSingle = name.equals("+")
        let text = name.copy()
        if let known = isSingle ? all[pattern].single : all[pattern].next(text) { return known }
        let made = all.count
        all.append(Pattern())
        if isSingle {
            all[pattern].single = made
        } else {
            all[pattern].places[text] = all[pattern].names.count
            all[pattern].names.append((text, made))
        }
        return made
    }
}
