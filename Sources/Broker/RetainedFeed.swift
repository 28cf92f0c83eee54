import MQTTWire

/// Subscriptions whose retained messages a session is still to get (clause 3.3.1.3).
///
/// They wait outside of the session's queue and enter it as far as the client's window goes: it has one subscription's
/// topics at hand, and looks for the next ones when these are done.
struct RetainedFeed {
    private var waiting: [Subscription] = []
    private var current: Subscription?
    private var topics: [[UInt8]] = []

    var isEmpty: Bool { current == nil && waiting.isEmpty }

    mutating func add(_ subscription: Subscription) {
        remove(subscription.filter)
        waiting.append(subscription)
    }

    /// Forgets a subscription that ended or was made anew.
    mutating func remove(_ filter: [UInt8]) {
        if !waiting.isEmpty { waiting.removeAll { $0.filter == filter } }
        guard current?.filter == filter else { return }
        current = nil
        topics = []
    }

    /// The connection is gone: a subscription that was not done begins again on the next one.
    mutating func rewind() {
        if let current { waiting.insert(current, at: 0) }
        current = nil
        topics = []
    }

    /// The next topic and the subscription that it is for; nil where nothing is left or nothing was found.
    ///
    /// Looks for the topics of one subscription at most: that may take as long as there are retained messages.
    mutating func next(_ find: (_ filter: [UInt8]) -> [[UInt8]]) -> (subscription: Subscription, topic: [UInt8])? {
        if topics.isEmpty {
            current = nil
            guard !waiting.isEmpty else { return nil }
            let subscription = waiting.removeFirst()
            current = subscription
            topics = find(subscription.filter)
        }
        guard let current, let topic = topics.popLast() else { return nil }
        return (current, topic)
    }
}

extension BrokerCore {
    /// Retained messages that one session gets in one turn of the loop.
    private static let retainedPerTurn = 256

    /// Lets what is kept for a new subscription follow the SUBACK that grants it; nothing for a shared one (4.8.2).
    mutating func sendRetained(for granted: Granted, to connection: Connection) {
        let subscription = granted.subscription
        let handling = subscription.options.retainHandling
        guard let session = connection.session, !subscription.isShared,
            handling == .sendAlways || (handling == .sendIfNew && granted.isNew)
        else { return }
        session.retainedFeed.add(subscription)
        feed(session)
    }

    /// Hands out retained messages while the client has room for them.
    mutating func feedRetained(_ session: Session, _ connection: Connection) {
        var left = Self.retainedPerTurn
        while left > 0, hasRoom(connection), session.queueCount < connection.window, !session.retainedFeed.isEmpty {
            left -= 1
            guard let (subscription, topic) = nextRetained(of: session) else { return }
            // What is kept there now: the client may have had a newer message meanwhile.
            guard let message = retained.value(at: topic.span), !message.isExpired(now: now) else { continue }
            let subscriber = Subscriber(
                session: session, options: subscription.options, identifier: subscription.identifier)
            var grant = subscriber.grant
            grant.keepsRetain = true
            let qos = min(message.qos, grant.qos)
            if qos == .atMostOnce {
                deliverOnce(message, to: session, retain: true, identifiers: grant.identifiers)
            } else {
                enqueue(message, qos, grant, retain: true, for: session)
            }
        }
    }

    private func nextRetained(of session: Session) -> (subscription: Subscription, topic: [UInt8])? {
        session.retainedFeed.next { filter in
            var topics: [[UInt8]] = []
            retained.matchTopics(filter: filter.span) { topics.append($0.topic) }
            return topics
        }
    }
}
