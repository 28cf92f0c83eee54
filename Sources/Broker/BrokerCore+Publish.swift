import ByteKit
package import MQTTWire

extension BrokerCore {
    mutating func publish(_ publish: Publish, _ frame: Span<UInt8>, _ connection: Connection) throws(MQTTFault) {
        guard let session = connection.session else { return }
        guard publish.qos <= .atLeastOnce else {
            return end(connection, reason: .qosNotSupported, will: .send)
        }
        // An older client does not know the limit: the shell stops reading from it instead.
        guard publish.qos == .atMostOnce || connection.version == .v311 || !connection.isOverWindow else {
            return end(connection, reason: .receiveMaximumExceeded, will: .send)
        }
        guard publish.properties.u16(.topicAlias, in: frame) == nil else {
            return end(connection, reason: .topicAliasInvalid, will: .send)
        }
        let topic = frame.slice(publish.topic)
        guard limits.allow(topic: topic) else {
            step(.refused(connection, reason: "a topic has more slashes than the limit of \(limits.topicSlashes ?? 0)"))
            return end(connection, reason: .topicNameInvalid, will: .send)
        }
        guard policy.mayPublish(session.principal, topic: topic) else {
            return refusePublish(publish, topic, connection)
        }
        let message = Message(
            topic: topic.copy(), payload: frame.slice(publish.payload).copy(), qos: publish.qos, retain: publish.retain,
            properties: Reply.forwarded(publish.properties, frame),
            expires: publish.properties.u32(.messageExpiryInterval, in: frame).map { now + Int64($0) * 1000 })
        take(message, packetID: publish.packetID, connection, session)
    }

    private mutating func take(
        _ message: Message, packetID: UInt16, _ connection: Connection, _ session: Session
    ) {
        counters.published += 1
        let mark = changeMark
        let hasRoom = distribute(message, from: session)
        let needsAnswer = message.qos == .atLeastOnce
        guard hasRoom else {
            if needsAnswer, connection.version == .v5 {
                answer(Reply.puback(packetID, .quotaExceeded, .v5), to: connection, changedSince: mark)
            } else if needsAnswer {
                end(connection, reason: nil, will: .send)
            }
            return
        }
        let bytes = needsAnswer ? Reply.puback(packetID, .success, connection.version) : []
        switch message.kind {
        case .shadowRequest:
            // Without an acknowledgement it still counts as open, so that nobody fills the store's queue.
            let ticket = hold(bytes, for: connection)
            step(.shadowRequest(topic: message.topic, payload: message.payload, answer: ticket))
        case .deviceLog(let thing):
            let name = Array(message.topic[thing.start..<thing.end])
            step(.deviceLog(thing: name, payload: message.payload))
            fallthrough
        case .ordinary, .closed:
            if needsAnswer { answer(bytes, to: connection, changedSince: mark) }
        }
    }

    private mutating func refusePublish(_ publish: Publish, _ topic: Span<UInt8>, _ connection: Connection) {
        counters.refused += 1
        step(.refused(connection, reason: "may not publish to \(String(decoding: topic.copy(), as: UTF8.self))"))
        if connection.version == .v5, publish.qos == .atLeastOnce {
            answer(Reply.puback(publish.packetID, .notAuthorized, .v5), to: connection, changedSince: changeMark)
        } else {
            end(connection, reason: .notAuthorized, will: .send)
        }
    }

    /// A message of the server itself, for whoever subscribed to its topic.
    package mutating func publish(topic: [UInt8], payload: [UInt8], qos: QoS = .atLeastOnce, now: Int64) {
        self.now = now
        distribute(Message(topic: topic, payload: payload, qos: qos), from: nil)
    }

    /// Hands a message to all subscribers and to the retained ones.
    ///
    /// - Returns: false where a client's message meets a kept session whose queue is full; then nobody has got it.
    @discardableResult
    mutating func distribute(_ message: Message, from sender: Session?) -> Bool {
        let matches = matches(message.topic)
        // A message of the server itself has no publisher to refuse: a full session misses it, the others do not.
        if message.qos == .atLeastOnce, sender != nil, matches.contains(where: { isRefusing($0) }) {
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
        subscriber.options.qos >= .atLeastOnce && subscriber.session.isFull && subscriber.session.isPersistent
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

    mutating func deliver(_ message: Message, to subscriber: Subscriber, retain: Bool) {
        let session = subscriber.session
        guard min(message.qos, subscriber.options.qos) == .atLeastOnce else {
            return deliverOnce(message, to: session, retain: retain)
        }
        guard !session.isFull else {
            counters.dropped += 1
            if let connection = session.connection { end(connection, reason: .quotaExceeded, will: .send) }
            return
        }
        let entry = session.enqueue(message, retain: retain)
        if session.isPersistent { record(.enqueue(key: session.key, StoredEntry(entry))) }
        feed(session)
    }

    private mutating func deliverOnce(_ message: Message, to session: Session, retain: Bool) {
        guard let connection = session.connection, connection.stage == .connected else { return }
        guard connection.output.count < Connection.dropAbove else {
            counters.dropped += 1
            return
        }
        write(message, to: connection, qos: .atMostOnce, packetID: 0, retain: retain, isDuplicate: false)
    }

    /// Sends what waits, as far as the client's window goes.
    mutating func feed(_ session: Session) {
        guard let connection = session.connection, connection.stage == .connected else { return }
        while session.inFlight.count < connection.window, let entry = session.takeWaiting() {
            guard !entry.message.isExpired(now: now),
                write(
                    entry.message, to: connection, qos: .atLeastOnce, packetID: entry.packetID, retain: entry.retain,
                    isDuplicate: entry.wasSent)
            else {
                finishEntry(session, entry.packetID)
                continue
            }
        }
    }

    mutating func acknowledged(_ ack: Ack, _ connection: Connection) {
        guard let session = connection.session else { return }
        finishEntry(session, ack.packetID)
        feed(session)
    }

    private mutating func finishEntry(_ session: Session, _ packetID: UInt16) {
        guard let entry = session.acknowledge(packetID), session.isPersistent else { return }
        record(.dequeue(key: session.key, sequence: entry.sequence))
    }

    /// Appends the packet to the client's output; false where it is larger than the client takes.
    @discardableResult
    private mutating func write(
        _ message: Message, to connection: Connection, qos: QoS, packetID: UInt16, retain: Bool, isDuplicate: Bool
    ) -> Bool {
        let template = Reply.publish(message, version: connection.version, qos: qos, now: now)
        guard template.bytes.count <= connection.packetLimit else { return false }
        let start = connection.output.count
        connection.output.append(contentsOf: template.bytes)
        if retain { connection.output[start] |= 0x01 }
        if isDuplicate { connection.output[start] |= 0x08 }
        if qos == .atLeastOnce {
            connection.output[start + template.packetIDOffset] = UInt8(truncatingIfNeeded: packetID >> 8)
            connection.output[start + template.packetIDOffset + 1] = UInt8(truncatingIfNeeded: packetID)
        }
        counters.packetsSent += 1
        touch(connection)
        if connection.output.count > Connection.closeAbove {
            end(connection, reason: .quotaExceeded, will: .send)
        }
        return true
    }
}

extension StoredEntry {
    init(_ entry: QueueEntry) {
        self.init(
            sequence: entry.sequence, packetID: entry.packetID, topic: entry.message.topic,
            payload: entry.message.payload,
            properties: entry.message.properties, retain: entry.retain, expires: entry.message.expires)
    }
}
