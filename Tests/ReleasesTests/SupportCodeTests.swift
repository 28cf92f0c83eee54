import ApusTestKit
import Releases
import Testing

@Test("a code leads back to its update, however it is typed", arguments: UInt64(0)..<50)
func roundTrip(seed: UInt64) {
    var random = SeededRandom(seed)
    let update = Int64.random(in: 1..<(1 << 30), using: &random)
    let code = SupportCode.text(update)
    #expect(code.count == 7)
    #expect(SupportCode.update(code) == update)
    #expect(SupportCode.update(code.lowercased()) == update)
    #expect(SupportCode.update(code.filter { $0 != "-" }) == update)
}

@Test("neighbours look different, and what is no code is none")
func codes() {
    #expect(Set((Int64(1)...5000).map(SupportCode.text)).count == 5000)
    for text in ["", "-", "------", "ABC-DE", "ABC-DEFG", "ABC-DEU", "lamp-1", "ABC--DEF"] {
        #expect(SupportCode.update(text) == nil, "\(text)")
    }
}
