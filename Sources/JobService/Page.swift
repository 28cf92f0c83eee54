//  Pages of lists (10, 14): `maxResults` and an opaque `nextToken` that names the last row of the page before.

/// Which part of a list is asked for.
package struct Page: Equatable, Sendable {
    /// Rows on a page where the request does not say (our choice; AWS does not document it).
    package static let usual = 25
    /// Bytes of a row's key.
    private static let keyBytes = 256

    /// Rows on this page: 1 to 250.
    package let size: Int
    /// The key of the last row of the page before; only rows with greater keys are asked for.
    package let after: String?

    /// Rows that the shell should read: one more tells whether there is another page.
    package var rows: Int { size + 1 }

    /// Reads `maxResults` and `nextToken`.
    init(_ query: [HTTPTarget.Parameter]) throws(IoTRefusal) {
        size = try query.integer("maxResults", 1...250).map(Int.init) ?? Self.usual
        if let token = query.value("nextToken") {
            guard let key = Self.decoded(token) else { throw .invalid("nextToken", "a token of an earlier page") }
            after = key
        } else {
            after = nil
        }
    }

    /// Writes a page as `{"NAME":[…],"nextToken":…}`.
    ///
    /// - Parameters:
    ///   - rows: those that match, with keys greater than `after`, in the order of their keys; `self.rows` of them do.
    ///   - key: names a row within the list.
    func body<Row>(
        _ name: StaticString, _ rows: some Sequence<Row>, key: (Row) -> String, _ write: (Row) -> [UInt8]
    ) -> [UInt8] {
        let read = Array(rows.prefix(self.rows))
        let shown = read.prefix(size)
        return .object {
            $0.list(name, shown.map(write))
            $0.string("nextToken", read.count > size ? shown.last.map { Self.encoded(key($0)) } : nil)
        }
    }

    /// A key in hexadecimal, with a mark in front.
    private static func encoded(_ key: String) -> String {
        "n" + key.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func decoded(_ token: String) -> String? {
        let digits = Array(token.utf8.dropFirst())
        guard token.utf8.first == UInt8(ascii: "n"), digits.count.isMultiple(of: 2),
            (2...keyBytes * 2).contains(digits.count)
        else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[index...index + 1], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16), byte > 0x20, byte < 0x7F
            else { return nil }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension [HTTPTarget.Parameter] {
    /// An integer within bounds.
    func integer(_ name: String, _ bounds: ClosedRange<UInt64>) throws(IoTRefusal) -> UInt64? {
        guard let text = value(name) else { return nil }
        guard text.utf8.allSatisfy({ $0 &- 0x30 <= 9 }), let number = UInt64(text), bounds.contains(number) else {
            throw .invalid(name, "\(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }

    /// True or false.
    func flag(_ name: String) throws(IoTRefusal) -> Bool? {
        switch value(name) {
        case nil: return nil
        case "true": return true
        case "false": return false
        default: throw .invalid(name, "true or false")
        }
    }

    /// A text that keeps a rule.
    func text(_ name: String, _ rule: String, _ isLegal: (String) -> Bool) throws(IoTRefusal) -> String? {
        guard let text = value(name) else { return nil }
        guard isLegal(text) else { throw .invalid(name, rule) }
        return text
    }

    /// One word of a list.
    func word<Word: RawRepresentable & CaseIterable>(
        _ name: String, _ type: Word.Type
    ) throws(IoTRefusal) -> Word? where Word.RawValue == String {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        return try text(name, "one of \(words)") { Word(rawValue: $0) != nil }.flatMap(Word.init(rawValue:))
    }
}
