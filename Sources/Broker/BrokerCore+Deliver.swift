import MQTTWire

//  What goes to subscribers: queued, sent within the client's window, acknowledged (clause 4.3, sender).

extension BrokerCore {
    /// Sends or queues a live message.
    ///
    /// - Parameters:
    ///   - share: the shared subscription that it came by; empty = none.
    ///   - isPromised: whether its publisher is told that kept sessions have it.
    mutating func deliver(
        _ message: Message, to session: Session, _ grant: Grant, share: [UInt8] = [], isPromised: Bool = false
    ) {
        let qos = min(message.qos, grant.qos)
        let retain = grant.keepsRetain && message.retain
        guard qos > .atMostOnce else {
            return deliverOnce(message, to: session, retain: retain, identifiers: grant.identifiers)
        }
        guard (isPromised && session.isStored) || !isFull(session) else {
            counters.dropped += 1
            counters.droppedToSlow += 1
            if let connection = session.connection { condemn(connection, .quotaExceeded) }
            return
        }
        enqueue(message, qos, grant, retain: retain, share: share, for: session)
        feed(session)
    }

    mutating func enqueue(
        _ message: Message, _ qos: QoS, _ grant: Grant, retain: Bool, share: [UInt8] = [], for session: Session
    ) {
        // Were a QoS 2 message sent before it is on disk, a crash would send it again as another one.
        let ticket = qos == .exactlyOnce && session.isStored ? feedLater(session) : 0
        let isOnDisk = isHeadFull(session)
        let entry = session.enqueue(onDiskAfter: isOnDisk ? nextTicket : nil) {
            QueueEntry(
                sequence: $0, message: message, qos: qos, retain: retain, identifiers: grant.identifiers, share: share,
                readyAfter: ticket)
        }
        hold(message)
        queuedBytes += message.cost
        if session.isStored { record(.enqueue(key: session.key, StoredEntry(entry))) }
        if isOnDisk {
            commits.hold(message)
            watchExpiry(session)
        } else {
            watchExpiry(of: message, in: session)
        }
    }

    mutating func deliverOnce(
        _ message: Message, to session: Session, retain: Bool, identifiers: [UInt32]
    ) {
        guard let connection = session.connection, connection.isOpen else { return }
        guard connection.output.count < dropAbove else {
            counters.dropped += 1
            counters.droppedToSlow += 1
            return
        }
        write(message, to: connection, PacketHead(qos: .atMostOnce, retain: retain, identifiers: identifiers))
    }

    /// Sends what waits, as far as the client's window and its connection go.
    mutating func feed(_ session: Session) {
        guard let connection = session.connection, connection.isOpen else { return }
        while let packetID = session.takeRelease(settled: settled) {
            send(Reply.pubrel(packetID, .success, connection.version), to: connection)
        }
        sendWaiting(session, connection)
        if !session.retainedFeed.isEmpty {
            feedRetained(session, connection)
            sendWaiting(session, connection)
        }
        let isWaiting = session.retainedFeed.mayGoOn && session.queueCount < connection.window
        connection.hasMore = isWaiting || !hasRoom(connection)
        if connection.hasMore { touch(connection) }
        refill(session)
    }

    private mutating func sendWaiting(_ session: Session, _ connection: Connection) {
        while hasRoom(connection), session.inFlight.count < connection.window, maySend(session),
            let entry = session.takeWaiting(settled: settled)
        {
            send(entry, of: session, to: connection)
        }
    }

    /// Whether one more entry may be sent: after a crash the first `sendWindow` on disk count as sent, and no others.
    private func maySend(_ session: Session) -> Bool {
        !session.isStored || session.sentCount(settled: settled) < limits.sendWindow
    }

    /// The shell has written what there was: goes on with what waits.
    package mutating func fill(_ connection: Connection, now: Int64) {
        self.now = now
        connection.hasMore = false
        book(connection)
        if let session = connection.session { feed(session) }
    }

    private mutating func send(_ entry: QueueEntry, of session: Session, to connection: Connection) {
        guard !entry.isReleased else {
            return send(Reply.pubrel(entry.packetID, .success, connection.version), to: connection)
        }
        // What was sent goes on whatever its age, and what may have been where that breaks a rule [MQTT-4.3.3-7].
        let hasBegun = entry.isBegun || (entry.wasSent && entry.qos == .exactlyOnce)
        let isOfUse = hasBegun || !entry.message.isExpired(now: now)
        guard isOfUse,
            write(
                entry.message, to: connection,
                PacketHead(
                    qos: entry.qos, packetID: entry.packetID, retain: entry.retain, isDuplicate: entry.wasSent,
                    identifiers: entry.identifiers))
        else { return finish(entry.packetID, of: session) }
    }

    // MARK: Acknowledgements of the client

    /// PUBACK: a QoS 1 message is done [MQTT-4.3.2-3].
    mutating func acknowledged(_ ack: Ack, _ connection: Connection) throws(MQTTFault) {
        guard let session = connection.session, let entry = session.inFlight[ack.packetID] else { return }
        guard entry.qos == .atLeastOnce else { throw .unexpectedPacket(.puback) }
        finish(ack.packetID, of: session)
        feed(session)
    }

    /// PUBREC: the client has the QoS 2 message, or refuses it, which ends it too [MQTT-4.3.3-4].
    mutating func taken(_ ack: Ack, _ connection: Connection) throws(MQTTFault) {
        guard let session = connection.session else { return }
        guard let entry = session.inFlight[ack.packetID] else {
            // PUBREL would have the client take the repetition for a new message.
            if ack.reason.isFailure || session.willRepeat(ack.packetID) { return }
            return send(Reply.pubrel(ack.packetID, .packetIdentifierNotFound, connection.version), to: connection)
        }
        guard entry.qos == .exactlyOnce else { throw .unexpectedPacket(.pubrec) }
        if ack.reason.isFailure {
            finish(ack.packetID, of: session)
        } else {
            release(entry, of: session)
        }
        feed(session)
    }

    private mutating func release(_ entry: QueueEntry, of session: Session) {
        var ticket: UInt64 = 0
        if session.isStored, !entry.isReleased {
            ticket = feedLater(session)
            record(.release(key: session.key, sequence: entry.sequence))
        }
        session.release(entry.packetID, readyAfter: ticket)
    }

    /// PUBCOMP: a QoS 2 message is done.
    mutating func completed(_ ack: Ack, _ connection: Connection) throws(MQTTFault) {
        guard let session = connection.session, let entry = session.inFlight[ack.packetID] else { return }
        guard entry.isReleased else { throw .unexpectedPacket(.pubcomp) }
        finish(ack.packetID, of: session)
        feed(session)
    }

    private mutating func finish(_ packetID: UInt16, of session: Session) {
        guard let entry = session.finish(packetID) else { return }
        forget(entry, of: session)
    }

    /// An entry is in the session's memory no more: takes it off the disk, where it stands among those that may have been
    /// sent until then.
    mutating func forget(_ entry: QueueEntry, of session: Session) {
        letGo(entry.message)
        queuedBytes -= entry.message.cost
        guard session.isStored else { return }
        record(.dequeue(key: session.key, sequence: entry.sequence))
        session.depart(with: nextTicket)
        if !maySend(session) { _ = feedLater(session) }
    }

    // MARK: Packets

    /// Appends the packet to the client's output; false where it is larger than the client takes.
    @discardableResult
    private mutating func write(_ message: Message, to connection: Connection, _ head: PacketHead) -> Bool {
        let form = PacketForm(version: connection.version, qos: head.qos)
        var alias = connection.alias(for: message.topic)
        var template = Reply.publish(
            message, form, identifiers: head.identifiers, alias: alias, now: now, &packetCache)
        if case .new = alias, template.bytes.count > connection.packetLimit {
            alias = .none
            template = Reply.publish(
                message, form, identifiers: head.identifiers, alias: alias, now: now, &packetCache)
        }
        guard template.bytes.count <= connection.packetLimit else { return false }
        if case .new(let number) = alias { connection.tell(number, of: message.topic) }
        head.append(template, to: &connection.output)
        book(connection)
        counters.packetsSent += 1
        counters.publishesSent += 1
        counters.bytesSent += template.bytes.count
        touch(connection)
        return true
    }
}

/// What is different in each receiver's copy of a PUBLISH.
private struct PacketHead {
    var qos: QoS
    var packetID: UInt16 = 0
    var retain: Bool
    var isDuplicate = false
    var identifiers: [UInt32] = []

    /// Appends the encoded packet and patches it.
    func append(_ template: PacketTemplate, to output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: template.bytes)
        if retain { output[start] |= 0x01 }
        if isDuplicate { output[start] |= 0x08 }
        if qos > .atMostOnce {
            output[start + template.packetIDOffset] = UInt8(truncatingIfNeeded: packetID >> 8)
            output[start + template.packetIDOffset + 1] = UInt8(truncatingIfNeeded: packetID)
        }
    }
}

extension StoredEntry {
    init(_ entry: QueueEntry) {
        self.init(
            sequence: entry.sequence, qos: entry.qos.rawValue, topic: entry.message.topic,
            payload: entry.message.payload, properties: entry.message.properties, retain: entry.retain,
            expires: entry.message.expires, identifiers: entry.identifiers, share: entry.share)
    }
}
