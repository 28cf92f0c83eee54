import ByteKit
import MQTTWire

extension BrokerCore {
    mutating func subscribe(_ subscribe: Subscribe, _ frame: Span<UInt8>, _ connection: Connection) {
        guard let session = connection.session else { return }
        let mark = changeMark
        var codes: [ReasonCode] = []
        var granted: [Granted] = []
        let identifier = subscribe.properties.variableByteInteger(.subscriptionIdentifier, in: frame) ?? 0
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
            options.qos = min(options.qos, limits.maximumQoS)
            let subscription = Subscription(filter: filter.copy(), options: options, identifier: identifier)
            granted.append(Granted(subscription: subscription, isNew: add(subscription, to: session)))
            codes.append(.granted(options.qos))
        }
        if !granted.isEmpty { note(.subscribed(granted.map(\.subscription.filter)), connection, session) }
        let version = connection.version
        let why: StaticString? = codes.contains(where: \.isFailure) ? "a filter is not open to the client" : nil
        let suback = Reply.explained(why, to: connection) { Reply.suback(subscribe.packetID, codes, version, $0) }
        answer(Answer(bytes: suback, granted: granted), to: connection, changedSince: mark)
    }

    private static func count(_ filters: FilterCursor, in frame: Span<UInt8>) -> Int {
        var (filters, count) = (filters, 0)
        while filters.next(in: frame) != nil { count += 1 }
        return count
    }

    private func refusal(of whole: Span<UInt8>, _ session: Session) -> ReasonCode? {
        let inner = TopicFilter.split(shared: whole)?.filter ?? ByteRange(start: 0, count: whole.count)
        let filter = whole.slice(inner)
        if !limits.allow(topic: filter) { return .topicFilterInvalid }
        let isFull =
            session.subscriptions.count >= limits.subscriptionsPerClient
            || session.filterBytes + Subscription.weight(of: whole) > limits.filterBytesPerClient
        if isFull, session.subscriptions[whole.copy()] == nil { return .quotaExceeded }
        // A filter that is forbidden by --deny is refused in the same way in both versions.
        return policy.maySubscribe(session.principal, filter: filter) ? nil : .unspecifiedError
    }

    /// Puts a subscription in place; false where it replaces one with the same filter.
    private mutating func add(_ subscription: Subscription, to session: Session) -> Bool {
        let replaced = session.subscribe(subscription)
        plant(subscription, of: session)
        if session.isStored, replaced != subscription {
            record(
                .subscribe(
                    key: session.key, filter: subscription.filter, options: subscription.options.encoded(for: .v5),
                    identifier: subscription.identifier))
        }
        return replaced == nil
    }

    mutating func plant(_ subscription: Subscription, of session: Session) {
        let subscriber = Subscriber(
            session: session, options: subscription.options, identifier: subscription.identifier)
        let path = subscription.topicFilter
        audiences.forget(filter: path)
        subscribers.update(path.span) { place in
            // Changed where it stands: a copy would cost as much as there are subscribers.
            if place == nil { place = FilterPlace() }
            place?.put(subscriber, as: subscription)
        }
    }

    mutating func uproot(_ subscription: Subscription, of session: Session) {
        let path = subscription.topicFilter
        audiences.forget(filter: path)
        subscribers.update(path.span) { place in
            place?.remove(session, subscription)
            if place?.isEmpty == true { place = nil }
        }
    }

    mutating func unsubscribe(_ unsubscribe: Unsubscribe, _ frame: Span<UInt8>, _ connection: Connection) {
        guard let session = connection.session else { return }
        let mark = changeMark
        var codes: [ReasonCode] = []
        var ended: [[UInt8]] = []
        var cursor = FilterCursor(unsubscribe)
        while let request = cursor.next(in: frame) {
            let filter = frame.slice(request.filter).copy()
            guard let subscription = session.unsubscribe(filter) else {
                codes.append(.noSubscriptionExisted)
                continue
            }
            uproot(subscription, of: session)
            session.retainedFeed.remove(filter)
            if session.isStored { record(.unsubscribe(key: session.key, filter: filter)) }
            codes.append(.success)
            ended.append(filter)
        }
        if !ended.isEmpty { note(.unsubscribed(ended), connection, session) }
        let unsuback = Reply.unsuback(unsubscribe.packetID, codes, connection.version)
        answer(Answer(bytes: unsuback), to: connection, changedSince: mark)
    }
}
