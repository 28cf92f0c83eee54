/// The masking key of a frame, turned so that its first byte is the one for the next byte of the payload (RFC 6455, 5.3).
///
/// To mask and to unmask is the same.
package struct Mask: Equatable, Sendable {
    /// The byte for the next byte of the payload is the lowest one.
    private var key: UInt32

    /// The key of which `bytes` are the four on the wire.
    package init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        key = UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16 | UInt32(fourth) << 24
    }

    /// One byte of the payload, changed.
    package mutating func apply(to byte: UInt8) -> UInt8 {
        defer { key = key >> 8 | key << 24 }
        return byte ^ UInt8(truncatingIfNeeded: key)
    }

    /// Appends the next bytes of the payload, changed; `output` must have room for them.
    package mutating func apply(to bytes: Span<UInt8>, into output: inout OutputRawSpan) {
        precondition(output.freeCapacity >= bytes.count, "what is unmasked is as long as what was masked")
        let words = bytes.count / 8
        output.withUnsafeMutableBytes { memory, count in
            let target = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
            bytes.withUnsafeBytes { applyWords(words, from: $0, to: target) }
            count += words * 8
        }
        for index in words * 8..<bytes.count {
            output.append(apply(to: bytes[index]))
        }
    }

    /// Eight bytes at a time, after which the key stands as it did.
    private func applyWords(_ words: Int, from source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer)
    {
        let pattern = (UInt64(key) | UInt64(key) << 32).littleEndian
        for offset in stride(from: 0, to: words * 8, by: 8) {
            let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            target.storeBytes(of: word ^ pattern, toByteOffset: offset, as: UInt64.self)
        }
    }
}
