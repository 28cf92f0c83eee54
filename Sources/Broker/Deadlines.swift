/// What is due when, the next first: a binary heap.
///
/// Nothing is taken out early: whoever takes an entry looks whether it still holds. `BrokerCore.arm` bounds how many
/// there are.
struct Deadlines {
    /// What something is due for.
    enum Subject {
        /// The session with this key: its end, or its will.
        case session([UInt8])
        /// The retained message of this topic.
        case retained([UInt8])
        /// The end of a client's pause.
        case reading(Connection)
        /// The connection with this identity may have been silent for too long; `at` tells it from an older entry, and from
        /// one of a connection that had the same identity.
        case silence(ObjectIdentifier, at: Int64)
    }

    private var heap: [(due: Int64, subject: Subject)] = []

    var count: Int { heap.count }
    /// When the next entry is due, milliseconds since 1970.
    var first: Int64? { heap.first?.due }

    mutating func removeAll() {
        heap.removeAll(keepingCapacity: true)
    }

    mutating func add(_ subject: Subject, due: Int64) {
        heap.append((due, subject))
        var index = heap.count - 1
        while index > 0, heap[(index - 1) / 2].due > heap[index].due {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Takes the next entry that is due by `now`.
    mutating func next(upTo now: Int64) -> Subject? {
        guard let first = heap.first, first.due <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].due < heap[least].due {
                least = child
            }
            guard least != index else { return first.subject }
            heap.swapAt(index, least)
            index = least
        }
    }
}
