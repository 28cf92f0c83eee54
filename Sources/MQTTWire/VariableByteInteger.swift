public import ByteKit

/// The variable byte integer: 7 bits a byte, lowest first, high bit = more (clause 1.5.5; 2.2.3 of 3.1.1).
public enum VariableByteInteger {
    /// The largest number that four bytes hold; also the longest body of a packet, in bytes.
    @inlinable public static var maximum: Int { 268_435_455 }

    /// Bytes that `value` takes on the wire, from 1 to 4; `value` is at most `maximum`.
    @inlinable
    public static func byteCount(of value: Int) -> Int {
        if value < 128 { return 1 }
        if value < 16_384 { return 2 }
        return value < 2_097_152 ? 3 : 4
    }

    /// Appends `value` in its shortest form [MQTT-1.5.5-1].
    ///
    /// - Precondition: `value` is 0 ... `maximum`.
    @inlinable
    public static func append(_ value: Int, to sink: inout some ByteSink) {
        precondition(value >= 0 && value <= maximum, "a variable byte integer holds 0 ... 268 435 455")
        var rest = value
        while rest >= 128 {
            sink.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        sink.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Reads the number that starts at `start`.
    ///
    /// - Returns: the number and its length, or `nil` when the bytes end inside it.
    /// - Throws: `.overlongInteger` for a fifth byte or a form with a useless last byte [MQTT-1.5.5-1].
    static func read(_ bytes: Span<UInt8>, at start: Int) throws(MQTTFault) -> (value: Int, count: Int)? {
        var value = 0
        for index in 0..<4 {
            guard start + index < bytes.count else { return nil }
            let byte = bytes[start + index]
            value |= Int(byte & 0x7F) << (7 * index)
            guard byte < 0x80 else { continue }
            guard byte != 0 || index == 0 else { throw .overlongInteger }
            return (value, index + 1)
        }
        throw .overlongInteger
    }
}
