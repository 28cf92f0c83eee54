import Testing
import VersionText

private func order(_ first: String, _ second: String) -> VersionText.Ordering? {
    VersionText.compare(Array(first.utf8).span, Array(second.utf8).span)
}

private func isValid(_ text: String) -> Bool {
    VersionText.isValid(Array(text.utf8).span)
}

private let big = String(repeating: "9", count: 58)

/// Examples of semver.org sections 2, 9, 10 and the field reports.
private let valid = [
    "0.0.0", "1.0.0", "1.0.10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0.3.7", "1.0.0-x.7.z.92",
    "1.0.0-x-y-z.--",
    "1.0.0-alpha+001", "1.0.0+20130313144700", "1.0.0-beta+exp.sha.5114f85", "1.0.0+21AF26D3---117B344092BD",
    "1.0.0--", "1.0.0-0a", "99999999999999999999.99999999999999999.0", "\(big).0.0",
]

private let invalid = [
    "", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.00.0", "1.0.00", "1.0.0-", "1.0.0+", "1.0.0-01",
    "1.0.0-a..b",
    "1.0.0-.a", "1.0.0-a.", "1.0.0+a..b", "1.0.0+a+b", " 1.0.0", "1.0.0 ", "1.0.0-ä", "1.0.0_1", "a.b.c",
    "-1.0.0",
    "1..0", ".1.0", "1.0.", "1.0.0-a_b", "\(big)99.0.00", "\(big)999.0.0", "1.0.0\u{0}",
]

/// Each precedes the next (section 11.2 to 11.4, and the traps of field report 9).
private let ascending = [
    "0.0.1", "0.9.9", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999", "1.0.0-A",
    "1.0.0-alpha",
    "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
    "1.0.9",
    "1.0.10", "1.2.0", "1.10.0", "3.9.0", "3.10.0", "18446744073709551615.0.0", "18446744073709551616.0.0",
]

@Suite("Version texts")
struct VersionTextTests {
    @Test("a version of section 2, 9 and 10 is one", arguments: valid)
    func accepted(_ text: String) {
        #expect(isValid(text))
        #expect(order(text, text) == .same)
    }

    @Test("anything else is none, and has no order", arguments: invalid)
    func refused(_ text: String) {
        #expect(!isValid(text))
        #expect(order(text, "1.0.0") == nil)
        #expect(order("1.0.0", text) == nil)
    }

    @Test("precedence follows section 11, in both directions")
    func precedence() {
        for left in ascending.indices {
            for right in ascending.indices {
                let expected: VersionText.Ordering = left == right ? .same : left < right ? .older : .newer
                #expect(order(ascending[left], ascending[right]) == expected)
            }
        }
    }

    @Test("build metadata is ignored (section 10)")
    func metadata() {
        #expect(order("1.0.0+a", "1.0.0+b") == .same)
        #expect(order("1.0.0-rc.1+5", "1.0.0-rc.1") == .same)
        #expect(order("1.0.0+z", "1.0.1") == .older)
    }

    @Test("random bytes never trap", arguments: UInt64(0)..<200)
    func noise(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        let alphabet = Array("0011.9-+aZ ".utf8)
        var text: [UInt8] = []
        for _ in 0..<(seed % 70) {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            text.append(alphabet[Int(state % UInt64(alphabet.count))])
        }
        let string = String(decoding: text, as: UTF8.self)
        #expect((order(string, "1.0.0") == nil) == !isValid(string))
    }
}
