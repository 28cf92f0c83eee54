//  Bytes that nobody meant as JSON: nothing traps, every walk ends, and both readers agree.
import ApusTestKit
import ByteKit
import JSONText
import Testing

/// Calls everything that looks into a text, on a range that may be nonsense.
private func lookEverywhere(_ range: ByteRange, in bytes: [UInt8], levels: Int = 3) {
    let text = bytes.span
    var content: [UInt8] = []
    _ = JSONScanner.kind(of: range, in: text)
    _ = JSONScanner.member("a", of: range, in: text)
    _ = JSONScanner.unsigned(of: range, in: text)
    _ = JSONScanner.stringEquals(range, "abc", in: text)
    _ = JSONScanner.string(of: range, in: text, into: &content)
    var steps = 0
    var members = JSONScanner.members(of: range)
    while let member = members.next(in: text) {
        _ = JSONScanner.keyEquals(member, "a", in: text)
        steps += 1
        if levels > 0 { lookEverywhere(member.value, in: bytes, levels: levels - 1) }
    }
    var elements = JSONScanner.elements(of: range)
    while let element = elements.next(in: text) {
        steps += 1
        if levels > 0 { lookEverywhere(element, in: bytes, levels: levels - 1) }
    }
    #expect(steps <= bytes.count)
}

private let whole = #"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n",true,{"b":null,"a":{}}],"\u0061":"é€😀","c":[[],false]}"#

@Test("a valid text, changed at one byte in every way that matters", arguments: 0..<whole.utf8.count)
func changed(at index: Int) {
    for byte in Array("\"\\{}[],:0-e. nt".utf8) + [0x00, 0x1F, 0x80, 0xC3, 0xED, 0xF4, 0xFF] {
        var bytes = Array(whole.utf8)
        bytes[index] = byte
        _ = agreed(bytes)
        lookEverywhere(ByteRange(start: 0, count: bytes.count), in: bytes)
    }
    var cut = Array(whole.utf8.prefix(index))
    _ = agreed(cut)
    lookEverywhere(ByteRange(start: 0, count: cut.count), in: cut)
    cut.append(contentsOf: whole.utf8.dropFirst(index + 1))
    _ = agreed(cut)
    lookEverywhere(ByteRange(start: 0, count: cut.count), in: cut)
}

@Test("random bytes out of the alphabet of JSON", arguments: UInt64(0)..<100)
func noise(seed: UInt64) {
    var dice = SeededRandom(seed)
    let alphabet = Array("{{}}[[]],,::\"\"\"\\\\u0aA1-.e tfn".utf8) + [0x00, 0x80, 0xC3, 0xA9, 0xED, 0xF0, 0xFF]
    for _ in 0..<50 {
        let bytes = (0..<Int.random(in: 0...60, using: &dice)).compactMap { _ in alphabet.randomElement(using: &dice) }
        _ = agreed(bytes, depth: Int.random(in: 0...8, using: &dice))
        lookEverywhere(ByteRange(start: 0, count: bytes.count), in: bytes)
        let start = Int.random(in: -5...70, using: &dice)
        lookEverywhere(ByteRange(start: start, count: Int.random(in: -5...70, using: &dice)), in: bytes)
    }
}

@Test("ranges that lie outside of the text", arguments: [Int.min, -1, 0, 3, 9, Int.max])
func strayRanges(start: Int) {
    for count in [Int.min, -1, 0, 1, 5, Int.max] {
        lookEverywhere(ByteRange(start: start, count: count), in: Array(#"{"a":1}"#.utf8))
        lookEverywhere(ByteRange(start: start, count: count), in: [])
    }
}

@Test("twenty thousand members, all distinct or all the same, are soon sorted out", .timeLimit(.minutes(1)))
func manyMembers() throws {
    let distinct = "{" + (0..<20_000).map { #""k\#($0)":1"# }.joined(separator: ",") + "}"
    let same = "{" + (0..<20_000).map { #""k":\#($0)"# }.joined(separator: ",") + "}"
    for (text, count) in [(distinct, 20_000), (same, 1)] {
        let bytes = Array(text.utf8)
        let tape = try JSONTape(bytes.span, maximumDepth: 1)
        var members = tape.members(of: 0)
        var seen = 0
        while members.next(in: tape) != nil { seen += 1 }
        #expect(seen == count)
    }
    let bytes = Array(same.utf8)
    let tape = try JSONTape(bytes.span, maximumDepth: 1)
    let value = tape.member("k", of: 0, in: bytes.span) ?? 0
    let last = JSONScanner.unsigned(of: tape.tokens[value].range, in: bytes.span)
    #expect(last == 19_999)
}
