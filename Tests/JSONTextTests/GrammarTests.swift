//  RFC 8259, rule by rule; the tape must agree with the scanner on everything.
import ByteKit
import JSONText
import Testing

struct TextCase: CustomTestStringConvertible, Sendable {
    var text: String
    var isValid: Bool
    var testDescription: String { "\(isValid ? "takes" : "refuses") \(text.prefix(40).debugDescription)" }

    static func good(_ texts: String...) -> [TextCase] { texts.map { TextCase(text: $0, isValid: true) } }
    static func bad(_ texts: String...) -> [TextCase] { texts.map { TextCase(text: $0, isValid: false) } }
}

private let literals =
    TextCase.good("true", "false", "null", " null ", "\t\r\n true\n", "[true,false,null]")
    + TextCase.bad(
        "", " ", "True", "nul", "nulll", "truefalse", "true false", "undefined", "NaN", "\u{FEFF}null", "\u{A0}1")

private let numbers =
    TextCase.good(
        "0", "-0", "1", "-1", "10", "0.5", "-0.0", "1e5", "1E5", "1e+5", "1e-5", "1.25e10", "0e0",
        "123456789012345678901",
        "1e999999", "[1,2]", "-12.5E-03")
    + TextCase.bad(
        "00", "01", "-", "-01", "+1", "1.", ".5", "1.e5", "1e", "1e+", "0x10", "1_000", "--1", "- 1", "1 2", "Infinity",
        "-Infinity", "1.2.3", "1e5.5", "१")

private let strings =
    TextCase.good(
        #""""#, #""a""#, #""é€😀""#, #""\"\\\/\b\f\n\r\t""#, #""\u0041\u00e9\u20AC""#, #""\ud83d\ude00""#, #""\u0000""#,
        "\"\u{7F}\u{2028}\"", #""\ud83d\uDE00x""#)
    + TextCase.bad(
        #"""#, #""a"#, "'a'", #""\x""#, #""\""#, #""\u12""#, #""\u12G4""#, "\"a\nb\"", "\"\t\"", "\"\u{0}\"",
        "\"\u{1F}\"",
        #""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#, #""\ud83d\n""#, #""a" "b""#,
        #""\U0041""#, #""\u004"#)

private let containers =
    TextCase.good(
        "[]", "[ ]", "{}", "{ }", "[[]]", "[{}]", #"{"a":{}}"#, #"{"":0}"#, #"{"a":1,"a":2}"#,
        #" [ 1 , "a" , { "b" : [ ] } ] "#,
        #"{"\u0061":[{"b":null}]}"#)
    + TextCase.bad(
        "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "{1:2}", "{a:1}", #"{"a"}"#,
        #"{"a":}"#,
        #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1 "b":2}"#, #"{"a":1,,"b":2}"#, #"{"a" 1}"#, #"{"a"::1}"#, #"{"a":1]"#,
        "[1}",
        "[}", "{]", "[][]", "{}{}", "[]]", #"{"a":1}}"#, "[1]x", "[1:2]", #"["a":1]"#, "// c\n1", "[1]/**/",
        #"{null:1}"#)

func scan(_ bytes: [UInt8], depth: Int = 64) -> Result<ByteRange, JSONFault> {
    do throws(JSONFault) {
        return .success(try JSONScanner.validate(bytes.span, maximumDepth: depth))
    } catch {
        return .failure(error)
    }
}

func tape(_ bytes: [UInt8], depth: Int = 64) -> Result<JSONTape, JSONFault> {
    do throws(JSONFault) {
        return .success(try JSONTape(bytes.span, maximumDepth: depth))
    } catch {
        return .failure(error)
    }
}

/// What the scanner says, after a look that the tape says the same.
func agreed(_ bytes: [UInt8], depth: Int = 64) -> Result<ByteRange, JSONFault> {
    let scanned = scan(bytes, depth: depth)
    #expect(tape(bytes, depth: depth).map { $0.tokens[0].range } == scanned)
    return scanned
}

@Test("RFC 8259 decides what is JSON", arguments: literals + numbers + strings + containers)
func grammar(_ row: TextCase) {
    #expect(isTaken(row.text) == row.isValid)
    // Within a container a valid text stays valid; an invalid one is only hidden where it closes the container itself.
    #expect(isTaken("[1, \(row.text) ]") == row.isValid || row.text.contains { ",]".contains($0) })
    #expect(isTaken(#"{"k": \#(row.text) }"#) == row.isValid || row.text.contains { ",}".contains($0) })
}

private func isTaken(_ text: String) -> Bool {
    (try? agreed(Array(text.utf8)).get()) != nil
}

@Test("the range is that of the value, without the white space")
func range() throws {
    #expect(try scan(Array(" \n[1, 2] ".utf8)).get() == ByteRange(start: 2, count: 6))
    #expect(try scan(Array("7".utf8)).get() == ByteRange(start: 0, count: 1))
}

private let encodings: [([UInt8], at: Int?)] = [
    ([0xC2, 0x80], nil), ([0xDF, 0xBF], nil), ([0xE0, 0xA0, 0x80], nil), ([0xED, 0x9F, 0xBF], nil),
    ([0xEE, 0x80, 0x80], nil),
    ([0xF0, 0x90, 0x80, 0x80], nil), ([0xF4, 0x8F, 0xBF, 0xBF], nil), ([0x80], 0), ([0xBF], 0), ([0xC0, 0x80], 0),
    ([0xC1, 0xBF], 0), ([0xC2], 0), ([0xC2, 0x41], 0), ([0xE0, 0x9F, 0xBF], 0), ([0xED, 0xA0, 0x80], 0),
    ([0xED, 0xBF, 0xBF], 0), ([0xE2, 0x82], 0), ([0xE2, 0x82, 0x41], 0), ([0xF0, 0x8F, 0xBF, 0xBF], 0),
    ([0xF4, 0x90, 0x80, 0x80], 0), ([0xF5, 0x80, 0x80, 0x80], 0), ([0xF0, 0x90, 0x80], 0), ([0xFF], 0),
    ([0xFE, 0xFF], 0),
    ([0x41, 0xC2, 0xA9, 0xC3], 3),
]

@Test("RFC 3629 decides what is UTF-8", arguments: encodings)
func encoding(bytes: [UInt8], fault: Int?) {
    let found = UTF8Text.firstFault(in: bytes.span)
    #expect(found == fault)
    let text = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
    if let fault {
        #expect(agreed(text) == .failure(.notUTF8(at: fault + 1)))
        #expect(agreed([UInt8(ascii: "{")] + text + Array(":1}".utf8)) == .failure(.notUTF8(at: fault + 2)))
    } else {
        #expect(agreed(text) == .success(ByteRange(start: 0, count: text.count)))
    }
}

@Test("depth is bounded where the caller and the reader say", arguments: [0, 1, 2, 63, 64, 65, 255, 256])
func depth(allowed: Int) {
    for open in ["[", #"{"a":"#] {
        func nested(_ levels: Int) -> [UInt8] {
            let close = open == "[" ? "]" : "}"
            return Array((String(repeating: open, count: levels) + "1" + String(repeating: close, count: levels)).utf8)
        }
        #expect((try? agreed(nested(allowed), depth: allowed).get()) != nil)
        #expect(agreed(nested(allowed + 1), depth: allowed) == .failure(.tooDeep(at: open.utf8.count * allowed)))
    }
    #expect(agreed(Array(repeating: UInt8(ascii: "["), count: 100_000), depth: .max) == .failure(.tooDeep(at: 256)))
    #expect(agreed([UInt8(ascii: "[")], depth: -1) == .failure(.tooDeep(at: 0)))
}

@Test("a text beyond the bound of a tape is refused before it is read")
func tooLarge() {
    let text = Array(repeating: UInt8(ascii: " "), count: JSONTape.maximumBytes + 1)
    #expect(tape(text).map(\.tokens) == .failure(.tooLarge(bytes: text.count)))
}
