import ByteKit
package import MQTTWire

//  What clients publish: checked, handed out, acknowledged once it is safe.

extension BrokerCore {
    mutating func publish(_ publish: Publish, _ frame: Span<UInt8>, _ connection: Connection) throws(MQTTFault) {
        guard let session = connection.session else { return }
        guard publish.qos <= limits.maximumQoS else {
            step(.refused(connection, reason: "publishes with QoS \(publish.qos.rawValue), which is not offered"))
            return end(connection, reason: .qosNotSupported, will: .send)
        }
        // An older client does not know the limit: the shell stops reading from it instead.
        guard publish.qos == .atMostOnce || connection.version == .v311 || !connection.isOverWindow else {
            return end(connection, reason: .receiveMaximumExceeded, will: .send)
        }
        let topic = try connection.topic(of: publish, in: frame)
        if publish.qos > .atMostOnce { connection.openPublishes += 1 }
        if publish.qos == .exactlyOnce, session.received.contains(publish.packetID) {
            return answerAgain(publish.packetID, session, connection)
        }
        guard limits.allow(topic: topic.span) else {
            step(.refused(connection, reason: "a topic has more slashes than the limit of \(limits.topicSlashes ?? 0)"))
            return end(connection, reason: .topicNameInvalid, will: .send)
        }
        guard policy.mayPublish(session.principal, topic: topic.span) else {
            counters.refused += 1
            let name = String(decoding: topic, as: UTF8.self)
            return refuse(
                publish.qos, publish.packetID, .notAuthorized, "may not publish to \(name)",
                telling: "the client may not publish to this topic", connection)
        }
        let message = Message(
            topic: topic, payload: frame.slice(publish.payload).copy(), qos: publish.qos, retain: publish.retain,
            properties: Reply.forwarded(publish.properties, frame),
            expires: publish.properties.u32(.messageExpiryInterval, in: frame).map { now + Int64($0) * 1000 })
        take(message, packetID: publish.packetID, connection, session)
    }

    private mutating func take(
        _ message: Message, packetID: UInt16, _ connection: Connection, _ session: Session
    ) {
        counters.published += 1
        defer { holdBack(connection) }
        let mark = changeMark
        guard distribute(message, from: session, .refusable) else {
            let why: StaticString =
                message.retain && !canRetain(message)
                ? "as much is retained as may be, of all or of this device"
                : "the queue of a subscriber that is away is full"
            return refuse(message.qos, packetID, .quotaExceeded, "\(why)", telling: why, connection)
        }
        let answer = acknowledgement(of: message.qos, packetID, connection.version)
        switch message.kind {
        case .shadowRequest, .jobRequest:
            return ask(message, answer ?? Answer(bytes: []), connection)
        case .deviceLog(let thing):
            let name = Array(message.topic[thing.start..<thing.end])
            step(.deviceLog(thing: name, payload: message.payload))
        case .ordinary, .closed:
            break
        }
        if message.qos == .exactlyOnce { note(received: packetID, from: session) }
        if let answer { self.answer(answer, to: connection, changedSince: mark) }
    }

    /// Asks a service; also without an acknowledgement the request is open until then, so that nobody fills the store.
    private mutating func ask(_ message: Message, _ answer: Answer, _ connection: Connection) {
        var ticket = hold(answer, for: connection)
        var service = ServiceRequest.Service.jobs
        if message.kind == .shadowRequest {
            service = connection.openShadowRequests < limits.shadowRequests ? .shadow : .shadowThrottled
            ticket.isShadowRequest = true
            connection.openShadowRequests += 1
        }
        let request = ServiceRequest(service: service, topic: message.topic, payload: message.payload)
        step(.request(request, answer: ticket))
    }

    private func acknowledgement(of qos: QoS, _ packetID: UInt16, _ version: MQTTVersion) -> Answer? {
        switch qos {
        case .atMostOnce: nil
        case .atLeastOnce: Answer(bytes: Reply.puback(packetID, .success, version), endsPublish: true)
        case .exactlyOnce: Answer(bytes: Reply.pubrec(packetID, .success, version), receives: packetID)
        }
    }

    /// Tells an MQTT 5 publisher that its message was not taken; 3.1.1 and QoS 0 have no words for that and are closed.
    private mutating func refuse(
        _ qos: QoS, _ packetID: UInt16, _ reason: ReasonCode, _ why: String, telling text: StaticString,
        _ connection: Connection
    ) {
        step(.refused(connection, reason: why))
        guard connection.version == .v5, qos > .atMostOnce else {
            return end(connection, reason: reason, as: .clientError, telling: text, will: .send)
        }
        let bytes = Reply.explained(text, to: connection) {
            qos == .atLeastOnce
                ? Reply.puback(packetID, reason, .v5, $0) : Reply.pubrec(packetID, reason, .v5, $0)
        }
        answer(Answer(bytes: bytes, endsPublish: true), to: connection, changedSince: changeMark)
    }

    // MARK: QoS 2 from the client (clause 4.3.3, receiver)

    /// Remembers that the QoS 2 message with this identifier was taken.
    mutating func note(received packetID: UInt16, from session: Session) {
        session.received.insert(packetID)
        if session.isStored { record(.receive(key: session.key, packetID: packetID)) }
    }

    /// The same message again: it is acknowledged and nothing else [MQTT-4.3.3-10].
    ///
    /// The identifier is stored once more, because the commit that was to store it may not be done yet.
    private mutating func answerAgain(_ packetID: UInt16, _ session: Session, _ connection: Connection) {
        let mark = changeMark
        note(received: packetID, from: session)
        answer(
            Answer(bytes: Reply.pubrec(packetID, .success, connection.version), receives: packetID), to: connection,
            changedSince: mark)
    }

    /// PUBREL: the identifier is free again, and PUBCOMP says so once that is on disk [MQTT-4.3.3-11, 4.3.3-12].
    mutating func released(_ ack: Ack, _ connection: Connection) {
        guard let session = connection.session else { return }
        let mark = changeMark
        let wasKnown = session.received.remove(ack.packetID) != nil
        // Also where it is not known: the commit that was to forget it may not be done yet.
        if session.isStored { record(.forgetReceived(key: session.key, packetID: ack.packetID)) }
        let bytes = Reply.pubcomp(ack.packetID, wasKnown ? .success : .packetIdentifierNotFound, connection.version)
        answer(Answer(bytes: bytes, endsPublish: true), to: connection, changedSince: mark)
    }

    // MARK: Messages of the server

    /// A message of the server itself, for whoever subscribed to its topic.
    package mutating func publish(
        topic: [UInt8], payload: [UInt8], qos: QoS = .atLeastOnce, expires: Int64? = nil, now: Int64
    ) {
        self.now = now
        distribute(Message(topic: topic, payload: payload, qos: qos, expires: expires), from: nil)
    }

    /// Tells of a client, where it has a topic and somebody listens.
    package mutating func publish(_ event: LifecycleEvent, now: Int64) {
        guard let topic = event.topic, isHeard(topic) else { return }
        publish(topic: topic, payload: event.payload, now: now)
    }
}
