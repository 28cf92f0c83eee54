//  Packets to bytes, for both versions and both sides.
//
//  Every function appends one whole packet, or throws before the first byte. Properties come as a block made
//  with `Property.append`; 3.1.1 has none and drops them silently. Text must be valid UTF-8 and topics valid:
//  the encoder checks lengths only.

public import ByteKit

/// Writes packets of one version.
public struct PacketEncoder: Sendable {
    /// The version of the connection.
    public let version: MQTTVersion

    /// Writes packets of `version`.
    @inlinable
    public init(version: MQTTVersion) {
        self.version = version
    }
}

/// What the packets have in common.
extension PacketEncoder {
    /// Appends the fixed header (clause 2.1); `body` was checked.
    @inlinable
    static func appendHeader(_ type: PacketType, flags: UInt8 = 0, body: Int, to sink: inout some ByteSink) {
        sink.append(type.rawValue << 4 | flags)
        VariableByteInteger.append(body, to: &sink)
    }

    /// Bytes of a string or binary field, with its length.
    @inlinable
    static func fieldBytes(_ field: Span<UInt8>) throws(MQTTFault) -> Int {
        guard field.count <= 65_535 else { throw .fieldTooLong }
        return 2 + field.count
    }

    /// Appends a string or binary field behind its length.
    @inlinable
    static func appendField(_ field: Span<UInt8>, to sink: inout some ByteSink) {
        sink.appendBigEndian(UInt16(truncatingIfNeeded: field.count))
        sink.append(field)
    }

    /// Bytes of the property block with its length; 0 in 3.1.1.
    @inlinable
    func blockBytes(_ properties: Span<UInt8>) throws(MQTTFault) -> Int {
        guard version == .v5 else { return 0 }
        guard properties.count <= VariableByteInteger.maximum else { throw .packetTooLarge }
        return VariableByteInteger.byteCount(of: properties.count) + properties.count
    }

    /// Appends the property block behind its length; nothing in 3.1.1.
    @inlinable
    func appendBlock(_ properties: Span<UInt8>, to sink: inout some ByteSink) {
        guard version == .v5 else { return }
        VariableByteInteger.append(properties.count, to: &sink)
        sink.append(properties)
    }

    /// Refuses a body that no remaining length can tell.
    @inlinable
    static func check(body: Int) throws(MQTTFault) {
        guard body <= VariableByteInteger.maximum else { throw .packetTooLarge }
    }
}

/// Packets that both sides send.
extension PacketEncoder {
    /// Appends PUBACK (clause 3.4).
    @inlinable
    public func puback(
        _ packetID: UInt16,
        reason: ReasonCode = .success,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try ack(.puback, packetID, reason: reason, properties: properties, to: &sink)
    }

    /// Appends PUBREC (clause 3.5).
    @inlinable
    public func pubrec(
        _ packetID: UInt16,
        reason: ReasonCode = .success,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try ack(.pubrec, packetID, reason: reason, properties: properties, to: &sink)
    }

    /// Appends PUBREL (clause 3.6).
    @inlinable
    public func pubrel(
        _ packetID: UInt16,
        reason: ReasonCode = .success,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try ack(.pubrel, packetID, reason: reason, properties: properties, to: &sink)
    }

    /// Appends PUBCOMP (clause 3.7).
    @inlinable
    public func pubcomp(
        _ packetID: UInt16,
        reason: ReasonCode = .success,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try ack(.pubcomp, packetID, reason: reason, properties: properties, to: &sink)
    }

    /// Appends DISCONNECT (clause 3.14).
    ///
    /// A server of 3.1.1 does not send one: it closes. There the packet has no reason.
    @inlinable
    public func disconnect(
        reason: ReasonCode = .success,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        let tail = try reasonBytes(reason, properties)
        try Self.check(body: tail)
        Self.appendHeader(.disconnect, body: tail, to: &sink)
        appendReason(reason, properties, bytes: tail, to: &sink)
    }

    /// Appends AUTH (clause 3.15).
    ///
    /// - Throws: `.reservedPacketType` in 3.1.1.
    @inlinable
    public func auth(
        reason: ReasonCode,
        properties: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        guard version == .v5 else { throw .reservedPacketType }
        let body = try 1 + blockBytes(properties)
        try Self.check(body: body)
        Self.appendHeader(.auth, body: body, to: &sink)
        sink.append(reason.rawValue)
        appendBlock(properties, to: &sink)
    }

    @inlinable
    func ack(
        _ type: PacketType,
        _ packetID: UInt16,
        reason: ReasonCode,
        properties: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        let tail = try reasonBytes(reason, properties)
        try Self.check(body: 2 + tail)
        Self.appendHeader(type, flags: type == .pubrel ? 0b0010 : 0, body: 2 + tail, to: &sink)
        sink.appendBigEndian(packetID)
        appendReason(reason, properties, bytes: tail, to: &sink)
    }

    /// Bytes of reason and properties, in the shortest form that says it: none, 1, or all (clause 3.4.2.1).
    @inlinable
    func reasonBytes(_ reason: ReasonCode, _ properties: Span<UInt8>) throws(MQTTFault) -> Int {
        guard version == .v5 else { return 0 }
        guard properties.isEmpty else { return try 1 + blockBytes(properties) }
        return reason == .success ? 0 : 1
    }

    @inlinable
    func appendReason(
        _ reason: ReasonCode,
        _ properties: Span<UInt8>,
        bytes: Int,
        to sink: inout some ByteSink
    ) {
        if bytes > 0 { sink.append(reason.rawValue) }
        if bytes > 1 { appendBlock(properties, to: &sink) }
    }
}
