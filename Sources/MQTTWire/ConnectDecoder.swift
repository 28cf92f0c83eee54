import ByteKit

extension Connect {
    /// The version that a CONNECT announces, even where the rest of it is broken.
    ///
    /// A server needs it to answer a faulty CONNECT in the client's own language.
    /// - Returns: `nil` where `frame` is not a CONNECT or announces neither 3.1.1 nor 5.
    public static func announcedVersion(in frame: Span<UInt8>) -> MQTTVersion? {
        guard let header = try? FrameHeader.peek(frame), header.type == .connect else { return nil }
        var reader = WireReader(frame, from: header.headerBytes)
        return try? readVersion(from: &reader)
    }

    /// Protocol name and level [MQTT-3.1.2-1, MQTT-3.1.2-2].
    static func readVersion(from reader: inout WireReader) throws(MQTTFault) -> MQTTVersion {
        let range = try reader.binary()
        let name = reader.bytes.slice(range)
        let isName = name.equals("MQTT")
        guard isName || name.equals("MQIsdp") else { throw .unknownProtocol }
        let level = try reader.byte()
        guard isName, let version = MQTTVersion(rawValue: level) else { throw .unsupportedVersion(level) }
        return version
    }
}

/// The connect flags (clause 3.1.2.3).
private struct ConnectFlags {
    private let bits: UInt8

    /// Checks the bits against each other.
    init(_ bits: UInt8, version: MQTTVersion) throws(MQTTFault) {
        self.bits = bits
        guard bits & 0b0000_0001 == 0 else { throw .reservedBits }  // [MQTT-3.1.2-3]
        guard hasWill || bits & 0b0011_1000 == 0 else { throw .willFlagsWithoutWill }
        guard version == .v5 || hasUserName || !hasPassword else { throw .passwordWithoutUserName }
    }

    var cleanStart: Bool { bits & 0b0000_0010 != 0 }
    var hasWill: Bool { bits & 0b0000_0100 != 0 }
    var willQoS: UInt8 { bits >> 3 & 0b11 }
    var willRetain: Bool { bits & 0b0010_0000 != 0 }
    var hasPassword: Bool { bits & 0b0100_0000 != 0 }
    var hasUserName: Bool { bits & 0b1000_0000 != 0 }
}

extension PacketDecoder {
    /// CONNECT (clause 3.1); its own version rules over that of the connection.
    mutating func connect() throws(MQTTFault) -> Connect {
        let version = try Connect.readVersion(from: &reader)
        let flags = try ConnectFlags(reader.byte(), version: version)
        let keepAlive = try reader.u16()
        let properties = try block(of: .connect, version: version)
        guard properties.hasMethodForData else { throw .authenticationMethodMissing }
        let clientID = try reader.text()
        let will = flags.hasWill ? try will(flags, version: version) : nil
        let userName = flags.hasUserName ? try reader.text() : nil
        let password = flags.hasPassword ? try reader.binary() : nil
        return Connect(
            version: version,
            cleanStart: flags.cleanStart,
            keepAliveSeconds: keepAlive,
            properties: properties.range,
            clientID: clientID,
            will: will,
            userName: userName,
            password: password
        )
    }

    private mutating func block(
        of place: PropertyPlace,
        version: MQTTVersion
    ) throws(MQTTFault) -> PropertyBlock {
        guard version == .v5 else { return PropertyBlock(range: ByteRange(start: reader.offset, count: 0)) }
        return try PropertyBlock.read(from: &reader, at: place, sender: .client)
    }

    private mutating func will(_ flags: ConnectFlags, version: MQTTVersion) throws(MQTTFault) -> Will {
        guard let qos = QoS(rawValue: flags.willQoS) else { throw .invalidQoS }  // [MQTT-3.1.2-12]
        let properties = try block(of: .will, version: version)
        let topic = try reader.text()
        guard TopicName.hasValidForm(reader.bytes.slice(topic)) else { throw .topicNameInvalid }
        return Will(
            qos: qos,
            retain: flags.willRetain,
            properties: properties.range,
            topic: topic,
            payload: try reader.binary()
        )
    }

    /// CONNACK (clause 3.2).
    mutating func connack() throws(MQTTFault) -> Connack {
        let flags = try reader.byte()
        guard flags & 0b1111_1110 == 0 else { throw .reservedBits }  // [MQTT-3.2.2-1]
        let reason = try connackReason()
        guard flags == 0 || !reason.isFailure else { throw .sessionPresentOnRefusal }
        let properties = try properties(of: .connack)
        guard properties.hasMethodForData else { throw .authenticationMethodMissing }
        return Connack(sessionPresent: flags != 0, reason: reason, properties: properties.range)
    }

    private mutating func connackReason() throws(MQTTFault) -> ReasonCode {
        guard version == .v311 else { return try reasonCode() }
        let byte = try reader.byte()
        guard let code = ReasonCode(connectReturnCode: byte) else { throw .invalidReasonCode(byte) }
        return code
    }
}
