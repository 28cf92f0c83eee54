import ByteKit

/// One level of a topic or filter in a `TopicTree`, with the levels below it.
///
/// These keep the order in which they came, whatever comes and goes between them: so a walk that rests finds its place
/// again (`Place`). Where they are many, an index by the hash of their names finds one.
final class TopicNode<Value> {
    /// Levels that are found by looking at all of them.
    private static var fewest: Int { 8 }

    let name: [UInt8]
    /// Grows from node to node of a tree, from 1.
    let serial: UInt64
    private let hash: UInt64
    var value: Value?
    /// In the order of their serials; emptied places stay until they are half of all.
    private var below: [Entry] = []
    private var emptied = 0
    private var index: [UInt64: TopicNode]?
    /// The next one with the same hash in the index above.
    private var twin: TopicNode?

    private struct Entry {
        let hash: UInt64
        let serial: UInt64
        var node: TopicNode?
    }

    /// Where a walk through the levels below has got to.
    struct Place {
        fileprivate var index = 0
        fileprivate var last: UInt64 = 0
    }

    init(name: [UInt8], hash: UInt64, serial: UInt64) {
        self.name = name
        self.hash = hash
        self.serial = serial
    }

    /// Levels below.
    var count: Int { below.count - emptied }

    func find(_ name: Span<UInt8>, hash: UInt64) -> TopicNode? {
        if let index {
            var node = index[hash]
            while let found = node, !found.isNamed(name) { node = found.twin }
            return node
        }
        for place in below.indices where below[place].hash == hash {
            if let node = below[place].node, node.isNamed(name) { return node }
        }
        return nil
    }

    private func isNamed(_ other: Span<UInt8>) -> Bool {
        let name = name
        return name.span.equals(other)
    }

    func add(_ node: TopicNode) {
        below.append(Entry(hash: node.hash, serial: node.serial, node: node))
        if index != nil {
            enter(node)
        } else if count > Self.fewest {
            index = [:]
            for entry in below { if let node = entry.node { enter(node) } }
        }
    }

    private func enter(_ node: TopicNode) {
        node.twin = index?.updateValue(node, forKey: node.hash)
    }

    func remove(_ node: TopicNode) {
        let place = place(of: node.serial)
        guard place < below.count, below[place].node === node else { return }
        below[place].node = nil
        emptied += 1
        leave(node)
        if count == 0 {
            (below, index, emptied) = ([], nil, 0)
        } else if emptied > Self.fewest, emptied * 2 > below.count {
            below.removeAll { $0.node == nil }
            emptied = 0
        }
    }

    private func leave(_ node: TopicNode) {
        guard let first = index?[node.hash] else { return }
        if first === node {
            index?[node.hash] = node.twin
        } else {
            var before = first
            while let next = before.twin, next !== node { before = next }
            before.twin = node.twin
        }
        node.twin = nil
    }

    /// The next level below from `place` on; nil at the end.
    func next(_ place: inout Place) -> TopicNode? {
        let isThere = place.index == 0 || (place.index <= below.count && below[place.index - 1].serial == place.last)
        if !isThere || place.index == 0 { place.index = self.place(of: place.last + 1) }
        while place.index < below.count {
            let entry = below[place.index]
            place.index += 1
            place.last = entry.serial
            if let node = entry.node { return node }
        }
        return nil
    }

    /// The place of the first entry with this serial or a higher one.
    private func place(of serial: UInt64) -> Int {
        var (low, high) = (0, below.count)
        while low < high {
            let middle = (low + high) / 2
            if below[middle].serial < serial { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
