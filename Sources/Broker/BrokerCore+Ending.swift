import ByteKit
import MQTTWire

//  How connections and sessions end, what a client leaves behind, and what falls due.

/// What becomes of a will when its connection ends.
enum WillFate {
    /// It leaves, now or after its delay.
    case send
    case drop
    /// The server stops: that of a kept session leaves after the next start (3.1.2.5), no other one does.
    case keep
}

/// The message that a client leaves behind (clause 3.1.2.5).
struct LastWill {
    /// Without expiry: that begins when the will is published (3.1.3.2.4).
    let message: Message
    let expirySeconds: UInt32?
    /// Seconds from the end of the connection; a resumed session cancels it [MQTT-3.1.3-9].
    let delaySeconds: UInt32

    init(_ will: Will, in frame: Span<UInt8>) {
        message = Message(
            topic: frame.slice(will.topic).copy(), payload: frame.slice(will.payload).copy(), qos: will.qos,
            retain: will.retain, properties: Reply.forwarded(will.properties, frame))
        expirySeconds = will.properties.u32(.messageExpiryInterval, in: frame)
        delaySeconds = will.properties.u32(.willDelayInterval, in: frame) ?? 0
    }

    init?(_ stored: StoredWill) {
        guard let qos = QoS(rawValue: stored.qos) else { return nil }
        message = Message(
            topic: stored.topic, payload: stored.payload, qos: qos, retain: stored.retain,
            properties: stored.properties)
        expirySeconds = stored.expirySeconds
        delaySeconds = stored.delaySeconds
    }
}

extension StoredWill {
    init(_ will: LastWill, due: Int64?) {
        let message = will.message
        self.init(
            topic: message.topic, payload: message.payload, qos: message.qos.rawValue, retain: message.retain,
            properties: message.properties, expirySeconds: will.expirySeconds, delaySeconds: will.delaySeconds,
            due: due)
    }
}

extension BrokerCore {
    /// Ends a connection from our side; an MQTT 5 client is told why.
    mutating func end(
        _ connection: Connection, reason: ReasonCode?, as word: DisconnectReason? = nil,
        telling text: StaticString? = nil, will: WillFate
    ) {
        guard connection.stage != .ended else { return }
        if let reason, connection.version == .v5, connection.stage == .connected {
            let packet = Reply.explained(text, to: connection, isLast: true) { Reply.disconnect(reason, $0) }
            send(packet, to: connection)
        }
        finish(connection, word ?? DisconnectReason(reason), will: will)
    }

    /// Has a connection ended when this event is worked off: what its end causes must not reach into that.
    mutating func condemn(_ connection: Connection, _ reason: ReasonCode) {
        guard connection.isOpen else { return }
        connection.isCondemned = true
        counters.closedAsSlow += 1
        condemned.append((connection, reason))
    }

    mutating func endCondemned() {
        while let (connection, reason) = condemned.popLast() {
            counters.slowClosed += 1
            step(.refused(connection, reason: "too much waits for the client, which does not read or acknowledge it"))
            end(connection, reason: reason, will: .send)
        }
    }

    /// Takes the connection out of the books: it is no longer anybody's, whatever still arrives on it.
    mutating func finish(_ connection: Connection, _ word: DisconnectReason, will fate: WillFate) {
        guard connection.stage != .ended else { return }
        connection.stage = .ended
        connection.isClosing = true
        connection.isAuthenticating = false
        connection.answers.removeAll()
        book(connection)
        connections[ObjectIdentifier(connection)] = nil
        touch(connection)
        let will = connection.will
        connection.will = nil
        // A client that was never let in has no session and no say: its will's topic was never checked.
        guard let session = connection.session, session.connection === connection else { return }
        session.connection = nil
        session.retainedFeed.rewind()
        connectionCounts.left(session.key, now: now)
        note(.disconnected(word), connection, session)
        if session.isPersistent {
            session.endedAt = now
            recordSession(session)
            putAway(session)
            if let will { leave(will, of: session, fate) }
            arm(session)
        } else {
            drop(session)
            if let will, fate == .send { publish(will, of: session) }
        }
    }

    // MARK: Wills

    /// The will of a kept session is on disk while the client is there: it outlives a crash of the server (3.1.2.5).
    mutating func storeWill(of connection: Connection, _ session: Session) {
        guard session.isStored, let will = connection.will else { return }
        record(.will(key: session.key, StoredWill(will, due: nil)))
    }

    /// Publishes the will of a kept session, or puts it off: until its delay or the session ends [MQTT-3.1.3-9].
    private mutating func leave(_ will: LastWill, of session: Session, _ fate: WillFate) {
        guard fate != .keep else { return }
        let due = session.due(of: will, from: now)
        if fate == .send, due > now {
            session.will = (will, due)
            record(.will(key: session.key, StoredWill(will, due: due)))
        } else {
            record(.forgetWill(key: session.key))
            if fate == .send { publish(will, of: session) }
        }
    }

    private mutating func publish(_ will: LastWill, of session: Session) {
        let topic = will.message.topic
        guard policy.mayPublish(session.principal, topic: topic.span) else { return }
        distribute(will.message.expiring(will.expirySeconds.map { now + Int64($0) * 1000 }), from: session)
    }

    /// The client is back in time.
    mutating func cancelWill(of session: Session) {
        guard session.will != nil else { return }
        session.will = nil
        if session.isStored { record(.forgetWill(key: session.key)) }
    }

    private mutating func publishWill(of session: Session) {
        guard let (will, _) = session.will else { return }
        cancelWill(of: session)
        publish(will, of: session)
    }

    // MARK: Sessions

    /// Forgets a session with all that waits in it; its will leaves now [MQTT-3.1.3-9].
    mutating func drop(_ session: Session) {
        for subscription in session.subscriptions.values {
            uproot(subscription, of: session)
        }
        remove(session)
        if session.isStored {
            putAway(session)
            bequeath(session)
            record(.dropSession(key: session.key))
            session.isStored = false
        } else {
            let (sent, waiting) = (session.inFlight.all, session.waiting.all)
            for entry in sent + waiting { letGo(entry.message) }
            handOn(sent.filter { $0.qos == .atLeastOnce } + waiting)
        }
        queuedBytes -= session.queuedBytes
        publishWill(of: session)
    }

    mutating func recordSession(_ session: Session) {
        guard session.isPersistent || session.isStored else { return }
        session.isStored = true
        record(
            .session(
                key: session.key, principal: session.principal.text, expirySeconds: session.expirySeconds,
                endedAt: session.endedAt))
    }

    // MARK: Time

    /// Looks after a session without connection when its will or its end is due.
    mutating func arm(_ session: Session) {
        for due in [session.will?.due, session.endsAt].compactMap(\.self) {
            arm(.session(session.key), due: due)
        }
    }

    mutating func arm(_ subject: Deadlines.Subject, due: Int64) {
        deadlines.add(subject, due: due)
        // Clients that come and go leave entries that hold no more.
        if deadlines.count > 4 * (sessions.count + retained.count + connections.count) + 1024 { rebuildDeadlines() }
    }

    private mutating func rebuildDeadlines() {
        var fresh = Deadlines()
        for session in sessions.values where session.connection == nil {
            for due in [session.will?.due, session.endsAt].compactMap(\.self) {
                fresh.add(.session(session.key), due: due)
            }
        }
        for session in sessions.values {
            if let due = session.expiryDue { fresh.add(.session(session.key), due: due) }
        }
        retained.forEach { message in
            if let expires = message.expires { fresh.add(.retained(message.topic), due: expires + 1) }
        }
        // Rather too early than never.
        for connection in connections.values where connection.isPaused { fresh.add(.reading(connection), due: now) }
        for (identity, connection) in connections {
            if let due = connection.silenceDue { fresh.add(.silence(identity, at: due), due: due) }
        }
        deadlines = fresh
    }

    /// Looks after a connection when it will have been silent for too long; one that has no limit is looked after no more.
    mutating func watchSilence(of connection: Connection) {
        connection.silenceDue = connection.patience.map { connection.heardOf + $0 + 1 }
        guard let due = connection.silenceDue else { return }
        arm(.silence(ObjectIdentifier(connection), at: due), due: due)
    }

    /// Ends a connection that has been silent for too long: without CONNECT, or for 1.5 times its keep-alive [MQTT-3.1.2-22].
    private mutating func meetSilence(_ identity: ObjectIdentifier, _ due: Int64) {
        guard let connection = connections[identity], connection.silenceDue == due else { return }
        // Who is not read from cannot be heard of.
        if connection.stage == .connected, connection.mustWait { connection.heardOf = now }
        guard let patience = connection.patience, now - connection.heardOf > patience else {
            return watchSilence(of: connection)
        }
        if connection.stage == .connected {
            end(connection, reason: .keepAliveTimeout, will: .send)
        } else {
            end(connection, reason: nil, will: .drop)
        }
    }

    /// A message that waits in memory is to go when it expires.
    mutating func watchExpiry(of message: Message, in session: Session) {
        guard let expires = message.expires, session.firstExpiry.map({ expires < $0 }) ?? true else { return }
        session.firstExpiry = expires
        watchExpiry(session)
    }

    /// Looks after the queue of a session when the first of it expires, unless it is looked after earlier.
    mutating func watchExpiry(_ session: Session, notBefore soonest: Int64 = .min) {
        guard let first = [session.firstExpiry, session.tail.firstExpiry].compactMap(\.self).min() else { return }
        let due = max(first + 1, soonest)
        guard session.expiryDue.map({ due < $0 }) ?? true else { return }
        session.expiryDue = due
        arm(.session(session.key), due: due)
    }

    /// Forgets what has expired in a queue, in memory and on disk; at most once a second, since it looks at all of it.
    private mutating func dropExpired(of session: Session) {
        guard let due = session.expiryDue, due <= now else { return }
        session.expiryDue = nil
        sweep(session)
        if let first = session.firstExpiry, first < now {
            for entry in session.removeExpired(now: now) { forget(entry, of: session) }
        }
        watchExpiry(session, notBefore: now + 1000)
    }

    /// What is done in one turn of the loop, of what is due.
    package static let deadlinesPerTurn = 1000

    /// Does what is due: ends sessions, publishes wills, forgets retained messages.
    ///
    /// Where that is much, the rest stays due.
    mutating func meetDeadlines() {
        var left = Self.deadlinesPerTurn
        while left > 0, let subject = deadlines.next(upTo: now) {
            left -= 1
            switch subject {
            case .session(let key):
                guard let session = sessions[key] else { continue }
                dropExpired(of: session)
                guard session.connection == nil else { continue }
                if let end = session.endsAt, end <= now {
                    drop(session)
                } else if let (_, due) = session.will, due <= now {
                    publishWill(of: session)
                }
            case .retained(let topic):
                guard let expires = retained.value(at: topic.span)?.expires else { continue }
                expires < now ? forgetRetained(topic) : arm(.retained(topic), due: expires + 1)
            case .reading(let connection):
                resume(connection)
            case .silence(let identity, let due):
                meetSilence(identity, due)
            }
        }
    }
}
