/// The names of the properties (MQTT 5, table 2-4).
public enum PropertyID: UInt8, Sendable {
    /// Whether a payload is text: 0 or 1.
    case payloadFormatIndicator = 0x01
    /// Seconds until a message is worthless.
    case messageExpiryInterval = 0x02
    /// What a payload is, as text.
    case contentType = 0x03
    /// The topic for the answer.
    case responseTopic = 0x08
    /// Bytes that the answer repeats.
    case correlationData = 0x09
    /// A number given to a subscription, 1 ... 268 435 455.
    case subscriptionIdentifier = 0x0B
    /// Seconds a session outlives its connection; 0xFFFFFFFF = for ever.
    case sessionExpiryInterval = 0x11
    /// The client identifier that the server chose.
    case assignedClientIdentifier = 0x12
    /// The keep-alive interval that the server wants, in seconds.
    case serverKeepAlive = 0x13
    /// The name of the extended authentication.
    case authenticationMethod = 0x15
    /// The bytes of the extended authentication.
    case authenticationData = 0x16
    /// Whether reason strings and user properties are welcome: 0 or 1.
    case requestProblemInformation = 0x17
    /// Seconds between the end of the connection and the will.
    case willDelayInterval = 0x18
    /// Whether response information is welcome: 0 or 1.
    case requestResponseInformation = 0x19
    /// What the server offers to build response topics from.
    case responseInformation = 0x1A
    /// Another server to use.
    case serverReference = 0x1C
    /// Words for people who read logs.
    case reasonString = 0x1F
    /// Messages of QoS 1 and 2 that may be under way, 1 ... 65 535.
    case receiveMaximum = 0x21
    /// The highest topic alias accepted; 0 = none.
    case topicAliasMaximum = 0x22
    /// A number instead of a topic, 1 ... 65 535.
    case topicAlias = 0x23
    /// The highest QoS that the server offers: 0 or 1.
    case maximumQoS = 0x24
    /// Whether the server keeps retained messages: 0 or 1.
    case retainAvailable = 0x25
    /// A name and a value that only the applications understand; may occur many times.
    case userProperty = 0x26
    /// The longest packet accepted, in bytes, from 1.
    case maximumPacketSize = 0x27
    /// Whether the server has wildcard subscriptions: 0 or 1.
    case wildcardSubscriptionAvailable = 0x28
    /// Whether the server has subscription identifiers: 0 or 1.
    case subscriptionIdentifierAvailable = 0x29
    /// Whether the server has shared subscriptions: 0 or 1.
    case sharedSubscriptionAvailable = 0x2A

    /// How the value is laid out.
    public var kind: PropertyKind {
        switch self {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .maximumQoS,
            .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable,
            .sharedSubscriptionAvailable:
            .byte
        case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias: .u16
        case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval, .maximumPacketSize: .u32
        case .subscriptionIdentifier: .variableByteInteger
        case .contentType, .responseTopic, .assignedClientIdentifier, .authenticationMethod,
            .responseInformation, .serverReference, .reasonString:
            .text
        case .correlationData, .authenticationData: .binary
        case .userProperty: .textPair
        }
    }
}

/// The layouts of property values (MQTT 5, clause 1.5).
public enum PropertyKind: Sendable {
    /// One byte.
    case byte
    /// Two bytes, high one first.
    case u16
    /// Four bytes, high one first.
    case u32
    /// 1 ... 4 bytes, 7 bits each.
    case variableByteInteger
    /// UTF-8 behind a two-byte length.
    case text
    /// Any bytes behind a two-byte length.
    case binary
    /// Two texts.
    case textPair
}

/// A set of property names, one machine word or two.
public struct PropertySet: Equatable, Sendable {
    private var bits: UInt64 = 0

    /// Holds nothing.
    public init() {}

    /// Holds one name.
    public init(_ id: PropertyID) {
        insert(id)
    }

    /// Adds a name.
    public mutating func insert(_ id: PropertyID) {
        bits |= 1 << UInt64(id.rawValue)
    }

    /// The set with one more name.
    public func with(_ id: PropertyID) -> PropertySet {
        var result = self
        result.insert(id)
        return result
    }

    /// Whether `id` is in the set.
    public func contains(_ id: PropertyID) -> Bool {
        bits & 1 << UInt64(id.rawValue) != 0
    }
}
