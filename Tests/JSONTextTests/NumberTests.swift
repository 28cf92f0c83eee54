//  Numbers and repeated names against slow and plain oracles, from seeds.
import ApusTestKit
import ByteKit
import JSONText
import Testing

/// A number as sign, digits without zeros at either end, and the power of ten of the last digit.
private struct Decimal: Equatable {
    var isNegative: Bool
    var digits: String
    var power: Int

    init(negative: Bool, digits: String, power: Int) {
        let lead = digits.drop { $0 == "0" }
        let tail = lead.reversed().prefix { $0 == "0" }.count
        self.digits = String(lead.dropLast(tail))
        isNegative = negative && !self.digits.isEmpty
        self.power = self.digits.isEmpty ? 0 : power + tail
    }
}

extension SeededRandom {
    fileprivate mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// Few digits with many zeros, so that equal values are common.
    fileprivate mutating func decimal() -> Decimal {
        let long = below(4) == 0
        let digits = (0..<(long ? 30 : 1 + below(3))).map { _ in ["0", "0", "1", "9"][below(4)] }.joined()
        return Decimal(negative: below(3) == 0, digits: digits, power: below(7) - 3)
    }

    /// One of the spellings of a value: point, exponent and zeros as they fall.
    fileprivate mutating func spelling(_ value: Decimal) -> String {
        let zeros = String(repeating: "0", count: below(4))
        let digits = value.digits.isEmpty ? "0" : value.digits + zeros
        var power = value.digits.isEmpty ? below(9) - 4 : value.power - zeros.count
        var text = digits
        if below(2) == 0 {
            let fraction = 1 + below(4)
            let padded = String(repeating: "0", count: max(0, fraction + 1 - digits.count)) + digits
            text = padded.dropLast(fraction) + "." + padded.suffix(fraction)
            power += fraction
        }
        let sign = value.isNegative || (value.digits.isEmpty && below(2) == 0) ? "-" : ""
        guard power != 0 || below(3) == 0 else { return sign + text }
        let mark = below(2) == 0 ? "e" : "E"
        let exponent = power < 0 ? "-" : (below(2) == 0 ? "+" : "")
        let pad = String(repeating: "0", count: below(3))
        return sign + text + mark + exponent + pad + "\(abs(power))"
    }
}

@Test("equal by value, whatever the spelling", arguments: UInt64(0)..<200)
func equality(seed: UInt64) {
    var random = SeededRandom(seed)
    for _ in 0..<50 {
        let (left, right) = (random.decimal(), random.decimal())
        let texts = (random.spelling(left), random.spelling(right), random.spelling(left))
        let (a, b, c) = (Array(texts.0.utf8), Array(texts.1.utf8), Array(texts.2.utf8))
        #expect((try? agreed(a).get()) != nil, "\(texts.0) is a number")
        let (isEqual, isSame) = (JSONNumber.equal(a.span, b.span), JSONNumber.equal(a.span, c.span))
        #expect(isEqual == (left == right), "\(texts.0) and \(texts.1)")
        #expect(isSame, "\(texts.0) and \(texts.2)")
    }
}

@Test("bytes that are no number never trap the comparison", arguments: UInt64(0)..<50)
func noNumbers(seed: UInt64) {
    var random = SeededRandom(seed)
    let alphabet = Array("00199.-+eE x".utf8)
    for _ in 0..<100 {
        let one = (0..<random.below(30)).map { _ in alphabet[random.below(alphabet.count)] }
        let two = (0..<random.below(30)).map { _ in alphabet[random.below(alphabet.count)] }
        let (there, back) = (JSONNumber.equal(one.span, two.span), JSONNumber.equal(two.span, one.span))
        #expect(there == back)
    }
}

@Test("scanner and tape find the same member, the last of its name in any spelling", arguments: UInt64(0)..<100)
func lastOfName(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let spellings = [#""a""#, #""\u0061""#, #""b""#, #""\u0062""#, #""ab""#, #""""#, #""A""#]
    // Below and above the number of names from which they are sorted.
    let count = random.below(2) == 0 ? random.below(9) : 10 + random.below(30)
    let names = (0..<count).map { _ in spellings[random.below(spellings.count)] }
    let bytes = Array(("{" + names.enumerated().map { "\($1):\($0)" }.joined(separator: ",") + "}").utf8)
    let last = names.lastIndex { $0 == spellings[0] || $0 == spellings[1] }
    let root = try agreed(bytes).get()
    let tape = try tape(bytes).get()
    let scanned = JSONScanner.member("a", of: root, in: bytes.span)
    let found = tape.member("a", of: 0, in: bytes.span).map { tape.tokens[$0].range }
    #expect(scanned == found)
    let number = scanned.map { String(decoding: bytes[$0.start..<$0.end], as: UTF8.self) }
    #expect(number == last.map { "\($0)" })
    var members = tape.members(of: 0)
    var live = 0
    while members.next(in: tape) != nil { live += 1 }
    let distinct = Set(names.map { $0.replacing("\\u0061", with: "a").replacing("\\u0062", with: "b") })
    #expect(live == distinct.count)
}
