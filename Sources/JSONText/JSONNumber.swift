import ByteKit

/// The value of a number's text, without a floating-point number in between: exact at any size.
public enum JSONNumber {
    /// Whether two numbers are the same: `1`, `1.0` and `10e-1` are.
    ///
    /// An exponent beyond ±10⁶ is not worked out: such a number equals only the same text.
    public static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        if left.equals(right) { return true }
        let (a, b) = (Decimal(left), Decimal(right))
        guard !a.isZero, !b.isZero else { return a.isZero && b.isZero }
        guard a.isExact, b.isExact, a.isNegative == b.isNegative, a.exponent == b.exponent, a.digits == b.digits else {
            return false
        }
        var (i, j) = (a.first, b.first)
        for _ in 0..<a.digits {
            while !Mark.isDigit(left[i]) { i += 1 }
            while !Mark.isDigit(right[j]) { j += 1 }
            guard left[i] == right[j] else { return false }
            i += 1
            j += 1
        }
        return true
    }
}

/// A number as significant digits times a power of ten.
private struct Decimal {
    static let largestExponent = 1_000_000

    var isNegative = false
    /// Offset of the first significant digit.
    var first = 0
    /// Significant digits, from the first that is not 0 to the last that is not 0.
    var digits = 0
    /// Power of ten of the first significant digit.
    var exponent = 0
    /// Whether `exponent` is the true one.
    var isExact = true
    var isZero: Bool { digits == 0 }

    init(_ text: Span<UInt8>) {
        var seen = 0
        var firstAt = 0
        var pointAt: Int?
        var index = 0
        while index < text.count, text[index] | 0x20 != 0x65 {
            let byte = text[index]
            if Mark.isDigit(byte) {
                if byte != Mark.zero {
                    if digits == 0 { (first, firstAt) = (index, seen) }
                    digits = seen - firstAt + 1
                }
                seen += 1
            } else if byte == Mark.minus {
                isNegative = true
            } else if byte == Mark.point {
                pointAt = seen
            }
            index += 1
        }
        exponent = (pointAt ?? seen) - firstAt - 1
        addPower(text, index + 1)
    }

    /// Adds the number behind `e`, if there is one.
    private mutating func addPower(_ text: Span<UInt8>, _ start: Int) {
        var value = 0
        var isNegative = false
        var index = start
        while index < text.count {
            let byte = text[index]
            if Mark.isDigit(byte) {
                value = value * 10 + Int(byte - Mark.zero)
            } else {
                isNegative = byte == Mark.minus
            }
            if value > Self.largestExponent {
                isExact = false
                return
            }
            index += 1
        }
        exponent += isNegative ? -value : value
    }
}
