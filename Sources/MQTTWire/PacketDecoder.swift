//  Bytes to packets. All rules that one packet can break by itself are checked here; what depends on earlier
//  packets (packet identifiers in use, topic aliases known, rights) belongs to whoever keeps the session.

import ByteKit

extension Packet {
    /// Decodes one whole frame, header and body, that fills `frame` from its first byte to its last.
    ///
    /// - Parameters:
    ///   - frame: the bytes.
    ///   - version: what the connection speaks; a CONNECT carries its own.
    ///   - sender: the side the bytes come from; packets and properties of the other side are refused.
    /// - Returns: the packet; all its ranges are offsets into `frame`.
    /// - Throws: the first breach found; `.truncated` or `.trailingBytes` where `frame` is not exactly one.
    public static func decode(
        _ frame: Span<UInt8>,
        version: MQTTVersion,
        from sender: PacketSender = .either
    ) throws(MQTTFault) -> Packet {
        guard let header = try FrameHeader.peek(frame) else { throw .truncated }
        guard frame.count >= header.totalBytes else { throw .truncated }
        guard frame.count == header.totalBytes else { throw .trailingBytes }
        guard header.type != .auth || version == .v5 else { throw .reservedPacketType }
        guard sender.maySend(header.type) else { throw .unexpectedPacket(header.type) }
        var decoder = PacketDecoder(
            reader: WireReader(frame, from: header.headerBytes),
            header: header,
            version: version,
            sender: sender
        )
        let packet = try decoder.packet()
        guard decoder.reader.remaining == 0 else { throw .trailingBytes }
        return packet
    }
}

/// One frame being decoded.
struct PacketDecoder: ~Escapable {
    var reader: WireReader
    let header: FrameHeader
    let version: MQTTVersion
    let sender: PacketSender

    @_lifetime(copy reader)
    init(reader: consuming WireReader, header: FrameHeader, version: MQTTVersion, sender: PacketSender) {
        self.reader = reader
        self.header = header
        self.version = version
        self.sender = sender
    }

    mutating func packet() throws(MQTTFault) -> Packet {
        switch header.type {
        case .connect: .connect(try connect())
        case .connack: .connack(try connack())
        case .publish: .publish(try publish())
        case .puback: .puback(try ack())
        case .pubrec: .pubrec(try ack())
        case .pubrel: .pubrel(try ack())
        case .pubcomp: .pubcomp(try ack())
        case .subscribe: .subscribe(try subscribe())
        case .suback: .suback(try subscriptionAck())
        case .unsubscribe: .unsubscribe(try unsubscribe())
        case .unsuback: .unsuback(try subscriptionAck())
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect: .disconnect(try disconnect())
        case .auth: .auth(try auth())
        }
    }

    /// The property block of MQTT 5; 3.1.1 has none.
    mutating func properties(of place: PropertyPlace) throws(MQTTFault) -> PropertyBlock {
        guard version == .v5 else { return PropertyBlock(range: ByteRange(start: reader.offset, count: 0)) }
        return try PropertyBlock.read(from: &reader, at: place, sender: sender)
    }

    /// A reason code that this packet may carry.
    mutating func reasonCode() throws(MQTTFault) -> ReasonCode {
        let byte = try reader.byte()
        guard let code = ReasonCode(rawValue: byte), code.mayOccur(in: header.type, from: sender) else {
            throw .invalidReasonCode(byte)
        }
        return code
    }
}

extension PacketDecoder {
    /// PUBLISH (clause 3.3); the flags were checked with the fixed header.
    mutating func publish() throws(MQTTFault) -> Publish {
        guard let qos = QoS(rawValue: header.flags >> 1 & 0b11) else { throw .invalidQoS }
        let topic = try reader.text()
        guard !TopicName.hasWildcard(reader.bytes.slice(topic)) else { throw .topicNameInvalid }
        guard !topic.isEmpty || version == .v5 else { throw .topicNameInvalid }
        let packetID = qos == .atMostOnce ? 0 : try reader.packetID()
        let properties = try properties(of: .publish)
        guard !topic.isEmpty || properties.found.contains(.topicAlias) else { throw .topicMissing }
        return Publish(
            isDuplicate: header.flags & 0b1000 != 0,
            qos: qos,
            retain: header.flags & 0b0001 != 0,
            topic: topic,
            packetID: packetID,
            properties: properties.range,
            payload: reader.rest()
        )
    }

    /// PUBACK and its kin; MQTT 5 leaves out what is success and empty (clause 3.4.2.1).
    mutating func ack() throws(MQTTFault) -> Ack {
        let packetID = try reader.packetID()
        let (reason, properties) = try reasonAndProperties(of: .ack)
        return Ack(packetID: packetID, reason: reason, properties: properties)
    }

    /// DISCONNECT (clause 3.14); a server of 3.1.1 just closes.
    mutating func disconnect() throws(MQTTFault) -> Disconnect {
        guard version == .v5 || sender != .server else { throw .unexpectedPacket(.disconnect) }
        let (reason, properties) = try reasonAndProperties(of: .disconnect)
        return Disconnect(reason: reason, properties: properties)
    }

    private mutating func reasonAndProperties(
        of place: PropertyPlace
    ) throws(MQTTFault) -> (reason: ReasonCode, properties: ByteRange) {
        let nothing = ByteRange(start: reader.offset, count: 0)
        guard version == .v5, reader.remaining > 0 else { return (.success, nothing) }
        let reason = try reasonCode()
        guard reader.remaining > 0 else { return (reason, nothing) }
        return (reason, try properties(of: place).range)
    }

    /// AUTH (clause 3.15): empty, which is a server's Success, or reason code and properties with the method.
    mutating func auth() throws(MQTTFault) -> Auth {
        guard reader.remaining > 0 else {
            guard sender != .client else { throw .invalidReasonCode(ReasonCode.success.rawValue) }
            return Auth(reason: .success, properties: ByteRange(start: reader.offset, count: 0))
        }
        let reason = try reasonCode()
        let properties = try properties(of: .auth)
        let hasMethod = properties.found.contains(.authenticationMethod)
        guard hasMethod || reason == .success else { throw .authenticationMethodMissing }
        return Auth(reason: reason, properties: properties.range)
    }
}
