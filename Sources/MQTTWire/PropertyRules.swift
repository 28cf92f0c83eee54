//  Which property may stand where, how often, and with which values (MQTT 5, table 2-4 and the clause of each
//  packet).

import ByteKit

/// The places that have properties of their own.
enum PropertyPlace {
    case connect
    case will
    case connack
    case publish
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK: all have the same two.
    case ack
    case subscribe
    case unsubscribe
    case disconnect
    case auth

    /// What may stand here.
    var allowed: PropertySet {
        let base = PropertySet(.userProperty)
        return switch self {
        case .connect:
            base.with(.sessionExpiryInterval).with(.authenticationMethod).with(.authenticationData)
                .with(.requestProblemInformation).with(.requestResponseInformation).with(.receiveMaximum)
                .with(.topicAliasMaximum).with(.maximumPacketSize)
        case .will: message.with(.willDelayInterval)
        case .connack: connackProperties
        case .publish: message.with(.subscriptionIdentifier).with(.topicAlias)
        case .ack: base.with(.reasonString)
        case .subscribe: base.with(.subscriptionIdentifier)
        case .unsubscribe: base
        case .disconnect: base.with(.sessionExpiryInterval).with(.serverReference).with(.reasonString)
        case .auth: base.with(.authenticationMethod).with(.authenticationData).with(.reasonString)
        }
    }

    /// What a message and a will have in common.
    private var message: PropertySet {
        PropertySet(.userProperty).with(.payloadFormatIndicator).with(.messageExpiryInterval)
            .with(.contentType).with(.responseTopic).with(.correlationData)
    }

    private var connackProperties: PropertySet {
        PropertySet(.userProperty).with(.sessionExpiryInterval).with(.assignedClientIdentifier)
            .with(.serverKeepAlive).with(.authenticationMethod).with(.authenticationData)
            .with(.responseInformation).with(.serverReference).with(.reasonString).with(.receiveMaximum)
            .with(.topicAliasMaximum).with(.maximumQoS).with(.retainAvailable).with(.maximumPacketSize)
            .with(.wildcardSubscriptionAvailable).with(.subscriptionIdentifierAvailable)
            .with(.sharedSubscriptionAvailable)
    }

    /// Whether `id`, allowed here, comes from the side that may send it [MQTT-3.3.4-6, MQTT-3.14.2-2].
    func accepts(_ id: PropertyID, from sender: PacketSender) -> Bool {
        switch (self, id) {
        case (.publish, .subscriptionIdentifier), (.disconnect, .serverReference): sender != .client
        case (.disconnect, .sessionExpiryInterval): sender != .server
        default: true
        }
    }

    /// Whether `id` may occur again: user properties, and subscription identifiers of a delivered message.
    func repeats(_ id: PropertyID) -> Bool {
        id == .userProperty || (self == .publish && id == .subscriptionIdentifier)
    }
}

/// A property block that was checked.
struct PropertyBlock {
    let range: ByteRange
    var found = PropertySet()

    init(range: ByteRange) {
        self.range = range
    }

    /// Whether Authentication Data, where it occurs, comes with a method (clause 3.1.2.11.10).
    var hasMethodForData: Bool {
        !found.contains(.authenticationData) || found.contains(.authenticationMethod)
    }

    /// Reads length and properties, and checks each of them.
    static func read(
        from reader: inout WireReader,
        at place: PropertyPlace,
        sender: PacketSender
    ) throws(MQTTFault) -> PropertyBlock {
        let range = try reader.run(reader.variableByteInteger())
        var block = PropertyBlock(range: range)
        guard !range.isEmpty else { return block }
        let allowed = place.allowed
        var inner = WireReader(reader.bytes, in: range)
        while inner.remaining > 0 {
            let property = try Property.read(from: &inner)
            let id = property.id
            guard allowed.contains(id) else { throw .propertyNotAllowed(id) }
            guard place.accepts(id, from: sender) else { throw .propertyFromWrongSide(id) }
            guard !block.found.contains(id) || place.repeats(id) else { throw .propertyRepeated(id) }
            try property.checkValue(in: reader.bytes)
            block.found.insert(id)
        }
        return block
    }
}

extension Property {
    /// Checks the value against the range that its clause gives.
    func checkValue(in frame: Span<UInt8>) throws(MQTTFault) {
        switch (id, value) {
        case (_, .byte(let value)) where value > 1: throw .propertyValue(id)
        case (.topicAlias, .u16(0)): throw .topicAliasInvalid
        case (.receiveMaximum, .u16(0)): throw .propertyValue(id)
        case (.maximumPacketSize, .u32(0)): throw .propertyValue(id)
        case (.subscriptionIdentifier, .variableByteInteger(0)): throw .propertyValue(id)
        case (.responseTopic, .range(let topic)):  // [MQTT-3.3.2-14]
            guard TopicName.hasValidForm(frame.slice(topic)) else { throw .topicNameInvalid }
        default: break
        }
    }
}
