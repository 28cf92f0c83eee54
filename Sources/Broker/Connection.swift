import ByteKit
import MQTTWire

/// One client connection as core and shell share it: the core appends to `output`, the shell writes it.
///
/// Stays on the broker's event loop.
package final class Connection {
    /// Unwritten bytes above which queued and retained messages wait.
    static let waitAbove = 256 << 10
    /// The same while memory is short.
    static let waitAboveStrained = 16 << 10
    /// Unwritten bytes above which QoS 0 messages to this client are dropped.
    static let dropAbove = 1 << 20
    /// The same while memory is short.
    static let dropAboveStrained = 64 << 10
    /// Unwritten bytes above which the connection is closed: the client asks and does not read.
    static let closeAbove = 8 << 20

    /// Where the client connects from.
    package let address: String
    /// The thing that the client's certificate names.
    package let certificateThing: [UInt8]?
    /// The operator's access key whose verified signature opened the connection.
    let signer: String?
    /// The operator's token or access key that the client was let in with; its connections end when that is taken back.
    var credential: String?
    /// A number that no other connection has, in two halves.
    private let identity = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
    /// Counts the connections of one client.
    var number = 0
    /// Packets to be written.
    package var output: [UInt8] = []
    /// Whether there is more to send: once `output` is written, the shell calls `fill`.
    package var hasMore = false
    /// Whether the shell closes the connection once `output` is written.
    package var isClosing = false
    var isAuthenticating = false
    /// When the connection was opened, milliseconds since 1970.
    let openedAt: Int64
    /// When the connection was opened or last heard of, milliseconds.
    package var heardOf: Int64
    /// When the core looks whether it has been silent for too long, milliseconds; nil = never.
    var silenceDue: Int64?
    /// For the shell: finds its handler again.
    package var handle: AnyObject?
    var isDirty = false
    /// Whether it is to be ended at the end of this turn.
    var isCondemned = false
    /// Whether it published while memory was short, and waits.
    var isHeldBack = false
    /// Whether it sent faster than it may, and waits.
    var isPaused = false
    /// How fast it may send; nil = as it likes.
    var rate: ReadingRate?
    /// Bytes of `output` in the broker's sum.
    var bookedBytes = 0
    var stage = Stage.opened
    var version = MQTTVersion.v311
    /// Seconds; 0 = no limit.
    var keepAliveSeconds: UInt16 = 0
    var session: Session?
    /// What CONNECT asked for, until the client is authenticated.
    var opening: Opening?
    var will: LastWill?
    /// Messages of QoS 1 and 2 that may be in flight to the client.
    var window = 1
    /// Topics that the client gave a number on this connection, at most `BrokerCore.topicAliasMaximum`.
    private var inboundAliases: [UInt16: [UInt8]] = [:]
    /// Numbers of topics that the client has been told on this connection.
    private var outboundAliases: [[UInt8]: UInt16] = [:]
    /// The highest number that the client takes; 0 = none.
    var aliasMaximum: UInt16 = 0
    /// Whether it wants reasons in words also where nothing ends (Request Problem Information).
    var takesReasons = true
    /// Largest packet that the client takes, bytes.
    var packetLimit = 268_435_460
    /// Answers in the order of the requests [MQTT-4.6.0-2].
    var answers: [PendingAnswer] = []
    /// Requests to shadows that are not answered yet.
    var openShadowRequests = 0
    /// PUBLISH packets of QoS 1 and 2 that have come on this connection and are not done (MQTT 5, 4.9).
    var openPublishes = 0

    enum Stage { case opened, authenticating, connected, ended }

    package init(address: String, certificateThing: [UInt8]?, signer: String? = nil, now: Int64) {
        self.address = address
        self.certificateThing = certificateThing
        self.signer = signer
        openedAt = now
        heardOf = now
    }

    /// 32 hexadecimal digits that no other connection has.
    var identifier: [UInt8] {
        [identity.0, identity.1].flatMap { half in
            let digits = String(half, radix: 16)
            return Array(repeating: UInt8(ascii: "0"), count: 16 - digits.utf8.count) + digits.utf8
        }
    }

    /// Whether CONNECT has been accepted.
    package var isConnected: Bool { stage == .connected }
    /// Whether messages may be sent to the client.
    var isOpen: Bool { stage == .connected && !isCondemned }
    /// Milliseconds that it may be silent; nil = as long as it likes.
    var patience: Int64? {
        guard stage == .connected else { return BrokerCore.connectPatience }
        return keepAliveSeconds > 0 ? Int64(keepAliveSeconds) * 1500 : nil
    }
    var isOverWindow: Bool { openPublishes >= Int(BrokerCore.receiveMaximum) }
    /// Whether the shell must hold back further packets: the client is not known yet, has enough requests open, sends too
    /// fast, or memory is short.
    package var mustWait: Bool { isAuthenticating || isHeldBack || isPaused || answers.count >= answerLimit }
    /// An MQTT 5 client that breaks its window is told so, hence the room behind it.
    private var answerLimit: Int { Int(BrokerCore.receiveMaximum) * (version == .v311 ? 1 : 2) }
    /// Bytes that the next packet may have: little before CONNECT, the broker's limit after it.
    package var inputLimit: Int { stage == .connected ? BrokerCore.packetLimit : BrokerCore.connectLimit }
}

/// How a topic is named in a PUBLISH (MQTT 5, clause 3.3.2.3.4).
enum TopicAlias {
    /// By its name alone.
    case none
    /// By its name, and from now on by the number.
    case new(UInt16)
    /// By the number alone.
    case known(UInt16)
}

extension Connection {
    /// Topics shorter than this are not worth a number, bytes: the property has three.
    private static let shortestAliased = 6

    /// The topic of a PUBLISH from the client, by name or by number; a name with a number is remembered.
    ///
    /// - Throws: `.topicAliasInvalid` above our maximum [MQTT-3.3.2-9], `.topicMissing` for a number without a name.
    func topic(of publish: Publish, in frame: Span<UInt8>) throws(MQTTFault) -> [UInt8] {
        let name = frame.slice(publish.topic).copy()
        guard let alias = publish.properties.u16(.topicAlias, in: frame) else { return name }
        guard alias <= BrokerCore.topicAliasMaximum else { throw .topicAliasInvalid }
        guard name.isEmpty else {
            inboundAliases[alias] = name
            return name
        }
        guard let known = inboundAliases[alias] else { throw .topicMissing }
        return known
    }

    /// How to name a topic to the client; the first topics get the numbers.
    func alias(for topic: [UInt8]) -> TopicAlias {
        guard aliasMaximum > 0, topic.count >= Self.shortestAliased else { return .none }
        if let known = outboundAliases[topic] { return .known(known) }
        let next = UInt16(outboundAliases.count) + 1
        return next <= aliasMaximum ? .new(next) : .none
    }

    /// The client has been sent name and number.
    func tell(_ alias: UInt16, of topic: [UInt8]) {
        outboundAliases[topic] = alias
    }
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
