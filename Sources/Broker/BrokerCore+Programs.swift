import ByteKit
import MQTTWire

//  What programs ask of the broker without being its clients: AWS IoT's HTTP data plane (spec 5).

/// A message that a program publishes over HTTP.
package struct ProgramMessage: Sendable {
    package var topic: [UInt8]
    package var payload: [UInt8]
    /// 0 or 1.
    package var qos: UInt8
    package var retain: Bool
    /// Encoded MQTT 5 properties, without expiry.
    package var properties: [UInt8]
    package var expirySeconds: UInt32?

    package init(
        topic: [UInt8], payload: [UInt8], qos: UInt8 = 0, retain: Bool = false, properties: [UInt8] = [],
        expirySeconds: UInt32? = nil
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.expirySeconds = expirySeconds
    }

    fileprivate func message(now: Int64) -> Message {
        Message(
            topic: topic, payload: payload, qos: qos == 0 ? .atMostOnce : .atLeastOnce, retain: retain,
            properties: properties, expires: expirySeconds.map { now + Int64($0) * 1000 })
    }
}

/// What became of a program's message or wish.
package enum ProgramOutcome: Sendable, Equatable {
    /// Done; whoever must know that it is on disk waits for the commit with this ticket, if there is one.
    case done(after: UInt64?)
    /// Done so far: the service that the topic belongs to is to carry it out.
    case asked(ServiceRequest.Service)
    /// Not the caller's to do.
    case forbidden
    /// The topic is none that may be published to in this way.
    case invalid
    /// The queue of a subscriber that is away is full.
    case full
    /// There is no such client.
    case unknown
    /// A commit failed and what is on disk is not read again yet.
    case unavailable
}

/// A client as `GET /connections/{clientId}` tells of it.
package struct ClientFacts: Sendable {
    package var isConnected: Bool
    /// The device whose credential it uses; nil for an operator's client.
    package var thing: [UInt8]?
    /// Seconds that its session outlives the connection.
    package var sessionExpiry: UInt32
    /// `ADDRESS:PORT`, while it is connected.
    package var address: String?
    package var keepAliveSeconds: UInt16?
    /// Milliseconds since 1970.
    package var connectedSince: Int64?
    package var disconnectedSince: Int64?
    /// Filters with the QoS that was granted, by filter.
    package var subscriptions: [(filter: [UInt8], qos: UInt8)]
}

extension BrokerCore {
    /// Publishes a program's message with the rights of `principal`.
    package mutating func publish(_ program: ProgramMessage, as principal: Principal, now: Int64) -> ProgramOutcome {
        self.now = now
        guard !isForgetful else { return .unavailable }
        let message = program.message(now: now)
        let topic = message.topic
        guard limits.allow(topic: topic.span) else { return .invalid }
        guard policy.mayPublish(principal, topic: topic.span) else {
            counters.refused += 1
            return .forbidden
        }
        guard !message.retain || !message.kind.isRequest else { return .invalid }
        counters.published += 1
        let mark = changeMark
        guard distribute(message, from: nil, .refusable) else { return .full }
        switch message.kind {
        case .shadowRequest: return .asked(.shadow)
        case .jobRequest: return .asked(.jobs)
        case .deviceLog(let thing):
            step(.deviceLog(thing: Array(topic[thing.start..<thing.end]), payload: message.payload))
        case .ordinary, .closed: break
        }
        return .done(after: changeMark > mark ? nextTicket : nil)
    }

    /// Sends a message to one client alone, whatever it subscribed to.
    package mutating func send(_ program: ProgramMessage, to clientID: [UInt8], now: Int64) -> ProgramOutcome {
        self.now = now
        guard !isForgetful else { return .unavailable }
        guard let session = session(of: clientID), session.connection != nil else { return .unknown }
        let message = program.message(now: now)
        let topic = message.topic
        // No program speaks for the services of the server.
        guard TopicClass.of(topic.span) != .closed else { return .forbidden }
        deliver(message, to: session, Grant(qos: message.qos, keepsRetain: false, identifiers: []))
        return .done(after: nil)
    }

    /// What is known of a client; nil for one that is not connected and has no kept session.
    package func client(_ clientID: [UInt8]) -> ClientFacts? {
        guard let session = session(of: clientID) else { return nil }
        let connection = session.connection
        var thing: [UInt8]?
        if case .device(let name) = session.principal { thing = name }
        return ClientFacts(
            isConnected: connection != nil, thing: thing, sessionExpiry: session.expirySeconds,
            address: connection?.address, keepAliveSeconds: connection?.keepAliveSeconds,
            connectedSince: connection?.openedAt, disconnectedSince: session.endedAt,
            subscriptions: session.subscriptions.values.map { ($0.filter, $0.options.qos.rawValue) }
                .sorted { $0.filter.lexicographicallyPrecedes($1.filter) })
    }

    /// Closes a client's connection (DeleteConnection).
    ///
    /// - Parameters:
    ///   - endsSession: whether what is kept of the client goes too.
    ///   - dropsWill: whether its will is not published.
    package mutating func disconnect(
        client clientID: [UInt8], endsSession: Bool, dropsWill: Bool, now: Int64
    ) -> ProgramOutcome {
        self.now = now
        guard !isForgetful else { return .unavailable }
        guard let session = session(of: clientID) else { return .unknown }
        let mark = changeMark
        if let connection = session.connection {
            end(connection, reason: .administrativeAction, as: .apiInitiated, will: dropsWill ? .drop : .send)
        }
        if endsSession, sessions[session.key] === session { drop(session) }
        return .done(after: changeMark > mark ? nextTicket : nil)
    }

    /// The session of a client; two principals that share an identifier have one each: the device's comes first.
    private func session(of clientID: [UInt8]) -> Session? {
        sessions[Session.key(.device(thing: clientID), clientID: clientID)]
            ?? sessions[Session.key(.administrator, clientID: clientID)]
            ?? sessions.values.first { $0.clientID == clientID }
    }
}

extension TopicClass {
    /// Whether the server answers messages to such a topic.
    var isRequest: Bool { self == .shadowRequest || self == .jobRequest }
}
