import MQTTWire

/// One client connection as core and shell share it: the core appends to `output`, the shell writes it.
///
/// Stays on the broker's event loop.
package final class Connection {
    /// Unwritten bytes above which QoS 0 messages to this client are dropped.
    static let dropAbove = 1 << 20
    /// Unwritten bytes above which the connection is closed.
    static let closeAbove = 8 << 20

    /// Where the client connects from.
    package let address: String
    /// The thing that the client's certificate names.
    package let certificateThing: [UInt8]?
    /// Packets to be written.
    package var output: [UInt8] = []
    /// Whether the shell closes the connection once `output` is written.
    package var isClosing = false
    var isAuthenticating = false
    /// When the connection was opened or last heard of, milliseconds.
    package var heardOf: Int64
    /// For the shell: finds its handler again.
    package var handle: AnyObject?
    var isDirty = false
    var stage = Stage.opened
    var version = MQTTVersion.v311
    /// Seconds; 0 = no limit.
    var keepAliveSeconds: UInt16 = 0
    var session: Session?
    /// What CONNECT asked for, until the client is authenticated.
    var opening: Opening?
    var will: Message?
    /// Messages of QoS 1 and 2 that may be in flight to the client.
    var window = 100
    /// Largest packet that the client takes, bytes.
    var packetLimit = 268_435_460
    /// Answers in the order of the requests [MQTT-4.6.0-2].
    var answers: [PendingAnswer] = []
    /// PUBLISH packets of QoS 1 and 2 that have come on this connection and are not done (MQTT 5, 4.9).
    var openPublishes = 0

    enum Stage { case opened, authenticating, connected, ended }

    package init(address: String, certificateThing: [UInt8]?, now: Int64) {
        self.address = address
        self.certificateThing = certificateThing
        heardOf = now
    }

    /// Whether CONNECT has been accepted.
    package var isConnected: Bool { stage == .connected }
    var isOverWindow: Bool { openPublishes >= Int(BrokerCore.receiveMaximum) }
    /// Whether the shell must hold back further packets: the client is not known yet, or has enough requests open.
    package var mustWait: Bool { isAuthenticating || answers.count >= answerLimit }
    /// An MQTT 5 client that breaks its window is told so, hence the room behind it.
    private var answerLimit: Int { Int(BrokerCore.receiveMaximum) * (version == .v311 ? 1 : 2) }
    /// Bytes that the next packet may have: little before CONNECT, the broker's limit after it.
    package var inputLimit: Int { stage == .connected ? BrokerCore.packetLimit : BrokerCore.connectLimit }
}

/// An acknowledgement that waits for a commit, or for one before it.
struct PendingAnswer {
    let token: UInt64
    let answer: Answer
    var isReady = false
}

/// An acknowledgement and what follows from sending it.
struct Answer {
    var bytes: [UInt8]
    /// Subscriptions that the answer grants: their retained messages follow it.
    var granted: [Granted] = []
    /// Whether a PUBLISH is done with it: PUBACK, PUBCOMP, or a PUBREC that refuses (MQTT 5, 4.9).
    var endsPublish = false
    /// Packet identifier of the QoS 2 message that it takes over; 0 = none.
    var receives: UInt16 = 0
}

/// A subscription that has just been made.
struct Granted {
    var subscription: Subscription
    var isNew: Bool
}
