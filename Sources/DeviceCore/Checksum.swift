import ByteKit

/// CRC-32 of the bytes it takes (IEEE 802.3, the one of zlib); keeps none of them.
struct Checksum: ByteSink {
    private var register: UInt32 = 0xFFFF_FFFF

    /// The checksum of what was taken so far.
    var value: UInt32 { ~register }

    mutating func append(_ byte: UInt8) {
        register ^= UInt32(byte)
        for _ in 0..<8 {
            register = (register >> 1) ^ (register & 1 == 1 ? 0xEDB8_8320 : 0)
        }
    }

    mutating func append(_ bytes: Span<UInt8>) {
        for index in bytes.indices {
            append(bytes[index])
        }
    }
}
