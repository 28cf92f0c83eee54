import ByteKit

/// A place in a packet that moves forward field by field and never leaves the bytes.
struct WireReader: ~Escapable {
    let bytes: Span<UInt8>
    private(set) var offset: Int
    private let end: Int

    /// Reads from `start` to the end of `bytes`.
    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, from start: Int) {
        self.bytes = bytes
        offset = min(max(start, 0), bytes.count)
        end = bytes.count
    }

    /// Reads inside `range`, or nothing where the range does not lie in `bytes`.
    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, in range: ByteRange) {
        self.bytes = bytes
        let fits =
            range.start >= 0 && range.count >= 0 && range.count <= bytes.count
            && range.start <= bytes.count - range.count
        offset = fits ? range.start : 0
        end = fits ? range.end : 0
    }

    /// Bytes left to read.
    var remaining: Int { end - offset }

    mutating func byte() throws(MQTTFault) -> UInt8 {
        guard remaining >= 1 else { throw .truncated }
        offset += 1
        return bytes[offset - 1]
    }

    mutating func u16() throws(MQTTFault) -> UInt16 {
        guard remaining >= 2 else { throw .truncated }
        offset += 2
        return UInt16(bytes[offset - 2]) << 8 | UInt16(bytes[offset - 1])
    }

    mutating func u32() throws(MQTTFault) -> UInt32 {
        let high = try u16()
        return try UInt32(high) << 16 | UInt32(u16())
    }

    mutating func variableByteInteger() throws(MQTTFault) -> Int {
        let all = bytes.extracting(first: end)
        guard let (value, count) = try VariableByteInteger.read(all, at: offset) else { throw .truncated }
        offset += count
        return value
    }

    /// A packet identifier, which is never 0 [MQTT-2.2.1-3].
    mutating func packetID() throws(MQTTFault) -> UInt16 {
        let value = try u16()
        guard value != 0 else { throw .packetIDZero }
        return value
    }

    mutating func run(_ count: Int) throws(MQTTFault) -> ByteRange {
        guard count <= remaining else { throw .truncated }
        offset += count
        return ByteRange(start: offset - count, count: count)
    }

    /// All that is left.
    mutating func rest() -> ByteRange {
        let range = ByteRange(start: offset, count: remaining)
        offset = end
        return range
    }

    /// Binary data behind its two-byte length (clause 1.5.6).
    mutating func binary() throws(MQTTFault) -> ByteRange {
        try run(Int(u16()))
    }

    /// A string behind its two-byte length, checked (clause 1.5.4).
    mutating func text() throws(MQTTFault) -> ByteRange {
        let range = try binary()
        guard UTF8Check.isWellFormed(bytes.slice(range)) else { throw .invalidUTF8 }
        return range
    }
}
