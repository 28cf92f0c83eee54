/// What is wrong with a packet, said so that a server can answer with the right reason code.
///
/// Clause ids are those of MQTT 5 unless 3.1.1 is named.
public enum MQTTFault: Error, Equatable, Sendable {
    // Malformed: the bytes break the layout (0x81).

    /// The body ends inside a field.
    case truncated
    /// Bytes are left behind the last field.
    case trailingBytes
    /// A variable byte integer has a fifth byte or a useless last one [MQTT-1.5.5-1].
    case overlongInteger
    /// Packet type 0, or AUTH in 3.1.1.
    case reservedPacketType
    /// A bit that must have a fixed value has the other one.
    case reservedBits
    /// QoS 3 in a PUBLISH or a will [MQTT-3.3.1-4, MQTT-3.1.2-12].
    case invalidQoS
    /// DUP with QoS 0 [MQTT-3.3.1-2].
    case duplicateWithoutQoS
    /// A string is not UTF-8, or holds U+0000 or a surrogate [MQTT-1.5.4-1, MQTT-1.5.4-2].
    case invalidUTF8
    /// A property identifier that no table knows (clause 2.2.2.2).
    case unknownProperty(UInt8)
    /// A property that does not belong to this packet (clause 2.2.2.2).
    case propertyNotAllowed(PropertyID)

    // Protocol errors: well laid out, but against a rule (0x82).

    /// A property that may occur once occurs again.
    case propertyRepeated(PropertyID)
    /// A property with a value outside its range.
    case propertyValue(PropertyID)
    /// A property that only the other side may send in this packet [MQTT-3.3.4-6, MQTT-3.14.2-2].
    case propertyFromWrongSide(PropertyID)
    /// Authentication Data or AUTH without an Authentication Method (3.1.2.11.10, 3.15.2.2.2).
    case authenticationMethodMissing
    /// Packet identifier 0 [MQTT-2.2.1-3].
    case packetIDZero
    /// A SUBSCRIBE or UNSUBSCRIBE without a filter [MQTT-3.8.3-2, MQTT-3.10.3-2].
    case filterMissing
    /// A SUBACK or UNSUBACK without a reason code.
    case reasonCodeMissing
    /// QoS 3 or Retain Handling 3 in the options of a subscription (clause 3.8.3.1).
    case invalidSubscriptionOptions
    /// No Local on a shared subscription [MQTT-3.8.3-4].
    case noLocalOnShared
    /// A code that the packet's table does not have.
    case invalidReasonCode(UInt8)
    /// Session Present together with a refusal [MQTT-3.2.2-6].
    case sessionPresentOnRefusal
    /// Will QoS or Will Retain without a will [MQTT-3.1.2-11, MQTT-3.1.2-13].
    case willFlagsWithoutWill
    /// A password without a user name in 3.1.1 [MQTT-3.1.2-22 of 3.1.1].
    case passwordWithoutUserName
    /// An empty topic without a topic alias (clause 3.3.2.1).
    case topicMissing
    /// A packet that this side never sends.
    case unexpectedPacket(PacketType)

    // Faults with a reason code of their own.

    /// "MQTT" or "MQIsdp" with another level than 4 and 5 (0x84) [MQTT-3.1.2-2].
    case unsupportedVersion(UInt8)
    /// Another protocol name (0x84) [MQTT-3.1.2-1].
    case unknownProtocol
    /// A filter that breaks clause 4.7 or 4.8.2 (0x8F).
    case topicFilterInvalid
    /// A topic that is empty or holds a wildcard (0x90) [MQTT-3.3.2-2, MQTT-4.7.3-1].
    case topicNameInvalid
    /// Topic alias 0 or above what the receiver takes (0x94) [MQTT-3.3.2-8, MQTT-3.3.2-9].
    case topicAliasInvalid
    /// More than 268 435 455 bytes behind the fixed header (0x95).
    case packetTooLarge
    /// A string or binary field of more than 65 535 bytes (0x95); only encoders find this.
    case fieldTooLong
}

extension MQTTFault {
    /// The reason code for the CONNACK or DISCONNECT that ends the connection.
    public var reasonCode: ReasonCode {
        switch self {
        case .truncated, .trailingBytes, .overlongInteger, .reservedPacketType, .reservedBits, .invalidQoS,
            .duplicateWithoutQoS, .invalidUTF8, .unknownProperty, .propertyNotAllowed:
            .malformedPacket
        case .propertyRepeated, .propertyValue, .propertyFromWrongSide, .authenticationMethodMissing,
            .packetIDZero, .filterMissing, .reasonCodeMissing, .invalidSubscriptionOptions, .noLocalOnShared,
            .invalidReasonCode, .sessionPresentOnRefusal, .willFlagsWithoutWill, .passwordWithoutUserName,
            .topicMissing, .unexpectedPacket:
            .protocolError
        case .unsupportedVersion, .unknownProtocol: .unsupportedProtocolVersion
        case .topicFilterInvalid: .topicFilterInvalid
        case .topicNameInvalid: .topicNameInvalid
        case .topicAliasInvalid: .topicAliasInvalid
        case .packetTooLarge, .fieldTooLong: .packetTooLarge
        }
    }

    /// One sentence for a log line or a reason string.
    public var explanation: StaticString {
        switch self {
        case .truncated: "the packet ends inside a field"
        case .trailingBytes: "bytes are left behind the last field"
        case .overlongInteger: "a variable byte integer is longer than it may be"
        case .reservedPacketType: "the packet type is reserved"
        case .reservedBits: "a reserved bit has the wrong value"
        case .invalidQoS: "QoS 3 does not exist"
        case .duplicateWithoutQoS: "DUP is set on a message of QoS 0"
        case .invalidUTF8: "a string is not valid UTF-8 or holds U+0000"
        case .unknownProperty: "a property identifier is unknown"
        case .propertyNotAllowed: "a property does not belong to this packet"
        case .propertyRepeated: "a property occurs more than once"
        case .propertyValue: "a property has a value outside its range"
        case .propertyFromWrongSide: "a property comes from the wrong side"
        case .authenticationMethodMissing: "the authentication method is missing"
        case .packetIDZero: "the packet identifier is 0"
        case .filterMissing: "no topic filter is given"
        case .reasonCodeMissing: "no reason code is given"
        case .invalidSubscriptionOptions: "the subscription options hold QoS 3 or retain handling 3"
        case .noLocalOnShared: "No Local is set on a shared subscription"
        default: laterExplanation
        }
    }

    private var laterExplanation: StaticString {
        switch self {
        case .invalidReasonCode: "the packet may not carry this reason code"
        case .sessionPresentOnRefusal: "Session Present is set on a refusal"
        case .willFlagsWithoutWill: "will flags are set without a will"
        case .passwordWithoutUserName: "a password comes without a user name"
        case .topicMissing: "the topic is empty and no topic alias is given"
        case .unexpectedPacket: "such a packet may not come here"
        case .unsupportedVersion: "the protocol version is neither 3.1.1 nor 5"
        case .unknownProtocol: "the protocol name is not MQTT"
        case .topicFilterInvalid: "a topic filter is not well formed"
        case .topicNameInvalid: "a topic name is empty or holds a wildcard"
        case .topicAliasInvalid: "the topic alias is 0 or above the maximum"
        case .packetTooLarge: "the packet is too large"
        case .fieldTooLong: "a field is longer than 65535 bytes"
        default: "the packet is not valid"
        }
    }
}
