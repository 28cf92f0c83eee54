import ByteKit

/// The head of a client's frame: what the frame is, how many bytes it has, and the key that masks them.
///
/// Layout: FIN, RSV1-3 and opcode in the first byte; MASK and 7 bits of length in the second; 2 or 8 bytes of length where
/// those 7 say 126 or 127; 4 bytes of key (RFC 6455, 5.2).
package struct FrameHead: Equatable, Sendable {
    /// The longest head, bytes.
    package static let mostBytes = 14
    /// The longest payload of a control frame, bytes (5.5).
    package static let mostControlBytes = 125

    /// What the frame is for.
    package let opcode: Opcode
    /// Whether the message ends with this frame.
    package let isFinal: Bool
    /// Bytes behind the head, up to 2^63 - 1: the peer's claim, from which nothing may be allocated.
    package let payloadBytes: UInt64
    /// Masks the payload.
    package let mask: Mask
    /// Bytes of this head, from 6 to 14.
    package let headBytes: Int

    /// Reads the head at the start of `input`.
    ///
    /// Every byte is judged as soon as it is there, so a fault comes with the same byte however the input is cut.
    /// - Returns: the head, or `nil` when more input is needed.
    /// - Throws: all of `WebSocketFault` that one frame shows by itself.
    package static func peek(_ input: Span<UInt8>) throws(WebSocketFault) -> FrameHead? {
        guard !input.isEmpty else { return nil }
        let opcode = try opcode(input[0])
        guard input.count >= 2 else { return nil }
        let short = try shortLength(input[1], opcode)
        let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
        let headBytes = 2 + lengthBytes + 4
        guard lengthBytes < 8 || input.count < 3 || input[2] < 0x80 else { throw .lengthOutOfRange }
        guard input.count >= 2 + lengthBytes else { return nil }
        let length = try lengthBytes == 0 ? UInt64(short) : longLength(input.extracting(2..<2 + lengthBytes))
        guard input.count >= headBytes else { return nil }
        let key = input.extracting(2 + lengthBytes..<headBytes)
        return FrameHead(
            opcode: opcode, isFinal: input[0] & 0x80 != 0, payloadBytes: length,
            mask: Mask(key[0], key[1], key[2], key[3]), headBytes: headBytes)
    }

    private static func opcode(_ first: UInt8) throws(WebSocketFault) -> Opcode {
        guard first & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = Opcode(rawValue: first & 0x0F) else { throw .reservedOpcode }
        guard opcode != .text else { throw .text }
        guard !opcode.isControl || first & 0x80 != 0 else { throw .fragmentedControl }
        return opcode
    }

    private static func shortLength(_ second: UInt8, _ opcode: Opcode) throws(WebSocketFault) -> UInt8 {
        guard second & 0x80 != 0 else { throw .notMasked }
        let length = second & 0x7F
        guard !opcode.isControl || length <= mostControlBytes else { throw .oversizedControl }
        return length
    }

    /// A length of 2 or 8 bytes, highest first, which a shorter form could not have said.
    private static func longLength(_ bytes: Span<UInt8>) throws(WebSocketFault) -> UInt64 {
        var length: UInt64 = 0
        for index in bytes.indices { length = length << 8 | UInt64(bytes[index]) }
        guard length > (bytes.count == 2 ? 125 : 65_535) else { throw .overlongLength }
        return length
    }
}
