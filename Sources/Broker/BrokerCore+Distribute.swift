import ByteKit
import MQTTWire

//  Who gets a message, and what is kept of it for later subscribers.

extension BrokerCore {
    /// Hands a message to all subscribers and to the retained ones.
    ///
    /// - Returns: false where a client's message meets a kept session whose queue is full; then nobody has got it.
    @discardableResult
    mutating func distribute(_ message: Message, from sender: Session?) -> Bool {
        let matches = matches(message.topic)
        // A message of the server itself has no publisher to refuse: a full session misses it, the others do not.
        if message.qos > .atMostOnce, sender != nil, matches.contains(where: { isRefusing($0) }) {
            counters.dropped += 1
            return false
        }
        if message.retain, message.kind != .shadowRequest { retain(message) }
        for subscriber in matches where !(subscriber.options.noLocal && subscriber.session === sender) {
            deliver(message, to: subscriber, retain: subscriber.options.retainAsPublished && message.retain)
        }
        return true
    }

    private func isRefusing(_ subscriber: Subscriber) -> Bool {
        subscriber.options.qos > .atMostOnce && subscriber.session.isFull && subscriber.session.isPersistent
    }

    /// Subscribers of a topic, one entry a session: overlapping filters give one copy at the highest QoS.
    private mutating func matches(_ topic: [UInt8]) -> [Subscriber] {
        if let known = matchCache[topic] { return known }
        var found: [Subscriber] = []
        subscribers.matchFilters(topic: topic.span) { found.append(contentsOf: $0) }
        var best: [Subscriber] = []
        var positions: [ObjectIdentifier: Int] = [:]
        for subscriber in found {
            if let position = positions[ObjectIdentifier(subscriber.session)] {
                if best[position].options.qos < subscriber.options.qos { best[position] = subscriber }
            } else {
                positions[ObjectIdentifier(subscriber.session)] = best.count
                best.append(subscriber)
            }
        }
        if matchCache.count >= 4096 { matchCache.removeAll(keepingCapacity: true) }
        matchCache[topic] = best
        return best
    }

    private mutating func retain(_ message: Message) {
        let topic = message.topic
        if message.payload.isEmpty {
            guard retained.value(at: topic.span) != nil else { return }
            retained.update(topic.span) { $0 = nil }
            record(.forgetRetained(topic: message.topic))
        } else {
            retained.update(topic.span) { $0 = message }
            record(
                .retain(
                    topic: message.topic, payload: message.payload, qos: message.qos.rawValue,
                    properties: message.properties, stored: now))
        }
    }
}
