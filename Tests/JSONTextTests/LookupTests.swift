import ByteKit
import JSONText
import Testing

/// A text with its value's place, to look into.
private struct Page {
    let bytes: [UInt8]
    let root: ByteRange

    init(_ text: String) throws {
        let bytes = Array(text.utf8)
        root = try JSONScanner.validate(bytes.span, maximumDepth: 64)
        self.bytes = bytes
    }

    func equals(_ content: StaticString) -> Bool {
        JSONScanner.stringEquals(root, content, in: bytes.span)
    }

    func text(_ range: ByteRange) -> String {
        String(decoding: bytes.span.slice(range).copy(), as: UTF8.self)
    }

    func member(_ name: StaticString) -> String? {
        JSONScanner.member(name, of: root, in: bytes.span).map(text)
    }

    func string(_ value: ByteRange) -> String? {
        var content: [UInt8] = []
        guard JSONScanner.string(of: value, in: bytes.span, into: &content) else { return nil }
        return String(decoding: content, as: UTF8.self)
    }
}

@Test("members are found by their characters, the last of several wins")
func members() throws {
    let page = try Page(#" { "a" : 1 , "\u0062" : [ 2 , "}" ] , "a" : { "c" : "x" } , "" : null, "ab\"" : -1.5e3 } "#)
    #expect(page.member("a") == #"{ "c" : "x" }"#)
    #expect(page.member("b") == #"[ 2 , "}" ]"#)
    #expect(page.member("") == "null")
    #expect(page.member("ab\"") == "-1.5e3")
    #expect(page.member("c") == nil)
    #expect(page.member("\\u0062") == nil)
    #expect(try Page("[1]").member("a") == nil)
    #expect(try Page("{}").member("a") == nil)
}

@Test("elements come in order")
func elements() throws {
    let page = try Page(#"[1, "a,b" ,[2,3], {"x":[]},null ]"#)
    var found: [String] = []
    var elements = JSONScanner.elements(of: page.root)
    while let element = elements.next(in: page.bytes.span) { found.append(page.text(element)) }
    #expect(found == ["1", #""a,b""#, "[2,3]", #"{"x":[]}"#, "null"])
    let none = try Page("[ ]")
    var empty = JSONScanner.elements(of: none.root)
    let nothing = empty.next(in: none.bytes.span)
    #expect(nothing == nil)
}

@Test("kinds")
func kinds() throws {
    let kinds: [(String, JSONKind)] = [
        ("{}", .object), ("[]", .array), ("\"\"", .string), ("-1", .number), ("0", .number), ("true", .true),
        ("false", .false), ("null", .null),
    ]
    for (text, kind) in kinds {
        let page = try Page(text)
        let scanned = JSONScanner.kind(of: page.root, in: page.bytes.span)
        let tape = try JSONTape(page.bytes.span, maximumDepth: 1)
        #expect(scanned == kind)
        #expect(tape.tokens[0].kind == kind)
    }
}

private let texts: [(String, String)] = [
    (#""""#, ""), (#""abc""#, "abc"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
    (#""\u0041\u00e9\u20AC""#, "Aé€"),
    (#""\ud83d\ude00\u0000z""#, "😀\u{0}z"), (#""é€😀""#, "é€😀"), (#""\uD7FF\uE000\uFFFF""#, "\u{D7FF}\u{E000}\u{FFFF}"),
    (#""\udbff\udfff""#, "\u{10FFFF}"),
]

@Test("strings are read with their escapes resolved", arguments: texts)
func strings(text: String, content: String) throws {
    let page = try Page(text)
    #expect(page.string(page.root) == content)
}

@Test("what is no string is not read as one")
func noString() throws {
    for text in ["1", "null", "[\"a\"]", "{}"] {
        let page = try Page(text)
        #expect(page.string(page.root) == nil)
        #expect(!page.equals("1"))
    }
    let page = try Page(#""\u0061bc""#)
    #expect(page.equals("abc"))
    for other in ["ab", "abcd", "abd", ""] as [StaticString] {
        #expect(!page.equals(other))
    }
}

private let integers: [(String, UInt64?)] = [
    ("0", 0), ("7", 7), ("4294967296", 4_294_967_296), ("18446744073709551615", .max), ("18446744073709551616", nil),
    ("99999999999999999999", nil), ("100000000000000000000", nil), ("-0", nil), ("-1", nil), ("1.0", nil), ("1e3", nil),
    ("\"1\"", nil), ("true", nil), ("[1]", nil),
]

@Test("plain non-negative integers that fit", arguments: integers)
func unsigned(text: String, number: UInt64?) throws {
    let page = try Page(text)
    let read = JSONScanner.unsigned(of: page.root, in: page.bytes.span)
    #expect(read == number)
}

private let equalNumbers: [(String, String, Bool)] = [
    ("1", "1.0", true), ("1", "10e-1", true), ("1", "0.01E+2", true), ("0", "-0.0e9", true), ("100", "1e2", true),
    ("12.50", "1.25e1", true), ("-3", "-3.000", true), ("1", "-1", false), ("1", "10", false), ("1", "1.1", false),
    ("9007199254740993", "9007199254740992", false), ("9007199254740993", "9007199254740993.0", true),
    ("123456789012345678901234567890", "123456789012345678901234567891", false), ("0.1", "0.10", true),
    ("0.1", "0.01", false),
    ("101", "1.01e2", true), ("101", "11", false), ("0", "1e-400", false), ("1e400", "10e399", true),
    ("1e400", "1e401", false),
    ("1e99999999999999999999", "1e99999999999999999998", false),
    ("1e99999999999999999999", "1e99999999999999999999", true),
    ("0e99999999999999999999", "0", true), ("1e0000000000000000000000002", "100", true),
]

@Test("numbers are equal by value, exactly", arguments: equalNumbers)
func numbers(left: String, right: String, isEqual: Bool) {
    let (a, b) = (Array(left.utf8), Array(right.utf8))
    let (there, back) = (JSONNumber.equal(a.span, b.span), JSONNumber.equal(b.span, a.span))
    #expect(there == isEqual)
    #expect(back == isEqual)
}

@Test("what is written reads back as it was")
func writing() throws {
    let content = "a\"\\/\u{0}\u{1F}\n\r\t\u{7F}é€😀"
    var sink: [UInt8] = []
    let bytes = Array(content.utf8)
    JSONWriter.string(bytes.span, to: &sink)
    let text = String(decoding: sink, as: UTF8.self)
    #expect(text == "\"a\\\"\\\\/\\u0000\\u001f\\n\\r\\t\u{7F}é€😀\"")
    let page = try Page(text)
    #expect(page.string(page.root) == content)
}

@Test("bytes that are not UTF-8 are written as the replacement character")
func writingNoise() throws {
    var sink: [UInt8] = []
    let bytes: [UInt8] = [0x61, 0xFF, 0xC3, 0x62, 0xED, 0xA0, 0x80]
    JSONWriter.string(bytes.span, to: &sink)
    #expect(String(decoding: sink, as: UTF8.self) == "\"a\u{FFFD}\u{FFFD}b\u{FFFD}\u{FFFD}\u{FFFD}\"")
}

@Test("an object is written into a fixed buffer, which says when it is full")
func fixed() {
    var buffer = FixedBytes<16>()
    buffer.append(0x7B)
    JSONWriter.key("state", to: &buffer)
    JSONWriter.string("a\"b", to: &buffer)
    buffer.append(0x7D)
    let isWritten = buffer.span.equals(#"{"state":"a\"b"}"#)
    #expect(isWritten)
    #expect(!buffer.overflowed)
    JSONWriter.string("x", to: &buffer)
    #expect(buffer.overflowed)
}

@Test("the tape keeps order and knows ends and repetitions")
func tapeShape() throws {
    let bytes = Array(#"{"a":[1,{"b":2}],"\u0061":"x","c":{}}"#.utf8)
    let tape = try JSONTape(bytes.span, maximumDepth: 8)
    #expect(tape.end(of: 0) == tape.tokens.count)
    var members = tape.members(of: 0)
    var found: [String] = []
    while let member = members.next(in: tape) {
        found.append(String(decoding: bytes.span.slice(tape.tokens[member.value].range).copy(), as: UTF8.self))
    }
    #expect(found == [#""x""#, "{}"])
    let value = tape.member("a", of: 0, in: bytes.span) ?? 0
    #expect(tape.tokens[value].kind == .string)
    let (absent, inString) = (tape.member("b", of: 0, in: bytes.span), tape.member("b", of: value, in: bytes.span))
    #expect(absent == nil)
    #expect(inString == nil)
}

@Test("many members, some of them repeated with other spellings")
func repeated() throws {
    let names = (0..<40).map { #""k\#($0 % 30)":\#($0)"# } + [#""\u006b5":"last""#]
    let bytes = Array("{\(names.joined(separator: ","))}".utf8)
    let tape = try JSONTape(bytes.span, maximumDepth: 8)
    var members = tape.members(of: 0)
    var count = 0
    while members.next(in: tape) != nil { count += 1 }
    #expect(count == 30)
    let value = tape.member("k5", of: 0, in: bytes.span) ?? 0
    #expect(tape.tokens[value].kind == .string)
    #expect(MemoryLayout<JSONToken>.size == 16)
}
