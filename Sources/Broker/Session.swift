package import MQTTWire

/// What the broker keeps of a client between its packets and, if the client asked for it, between its connections.
package final class Session {
    /// Messages that may wait for one session.
    static let queueLimit = 10_000
    /// Bytes that may wait for one session.
    static let queueBytes = 64 << 20

    /// Identity: who the client is and what it calls itself (two principals never share a session).
    package let key: [UInt8]
    let principal: Principal
    let clientID: [UInt8]
    /// Seconds it outlives its connection; 0 ends with it, `UInt32.max` never.
    var expirySeconds: UInt32
    var subscriptions: [[UInt8]: Subscription] = [:]
    /// The connection now, nil while the client is away.
    var connection: Connection?
    /// Sent and not yet acknowledged, oldest first.
    var inFlight: [QueueEntry] = []
    /// Not yet sent, oldest first; `waitingHead` entries at the front are gone already.
    var waiting: [QueueEntry] = []
    var waitingHead = 0
    var endedAt: Int64?
    /// Whether a row of it is on disk or on its way there.
    var isStored = false
    private var usedIDs: Set<UInt16> = []
    private var lastID: UInt16 = 0
    private var lastSequence: Int64 = 0
    private(set) var queuedBytes = 0

    init(key: [UInt8], principal: Principal, clientID: [UInt8], expirySeconds: UInt32) {
        self.key = key
        self.principal = principal
        self.clientID = clientID
        self.expirySeconds = expirySeconds
    }

    /// Whether it is kept on disk.
    var isPersistent: Bool { expirySeconds > 0 }
    var queueCount: Int { inFlight.count + waiting.count - waitingHead }
    var isFull: Bool { queueCount >= Self.queueLimit || queuedBytes >= Self.queueBytes }

    /// Puts a QoS 1 message at the end of the queue; its packet identifier is its own until it is acknowledged.
    func enqueue(_ message: Message, retain: Bool) -> QueueEntry {
        repeat {
            lastID = lastID == .max ? 1 : lastID + 1
        } while usedIDs.contains(lastID)
        lastSequence += 1
        let entry = QueueEntry(sequence: lastSequence, packetID: lastID, message: message, retain: retain)
        append(entry)
        return entry
    }

    /// Puts an entry that was stored by an earlier run at the end of the queue.
    func restore(_ entry: QueueEntry) {
        lastSequence = max(lastSequence, entry.sequence)
        lastID = entry.packetID
        append(entry)
    }

    /// The oldest entry not sent yet, now in flight.
    func takeWaiting() -> QueueEntry? {
        guard waitingHead < waiting.count else { return nil }
        let entry = waiting[waitingHead]
        waitingHead += 1
        if waitingHead == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            waitingHead = 0
        } else if waitingHead > 256, waitingHead * 2 > waiting.count {
            waiting.removeFirst(waitingHead)
            waitingHead = 0
        }
        inFlight.append(entry)
        return entry
    }

    /// Ends the entry in flight with this packet identifier.
    func acknowledge(_ packetID: UInt16) -> QueueEntry? {
        guard let index = inFlight.firstIndex(where: { $0.packetID == packetID }) else { return nil }
        let entry = inFlight.remove(at: index)
        usedIDs.remove(packetID)
        queuedBytes -= entry.message.cost
        return entry
    }

    /// Makes what was in flight wait again, first and in the same order, to be sent as duplicates.
    func rewind() {
        guard !inFlight.isEmpty else { return }
        for index in inFlight.indices {
            inFlight[index].wasSent = true
        }
        waiting.replaceSubrange(0..<waitingHead, with: inFlight)
        waitingHead = 0
        inFlight.removeAll()
    }

    private func append(_ entry: QueueEntry) {
        usedIDs.insert(entry.packetID)
        queuedBytes += entry.message.cost
        waiting.append(entry)
    }
}

/// One QoS 1 message of one session's queue.
package struct QueueEntry {
    let sequence: Int64
    let packetID: UInt16
    let message: Message
    /// RETAIN flag that the subscriber sees.
    let retain: Bool
    /// Whether it may have been sent already, so that DUP is set.
    var wasSent = false
}

/// One subscription of a session.
package struct Subscription: Equatable, Sendable {
    package var filter: [UInt8]
    package var options: SubscriptionOptions
}

/// A subscriber as the tree of filters holds it.
struct Subscriber {
    let session: Session
    let options: SubscriptionOptions
}
