import MQTTWire

//  Answers that wait for a commit, or for one before them.

extension BrokerCore {
    /// What was asked for is done and on disk: the acknowledgement may leave.
    ///
    /// That of a QoS 2 message waits until its identifier is on disk as well. Were the identifier stored before the
    /// deed, a crash between the two would have the client's repetition taken for a duplicate.
    package mutating func complete(_ answer: AnswerTicket, now: Int64) {
        self.now = now
        let mark = changeMark
        if answer.isShadowRequest { answer.connection.openShadowRequests -= 1 }
        if answer.receives != 0, let session = answer.connection.session, sessions[session.key] === session {
            note(received: answer.receives, from: session)
        }
        release(answer, changedSince: mark)
    }

    /// As `complete`, with a message for the connection that asked and for nobody else, subscribed or not.
    ///
    /// A client that subscribed to the topic gets it once, by its subscription; it is gone with the connection.
    package mutating func answer(_ answer: AnswerTicket, topic: [UInt8], payload: [UInt8], now: Int64) {
        self.now = now
        if let session = answer.connection.session, session.connection === answer.connection {
            let message = Message(topic: topic, payload: payload, qos: .atLeastOnce)
            deliver(message, to: session, grant(of: topic, to: session) ?? .unasked)
        }
        complete(answer, now: now)
    }

    /// Sends the answer, and those behind it that waited only for their turn.
    mutating func release(_ answer: AnswerTicket) {
        let connection = answer.connection
        guard connection.stage == .connected,
            let index = connection.answers.firstIndex(where: { $0.token == answer.token })
        else { return }
        // While its answers are many it is not read from.
        if connection.mustWait { connection.heardOf = now }
        connection.answers[index].isReady = true
        let ready = connection.answers.prefix { $0.isReady }
        guard !ready.isEmpty else { return }
        connection.answers.removeFirst(ready.count)
        for answer in ready.map(\.answer) where connection.stage == .connected {
            if answer.endsPublish, connection.openPublishes > 0 { connection.openPublishes -= 1 }
            send(answer.bytes, to: connection)
            if !answer.granted.isEmpty { sendRetained(for: answer.granted, to: connection) }
        }
    }

    /// What was asked for could not be done for reasons of the server: the client must not believe it was.
    package mutating func fail(_ answer: AnswerTicket, now: Int64) {
        self.now = now
        if answer.isShadowRequest { answer.connection.openShadowRequests -= 1 }
        end(answer.connection, reason: .implementationSpecificError, will: .send)
    }
}
