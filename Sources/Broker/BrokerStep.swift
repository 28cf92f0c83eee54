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
    /// Read from the queues on disk and hand the page to `read`.
    case read(QueueRead)
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
    /// The operator's access key whose verified signature opened its connection.
    package var signer: String?
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
    /// The entries that came by shared subscriptions go to a session of their own, `estate`, that is made for them; without
    /// those of QoS 2 up to the sequence `sentUpTo`.
    case bequeath(key: [UInt8], estate: [UInt8], sentUpTo: Int64)
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

extension StoredEntry {
    /// Bytes of topic, payload and properties.
    package var bytes: Int { topic.count + payload.count + properties.count }
}

/// A question to the queues on disk.
package struct QueueRead: Sendable {
    package enum Kind: Sendable {
        /// The entries that follow, oldest first: at most `count`, and none behind the one with which their bytes reach
        /// `bytes`.
        case next(count: Int, bytes: Int)
        /// Those of the entries that follow which have expired before a time, milliseconds since 1970; at most
        /// `expiredLimit`.
        case expired(before: Int64)
    }

    /// Expired entries that are found at once.
    package static let expiredLimit = 4096

    /// Names the answer.
    package let number: UInt64
    /// Whose queue.
    package let key: [UInt8]
    /// Behind which sequence.
    package let after: Int64
    package let kind: Kind
}

/// The answer to a `QueueRead`.
package enum QueuePage: Sendable {
    /// `isEnd`: there are no more behind these.
    case next([StoredEntry], isEnd: Bool)
    /// `next`: when the first of the other entries expires; nil where none does.
    case expired([Expired], next: Int64?)

    /// An entry that has expired.
    package struct Expired: Sendable {
        package let sequence: Int64
        /// Of topic, payload and properties.
        package let bytes: Int
        /// Whether it came by a shared subscription.
        package let isShared: Bool

        package init(sequence: Int64, bytes: Int, isShared: Bool) {
            self.sequence = sequence
            self.bytes = bytes
            self.isShared = isShared
        }
    }
}

/// What a kept session's queue on disk amounts to.
package struct StoredQueue: Sendable, Equatable {
    /// Entries, and the bytes of their topics, payloads and properties.
    package var count = 0
    package var bytes = 0
    /// Those of them that came by shared subscriptions.
    package var shared = 0
    /// Sequence of the oldest and the newest entry.
    package var first: Int64 = 0
    package var last: Int64 = 0
    /// Sequence of the newest entry that an earlier run may have sent (`BrokerLimits.restoredWindow`).
    package var sentUpTo: Int64 = 0
    /// When the first of them expires, milliseconds since 1970.
    package var firstExpiry: Int64?

    package init() {}
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
        package var queue = StoredQueue()
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
    /// Bytes of all that is queued.
    package var queueBytes: UInt64 { sessions.reduce(0) { $0 + UInt64(clamping: $1.queue.bytes) } }

    package init() {}
}
