public import ByteKit

/// Whether the server kept a session of the client (clause 3.2.2.1.1).
public enum SessionPresence: Sendable {
    /// Session Present = 0.
    case absent
    /// Session Present = 1.
    case present
}

/// Packets that a server sends.
extension PacketEncoder {
    /// Appends CONNACK (clause 3.2).
    ///
    /// A refusal never says that a session is present [MQTT-3.2.2-6]. In 3.1.1 the reason becomes one of the
    /// return codes 0 to 5.
    /// - Throws: `.invalidReasonCode` where 3.1.1 has no return code for `reason`; nothing is appended then.
    @inlinable
    public func connack(
        session: SessionPresence,
        reason: ReasonCode,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        let code = version == .v5 ? reason.rawValue : reason.connectReturnCode
        guard let code else { throw .invalidReasonCode(reason.rawValue) }
        let body = try 2 + blockBytes(properties)
        try Self.check(body: body)
        Self.appendHeader(.connack, body: body, to: &sink)
        sink.append(session == .present && !reason.isFailure ? 1 : 0)
        sink.append(code)
        appendBlock(properties, to: &sink)
    }

    /// Appends SUBACK (clause 3.9) with one code for each filter, in the order of the SUBSCRIBE.
    ///
    /// In 3.1.1 every failure becomes 0x80.
    @inlinable
    public func suback(
        _ packetID: UInt16,
        codes: Span<ReasonCode>,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try subscriptionAck(.suback, packetID, codes: codes, properties: properties, to: &sink)
    }

    /// Appends UNSUBACK (clause 3.11) with one code for each filter; in 3.1.1 without codes.
    @inlinable
    public func unsuback(
        _ packetID: UInt16,
        codes: Span<ReasonCode>,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        let sent = version == .v5 ? codes : Span()
        try subscriptionAck(.unsuback, packetID, codes: sent, properties: properties, to: &sink)
    }

    /// Appends PINGRESP (clause 3.13).
    @inlinable
    public func pingresp(to sink: inout some ByteSink) {
        Self.appendHeader(.pingresp, body: 0, to: &sink)
    }

    @inlinable
    func subscriptionAck(
        _ type: PacketType,
        _ packetID: UInt16,
        codes: Span<ReasonCode>,
        properties: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        let block = try blockBytes(properties)
        try Self.check(body: codes.count)
        let body = 2 + block + codes.count
        try Self.check(body: body)
        Self.appendHeader(type, body: body, to: &sink)
        sink.appendBigEndian(packetID)
        appendBlock(properties, to: &sink)
        for index in codes.indices {
            let code = codes[index]
            sink.append(version == .v311 && code.isFailure ? 0x80 : code.rawValue)
        }
    }
}
