//  The core's books: sums that are kept along must be those of what is there, and the disk must hold what memory holds.

@testable import Broker
import ByteKit
import MQTTWire

extension BrokerCore {
    /// Holds at every moment between two events.
    borrowing func audit() {
        var bytes = 0
        for session in sessions.values {
            audit(session)
            bytes += session.queuedBytes
        }
        require(bytes == queuedBytes, "\(queuedBytes) bytes are booked as queued, \(bytes) are")
        auditMemory()
        for connection in connections.values where connection.stage == .connected {
            let session = connection.session
            require(session?.connection === connection, "a connection without its session")
        }
        let subjects = sessions.count + retained.count + connections.count
        // Those that have gone since the last was added are counted then.
        let gone = 64
        require(deadlines.count <= 4 * (subjects + gone) + 1025, "\(deadlines.count) deadlines, \(subjects) subjects")
    }

    /// The same of the trees.
    borrowing func auditTrees() {
        var (kept, keptCount) = (0, 0)
        retained.forEach { message in
            kept += message.cost
            keptCount += 1
        }
        require(kept == retainedBytes, "\(retainedBytes) bytes are booked as retained, \(kept) are")
        require(keptCount == retained.count, "the tree of retained messages counts wrongly")
        let subscriptions = sessions.values.reduce(0) { $0 + $1.subscriptions.count }
        var planted = 0
        subscribers.forEach { place in
            planted += place.subscribers.count + place.groups.reduce(0) { $0 + $1.members.count }
        }
        require(planted == subscriptions, "\(planted) subscriptions in the tree, \(subscriptions) in sessions")
    }

    private borrowing func auditMemory() {
        var holders: [ObjectIdentifier: (message: Message, count: Int)] = [:]
        for message in commits.messages { holders[ObjectIdentifier(message), default: (message, 0)].count += 1 }
        for session in sessions.values {
            for entry in session.inFlight.all + session.waiting.all {
                holders[ObjectIdentifier(entry.message), default: (entry.message, 0)].count += 1
            }
        }
        var held = 0
        for (message, count) in holders.values {
            require(message.holders == count, "a message counts \(message.holders) holders, it has \(count)")
            held += message.cost + (count - 1) * QueueEntry.cost
        }
        require(held == heldBytes, "\(heldBytes) bytes are booked as held, \(held) are")
        let unwritten = connections.values.reduce(0) { $0 + $1.output.count }
        require(unwritten == outputBytes, "\(outputBytes) bytes are booked as unwritten, \(unwritten) are")
        require(isStrained || heldBack.isEmpty, "somebody is held back for nothing")
    }

    /// Connections and sessions hold each other while they live: a core that is thrown away must part them.
    borrowing func letGo() {
        for connection in connections.values { connection.session = nil }
    }

    private borrowing func audit(_ session: Session) {
        let (sent, waiting) = (session.inFlight.all, session.waiting.all)
        let bytes = (sent + waiting).reduce(0) { $0 + $1.message.cost } + session.tail.bytes
        require(bytes == session.queuedBytes, "\(session.queuedBytes) bytes booked in a session, \(bytes) are there")
        let waitingBytes = waiting.reduce(0) { $0 + $1.message.cost }
        require(waitingBytes == session.waitingBytes, "\(session.waitingBytes) bytes wait, \(waitingBytes) are there")
        require(session.tail.isEmpty || session.isStored, "a tail of a session that is not on disk")
        require(sent.count == session.inFlight.count, "the queue in flight counts wrongly")
        require(waiting.count == session.waiting.count, "the waiting queue counts wrongly")
        let filters = session.subscriptions.keys.reduce(0) { $0 + Subscription.weight(of: $1.span) }
        require(filters == session.filterBytes, "\(session.filterBytes) bytes of filters are booked, \(filters) are")
        require(Set(sent.map(\.packetID)).count == sent.count, "2.2.1-4: an identifier twice in flight")
        if let connection = session.connection {
            require(connection.session === session, "a session without its connection")
            require(connection.stage == .connected, "a session with a connection that has ended")
            require(sent.count <= connection.window, "\(sent.count) in flight, \(connection.window) are taken")
        } else {
            let isOver = session.endsAt.map { $0 <= now } ?? false
            require(session.isPersistent || isOver, "a session that outlives its connection")
            require(session.headCount == 0, "a queue in memory for a client that is away")
        }
    }

    /// Holds when everything is committed: a restart would begin where memory is now.
    borrowing func compare(_ disk: borrowing Disk) {
        require(commits.bytes == 0, "\(commits.bytes) bytes are booked as not yet on disk")
        let kept = sessions.values.filter(\.isStored)
        require(estates.isEmpty, "an estate that nobody shares out")
        require(kept.count == disk.sessions.count, "\(disk.sessions.count) sessions on disk, \(kept.count) in memory")
        for session in kept {
            guard let row = disk.sessions[session.key] else { fatalError("a kept session is not on disk") }
            require(row.expirySeconds == session.expirySeconds, "another expiry on disk")
            let filters = Set(row.subscriptions.map(\.filter))
            require(filters == Set(session.subscriptions.keys), "other subscriptions on disk")
            for (filter, options, identifier) in row.subscriptions {
                let known = session.subscriptions[filter]
                require(known?.options.encoded(for: .v5) == options, "other options on disk")
                require(known?.identifier == identifier, "another subscription identifier on disk")
            }
            let queue = (session.inFlight.all + session.waiting.all).sorted { $0.sequence < $1.sequence }
            let stored = row.queue.sorted { $0.sequence < $1.sequence }
            let (head, tail) = (stored.prefix(queue.count), stored.dropFirst(queue.count))
            require(queue.map(\.sequence) == head.map(\.sequence), "another queue on disk")
            require(queue.map(\.isReleased) == head.map(\.isReleased), "others are released on disk")
            require(tail.count == session.tail.count, "\(tail.count) more on disk, \(session.tail.count) are booked")
            let bytes = tail.reduce(0) { $0 + $1.bytes + Message.overhead }
            require(bytes == session.tail.bytes, "\(bytes) bytes more on disk, \(session.tail.bytes) are booked")
            let shared = tail.reduce(0) { $0 + ($1.share.isEmpty ? 0 : 1) }
            require(shared == session.tail.shared, "\(shared) shared on disk, \(session.tail.shared) are booked")
            require(Set(row.received) == session.received, "other identifiers on disk")
            let hasWill = session.will != nil || session.connection?.will != nil
            require((row.will != nil) == hasWill, "the will on disk is \(row.will == nil ? "missing" : "too many")")
        }
        var topics: Set<[UInt8]> = []
        retained.forEach { message in
            topics.insert(message.topic)
            require(disk.retained[message.topic]?.payload == message.payload, "another retained message on disk")
        }
        require(topics == Set(disk.retained.keys), "\(disk.retained.count) retained on disk, \(topics.count) in memory")
    }
}
