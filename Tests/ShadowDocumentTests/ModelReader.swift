//  A second reader of JSON: recursive, over characters, with nothing in common with the one under test.

extension JSON {
    /// Nil where `text` is not JSON; of repeated names the last one counts.
    init?(_ text: String) {
        var reader = ModelReader(rest: Array(text.unicodeScalars)[...])
        guard let value = reader.value(), reader.isAtEnd else { return nil }
        self = value
    }

    init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        self.init(text)
    }
}

private struct ModelReader {
    var rest: ArraySlice<Unicode.Scalar>

    var isAtEnd: Bool {
        mutating get {
            skip()
            return rest.isEmpty
        }
    }

    mutating func value() -> JSON? {
        skip()
        switch rest.first {
        case "{": return object()
        case "[": return array()
        case "\"": return string().map { .string($0) }
        case "t": return word("true") ? .bool(true) : nil
        case "f": return word("false") ? .bool(false) : nil
        case "n": return word("null") ? .null : nil
        default: return number()
        }
    }

    private mutating func skip() {
        rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func word(_ word: String) -> Bool {
        word.unicodeScalars.allSatisfy { take($0) }
    }

    private mutating func object() -> JSON? {
        var members: [String: JSON] = [:]
        guard take("{") else { return nil }
        skip()
        if take("}") { return .object([:]) }
        while true {
            skip()
            guard let name = string() else { return nil }
            skip()
            guard take(":"), let value = value() else { return nil }
            members[name] = value
            skip()
            if take("}") { return .object(members) }
            guard take(",") else { return nil }
        }
    }

    private mutating func array() -> JSON? {
        var elements: [JSON] = []
        guard take("[") else { return nil }
        skip()
        if take("]") { return .array([]) }
        while true {
            guard let value = value() else { return nil }
            elements.append(value)
            skip()
            if take("]") { return .array(elements) }
            guard take(",") else { return nil }
        }
    }

    private mutating func number() -> JSON? {
        var text = ""
        if take("-") { text = "-" }
        let whole = figures()
        guard whole == "0" || (whole.first != "0" && !whole.isEmpty) else { return nil }
        text += whole
        if take(".") {
            let fraction = figures()
            guard !fraction.isEmpty else { return nil }
            text += "." + fraction
        }
        guard let mark = rest.first, mark == "e" || mark == "E" else { return .number(text) }
        text.unicodeScalars.append(mark)
        rest.removeFirst()
        if let sign = rest.first, sign == "+" || sign == "-" {
            text.unicodeScalars.append(sign)
            rest.removeFirst()
        }
        let power = figures()
        return power.isEmpty ? nil : .number(text + power)
    }

    private mutating func figures() -> String {
        var text = ""
        while let figure = rest.first, ("0"..."9").contains(figure) {
            text.unicodeScalars.append(figure)
            rest.removeFirst()
        }
        return text
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var content = ""
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return content
            case "\\":
                guard let escaped = escape() else { return nil }
                content.unicodeScalars.append(escaped)
            default:
                guard scalar.value >= 0x20 else { return nil }
                content.unicodeScalars.append(scalar)
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        switch rest.popFirst() {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u": return unit()
        default: return nil
        }
    }

    private mutating func unit() -> Unicode.Scalar? {
        guard let high = digits() else { return nil }
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard high < 0xDC00, take("\\"), take("u"), let low = digits(), (0xDC00...0xDFFF).contains(low) else {
            return nil
        }
        return Unicode.Scalar(0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00))
    }

    private mutating func digits() -> UInt32? {
        let text = rest.prefix(4)
        guard text.count == 4, text.allSatisfy({ $0.properties.isASCIIHexDigit }) else { return nil }
        rest = rest.dropFirst(4)
        return UInt32(text.reduce(into: "") { $0.unicodeScalars.append($1) }, radix: 16)
    }
}
