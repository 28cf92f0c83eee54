import ByteKit
package import MQTTWire

extension BrokerCore {
    mutating func dispatch(_ packet: Packet, _ frame: Span<UInt8>, _ connection: Connection) throws(MQTTFault) {
        guard connection.stage == .connected else {
            guard connection.stage == .opened, case .connect(let connect) = packet else {
                throw .unexpectedPacket(PacketType(of: frame))
            }
            return self.connect(connect, frame, connection)
        }
        switch packet {
        case .publish(let publish): try self.publish(publish, frame, connection)
        case .puback(let ack): try acknowledged(ack, connection)
        case .pubrec(let ack): try taken(ack, connection)
        case .pubrel(let ack): released(ack, connection)
        case .pubcomp(let ack): try completed(ack, connection)
        case .subscribe(let subscribe): self.subscribe(subscribe, frame, connection)
        case .unsubscribe(let unsubscribe): self.unsubscribe(unsubscribe, frame, connection)
        case .pingreq: send(Reply.pong, to: connection)
        case .disconnect(let disconnect): try goodbye(disconnect, frame, connection)
        default: throw .unexpectedPacket(PacketType(of: frame))
        }
    }

    private mutating func connect(
        _ connect: Connect, _ frame: Span<UInt8>, _ connection: Connection
    ) {
        connection.version = connect.version
        connection.stage = .authenticating
        connection.isAuthenticating = true
        var clientID = frame.slice(connect.clientID).copy()
        if clientID.isEmpty, connect.version == .v311, connect.cleanStart == false {
            return refuse(connection, .clientIdentifierNotValid, "a client without identifier asked for a kept session")
        }
        takeLimits(connect, frame, connection)
        if isForgetful {
            let why: StaticString = "the server cannot read or write its disk"
            return refuse(connection, .serverUnavailable, "\(why)", telling: why)
        }
        if connect.version == .v5, connect.properties.range(.authenticationMethod, in: frame) != nil {
            let why: StaticString = "enhanced authentication is not offered"
            return refuse(connection, .badAuthenticationMethod, "\(why)", telling: why)
        }
        if let will = connect.will {
            guard will.qos <= limits.maximumQoS else {
                return refuse(connection, .qosNotSupported, "the client's will has QoS \(will.qos.rawValue)")
            }
            connection.will = LastWill(will, in: frame)
        }
        connection.opening = Opening(connect, frame, isAssigned: clientID.isEmpty)
        if clientID.isEmpty { clientID = Array("auto-\(UInt64.random(in: .min ... .max))".utf8) }
        connection.opening?.clientID = clientID
        let credentials = Credentials(
            clientID: clientID, userName: connect.userName.flatMap { Self.name(inUserName: frame.slice($0)) },
            password: connect.password.map { frame.slice($0).copy() },
            certificateThing: connection.certificateThing, signer: connection.signer)
        connection.opening?.credentials = credentials
        step(.authenticate(connection, credentials))
    }

    /// Rights were taken back while clients are being judged: they are judged once more.
    mutating func judgeAgain() {
        for connection in connections.values { connection.opening?.isOutdated = true }
    }

    /// The part before the first `?`, behind which AWS's device SDKs write metrics; nil where nothing is left.
    private static func name(inUserName text: Span<UInt8>) -> [UInt8]? {
        let name = text.copy().prefix { $0 != UInt8(ascii: "?") }
        return name.isEmpty ? nil : Array(name)
    }

    private func takeLimits(_ connect: Connect, _ frame: Span<UInt8>, _ connection: Connection) {
        guard connect.version == .v5 else { return }
        let properties = connect.properties
        if let limit = properties.u32(.maximumPacketSize, in: frame) { connection.packetLimit = Int(limit) }
        connection.takesReasons = properties.byte(.requestProblemInformation, in: frame) != 0
    }

    /// The client is who it says: its session begins or goes on.
    ///
    /// - Parameter credential: the operator's token or access key that it showed (`disconnect(credential:)`).
    package mutating func authenticated(
        _ connection: Connection, as principal: Principal, credential: String? = nil, now: Int64
    ) {
        self.now = now
        guard connection.stage == .authenticating, let opening = connection.opening else { return }
        if opening.isOutdated, let credentials = opening.credentials {
            connection.opening?.isOutdated = false
            return step(.authenticate(connection, credentials))
        }
        connection.credential = credential
        connection.opening = nil
        let willTopic = connection.will?.message.topic
        if let willTopic, !policy.mayPublish(principal, topic: willTopic.span) {
            let why: StaticString = "the will's topic is not the client's to publish"
            return refuse(connection, .notAuthorized, "\(why)", telling: why)
        }
        let key = Session.key(principal, clientID: opening.clientID)
        guard sessions[key] != nil || mayAddSession(of: principal) else {
            let why: StaticString = "there are as many sessions as there may be"
            return refuse(connection, .quotaExceeded, "\(why)", telling: why)
        }
        if let other = sessions[key]?.connection {
            end(other, reason: .sessionTakenOver, will: .send)
        }
        if let over = sessions[key], let end = over.endsAt, end <= now { drop(over) }
        let resumed = opening.cleanStart ? nil : sessions[key]
        if resumed == nil, let old = sessions[key] { drop(old) }
        let session = resumed ?? Session(key: key, principal: principal, clientID: opening.clientID, expirySeconds: 0)
        session.expirySeconds = min(opening.expirySeconds, Self.longestExpiry)
        session.endedAt = nil
        session.connection = connection
        cancelWill(of: session)
        add(session)
        recordSession(session)
        storeWill(of: connection, session)
        open(connection, session, opening, resumed == nil ? .absent : .present)
    }

    private mutating func open(
        _ connection: Connection, _ session: Session, _ opening: Opening, _ presence: SessionPresence
    ) {
        connection.session = session
        connection.stage = .connected
        connection.isAuthenticating = false
        connection.window = min(Int(opening.receiveMaximum), limits.sendWindow)
        connection.aliasMaximum = min(opening.topicAliasMaximum, Self.outboundAliases)
        var keepAlive = opening.keepAliveSeconds
        if let longest = longestKeepAlive, keepAlive == 0 || keepAlive > longest { keepAlive = longest }
        connection.keepAliveSeconds = keepAlive
        connection.rate = ReadingRate(limits, now: now)
        watchSilence(of: connection)
        send(
            Reply.accepted(
                opening, version: connection.version, session: session, presence: presence, limits: limits,
                keepAlive: keepAlive == opening.keepAliveSeconds ? nil : keepAlive),
            to: connection)
        guard connection.stage == .connected else { return }
        connection.number = connectionCounts.next(session.key, now: now)
        note(.connected, connection, session)
        feed(session)
    }

    /// The client is not let in.
    package mutating func refuse(_ connection: Connection, _ reason: ReasonCode, _ why: String) {
        refuse(connection, reason, why, telling: nil)
    }

    private mutating func refuse(
        _ connection: Connection, _ reason: ReasonCode, _ why: String, telling text: StaticString?
    ) {
        guard connection.stage == .authenticating else { return }
        counters.refused += 1
        step(.refused(connection, reason: why))
        connection.will = nil
        let version = connection.version
        // Where no return code fits, a client of 3.1.1 is closed without one [MQTT-3.2.2-6 of 3.1.1].
        if version == .v5 || reason.connectReturnCode != nil {
            let packet = Reply.explained(text, to: connection, isLast: true) {
                Reply.refused(reason, version: version, $0)
            }
            send(packet, to: connection)
        }
        finish(connection, .clientError, will: .drop)
    }

    private mutating func goodbye(
        _ disconnect: Disconnect, _ frame: Span<UInt8>, _ connection: Connection
    ) throws(MQTTFault) {
        if connection.version == .v5, let session = connection.session,
            let seconds = disconnect.properties.u32(.sessionExpiryInterval, in: frame)
        {
            guard session.isPersistent || seconds == 0 else { throw .propertyValue(.sessionExpiryInterval) }
            session.expirySeconds = min(seconds, Self.longestExpiry)
            recordSession(session)
        }
        // Whoever leaves with a reason leaves a will: only 0x00 deletes it [MQTT-3.1.2-8, MQTT-3.14.4-3].
        finish(connection, .clientInitiated, will: disconnect.reason == .success ? .drop : .send)
    }
}

extension PacketType {
    /// The type of a packet that was decoded from `frame`.
    init(of frame: Span<UInt8>) {
        self = frame.isEmpty ? .connect : PacketType(rawValue: frame[0] >> 4) ?? .connect
    }
}

/// What of CONNECT is needed once the client is known.
struct Opening {
    var clientID: [UInt8] = []
    var credentials: Credentials?
    /// Whether rights were taken back since the client began to be judged.
    var isOutdated = false
    let isAssigned: Bool
    let cleanStart: Bool
    let keepAliveSeconds: UInt16
    let expirySeconds: UInt32
    let receiveMaximum: UInt16
    let topicAliasMaximum: UInt16

    init(_ connect: Connect, _ frame: Span<UInt8>, isAssigned: Bool) {
        self.isAssigned = isAssigned
        cleanStart = connect.cleanStart
        keepAliveSeconds = connect.keepAliveSeconds
        if connect.version == .v5 {
            let properties = connect.properties
            expirySeconds = properties.u32(.sessionExpiryInterval, in: frame) ?? 0
            receiveMaximum = properties.u16(.receiveMaximum, in: frame) ?? 65_535
            topicAliasMaximum = properties.u16(.topicAliasMaximum, in: frame) ?? 0
        } else {
            expirySeconds = connect.cleanStart ? 0 : BrokerCore.longestExpiry
            receiveMaximum = .max
            topicAliasMaximum = 0
        }
    }
}
