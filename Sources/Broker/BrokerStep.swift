/// What the core asks the shell to do; in order.
package enum BrokerStep {
    /// Find out who this is and answer with `authenticated` or `refuse`.
    case authenticate(Connection, Credentials)
    /// A request to a service of the server: answer it, then call `complete` or `answer` with the ticket.
    case request(ServiceRequest, answer: AnswerTicket)
    /// A line of a device's log.
    case deviceLog(thing: [UInt8], payload: [UInt8])
    /// A client came, went, subscribed or unsubscribed: to be noted, and published where it has a topic.
    case lifecycle(LifecycleEvent)
    /// A client was refused: to be logged with what to do about it.
    case refused(Connection, reason: String)
    /// A commit failed: read what is on disk and hand it to `restore`, again and again until that can be read.
    case restore
}

/// A message to a request topic, which the server answers.
package struct ServiceRequest: Sendable {
    /// Who answers.
    package enum Service: Sendable {
        /// The shadow service; its answers are ordinary messages.
        case shadow
        /// The same, but the connection has too many requests open: to be refused with 429 (AWS IoT: 10).
        case shadowThrottled
        /// The jobs service; its answer is for the connection alone.
        case jobs
    }

    package var service: Service
    package var topic: [UInt8]
    package var payload: [UInt8]
}

/// What a client showed in CONNECT.
package struct Credentials: Sendable {
    package var clientID: [UInt8]
    /// Without the metrics of AWS's device SDKs, which begin with `?`; nil where nothing is left.
    package var userName: [UInt8]?
    package var password: [UInt8]?
    /// The thing named by the verified certificate.
    package var certificateThing: [UInt8]?
    /// Whether its connection was opened with a verified signature of an operator's access key.
    package var isSigned = false
}

/// Names one acknowledgement that is still owed.
package struct AnswerTicket {
    let connection: Connection
    /// Unique among all answers of the broker.
    package let token: UInt64
    /// Packet identifier of the QoS 2 message that the answer takes over; 0 = none.
    var receives: UInt16 = 0
    /// Whether a request to a shadow is open until then.
    var isShadowRequest = false
}

/// A change of what the broker keeps on disk; each may be applied again without harm.
package enum DurableChange: Sendable {
    /// Times in milliseconds since 1970.
    case retain(
        topic: [UInt8], payload: [UInt8], qos: UInt8, properties: [UInt8], stored: Int64, expires: Int64?)
    case forgetRetained(topic: [UInt8])
    case session(key: [UInt8], principal: String, expirySeconds: UInt32, endedAt: Int64?)
    /// With it go its subscriptions, queue, identifiers and will.
    case dropSession(key: [UInt8])
    /// The will of a client that is there, or that is gone and whose will waits for its time.
    case will(key: [UInt8], StoredWill)
    case forgetWill(key: [UInt8])
    case subscribe(key: [UInt8], filter: [UInt8], options: UInt8, identifier: UInt32)
    case unsubscribe(key: [UInt8], filter: [UInt8])
    case enqueue(key: [UInt8], StoredEntry)
    /// The client has got the QoS 2 message: from now on PUBREL stands for it.
    case release(key: [UInt8], sequence: Int64)
    case dequeue(key: [UInt8], sequence: Int64)
    /// A QoS 2 message with this identifier was taken from the client; the same identifier again is the same message.
    case receive(key: [UInt8], packetID: UInt16)
    /// The client has released the identifier.
    case forgetReceived(key: [UInt8], packetID: UInt16)
}

/// One queued message as it is stored.
package struct StoredEntry: Sendable {
    package var sequence: Int64
    /// QoS that the subscriber gets, 1 or 2.
    package var qos: UInt8
    package var topic: [UInt8]
    package var payload: [UInt8]
    package var properties: [UInt8]
    package var retain: Bool
    package var expires: Int64?
    /// Whether the client has got it and only PUBREL and PUBCOMP are left.
    package var isReleased = false
    /// Subscription identifiers that the subscriber sees.
    package var identifiers: [UInt32]
    /// The shared subscription that it came by, `$share/NAME/FILTER`; empty = none.
    package var share: [UInt8]

    package init(
        sequence: Int64, qos: UInt8, topic: [UInt8], payload: [UInt8], properties: [UInt8], retain: Bool,
        expires: Int64?, identifiers: [UInt32] = [], share: [UInt8] = []
    ) {
        self.sequence = sequence
        self.qos = qos
        self.topic = topic
        self.payload = payload
        self.properties = properties
        self.retain = retain
        self.expires = expires
        self.identifiers = identifiers
        self.share = share
    }
}

/// A will as it is stored.
package struct StoredWill: Sendable {
    package var topic: [UInt8]
    package var payload: [UInt8]
    package var qos: UInt8
    package var retain: Bool
    package var properties: [UInt8]
    /// Message expiry, which begins when the will is published.
    package var expirySeconds: UInt32?
    /// Seconds from the end of the connection to its publication.
    package var delaySeconds: UInt32
    /// When it is published, milliseconds since 1970; nil while the client is there.
    package var due: Int64?

    package init(
        topic: [UInt8], payload: [UInt8], qos: UInt8, retain: Bool, properties: [UInt8], expirySeconds: UInt32?,
        delaySeconds: UInt32, due: Int64?
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.expirySeconds = expirySeconds
        self.delaySeconds = delaySeconds
        self.due = due
    }
}

/// What an earlier run left on disk.
package struct RestoredState: Sendable {
    package struct StoredSession: Sendable {
        package var key: [UInt8]
        package var principal: String
        package var expirySeconds: UInt32
        package var endedAt: Int64?
        package var subscriptions: [(filter: [UInt8], options: UInt8, identifier: UInt32)] = []
        package var queue: [StoredEntry] = []
        /// Identifiers of QoS 2 messages that the client has not released.
        package var received: [UInt16] = []
        package var will: StoredWill?

        package init(key: [UInt8], principal: String, expirySeconds: UInt32, endedAt: Int64?) {
            self.key = key
            self.principal = principal
            self.expirySeconds = expirySeconds
            self.endedAt = endedAt
        }
    }

    package struct StoredRetained: Sendable {
        package var topic: [UInt8]
        package var payload: [UInt8]
        package var qos: UInt8
        package var properties: [UInt8]
        /// When it is of no use any more, milliseconds since 1970.
        package var expires: Int64?

        package init(topic: [UInt8], payload: [UInt8], qos: UInt8, properties: [UInt8], expires: Int64? = nil) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.properties = properties
            self.expires = expires
        }
    }

    package var sessions: [StoredSession] = []
    package var retained: [StoredRetained] = []

    package init() {}
}
