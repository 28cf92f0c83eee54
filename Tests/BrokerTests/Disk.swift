import Broker

/// What survives a crash: the rows of a database, and what can be asked of them.
struct Disk {
    struct Row {
        var session: RestoredState.StoredSession
        var queue: [StoredEntry] = []

        var received: [UInt16] { session.received }
        var subscriptions: [(filter: [UInt8], options: UInt8, identifier: UInt32)] { session.subscriptions }
        var will: StoredWill? { session.will }
        var expirySeconds: UInt32 { session.expirySeconds }
    }

    var sessions: [[UInt8]: Row] = [:]
    var retained: [[UInt8]: RestoredState.StoredRetained] = [:]

    /// What a start reads.
    func state(_ limits: BrokerLimits = BrokerLimits()) -> RestoredState {
        var state = RestoredState()
        state.sessions = sessions.values.map { row in
            var session = row.session
            session.queue = Self.summary(of: row.queue, limits)
            return session
        }
        state.retained = Array(retained.values)
        return state
    }

    private static func summary(of queue: [StoredEntry], _ limits: BrokerLimits) -> StoredQueue {
        var summary = StoredQueue()
        let queue = queue.sorted { $0.sequence < $1.sequence }
        guard let first = queue.first, let last = queue.last else { return summary }
        summary.count = queue.count
        summary.bytes = queue.reduce(0) { $0 + $1.bytes }
        summary.shared = queue.reduce(0) { $0 + ($1.share.isEmpty ? 0 : 1) }
        (summary.first, summary.last) = (first.sequence, last.sequence)
        summary.sentUpTo = queue[min(limits.sendWindow, queue.count) - 1].sequence
        summary.firstExpiry = queue.compactMap(\.expires).min()
        return summary
    }

    /// What the shell answers to the step `read`.
    func page(_ read: QueueRead) -> QueuePage {
        let queue = sessions[read.key]?.queue ?? []
        let rest = queue.filter { $0.sequence > read.after }.sorted { $0.sequence < $1.sequence }
        switch read.kind {
        case .next(let count, let bytes):
            var page: [StoredEntry] = []
            var sum = 0
            for entry in rest where page.count < count && sum < bytes {
                page.append(entry)
                sum += entry.bytes
            }
            return .next(page, isEnd: page.count == rest.count)
        case .expired(let time):
            let isOver = { (entry: StoredEntry) in entry.expires.map { $0 < time } ?? false }
            let expired = rest.filter(isOver).map {
                QueuePage.Expired(sequence: $0.sequence, bytes: $0.bytes, isShared: !$0.share.isEmpty)
            }
            return .expired(expired, next: rest.filter { !isOver($0) }.compactMap(\.expires).min())
        }
    }

    mutating func apply(_ change: DurableChange) {
        switch change {
        case .retain(let topic, let payload, let qos, let properties, _, let expires):
            retained[topic] = .init(
                topic: topic, payload: payload, qos: qos, properties: properties, expires: expires)
        case .forgetRetained(let topic):
            retained[topic] = nil
        case .session(let key, let principal, let expiry, let endedAt):
            var session = RestoredState.StoredSession(
                key: key, principal: principal, expirySeconds: expiry, endedAt: endedAt)
            session.subscriptions = sessions[key]?.subscriptions ?? []
            session.received = sessions[key]?.received ?? []
            session.will = sessions[key]?.will
            sessions[key] = Row(session: session, queue: sessions[key]?.queue ?? [])
        case .dropSession(let key):
            sessions[key] = nil
        case .will(let key, let will):
            sessions[key]?.session.will = will
        case .forgetWill(let key):
            sessions[key]?.session.will = nil
        case .subscribe(let key, let filter, let options, let identifier):
            sessions[key]?.session.subscriptions.removeAll { $0.filter == filter }
            sessions[key]?.session.subscriptions.append((filter, options, identifier))
        case .unsubscribe(let key, let filter):
            sessions[key]?.session.subscriptions.removeAll { $0.filter == filter }
        case .enqueue(let key, let entry):
            sessions[key]?.queue.removeAll { $0.sequence == entry.sequence }
            sessions[key]?.queue.append(entry)
        case .release(let key, let sequence):
            guard let index = sessions[key]?.queue.firstIndex(where: { $0.sequence == sequence }) else { return }
            sessions[key]?.queue[index].isReleased = true
        case .dequeue(let key, let sequence):
            sessions[key]?.queue.removeAll { $0.sequence == sequence }
        case .bequeath(let key, let estate, let sentUpTo):
            let queue = sessions[key]?.queue ?? []
            sessions[estate] = Row(
                session: .init(key: estate, principal: "e/", expirySeconds: 0, endedAt: nil),
                queue: queue.filter { !$0.share.isEmpty && ($0.qos < 2 || $0.sequence > sentUpTo) })
        case .receive(let key, let packetID):
            guard sessions[key]?.received.contains(packetID) == false else { return }
            sessions[key]?.session.received.append(packetID)
        case .forgetReceived(let key, let packetID):
            sessions[key]?.session.received.removeAll { $0 == packetID }
        }
    }
}
