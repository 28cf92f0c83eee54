import MQTTWire

/// What the broker keeps of a client between its packets and, if the client asked for it, between its connections.
package final class Session {
    /// Messages that may wait for one session that ends with its connection.
    static let queueLimit = 10_000
    /// Bytes that may wait for one session that ends with its connection; then it is closed.
    static let queueBytes = 64 << 20

    /// Identity: who the client is and what it calls itself (two principals never share a session).
    package let key: [UInt8]
    let principal: Principal
    let clientID: [UInt8]
    /// Seconds it outlives its connection; 0 ends with it, `UInt32.max` never.
    var expirySeconds: UInt32
    private(set) var subscriptions: [[UInt8]: Subscription] = [:]
    /// Bytes of the filters of all subscriptions.
    private(set) var filterBytes = 0
    /// The connection now, nil while the client is away.
    var connection: Connection?
    /// Identifiers of QoS 2 messages from the client that it has not released yet [MQTT-4.3.3-10].
    var received: Set<UInt16> = []
    /// Sent and not yet acknowledged, oldest first.
    private(set) var inFlight = EntryQueue()
    /// Not yet sent, oldest first.
    private(set) var waiting = EntryQueue()
    /// Identifiers that wait for their PUBREL, in the order of the PUBRECs [MQTT-4.6.0-4].
    private var releases: [UInt16] = []
    var retainedFeed = RetainedFeed()
    var endedAt: Int64?
    /// A will that waits for its time, milliseconds since 1970.
    var will: (will: LastWill, due: Int64)?
    /// Whether it is on disk or on its way there, with all that is queued: from the first connection that asked for it to
    /// the end, also where a later one asks for an end with the connection.
    var isStored = false
    /// What of the queue is on disk alone.
    var tail = QueueTail()
    /// When a message that waits in memory expires first, as far as is known, milliseconds since 1970.
    var firstExpiry: Int64?
    /// When the queue is looked at next for what has expired, milliseconds since 1970.
    var expiryDue: Int64?
    private var lastSequence: Int64 = 0
    /// Entries that the client is done with: how many, and the ticket of the commit that takes them off the disk.
    private var departed: [(ticket: UInt64, count: Int)] = []
    /// Bytes of all that is queued, in memory or not.
    private(set) var queuedBytes = 0
    /// Bytes of what waits in memory.
    private(set) var waitingBytes = 0

    init(key: [UInt8], principal: Principal, clientID: [UInt8], expirySeconds: UInt32) {
        self.key = key
        self.principal = principal
        self.clientID = clientID
        self.expirySeconds = expirySeconds
    }

    /// Whether it outlives its connection.
    var isPersistent: Bool { expirySeconds > 0 }
    /// When it ends if the client stays away; nil while it is there, and where it never ends.
    var endsAt: Int64? {
        expirySeconds == .max ? nil : endedAt.map { $0 + Int64(expirySeconds) * 1000 }
    }
    /// When a will leaves whose client is gone since `start`, milliseconds: after its delay, or with the session.
    func due(of will: LastWill, from start: Int64) -> Int64 {
        start + Int64(min(will.delaySeconds, expirySeconds)) * 1000
    }
    var queueCount: Int { headCount + tail.count }
    /// Entries of the queue that are in memory.
    var headCount: Int { inFlight.count + waiting.count }

    /// Puts a subscription in place; answers the one with the same filter that it replaces.
    func subscribe(_ subscription: Subscription) -> Subscription? {
        let replaced = subscriptions.updateValue(subscription, forKey: subscription.filter)
        if replaced == nil { filterBytes += Subscription.weight(of: subscription.filter.span) }
        return replaced
    }

    /// Ends a subscription; nil where there was none.
    func unsubscribe(_ filter: [UInt8]) -> Subscription? {
        guard let ended = subscriptions.removeValue(forKey: filter) else { return nil }
        filterBytes -= Subscription.weight(of: filter.span)
        return ended
    }

    /// Puts a message at the end of the queue.
    ///
    /// - Parameter ticket: names the commit after which it is on disk alone; nil = it waits in memory.
    func enqueue(onDiskAfter ticket: UInt64?, _ make: (_ sequence: Int64) -> QueueEntry) -> QueueEntry {
        let entry = make(lastSequence + 1)
        queuedBytes += entry.message.cost
        if let ticket {
            tail.append(entry.message, isShared: !entry.share.isEmpty, from: lastSequence, ticket: ticket)
        } else {
            append(entry)
        }
        lastSequence = entry.sequence
        return entry
    }

    private func append(_ entry: QueueEntry) {
        waiting.append(entry)
        waitingBytes += entry.message.cost
    }

    /// What an earlier run left of the queue.
    func restore(_ stored: StoredQueue) {
        guard stored.count > 0 else { return }
        lastSequence = stored.last
        tail.restore(stored)
        queuedBytes = tail.bytes
    }

    /// Takes an entry of the tail into memory.
    ///
    /// - Returns: its message, nil where the entry is not one of those that are awaited.
    func take(_ stored: StoredEntry) -> Message? {
        guard let message = Message(stored), stored.sequence > tail.start, !tail.isEmpty else { return nil }
        tail.remove(stored)
        let isBegun = stored.sequence <= tail.sentUpTo
        append(
            QueueEntry(
                sequence: stored.sequence, message: message, qos: message.qos, retain: stored.retain,
                identifiers: stored.identifiers, share: stored.share,
                wasSent: isBegun || stored.sequence <= tail.maybeSentUpTo, isBegun: isBegun,
                isReleased: stored.isReleased))
        return message
    }

    /// Empties the memory of the queue, all of which is on disk once the commit of ticket `readyAfter` is done.
    ///
    /// - Returns: the entries that were in memory.
    func putAway(readyAfter: UInt64) -> [QueueEntry] {
        let entries = inFlight.all + waiting.all
        tail.prepend(entries, sent: inFlight.count, readyAfter: readyAfter)
        tail.cancelRead()
        inFlight.removeAll()
        waiting.removeAll()
        releases.removeAll()
        (waitingBytes, firstExpiry) = (0, nil)
        return entries
    }

    /// Forgets an entry of the tail that has expired; answers its bytes.
    func remove(_ expired: QueuePage.Expired) -> Int {
        guard !tail.isEmpty else { return 0 }
        let before = tail.bytes
        tail.remove(expired)
        queuedBytes -= before - tail.bytes
        return before - tail.bytes
    }

    /// Forgets a tail that is not on disk; answers its bytes.
    func loseTail() -> Int {
        let bytes = tail.bytes
        tail.removeAll()
        queuedBytes -= bytes
        return bytes
    }

    /// The oldest entry not sent yet, now in flight; nil where there is none or it waits for a commit.
    ///
    /// - Parameter settled: the newest ticket whose commit is done.
    func takeWaiting(settled: UInt64) -> QueueEntry? {
        guard let entry = waiting.first, entry.readyAfter <= settled else { return nil }
        // One that is never acknowledged must not share its identifier with a later one [MQTT-2.2.1-4].
        if let oldest = inFlight.first, entry.sequence - oldest.sequence >= QueueEntry.identifiers { return nil }
        _ = waiting.removeFirst()
        waitingBytes -= entry.message.cost
        inFlight.append(entry)
        return entry
    }

    /// Takes out what has expired before it was ever sent [MQTT-3.3.2-5].
    func removeExpired(now: Int64) -> [QueueEntry] {
        let all = waiting.all
        let gone = all.filter { !$0.wasSent && $0.message.isExpired(now: now) }
        waiting.removeAll()
        for entry in all where entry.wasSent || !entry.message.isExpired(now: now) { waiting.append(entry) }
        let bytes = gone.reduce(0) { $0 + $1.message.cost }
        queuedBytes -= bytes
        waitingBytes -= bytes
        firstExpiry = waiting.all.lazy.filter { !$0.wasSent }.compactMap(\.message.expires).min()
        return gone
    }

    /// Ends the entry in flight with this packet identifier.
    func finish(_ packetID: UInt16) -> QueueEntry? {
        let entry = inFlight.remove(packetID)
        queuedBytes -= entry?.message.cost ?? 0
        return entry
    }

    /// Whether what was sent with this identifier on an earlier connection is still to be sent again.
    func willRepeat(_ packetID: UInt16) -> Bool {
        if waiting[packetID]?.wasSent == true { return true }
        guard !tail.isEmpty else { return false }
        // The newest one of those that may have been sent.
        let distance = (tail.begunUpTo - Int64(packetID)) % QueueEntry.identifiers
        return tail.begunUpTo - (distance < 0 ? distance + QueueEntry.identifiers : distance) > tail.start
    }

    /// The commit of `ticket` takes an entry off the disk.
    func depart(with ticket: UInt64) {
        if departed.last?.ticket != ticket { departed.append((ticket, 0)) }
        departed[departed.count - 1].count += 1
    }

    /// Entries on disk that count as sent after a crash: in flight, or done with and not yet taken off.
    func sentCount(settled: UInt64) -> Int {
        departed.removeAll { $0.ticket <= settled }
        return departed.reduce(inFlight.count) { $0 + $1.count }
    }

    /// The client has got a QoS 2 message: its PUBREL leaves once the commit of ticket `readyAfter` is done.
    func release(_ packetID: UInt16, readyAfter: UInt64) {
        guard inFlight[packetID] != nil else { return }
        inFlight.change(packetID) { entry in
            entry.isReleased = true
            entry.readyAfter = max(entry.readyAfter, readyAfter)
        }
        if !releases.contains(packetID) { releases.append(packetID) }
    }

    /// The next identifier whose PUBREL may leave.
    func takeRelease(settled: UInt64) -> UInt16? {
        guard let packetID = releases.first else { return nil }
        guard (inFlight[packetID]?.readyAfter ?? 0) <= settled else { return nil }
        releases.removeFirst()
        return packetID
    }
}

/// One message of QoS 1 or 2 in one session's queue.
package struct QueueEntry {
    /// Packet identifiers that there are.
    static let identifiers: Int64 = 65_535
    /// Memory that a place in a queue holds without its message, in bytes.
    static let cost = 100

    /// Position among all entries that the session ever had, from 1.
    let sequence: Int64
    let message: Message
    /// QoS that the subscriber gets, 1 or 2.
    let qos: QoS
    /// RETAIN flag that the subscriber sees.
    let retain: Bool
    /// Subscription identifiers that the subscriber sees.
    var identifiers: [UInt32] = []
    /// The shared subscription that it came by; empty = none.
    var share: [UInt8] = []
    /// Ticket whose commit must be done before the next packet of this entry leaves; 0 = none.
    var readyAfter: UInt64 = 0
    /// Whether it may have been sent already, so that DUP is set.
    var wasSent = false
    /// Whether it is known to have been sent: then it is sent again whatever its age [MQTT-4.4.0-1].
    var isBegun = false
    /// Whether PUBREC was had: PUBREL is sent instead of the message [MQTT-4.3.3-4, 4.3.3-5].
    var isReleased = false

    /// Follows from the sequence, so that it is the same in every life of the server.
    var packetID: UInt16 { UInt16(truncatingIfNeeded: (sequence - 1) % Self.identifiers + 1) }
}
