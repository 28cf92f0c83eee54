/// The code that an owner reads out to support: it names one update, and is found by the list of devices.
package enum SupportCode {
    /// Without I, L, O and U, which are misread (Crockford's base 32).
    private static let digits = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    /// Odd, so that multiplying by it modulo 2^30 can be undone: neighbours look different.
    private static let factor: UInt64 = 0x1C8E_9F35
    private static let mask: UInt64 = (1 << 30) - 1
    /// Undoes the multiplication: Newton's iteration doubles the right bits each time, from 3 to beyond 30.
    private static let inverse = (0..<4).reduce(factor) { guess, _ in (guess &* (2 &- factor &* guess)) & mask }

    /// "K7Q-2M9" of an update's number; repeats after 2^30 updates.
    package static func text(_ update: Int64) -> String {
        let value = (UInt64(bitPattern: update) &* factor) & mask
        let letters = (0..<6).reversed().map { digits[Int((value >> (5 * UInt64($0))) & 31)] }
        return String(letters[0..<3]) + "-" + String(letters[3...])
    }

    /// The update that a code names, with or without its hyphen, in either case; nil where it is no code.
    package static func update(_ text: String) -> Int64? {
        let letters = text.uppercased().filter { $0 != "-" }
        guard letters.count == 6, text.count <= 7 else { return nil }
        var value: UInt64 = 0
        for letter in letters {
            guard let digit = digits.firstIndex(of: letter) else { return nil }
            value = value << 5 | UInt64(digit)
        }
        return Int64((value &* inverse) & mask)
    }
}
