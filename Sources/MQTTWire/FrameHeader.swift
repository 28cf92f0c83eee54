/// The fixed header: what a packet is and how many bytes it has, known before its body has arrived.
///
/// Nothing may be allocated from `bodyBytes`: it is the peer's claim, up to 256 MB. Compare `totalBytes` with
/// your own limit first.
public struct FrameHeader: Equatable, Sendable {
    /// What the packet is for.
    public let type: PacketType
    /// The lower four bits of the first byte: DUP, QoS and RETAIN in PUBLISH, fixed elsewhere.
    public let flags: UInt8
    /// Bytes of this header, from 2 to 5.
    public let headerBytes: Int
    /// Bytes behind this header, from 0 to 268 435 455.
    public let bodyBytes: Int
    /// Bytes of the whole packet.
    public var totalBytes: Int { headerBytes + bodyBytes }

    /// Reads the header at the start of `input` without touching the body.
    ///
    /// The first byte is judged as soon as it is there, so a peer that speaks another protocol is found
    /// out early.
    /// - Returns: the header, or `nil` when more input is needed.
    /// - Throws: `.reservedPacketType`, `.reservedBits` [MQTT-2.1.3-1; 2.2.2-2 of 3.1.1], `.invalidQoS`
    ///   [MQTT-3.3.1-4], `.duplicateWithoutQoS` [MQTT-3.3.1-2] or `.overlongInteger` [MQTT-1.5.5-1].
    public static func peek(_ input: Span<UInt8>) throws(MQTTFault) -> FrameHeader? {
        guard !input.isEmpty else { return nil }
        guard let type = PacketType(rawValue: input[0] >> 4) else { throw .reservedPacketType }
        let flags = input[0] & 0x0F
        try check(flags, of: type)
        guard let length = try VariableByteInteger.read(input, at: 1) else { return nil }
        return FrameHeader(type: type, flags: flags, headerBytes: 1 + length.count, bodyBytes: length.value)
    }

    private static func check(_ flags: UInt8, of type: PacketType) throws(MQTTFault) {
        switch type {
        case .publish:
            guard flags & 0b0110 != 0b0110 else { throw .invalidQoS }
            guard flags & 0b1110 != 0b1000 else { throw .duplicateWithoutQoS }
        case .pubrel, .subscribe, .unsubscribe:
            guard flags == 0b0010 else { throw .reservedBits }
        default:
            guard flags == 0 else { throw .reservedBits }
        }
    }
}
