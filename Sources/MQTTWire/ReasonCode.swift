/// The outcome of an operation (MQTT 5, clause 2.4); below 0x80 it went well.
public enum ReasonCode: UInt8, Sendable {
    /// Success, normal disconnection or granted QoS 0, after the packet that carries it.
    case success = 0x00
    /// The subscription was accepted with at most QoS 1.
    case grantedQoS1 = 0x01
    /// The subscription was accepted with at most QoS 2.
    case grantedQoS2 = 0x02
    /// The client leaves and wants its will published.
    case disconnectWithWill = 0x04
    /// Accepted, but nobody was there to receive it.
    case noMatchingSubscribers = 0x10
    /// There was nothing to unsubscribe.
    case noSubscriptionExisted = 0x11
    /// Authentication takes another step.
    case continueAuthentication = 0x18
    /// The client starts authentication again.
    case reauthenticate = 0x19
    /// The sender does not say why.
    case unspecifiedError = 0x80
    /// The bytes break the layout.
    case malformedPacket = 0x81
    /// The packet breaks a rule.
    case protocolError = 0x82
    /// Valid, but not accepted by this implementation.
    case implementationSpecificError = 0x83
    /// The server does not speak that version.
    case unsupportedProtocolVersion = 0x84
    /// The client identifier is not allowed.
    case clientIdentifierNotValid = 0x85
    /// User name or password is wrong.
    case badUserNameOrPassword = 0x86
    /// The client may not do that.
    case notAuthorized = 0x87
    /// The server cannot serve now.
    case serverUnavailable = 0x88
    /// The server has too much to do; try again later.
    case serverBusy = 0x89
    /// The client is shut out by the operator.
    case banned = 0x8A
    /// The server ends.
    case serverShuttingDown = 0x8B
    /// The authentication method is unknown or another one than before.
    case badAuthenticationMethod = 0x8C
    /// Nothing was heard for one and a half keep-alive intervals.
    case keepAliveTimeout = 0x8D
    /// Another connection took the client identifier.
    case sessionTakenOver = 0x8E
    /// The topic filter is not accepted.
    case topicFilterInvalid = 0x8F
    /// The topic name is not accepted.
    case topicNameInvalid = 0x90
    /// The packet identifier is taken.
    case packetIdentifierInUse = 0x91
    /// The packet identifier is unknown.
    case packetIdentifierNotFound = 0x92
    /// More messages are under way than the receiver allows.
    case receiveMaximumExceeded = 0x93
    /// The topic alias is zero, too large or unknown.
    case topicAliasInvalid = 0x94
    /// The packet is longer than the receiver allows.
    case packetTooLarge = 0x95
    /// Messages come too fast.
    case messageRateTooHigh = 0x96
    /// A limit of the implementation or the operator is reached.
    case quotaExceeded = 0x97
    /// The operator closed the connection.
    case administrativeAction = 0x98
    /// The payload is not what its format indicator says.
    case payloadFormatInvalid = 0x99
    /// The server keeps no retained messages.
    case retainNotSupported = 0x9A
    /// The QoS is above what the server offers.
    case qosNotSupported = 0x9B
    /// Another server should be used for now.
    case useAnotherServer = 0x9C
    /// Another server should be used from now on.
    case serverMoved = 0x9D
    /// The server has no shared subscriptions.
    case sharedSubscriptionsNotSupported = 0x9E
    /// Connections come too fast.
    case connectionRateExceeded = 0x9F
    /// The connection has lasted as long as allowed.
    case maximumConnectTime = 0xA0
    /// The server has no subscription identifiers.
    case subscriptionIdentifiersNotSupported = 0xA1
    /// The server has no wildcard subscriptions.
    case wildcardSubscriptionsNotSupported = 0xA2

    /// Whether the operation failed (0x80 and above).
    @inlinable public var isFailure: Bool { rawValue >= 0x80 }

    /// The reason code of SUBACK that grants `qos`.
    @inlinable
    public static func granted(_ qos: QoS) -> ReasonCode {
        switch qos {
        case .atMostOnce: .success
        case .atLeastOnce: .grantedQoS1
        case .exactlyOnce: .grantedQoS2
        }
    }
}

extension ReasonCode {
    /// The CONNACK return code of 3.1.1 that says it, from 0 to 5; `nil` where none does (table 3.1 there).
    public var connectReturnCode: UInt8? {
        switch self {
        case .unsupportedProtocolVersion: 1
        case .clientIdentifierNotValid: 2
        case .unspecifiedError, .implementationSpecificError, .serverUnavailable, .serverBusy, .serverShuttingDown,
            .quotaExceeded, .connectionRateExceeded, .useAnotherServer, .serverMoved:
            3
        case .badUserNameOrPassword: 4
        case .notAuthorized, .banned, .badAuthenticationMethod: 5
        default: isFailure ? nil : 0
        }
    }

    /// Translates a CONNACK return code of 3.1.1; `nil` for a reserved one (6 to 255).
    public init?(connectReturnCode: UInt8) {
        switch connectReturnCode {
        case 0: self = .success
        case 1: self = .unsupportedProtocolVersion
        case 2: self = .clientIdentifierNotValid
        case 3: self = .serverUnavailable
        case 4: self = .badUserNameOrPassword
        case 5: self = .notAuthorized
        default: return nil
        }
    }

    /// Whether a packet of `type` from `sender` may carry this code (MQTT 5, tables 2-6, 3-10 and 3-11).
    func mayOccur(in type: PacketType, from sender: PacketSender) -> Bool {
        switch type {
        case .connack: mayOccurInConnack
        case .puback, .pubrec: mayOccurInPuback
        case .pubrel, .pubcomp: self == .success || self == .packetIdentifierNotFound
        case .suback: mayOccurInSuback
        case .unsuback: mayOccurInUnsuback
        case .disconnect: mayOccurInDisconnect(from: sender)
        case .auth: mayOccurInAuth(from: sender)
        default: false
        }
    }

    private var mayOccurInConnack: Bool {
        switch self {
        case .success, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError,
            .unsupportedProtocolVersion, .clientIdentifierNotValid, .badUserNameOrPassword, .notAuthorized,
            .serverUnavailable, .serverBusy, .banned, .badAuthenticationMethod, .topicNameInvalid,
            .packetTooLarge, .quotaExceeded, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported,
            .useAnotherServer, .serverMoved, .connectionRateExceeded:
            true
        default: false
        }
    }

    private var mayOccurInPuback: Bool {
        switch self {
        case .success, .noMatchingSubscribers, .unspecifiedError, .implementationSpecificError,
            .notAuthorized, .topicNameInvalid, .packetIdentifierInUse, .quotaExceeded, .payloadFormatInvalid:
            true
        default: false
        }
    }

    private var mayOccurInSuback: Bool {
        switch self {
        case .success, .grantedQoS1, .grantedQoS2, .unspecifiedError, .implementationSpecificError,
            .notAuthorized, .topicFilterInvalid, .packetIdentifierInUse, .quotaExceeded,
            .sharedSubscriptionsNotSupported, .subscriptionIdentifiersNotSupported,
            .wildcardSubscriptionsNotSupported:
            true
        default: false
        }
    }

    private var mayOccurInUnsuback: Bool {
        switch self {
        case .success, .noSubscriptionExisted, .unspecifiedError, .implementationSpecificError,
            .notAuthorized, .topicFilterInvalid, .packetIdentifierInUse:
            true
        default: false
        }
    }

    private func mayOccurInAuth(from sender: PacketSender) -> Bool {
        switch self {
        case .success: sender != .client
        case .continueAuthentication: true
        case .reauthenticate: sender != .server
        default: false
        }
    }

    private func mayOccurInDisconnect(from sender: PacketSender) -> Bool {
        switch self {
        case .success, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError,
            .topicNameInvalid, .receiveMaximumExceeded, .topicAliasInvalid, .packetTooLarge,
            .messageRateTooHigh, .quotaExceeded, .administrativeAction, .payloadFormatInvalid:
            true
        case .disconnectWithWill:
            sender != .server
        case .notAuthorized, .serverBusy, .serverShuttingDown, .badAuthenticationMethod, .keepAliveTimeout,
            .sessionTakenOver, .topicFilterInvalid, .retainNotSupported, .qosNotSupported, .useAnotherServer,
            .serverMoved, .sharedSubscriptionsNotSupported, .connectionRateExceeded, .maximumConnectTime,
            .subscriptionIdentifiersNotSupported, .wildcardSubscriptionsNotSupported:
            sender != .client
        default: false
        }
    }
}
