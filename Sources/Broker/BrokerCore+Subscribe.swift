import ByteKit
import MQTTWire

extension BrokerCore {
    mutating func subscribe(_ subscribe: Subscribe, _ frame: Span<UInt8>, _ connection: Connection) {
        guard let session = connection.session else { return }
        if connection.version == .v5,
            subscribe.properties.variableByteInteger(.subscriptionIdentifier, in: frame) != nil
        {
            return end(connection, reason: .subscriptionIdentifiersNotSupported, will: .send)
        }
        let mark = changeMark
        var codes: [ReasonCode] = []
        var granted: [Granted] = []
        var cursor = FilterCursor(subscribe)
        if let limit = limits.filtersPerSubscribe, Self.count(cursor, in: frame) > limit {
            step(.refused(connection, reason: "a SUBSCRIBE has more filters than the limit of \(limit)"))
            return end(connection, reason: .quotaExceeded, will: .send)
        }
        while let request = cursor.next(in: frame) {
            let filter = frame.slice(request.filter)
            if let refusal = refusal(of: filter, session) {
                counters.refused += 1
                let text = String(decoding: filter.copy(), as: UTF8.self)
                step(.refused(connection, reason: "may not subscribe to \(text)"))
                codes.append(refusal)
                continue
            }
            var options = request.options
            options.qos = min(options.qos, .atLeastOnce)
            let subscription = Subscription(filter: filter.copy(), options: options)
            granted.append(Granted(subscription: subscription, isNew: add(subscription, to: session)))
            codes.append(.granted(options.qos))
        }
        answer(
            Reply.suback(subscribe.packetID, codes, connection.version), to: connection, changedSince: mark,
            granted: granted)
    }

    private static func count(_ filters: FilterCursor, in frame: Span<UInt8>) -> Int {
        var (filters, count) = (filters, 0)
        while filters.next(in: frame) != nil { count += 1 }
        return count
    }

    private func refusal(of filter: Span<UInt8>, _ session: Session) -> ReasonCode? {
        if filter.starts(with: "$share/") { return .sharedSubscriptionsNotSupported }
        if !limits.allow(topic: filter) { return .topicFilterInvalid }
        if let limit = limits.subscriptionsPerClient, session.subscriptions.count >= limit { return .quotaExceeded }
        // A filter that is forbidden by --deny is refused in the same way in both versions.
        return policy.maySubscribe(session.principal, filter: filter) ? nil : .unspecifiedError
    }

    /// Puts a subscription in place; false where it replaces one with the same filter.
    private mutating func add(_ subscription: Subscription, to session: Session) -> Bool {
        let replaced = session.subscriptions.updateValue(subscription, forKey: subscription.filter)
        plant(subscription, of: session)
        if session.isPersistent, replaced != subscription {
            record(
                .subscribe(
                    key: session.key, filter: subscription.filter, options: subscription.options.encoded(for: .v5)))
        }
        return replaced == nil
    }

    mutating func plant(_ subscription: Subscription, of session: Session) {
        matchCache.removeAll(keepingCapacity: true)
        subscribers.update(subscription.filter.span) { places in
            var list = (places ?? []).filter { $0.session !== session }
            list.append(Subscriber(session: session, options: subscription.options))
            places = list
        }
    }

    private mutating func uproot(_ filter: [UInt8], of session: Session) {
        matchCache.removeAll(keepingCapacity: true)
        subscribers.update(filter.span) { places in
            let rest = (places ?? []).filter { $0.session !== session }
            places = rest.isEmpty ? nil : rest
        }
    }

    /// Sends what is kept for a new subscription, behind the SUBACK that grants it.
    mutating func deliverRetained(_ granted: Granted, to connection: Connection) {
        let (filter, options) = (granted.subscription.filter, granted.subscription.options)
        guard let session = connection.session,
            options.retainHandling == .sendAlways || (options.retainHandling == .sendIfNew && granted.isNew)
        else { return }
        var found: [Message] = []
        retained.matchTopics(filter: filter.span) { found.append($0) }
        for message in found where !message.isExpired(now: now) {
            deliver(message, to: Subscriber(session: session, options: options), retain: true)
        }
    }

    mutating func unsubscribe(_ unsubscribe: Unsubscribe, _ frame: Span<UInt8>, _ connection: Connection) {
        guard let session = connection.session else { return }
        let mark = changeMark
        var codes: [ReasonCode] = []
        var cursor = FilterCursor(unsubscribe)
        while let request = cursor.next(in: frame) {
            let filter = frame.slice(request.filter).copy()
            guard session.subscriptions.removeValue(forKey: filter) != nil else {
                codes.append(.noSubscriptionExisted)
                continue
            }
            uproot(filter, of: session)
            if session.isPersistent { record(.unsubscribe(key: session.key, filter: filter)) }
            codes.append(.success)
        }
        answer(
            Reply.unsuback(unsubscribe.packetID, codes, connection.version), to: connection, changedSince: mark)
    }

    // MARK: Sessions

    /// Forgets a session with all that waits in it.
    mutating func drop(_ session: Session) {
        for filter in session.subscriptions.keys {
            uproot(filter, of: session)
        }
        sessions[session.key] = nil
        if session.isStored { record(.dropSession(key: session.key)) }
        session.isStored = false
    }

    mutating func recordSession(_ session: Session) {
        guard session.isPersistent else {
            // A kept session that is now to end with its connection need not come back after a crash.
            if session.isStored { record(.dropSession(key: session.key)) }
            session.isStored = false
            return
        }
        session.isStored = true
        record(
            .session(
                key: session.key, principal: session.principal.text, expirySeconds: session.expirySeconds,
                endedAt: session.endedAt))
    }

    /// Takes up what an earlier run left; clients come back when they like.
    package mutating func restore(_ state: RestoredState, now: Int64) {
        self.now = now
        for stored in state.retained {
            guard let qos = QoS(rawValue: stored.qos) else { continue }
            let message = Message(
                topic: stored.topic, payload: stored.payload, qos: qos, retain: true, properties: stored.properties)
            retained.update(stored.topic.span) { $0 = message }
        }
        for stored in state.sessions {
            restore(stored)
        }
    }

    private mutating func restore(_ stored: RestoredState.StoredSession) {
        guard let principal = Principal(text: stored.principal),
            let clientID = Session.clientID(of: stored.key, principal)
        else { return }
        let session = Session(
            key: stored.key, principal: principal, clientID: clientID, expirySeconds: stored.expirySeconds)
        session.endedAt = stored.endedAt ?? now
        session.isStored = true
        sessions[session.key] = session
        for (filter, raw) in stored.subscriptions {
            guard let options = try? SubscriptionOptions(raw, version: .v5) else { continue }
            let subscription = Subscription(filter: filter, options: options)
            session.subscriptions[filter] = subscription
            plant(subscription, of: session)
        }
        for (position, entry) in stored.queue.enumerated() {
            let message = Message(
                topic: entry.topic, payload: entry.payload, qos: .atLeastOnce, properties: entry.properties,
                expires: entry.expires)
            // Which of them the earlier run had sent is not stored: at most one window of them can have been.
            session.restore(
                QueueEntry(
                    sequence: entry.sequence, packetID: entry.packetID, message: message, retain: entry.retain,
                    wasSent: position < Int(Self.receiveMaximum)))
        }
    }
}

extension Session {
    /// `d/THING/CLIENT` or `a//CLIENT`: a thing's name has no slash.
    static func key(_ principal: Principal, clientID: [UInt8]) -> [UInt8] {
        Array((principal.text + "/").utf8) + clientID
    }

    static func clientID(of key: [UInt8], _ principal: Principal) -> [UInt8]? {
        let prefix = Array((principal.text + "/").utf8)
        return key.starts(with: prefix) ? Array(key.dropFirst(prefix.count)) : nil
    }
}

extension Principal {
    /// The principal as it is stored.
    var text: String {
        switch self {
        case .device(let thing): "d/" + String(decoding: thing, as: UTF8.self)
        case .administrator: "a/"
        }
    }

    init?(text: String) {
        switch text.prefix(2) {
        case "d/": self = .device(thing: Array(text.dropFirst(2).utf8))
        case "a/": self = .administrator
        default: return nil
        }
    }
}
