/// What the core asks the shell to do; in order.
package enum BrokerStep {
    /// Find out who this is and answer with `authenticated` or `refuse`.
    case authenticate(Connection, Credentials)
    /// A request to a shadow: answer it, then call `complete(token)` on the connection.
    case shadowRequest(topic: [UInt8], payload: [UInt8], answer: AnswerTicket)
    /// A line of a device's log.
    case deviceLog(thing: [UInt8], payload: [UInt8])
    /// A thing came or went.
    case presence(thing: [UInt8], isConnected: Bool, address: String)
    /// A client was refused: to be logged with what to do about it.
    case refused(Connection, reason: String)
}

/// What a client showed in CONNECT.
package struct Credentials: Sendable {
    package var clientID: [UInt8]
    package var userName: [UInt8]?
    package var password: [UInt8]?
    /// The thing named by the verified certificate.
    package var certificateThing: [UInt8]?
}

/// Names one acknowledgement that is still owed.
package struct AnswerTicket {
    let connection: Connection
    /// Unique among all answers of the broker.
    package let token: UInt64
}

/// A change of what the broker keeps on disk.
package enum DurableChange: Sendable {
    case retain(topic: [UInt8], payload: [UInt8], qos: UInt8, properties: [UInt8], stored: Int64)
    case forgetRetained(topic: [UInt8])
    case session(key: [UInt8], principal: String, expirySeconds: UInt32, endedAt: Int64?)
    case dropSession(key: [UInt8])
    case subscribe(key: [UInt8], filter: [UInt8], options: UInt8)
    case unsubscribe(key: [UInt8], filter: [UInt8])
    case enqueue(key: [UInt8], StoredEntry)
    case dequeue(key: [UInt8], sequence: Int64)
}

/// One queued message as it is stored.
package struct StoredEntry: Sendable {
    package var sequence: Int64
    package var packetID: UInt16
    package var topic: [UInt8]
    package var payload: [UInt8]
    package var properties: [UInt8]
    package var retain: Bool
    package var expires: Int64?

    package init(
        sequence: Int64, packetID: UInt16, topic: [UInt8], payload: [UInt8], properties: [UInt8], retain: Bool,
        expires: Int64?
    ) {
        self.sequence = sequence
        self.packetID = packetID
        self.topic = topic
        self.payload = payload
        self.properties = properties
        self.retain = retain
        self.expires = expires
    }
}

/// What an earlier run left on disk.
package struct RestoredState: Sendable {
    package struct StoredSession: Sendable {
        package var key: [UInt8]
        package var principal: String
        package var expirySeconds: UInt32
        package var endedAt: Int64?
        package var subscriptions: [(filter: [UInt8], options: UInt8)] = []
        package var queue: [StoredEntry] = []

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

        package init(topic: [UInt8], payload: [UInt8], qos: UInt8, properties: [UInt8]) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.properties = properties
        }
    }

    package var sessions: [StoredSession] = []
    package var retained: [StoredRetained] = []

    package init() {}
}
