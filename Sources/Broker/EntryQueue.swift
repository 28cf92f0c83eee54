/// Entries of one session in the order of their sequence; taken from the front as a rule, which moves none of the others.
struct EntryQueue {
    /// Emptied places stay until they are half of all.
    private var places: [QueueEntry?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    /// The oldest entry.
    var first: QueueEntry? { head < places.count ? places[head] : nil }
    /// All entries, oldest first.
    var all: [QueueEntry] { places[head...].compactMap(\.self) }

    mutating func append(_ entry: QueueEntry) {
        places.append(entry)
        count += 1
    }

    mutating func removeFirst() -> QueueEntry? {
        guard head < places.count else { return nil }
        return remove(at: head)
    }

    mutating func removeAll() {
        self = EntryQueue()
    }

    subscript(packetID: UInt16) -> QueueEntry? { index(of: packetID).flatMap { places[$0] } }

    mutating func remove(_ packetID: UInt16) -> QueueEntry? {
        index(of: packetID).flatMap { remove(at: $0) }
    }

    mutating func change(_ packetID: UInt16, _ body: (inout QueueEntry) -> Void) {
        guard let index = index(of: packetID), var entry = places[index] else { return }
        body(&entry)
        places[index] = entry
    }

    /// Clients answer in order as a rule: what is sought is the first.
    private func index(of packetID: UInt16) -> Int? {
        places[head...].firstIndex { $0?.packetID == packetID }
    }

    private mutating func remove(at index: Int) -> QueueEntry? {
        guard let entry = places[index] else { return nil }
        places[index] = nil
        count -= 1
        while head < places.count, places[head] == nil { head += 1 }
        if head == places.count {
            places.removeAll(keepingCapacity: places.count <= 1024)
            head = 0
        } else if head > 256, head * 2 > places.count {
            places.removeFirst(head)
            head = 0
        }
        return entry
    }
}
