import ByteKit
import JSONText

/// Writes one compact JSON object; members that are nil are left out.
struct JSONObject {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    private mutating func name(_ name: StaticString) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        JSONWriter.key(name, to: &bytes)
    }

    /// A member with a text as its value.
    mutating func string(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        self.name(name)
        bytes.appendJSON(value)
    }

    /// A member with a text as its value, given as UTF-8.
    mutating func string(_ name: StaticString, utf8 value: [UInt8]?) {
        guard let value else { return }
        self.name(name)
        JSONWriter.string(value.span, to: &bytes)
    }

    /// A member with an integer as its value.
    mutating func number(_ name: StaticString, _ value: UInt64?) {
        guard let value else { return }
        self.name(name)
        bytes.appendDecimal(value)
    }

    /// A member that says yes or no.
    mutating func flag(_ name: StaticString, _ value: Bool?) {
        guard let value else { return }
        self.name(name)
        bytes.append(value ? "true" : "false")
    }

    /// A member whose value is JSON already.
    mutating func raw(_ name: StaticString, _ value: [UInt8]?) {
        guard let value else { return }
        self.name(name)
        bytes.append(contentsOf: value)
    }

    /// A member with a name that is not known before, whose value is JSON already.
    mutating func raw(named name: String, _ value: [UInt8]) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        bytes.appendJSON(name)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: value)
    }

    /// A member that is an array of JSON values.
    mutating func list(_ name: StaticString, _ values: [[UInt8]]?) {
        guard let values else { return }
        self.name(name)
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: value)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// A member that is an array of texts.
    mutating func texts(_ name: StaticString, _ values: [String]?) {
        list(name, values?.map { [UInt8](json: $0) })
    }

    /// A member that is an object of texts.
    mutating func map(_ name: StaticString, _ values: [String: String]?) {
        guard let values else { return }
        var map: [UInt8] = [UInt8(ascii: "{")]
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            if map.count > 1 { map.append(UInt8(ascii: ",")) }
            map.appendJSON(key)
            map.append(UInt8(ascii: ":"))
            map.appendJSON(value)
        }
        map.append(UInt8(ascii: "}"))
        raw(name, map)
    }

    /// The object's text.
    var text: [UInt8] { bytes + [UInt8(ascii: "}")] }
}

extension [UInt8] {
    /// Writes an object in one expression.
    static func object(_ fill: (inout JSONObject) -> Void) -> [UInt8] {
        var object = JSONObject()
        fill(&object)
        return object.text
    }

    /// A text as a JSON string.
    init(json text: String) {
        self = []
        appendJSON(text)
    }

    /// Appends a text as a JSON string.
    mutating func appendJSON(_ text: String) {
        let bytes = Array(text.utf8)
        JSONWriter.string(bytes.span, to: &self)
    }
}
