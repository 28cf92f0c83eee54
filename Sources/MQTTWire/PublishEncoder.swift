public import ByteKit

/// Whether the receiving server keeps a message, or a delivered one was kept (clause 3.3.1.3).
public enum Retain: Sendable {
    /// RETAIN = 0.
    case no
    /// RETAIN = 1.
    case yes
}

/// Whether a message is sent for the first time (clause 3.3.1.1).
public enum Delivery: Sendable {
    /// DUP = 0.
    case first
    /// DUP = 1.
    case repeated
}

/// Where the parts of an encoded PUBLISH lie, counted from its first byte.
///
///     offset 0          type, DUP (bit 3), QoS (bits 1 and 2), RETAIN (bit 0)
///     offset 1          remaining length, 1 ... 4 bytes
///     topicStart - 2    length of the topic, 2 bytes, then the topic
///     packetIDStart     packet identifier, 2 bytes, high byte first; not in QoS 0
///     behind it         MQTT 5: length of the properties, then the properties
///     headBytes         the payload, up to totalBytes
///
/// A server encodes a message once, shares the bytes among all receivers of the same version, QoS and flags,
/// and patches the two bytes at `packetIDStart` for each of them (and bit 3 of the first byte when it sends
/// again).
public struct PublishLayout: Equatable, Sendable {
    /// Offset of the topic's first byte, behind its length.
    public let topicStart: Int
    /// Offset of the packet identifier; `nil` in QoS 0.
    public let packetIDStart: Int?
    /// Bytes before the payload: all that `publishHeader` writes.
    public let headBytes: Int
    /// Bytes of the whole packet: what a receiver's Maximum Packet Size limits.
    public let totalBytes: Int

    /// Works out a PUBLISH without encoding it.
    ///
    /// - Throws: `.fieldTooLong` for a topic above 65 535 bytes, `.packetTooLarge` for more than 268 435 455
    ///   bytes behind the fixed header.
    public init(
        version: MQTTVersion,
        qos: QoS,
        topicBytes: Int,
        propertyBytes: Int,
        payloadBytes: Int
    ) throws(MQTTFault) {
        let maximum = VariableByteInteger.maximum
        guard topicBytes >= 0, topicBytes <= 65_535 else { throw .fieldTooLong }
        guard (0...maximum).contains(propertyBytes), (0...maximum).contains(payloadBytes) else {
            throw .packetTooLarge
        }
        let block = version == .v5 ? VariableByteInteger.byteCount(of: propertyBytes) + propertyBytes : 0
        let head = 2 + topicBytes + (qos == .atMostOnce ? 0 : 2) + block
        guard head + payloadBytes <= maximum else { throw .packetTooLarge }
        let header = 1 + VariableByteInteger.byteCount(of: head + payloadBytes)
        topicStart = header + 2
        packetIDStart = qos == .atMostOnce ? nil : header + 2 + topicBytes
        headBytes = header + head
        totalBytes = header + head + payloadBytes
    }
}

extension PacketEncoder {
    /// Appends a whole PUBLISH (clause 3.3).
    ///
    /// `packetID` is not written in QoS 0 and may be 0 where it is patched later; `properties` is a block
    /// made with `Property.append`, dropped in 3.1.1.
    /// - Returns: where the parts lie, from the first byte of this packet.
    /// - Throws: `.fieldTooLong` or `.packetTooLarge`; nothing is appended then.
    @inlinable
    @discardableResult
    public func publish(
        topic: Span<UInt8>,
        qos: QoS = .atMostOnce,
        retain: Retain = .no,
        delivery: Delivery = .first,
        packetID: UInt16 = 0,
        properties: Span<UInt8> = Span(),
        payload: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) -> PublishLayout {
        let layout = try publishHeader(
            topic: topic,
            qos: qos,
            retain: retain,
            delivery: delivery,
            packetID: packetID,
            properties: properties,
            payloadBytes: payload.count,
            to: &sink
        )
        sink.append(payload)
        return layout
    }

    /// Appends all of a PUBLISH but its payload, whose length is announced and which the caller sends next.
    ///
    /// - Returns: where the parts lie, from the first byte of this packet.
    /// - Throws: `.fieldTooLong` or `.packetTooLarge`; nothing is appended then.
    @inlinable
    @discardableResult
    public func publishHeader(
        topic: Span<UInt8>,
        qos: QoS = .atMostOnce,
        retain: Retain = .no,
        delivery: Delivery = .first,
        packetID: UInt16 = 0,
        properties: Span<UInt8> = Span(),
        payloadBytes: Int,
        to sink: inout some ByteSink
    ) throws(MQTTFault) -> PublishLayout {
        let layout = try PublishLayout(
            version: version,
            qos: qos,
            topicBytes: topic.count,
            propertyBytes: properties.count,
            payloadBytes: payloadBytes
        )
        // DUP must be 0 for QoS 0 [MQTT-3.3.1-2].
        let duplicate: UInt8 = delivery == .repeated && qos != .atMostOnce ? 0b1000 : 0
        let flags = duplicate | qos.rawValue << 1 | (retain == .yes ? 1 : 0)
        let body = layout.totalBytes - (layout.topicStart - 2)
        Self.appendHeader(.publish, flags: flags, body: body, to: &sink)
        Self.appendField(topic, to: &sink)
        if qos != .atMostOnce { sink.appendBigEndian(packetID) }
        appendBlock(properties, to: &sink)
        return layout
    }
}
