import ByteKit
import JSONText

/// The members of one object in a request of the control plane, with the rules of the service model.
///
/// Each look-up answers nil for a member that is absent or null, and throws InvalidRequestException with the member's
/// path for one that breaks its rule.
struct Fields {
    private let body: JSONBody
    private let index: Int
    private let path: String

    /// The body of a request; an empty one has no members.
    init(_ payload: Span<UInt8>) throws(IoTRefusal) {
        do throws(JSONBody.Fault) {
            body = try JSONBody(payload)
        } catch {
            throw IoTRefusal(.invalidRequest, "The body is not a JSON object in UTF-8")
        }
        index = 0
        path = ""
    }

    private init(_ body: JSONBody, _ index: Int, _ path: String) {
        self.body = body
        self.index = index
        self.path = path
    }

    private func place(_ name: StaticString) -> String { path.isEmpty ? "\(name)" : "\(path).\(name)" }

    private func value(_ name: StaticString, _ rule: String, _ isLegal: (Int) -> Bool) throws(IoTRefusal) -> Int? {
        guard let value = body.member(name, of: index) else { return nil }
        guard isLegal(value) else { throw .invalid(place(name), rule) }
        return value
    }

    /// The refusal for a member that must be there.
    func missing(_ name: StaticString) -> IoTRefusal { .missing(place(name)) }

    /// A refusal for a member.
    func invalid(_ name: StaticString, _ rule: String) -> IoTRefusal { .invalid(place(name), rule) }

    /// A text that keeps a rule.
    func text(_ name: StaticString, _ rule: String, _ isLegal: (String) -> Bool) throws(IoTRefusal) -> String? {
        let place = try value(name, rule) { body.string($0).map(isLegal) ?? false }
        return place.flatMap { body.string($0) }
    }

    /// A thing's or group's name.
    func name(_ name: StaticString) throws(IoTRefusal) -> String? {
        try text(name, "1 to 128 of a-z A-Z 0-9 : _ -", IoTNames.isThing)
    }

    /// One word of a list.
    func word<Word: RawRepresentable & CaseIterable>(
        _ name: StaticString, _ type: Word.Type
    ) throws(IoTRefusal) -> Word? where Word.RawValue == String {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return try text(name, "one of \(words)") { Word(rawValue: $0) != nil }.flatMap(Word.init(rawValue:))
    }

    /// A JSON integer within bounds.
    func integer(_ name: StaticString, _ bounds: ClosedRange<UInt64>) throws(IoTRefusal) -> UInt64? {
        try scaled(name, digits: 0, bounds, "\(bounds.lowerBound) to \(bounds.upperBound)")
    }

    /// A JSON number with at most `digits` decimals, times ten to the power of `digits`.
    func scaled(
        _ name: StaticString, digits: Int, _ bounds: ClosedRange<UInt64>, _ rule: String
    ) throws(IoTRefusal) -> UInt64? {
        func read(_ value: Int) -> UInt64? {
            guard body.kind(value) == .number else { return nil }
            return Self.scale(body.raw(value), digits).flatMap { bounds.contains($0) ? $0 : nil }
        }
        return try value(name, rule) { read($0) != nil }.flatMap(read)
    }

    /// True or false.
    func flag(_ name: StaticString) throws(IoTRefusal) -> Bool? {
        try value(name, "true or false") { [.true, .false].contains(body.kind($0)) }.map { body.kind($0) == .true }
    }

    /// An object.
    func object(_ name: StaticString) throws(IoTRefusal) -> Fields? {
        try value(name, "an object") { body.kind($0) == .object }.map { Fields(body, $0, place(name)) }
    }

    /// All members, each of which is an object, by their names.
    func objects() throws(IoTRefusal) -> [(name: String, fields: Fields)] {
        try body.members(of: index).map { member throws(IoTRefusal) in
            guard body.kind(member.value) == .object else { throw .invalid(path, "a map of objects") }
            return (member.name, Fields(body, member.value, "\(path).\(member.name)"))
        }
    }

    /// An array of objects.
    func objects(_ name: StaticString, _ counts: ClosedRange<Int>) throws(IoTRefusal) -> [Fields]? {
        let list = try value(name, "\(counts.lowerBound) to \(counts.upperBound) objects") { value in
            let elements = body.elements(of: value)
            return counts.contains(elements.count) && body.kind(value) == .array
                && elements.allSatisfy { body.kind($0) == .object }
        }
        return list.map { list in
            body.elements(of: list).enumerated().map { Fields(body, $0.element, "\(place(name)).\($0.offset)") }
        }
    }

    /// An array of texts that each keep a rule.
    func texts(
        _ name: StaticString, _ counts: ClosedRange<Int>, _ isLegal: (String) -> Bool
    ) throws(IoTRefusal) -> [String]? {
        let list = try value(name, "\(counts.lowerBound) to \(counts.upperBound) texts") { value in
            let elements = body.elements(of: value)
            return counts.contains(elements.count) && body.kind(value) == .array
                && elements.allSatisfy { body.string($0).map(isLegal) ?? false }
        }
        return list.map { body.elements(of: $0).compactMap { body.string($0) } }
    }

    /// A map of texts whose keys and values each keep a rule.
    func map(
        _ name: StaticString, _ count: Int, _ isLegal: (_ key: String, _ value: String) -> Bool
    ) throws(IoTRefusal) -> [String: String]? {
        let object = try value(name, "at most \(count) texts with legal names and values") { value in
            let members = body.members(of: value)
            return body.kind(value) == .object && members.count <= count
                && members.allSatisfy { member in body.string(member.value).map { isLegal(member.name, $0) } ?? false }
        }
        return object.map { object in
            body.members(of: object).reduce(into: [:]) { $0[$1.name] = body.string($1.value) }
        }
    }

    /// Details of an execution.
    func details(_ name: StaticString) throws(IoTRefusal) -> StatusDetails? {
        try value(name, "a map of texts to texts") { StatusDetails(body, at: $0) != nil }
            .flatMap { StatusDetails(body, at: $0) }
    }

    /// The text of an object that is only kept and shown.
    func raw(_ name: StaticString) throws(IoTRefusal) -> [UInt8]? {
        try value(name, "an object") { body.kind($0) == .object }.map { body.raw($0) }
    }

    /// Reads plain digits, perhaps with a fraction of which all beyond `digits` is zero.
    private static func scale(_ text: [UInt8], _ digits: Int) -> UInt64? {
        var (number, decimals, isFraction): (UInt64, Int, Bool) = (0, 0, false)
        for byte in text {
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte &- 0x30 > 9 || (digits == 0 && isFraction) {
                return nil
            } else if decimals == digits, isFraction {
                guard byte == 0x30 else { return nil }
            } else {
                if isFraction { decimals += 1 }
                guard number <= .max / 100 else { return nil }
                number = number * 10 + UInt64(byte - 0x30)
            }
        }
        for _ in decimals..<max(decimals, digits) {
            guard number <= .max / 100 else { return nil }
            number *= 10
        }
        return number
    }
}
