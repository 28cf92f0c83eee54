/// A revision of the protocol, numbered as on the wire (the protocol level of CONNECT, clause 3.1.2.2).
public enum MQTTVersion: UInt8, Sendable {
    /// MQTT 3.1.1, OASIS 2014 and ISO/IEC 20922.
    case v311 = 4
    /// MQTT 5.0, OASIS 2019.
    case v5 = 5
}

/// How hard sender and receiver try to deliver a message (clause 4.3).
public enum QoS: UInt8, Comparable, Sendable {
    /// Sent once, never acknowledged.
    case atMostOnce = 0
    /// Sent until acknowledged; may arrive twice.
    case atLeastOnce = 1
    /// Arrives once, at the price of four packets.
    case exactlyOnce = 2

    /// Whether `left` promises less than `right`.
    @inlinable
    public static func < (left: QoS, right: QoS) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What a packet is for: the upper four bits of its first byte (clause 2.1.2).
public enum PacketType: UInt8, Sendable {
    /// Client asks for a connection.
    case connect = 1
    /// Server answers CONNECT.
    case connack = 2
    /// A message, either way.
    case publish = 3
    /// Answer to a PUBLISH of QoS 1.
    case puback = 4
    /// First answer to a PUBLISH of QoS 2.
    case pubrec = 5
    /// Answer to PUBREC.
    case pubrel = 6
    /// Answer to PUBREL.
    case pubcomp = 7
    /// Client asks for topics.
    case subscribe = 8
    /// Server answers SUBSCRIBE.
    case suback = 9
    /// Client gives topics back.
    case unsubscribe = 10
    /// Server answers UNSUBSCRIBE.
    case unsuback = 11
    /// Client shows that it lives.
    case pingreq = 12
    /// Server answers PINGREQ.
    case pingresp = 13
    /// The connection ends on purpose.
    case disconnect = 14
    /// Extended authentication, MQTT 5 only.
    case auth = 15
}

/// The side of the connection whose bytes are decoded.
///
/// Some packets and properties may come from one side only. A decoder that knows the side refuses the others.
public enum PacketSender: Sendable {
    /// The bytes come from a client.
    case client
    /// The bytes come from a server.
    case server
    /// Unknown: what either side may send is accepted.
    case either

    /// Whether a packet of `type` may come from this side (clause 2.1.2, table 2-1).
    func maySend(_ type: PacketType) -> Bool {
        switch type {
        case .connect, .subscribe, .unsubscribe, .pingreq: self != .server
        case .connack, .suback, .unsuback, .pingresp: self != .client
        default: true
        }
    }
}
