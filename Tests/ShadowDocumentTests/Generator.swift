import ApusTestKit

/// What the tests of this module make of random numbers.
extension SeededRandom {
    mutating func roll(_ sides: Int) -> Int {
        Int.random(in: 0..<sides, using: &self)
    }

    mutating func pick<Element>(_ list: [Element]) -> Element {
        list[roll(list.count)]
    }
}

/// Makes requests, as trees and as one of their many spellings.
extension SeededRandom {
    private static let names = ["a", "b", "c", "é", "state", "desired", "x y", "a\"", "\n", "😀", ""]

    mutating func value(_ levels: Int, nulls: Bool) -> JSON {
        switch roll(levels > 0 ? 10 : 6) {
        case 0: return nulls ? .null : .bool(false)
        case 1: return .bool(roll(2) == 0)
        case 2: return .string(pick(Self.names))
        case 3...5:
            return .number(pick(["0", "-0", "1", "1.0", "10e-1", "2", "20", "2e1", "-1.5", "9007199254740992"]))
        case 6: return .array((0..<roll(4)).map { _ in value(levels - 1, nulls: false) })
        default: return object(levels, nulls: nulls)
        }
    }

    mutating func object(_ levels: Int, nulls: Bool) -> JSON {
        var members: [String: JSON] = [:]
        for _ in 0..<roll(5) {
            members[pick(Self.names)] = value(levels - 1, nulls: nulls)
        }
        return .object(members)
    }

    /// A legal `state`.
    mutating func stateOfRequest() -> JSON {
        if roll(25) == 0 { return .null }
        var sections: [String: JSON] = [:]
        for name in ["desired", "reported"] where roll(3) > 0 {
            sections[name] = roll(12) == 0 ? .null : object(3, nulls: true)
        }
        return .object(sections)
    }

    /// One way to write a value: white space, escapes, order and repeated names as they fall.
    mutating func spelling(_ value: JSON, strange: Bool) -> String {
        switch value {
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .number(let text): return text
        case .string(let text): return quoted(text, strange: strange)
        case .array(let elements):
            return "[" + elements.map { space(strange) + spelling($0, strange: strange) }.joined(separator: ",") + "]"
        case .object(let members):
            var parts: [String] = []
            for (name, member) in members.sorted(by: { $0.key < $1.key }).shuffled(using: &self) {
                if strange, roll(6) == 0 {
                    parts.append(
                        quoted(name, strange: true) + ":" + spelling(self.value(2, nulls: true), strange: true))
                }
                parts.append(
                    space(strange) + quoted(name, strange: strange) + space(strange) + ":" + space(strange)
                        + spelling(member, strange: strange))
            }
            return "{" + parts.joined(separator: ",") + space(strange) + "}"
        }
    }

    private mutating func space(_ strange: Bool) -> String {
        strange ? pick(["", "", " ", "\n\t", "\r"]) : ""
    }

    private mutating func quoted(_ text: String, strange: Bool) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            let mustEscape = scalar == "\"" || scalar == "\\" || scalar.value < 0x20
            if mustEscape || (strange && roll(4) == 0) {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: roll(2) == 0)
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
