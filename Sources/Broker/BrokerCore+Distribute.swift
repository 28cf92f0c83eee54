import ByteKit
import MQTTWire

//  Who gets a message, and what is kept of it for later subscribers.

extension BrokerCore {
    /// Whether a message may be turned down because a kept session has no room for it.
    enum Insistence {
        /// Nobody gets it then: its publisher is told, and keeps it.
        case refusable
        /// There is no publisher to tell: the full session misses it, the others do not.
        case firm
    }

    /// Hands a message to all subscribers and to the retained ones.
    ///
    /// - Returns: false where it was turned down.
    @discardableResult
    mutating func distribute(_ message: Message, from sender: Session?, _ insistence: Insistence = .firm) -> Bool {
        let audience = audience(of: message.topic)
        let isKept = message.retain && !message.kind.isRequest
        let isTooMuch = isKept && !canRetain(message)
        if insistence == .refusable, message.qos > .atMostOnce, isTooMuch || isRefused(message, by: audience) {
            counters.dropped += 1
            return false
        }
        if isTooMuch { counters.dropped += 1 } else if isKept { retain(message) }
        // From here on it is promised: the first queues that take it may fill what all have together.
        let isPromised = insistence == .refusable && message.qos > .atMostOnce
        for recipient in audience.recipients {
            guard let grant = recipient.grant(from: sender) else { continue }
            deliver(message, to: recipient.session, grant, isPromised: isPromised)
        }
        for group in audience.groups {
            guard let member = pick(from: group, for: message, isPromised: isPromised) else {
                if message.qos > .atMostOnce { counters.dropped += 1 }
                continue
            }
            deliver(message, to: member.session, member.grant, share: group.filter, isPromised: isPromised)
        }
        return true
    }

    /// The member that gets the message; a promised one rather beyond a limit than nobody.
    private func pick(from group: ShareGroup, for message: Message, isPromised: Bool) -> Subscriber? {
        let fit = group.pick { fitness(of: $0, for: message.qos) }
        guard fit == nil, isPromised else { return fit }
        return group.members.first { $0.session.isStored && $0.options.qos > .atMostOnce }
    }

    private func isRefused(_ message: Message, by audience: Audience) -> Bool {
        if isOverfull, !audience.recipients.isEmpty || !audience.groups.isEmpty { return true }
        for recipient in audience.recipients {
            guard let grant = recipient.grant(from: nil) else { continue }
            if isRefusing(recipient.session, grant.qos) { return true }
        }
        for group in audience.groups {
            let members = group.members
            guard members.first(where: { fitness(of: $0, for: message.qos) != .unable }) == nil else { continue }
            if members.first(where: { isRefusing($0.session, $0.options.qos) }) != nil { return true }
        }
        return false
    }

    /// Whether nothing more may wait for a session: a kept one is bounded by bytes, and all of them together.
    func isFull(_ session: Session) -> Bool {
        guard session.isStored else {
            return session.queueCount >= Session.queueLimit || session.queuedBytes >= Session.queueBytes
        }
        let share = queuedBytes < limits.queueBytes ? limits.sessionQueueBytes : limits.sessionShareBytes
        return session.queuedBytes >= min(share, limits.sessionQueueBytes)
    }

    private func isRefusing(_ session: Session, _ qos: QoS) -> Bool {
        qos > .atMostOnce && session.isStored && isFull(session)
    }

    /// How well a member of a group can take a message of `qos`.
    func fitness(of member: Subscriber, for qos: QoS) -> ShareGroup.Fitness {
        let session = member.session
        let isPromise = min(qos, member.options.qos) > .atMostOnce
        guard let connection = session.connection, connection.isOpen else {
            return isPromise && session.isStored && !isFull(session) ? .away : .unable
        }
        guard !isPromise || !isFull(session) else { return .unable }
        let hasRoom = connection.output.count < dropAbove
        guard isPromise else { return hasRoom ? .ready : .busy }
        return hasRoom && session.queueCount < connection.window ? .ready : .busy
    }

    /// Whether somebody subscribed to a topic; does not displace audiences that are asked for often.
    func isHeard(_ topic: [UInt8]) -> Bool {
        var isHeard = false
        subscribers.matchFilters(topic: topic.span) { _ in isHeard = true }
        return isHeard
    }

    /// Subscribers of a topic.
    private mutating func audience(of topic: [UInt8]) -> Audience {
        if let known = audiences[topic] { return known }
        var found: [Subscriber] = []
        var audience = Audience()
        subscribers.matchFilters(topic: topic.span) { place in
            place.subscribers.forEach { found.append($0) }
            audience.groups.append(contentsOf: place.groups)
        }
        audience.recipients = Recipient.gather(found)
        audiences.keep(audience, of: topic)
        return audience
    }

    /// What a session's own subscriptions grant it of a topic; shared ones do not count.
    func grant(of topic: [UInt8], to session: Session) -> Grant? {
        var found: [Subscriber] = []
        subscribers.matchFilters(topic: topic.span) { place in
            if let own = place.subscribers[session] { found.append(own) }
        }
        return Recipient.gather(found).first?.grant(from: nil)
    }

    /// Whether there is room to keep a message for later subscribers.
    func canRetain(_ message: Message) -> Bool {
        guard !message.payload.isEmpty else { return true }
        let topic = message.topic
        let old = retained.value(at: topic.span)
        guard !isOverfull, retainedBytes - (old?.cost ?? 0) + message.cost <= limits.retainedBytes else { return false }
        guard let thing = message.loggingThing else { return true }
        let own = retainedOfThings[thing] ?? (0, 0)
        return own.bytes - (old?.cost ?? 0) + message.cost <= limits.retainedBytesPerThing
            && (old != nil || own.topics < limits.retainedTopicsPerThing)
    }

    /// Keeps a message for later subscribers, in the place of an older one of its topic.
    mutating func place(_ message: Message) {
        let topic = message.topic
        let old = retained.value(at: topic.span)
        // One that expired while the server was away is due at once, and then forgotten on disk as well. Where an older
        // one is due before, the topic is looked at then.
        if let expires = message.expires, old?.expires.map({ expires < $0 }) ?? true {
            arm(.retained(topic), due: expires + 1)
        }
        if let old { count(old, topics: -1) }
        count(message, topics: 1)
        retained.update(topic.span) { $0 = message }
    }

    /// Books a retained message in or, with -1, out.
    private mutating func count(_ message: Message, topics: Int) {
        retainedBytes += topics * message.cost
        guard let thing = message.loggingThing else { return }
        let own = retainedOfThings[thing] ?? (0, 0)
        let left = own.topics + topics
        retainedOfThings[thing] = left == 0 ? nil : (own.bytes + topics * message.cost, left)
    }

    private mutating func retain(_ message: Message) {
        let topic = message.topic
        if message.payload.isEmpty {
            forgetRetained(topic)
        } else {
            place(message)
            record(
                .retain(
                    topic: message.topic, payload: message.payload, qos: message.qos.rawValue,
                    properties: message.properties, stored: now, expires: message.expires))
        }
    }

    mutating func forgetRetained(_ topic: [UInt8]) {
        guard let old = retained.value(at: topic.span) else { return }
        count(old, topics: -1)
        retained.update(topic.span) { $0 = nil }
        record(.forgetRetained(topic: topic))
    }
}
