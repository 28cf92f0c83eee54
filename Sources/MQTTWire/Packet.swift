//  What a decoded packet says. Text and data are places (`ByteRange`) in the frame that was decoded: they
//  hold as long as the caller keeps those bytes, and cost nothing.

public import ByteKit

/// One control packet (clause 2.1.2).
public enum Packet: Equatable, Sendable {
    /// A client asks for a connection.
    case connect(Connect)
    /// The server's answer to CONNECT.
    case connack(Connack)
    /// A message.
    case publish(Publish)
    /// A message of QoS 1 is taken over.
    case puback(Ack)
    /// A message of QoS 2 has arrived.
    case pubrec(Ack)
    /// The sender of a message of QoS 2 will not send it again.
    case pubrel(Ack)
    /// A message of QoS 2 is done.
    case pubcomp(Ack)
    /// A client asks for topics.
    case subscribe(Subscribe)
    /// The server's answer to SUBSCRIBE.
    case suback(SubscriptionAck)
    /// A client gives topics back.
    case unsubscribe(Unsubscribe)
    /// The server's answer to UNSUBSCRIBE.
    case unsuback(SubscriptionAck)
    /// A client shows that it lives.
    case pingreq
    /// The server's answer to PINGREQ.
    case pingresp
    /// The connection ends on purpose.
    case disconnect(Disconnect)
    /// A step of extended authentication, MQTT 5.
    case auth(Auth)
}

/// CONNECT (clause 3.1).
public struct Connect: Equatable, Sendable {
    /// The version that the client speaks.
    public let version: MQTTVersion
    /// Clean Start, which 3.1.1 calls Clean Session.
    public let cleanStart: Bool
    /// The longest silence the client allows itself, in seconds; 0 = any.
    public let keepAliveSeconds: UInt16
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
    /// The client identifier, maybe empty.
    public let clientID: ByteRange
    /// The message to publish when the client vanishes.
    public let will: Will?
    /// The user name, if one was sent.
    public let userName: ByteRange?
    /// The password, if one was sent: any bytes.
    public let password: ByteRange?
}

/// The will in a CONNECT (clause 3.1.2.5).
public struct Will: Equatable, Sendable {
    /// How hard to deliver it.
    public let qos: QoS
    /// Whether it replaces the retained message of its topic.
    public let retain: Bool
    /// MQTT 5 will properties, checked; empty in 3.1.1.
    public let properties: ByteRange
    /// A valid topic name.
    public let topic: ByteRange
    /// The message, at most 65 535 bytes.
    public let payload: ByteRange
}

/// CONNACK (clause 3.2).
public struct Connack: Equatable, Sendable {
    /// Whether the server kept a session of this client.
    public let sessionPresent: Bool
    /// Accepted or why not; return codes of 3.1.1 are translated.
    public let reason: ReasonCode
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
}

/// PUBLISH (clause 3.3).
public struct Publish: Equatable, Sendable {
    /// Whether it may have been sent before.
    public let isDuplicate: Bool
    /// How hard to deliver it.
    public let qos: QoS
    /// Whether the server keeps it, or kept it.
    public let retain: Bool
    /// A valid topic name; empty only in MQTT 5 with a topic alias.
    public let topic: ByteRange
    /// The packet identifier; 0 for QoS 0.
    public let packetID: UInt16
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
    /// The message, any bytes.
    public let payload: ByteRange
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP (clauses 3.4 to 3.7).
public struct Ack: Equatable, Sendable {
    /// The packet identifier of the message, never 0.
    public let packetID: UInt16
    /// The outcome; always `.success` in 3.1.1.
    public let reason: ReasonCode
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
}

/// SUBSCRIBE (clause 3.8); go through it with `FilterCursor`.
public struct Subscribe: Equatable, Sendable {
    /// The packet identifier, never 0.
    public let packetID: UInt16
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
    /// Filters with their options, checked, at least one.
    public let filters: ByteRange
}

/// UNSUBSCRIBE (clause 3.10); go through it with `FilterCursor`.
public struct Unsubscribe: Equatable, Sendable {
    /// The packet identifier, never 0.
    public let packetID: UInt16
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
    /// Filters, checked, at least one.
    public let filters: ByteRange
}

/// SUBACK or UNSUBACK (clauses 3.9 and 3.11).
public struct SubscriptionAck: Equatable, Sendable {
    /// The packet identifier of the request, never 0.
    public let packetID: UInt16
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
    /// One byte for each filter, in order, checked; empty in an UNSUBACK of 3.1.1.
    public let codes: ByteRange

    /// The outcome for filter number `index`, from 0; `nil` where there is none.
    public func reason(at index: Int, in frame: Span<UInt8>) -> ReasonCode? {
        guard index >= 0, index < codes.count, codes.start + index < frame.count else { return nil }
        return ReasonCode(rawValue: frame[codes.start + index])
    }
}

/// DISCONNECT (clause 3.14).
public struct Disconnect: Equatable, Sendable {
    /// Why; always `.success` in 3.1.1.
    public let reason: ReasonCode
    /// MQTT 5 properties, checked; empty in 3.1.1.
    public let properties: ByteRange
}

/// AUTH (MQTT 5, clause 3.15).
public struct Auth: Equatable, Sendable {
    /// Done, another step or once more.
    public let reason: ReasonCode
    /// Properties, checked.
    public let properties: ByteRange
}
