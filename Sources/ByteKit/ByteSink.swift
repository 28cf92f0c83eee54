//  Bytes out: what every encoder of this package writes into.
//
//  The server appends to `[UInt8]`, a device to `FixedBytes`, which never allocates.

/// A place that takes bytes in order.
public protocol ByteSink {
    /// Takes one byte.
    mutating func append(_ byte: UInt8)
    /// Takes a run of bytes.
    mutating func append(_ bytes: Span<UInt8>)
}

extension ByteSink {
    /// Takes a 16-bit number, high byte first.
    @inlinable
    public mutating func appendBigEndian(_ value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Takes a 32-bit number, high byte first.
    @inlinable
    public mutating func appendBigEndian(_ value: UInt32) {
        appendBigEndian(UInt16(truncatingIfNeeded: value >> 16))
        appendBigEndian(UInt16(truncatingIfNeeded: value))
    }

    /// Takes the bytes of a literal, without its terminator.
    @inlinable
    public mutating func append(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        for index in 0..<count {
            append(unsafe text.utf8Start[index])
        }
    }

    /// Takes `value` in decimal digits, without a leading zero.
    @inlinable
    public mutating func appendDecimal(_ value: UInt64) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var rest = value
        var count = 0
        repeat {
            digits[count] = 48 + UInt8(rest % 10)
            rest /= 10
            count += 1
        } while rest > 0
        while count > 0 {
            count -= 1
            append(digits[count])
        }
    }
}

extension [UInt8]: ByteSink {
    /// Takes a run of bytes.
    @inlinable
    public mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
