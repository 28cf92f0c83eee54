import ByteKit
import MQTTWire

/// The packets that the broker sends, encoded.
///
/// Bounds hold by construction (identifiers and topics come from decoded packets), so that encoding cannot fail.
enum Reply {
    static let pong: [UInt8] = encoded(.v311) { (encoder, bytes) throws(MQTTFault) in encoder.pingresp(to: &bytes) }

    static func puback(
        _ packetID: UInt16, _ reason: ReasonCode, _ version: MQTTVersion, _ block: [UInt8] = []
    ) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.puback(
                packetID, reason: version == .v5 ? reason : .success, properties: block.span, to: &bytes)
        }
    }

    static func pubrec(
        _ packetID: UInt16, _ reason: ReasonCode, _ version: MQTTVersion, _ block: [UInt8] = []
    ) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.pubrec(
                packetID, reason: version == .v5 ? reason : .success, properties: block.span, to: &bytes)
        }
    }

    static func pubrel(_ packetID: UInt16, _ reason: ReasonCode, _ version: MQTTVersion) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.pubrel(packetID, reason: version == .v5 ? reason : .success, to: &bytes)
        }
    }

    static func pubcomp(_ packetID: UInt16, _ reason: ReasonCode, _ version: MQTTVersion) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.pubcomp(packetID, reason: version == .v5 ? reason : .success, to: &bytes)
        }
    }

    static func suback(
        _ packetID: UInt16, _ codes: [ReasonCode], _ version: MQTTVersion, _ block: [UInt8]
    ) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.suback(packetID, codes: codes.span, properties: block.span, to: &bytes)
        }
    }

    static func unsuback(_ packetID: UInt16, _ codes: [ReasonCode], _ version: MQTTVersion) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.unsuback(packetID, codes: codes.span, to: &bytes)
        }
    }

    static func disconnect(_ reason: ReasonCode, _ block: [UInt8]) -> [UInt8] {
        encoded(.v5) { (encoder, bytes) throws(MQTTFault) in
            try encoder.disconnect(reason: reason, properties: block.span, to: &bytes)
        }
    }

    static func refused(_ reason: ReasonCode, version: MQTTVersion, _ block: [UInt8] = []) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            try encoder.connack(session: .absent, reason: reason, properties: block.span, to: &bytes)
        }
    }

    /// A packet with a Reason String, where the client takes one and has room for it [MQTT-3.1.2-29, 3.4.2-2].
    ///
    /// - Parameter isLast: whether it is CONNACK or DISCONNECT, which may say more than the client asked for.
    static func explained(
        _ text: StaticString?, to connection: Connection, isLast: Bool = false, _ packet: (_ block: [UInt8]) -> [UInt8]
    ) -> [UInt8] {
        guard let text, connection.version == .v5, isLast || connection.takesReasons else { return packet([]) }
        let words = text.withUTF8Buffer { Array($0) }
        let block = properties { (block) throws(MQTTFault) in
            try Property.append(.reasonString, bytes: words.span, to: &block)
        }
        let whole = packet(block)
        return whole.count <= connection.packetLimit ? whole : packet([])
    }

    private static func properties(_ append: (inout [UInt8]) throws(MQTTFault) -> Void) -> [UInt8] {
        encoded(.v5) { (_, bytes) throws(MQTTFault) in try append(&bytes) }
    }

    /// CONNACK; an MQTT 5 client is told what this broker does not do.
    static func accepted(
        _ opening: Opening, version: MQTTVersion, session: Session, presence: SessionPresence, limits: BrokerLimits,
        keepAlive: UInt16?
    ) -> [UInt8] {
        encoded(version) { (encoder, bytes) throws(MQTTFault) in
            var block: [UInt8] = []
            if version == .v5 {
                Property.append(.receiveMaximum, u16: BrokerCore.receiveMaximum, to: &block)
                // The property has no value 2: it is left out then (3.2.2.3.4).
                if limits.maximumQoS < .exactlyOnce {
                    Property.append(.maximumQoS, byte: limits.maximumQoS.rawValue, to: &block)
                }
                Property.append(.topicAliasMaximum, u16: BrokerCore.topicAliasMaximum, to: &block)
                Property.append(.maximumPacketSize, u32: UInt32(BrokerCore.packetLimit), to: &block)
                if session.expirySeconds != opening.expirySeconds {
                    Property.append(.sessionExpiryInterval, u32: session.expirySeconds, to: &block)
                }
                if let keepAlive { Property.append(.serverKeepAlive, u16: keepAlive, to: &block) }
                if opening.isAssigned {
                    try Property.append(.assignedClientIdentifier, bytes: opening.clientID.span, to: &block)
                }
            }
            try encoder.connack(session: presence, reason: .success, properties: block.span, to: &bytes)
        }
    }

    /// The PUBLISH of a message in one form; the flags of the first byte and the packet identifier are left to patch.
    static func publish(
        _ message: Message, _ form: PacketForm, identifiers: [UInt32], alias: TopicAlias, now: Int64,
        _ cache: inout PacketCache
    ) -> PacketTemplate {
        var (topic, number): ([UInt8], UInt16?) = (message.topic, nil)
        switch alias {
        case .none: break
        case .new(let alias): number = alias
        case .known(let alias): (topic, number) = ([], alias)
        }
        let isCommon = form.version == .v311 || (identifiers.isEmpty && number == nil && message.expires == nil)
        if isCommon, let known = cache.packet(of: message, form) { return known }
        var template = PacketTemplate(bytes: [], packetIDOffset: 0)
        template.bytes = encoded(form.version) { (encoder, bytes) throws(MQTTFault) in
            var block = message.properties
            for identifier in identifiers {
                Property.append(.subscriptionIdentifier, variableByteInteger: Int(identifier), to: &block)
            }
            if form.version == .v5, let expires = message.expires {
                let seconds = max(0, (expires - now + 999) / 1000)
                Property.append(.messageExpiryInterval, u32: UInt32(clamping: seconds), to: &block)
            }
            if let number { Property.append(.topicAlias, u16: number, to: &block) }
            let payload = message.payload
            let layout = try encoder.publish(
                topic: topic.span, qos: form.qos, properties: block.span, payload: payload.span, to: &bytes)
            template.packetIDOffset = layout.packetIDStart ?? 0
        }
        if isCommon { cache.keep(template, of: message, form) }
        return template
    }

    /// The properties of a message that go on to its subscribers (MQTT 5 §3.3.2.3).
    static func forwarded(_ properties: ByteRange, _ frame: Span<UInt8>) -> [UInt8] {
        guard !properties.isEmpty else { return [] }
        var block: [UInt8] = []
        let local = PropertySet(.messageExpiryInterval).with(.topicAlias).with(.subscriptionIdentifier)
            .with(.willDelayInterval)
        Property.copy(properties, in: frame, without: local, to: &block)
        return block
    }

    private static func encoded(
        _ version: MQTTVersion, _ encode: (PacketEncoder, inout [UInt8]) throws(MQTTFault) -> Void
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        do throws(MQTTFault) {
            try encode(PacketEncoder(version: version), &bytes)
        } catch {
            preconditionFailure("a packet of our own does not fit its fields: \(error)")
        }
        return bytes
    }
}
