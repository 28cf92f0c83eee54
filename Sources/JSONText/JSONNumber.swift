import ByteKit

/// The value of a number's text, without a floating-point number in between: exact at any size.
public enum JSONNumber {
    /// Whether two numbers are the same: `1`, `1.0` and `10e-1` are.
    public static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        if left.equals(right) { return true }
        let (a, b) = (Decimal(left), Decimal(right))
        guard !a.isZero, !b.isZero else { return a.isZero && b.isZero }
        guard a.isNegative == b.isNegative, a.exponent == b.exponent, a.digits == b.digits else { return false }
        var (i, j) = (a.first, b.first)
        for _ in 0..<a.digits {
            while !isDigit(left[i]) { i += 1 }
            while !isDigit(right[j]) { j += 1 }
            guard left[i] == right[j] else { return false }
            i += 1
            j += 1
        }
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte &- 0x30 <= 9
    }

    /// A number as significant digits times a power of ten.
    private struct Decimal {
        var isNegative = false
        /// Offset of the first significant digit.
        var first = 0
        /// Significant digits, from the first that is not 0 to the last that is not 0.
        var digits = 0
        /// Power of ten of the first significant digit.
        var exponent = 0
        var isZero: Bool { digits == 0 }

        init(_ text: Span<UInt8>) {
            var digitsSeen = 0
            var pointAt: Int?
            var index = 0
            while index < text.count {
                let byte = text[index]
                if isDigit(byte) {
                    if byte != 0x30 {
                        if digits == 0 {
                            first = index
                            exponent = -digitsSeen
                        }
                        digits = digitsSeen + exponent + 1
                    }
                    digitsSeen += 1
                } else if byte == 0x2D {
                    isNegative = true
                } else if byte == 0x2E {
                    pointAt = digitsSeen
                } else {
                    break
                }
                index += 1
            }
            exponent += (pointAt ?? digitsSeen) - 1 + Self.power(text, index + 1)
        }

        /// The number behind `e`, kept within bounds that no text reaches otherwise.
        private static func power(_ text: Span<UInt8>, _ start: Int) -> Int {
            var value = 0
            var isNegative = false
            var index = start
            while index < text.count {
                let byte = text[index]
                if isDigit(byte) {
                    value = min(value * 10 + Int(byte - 0x30), 1 << 26)
                } else {
                    isNegative = byte == 0x2D
                }
                index += 1
            }
            return isNegative ? -value : value
        }
    }
}
