import Foundation

/// `application/x-www-form-urlencoded` text (URL Standard, section 5.1), as forms and their queries have it; at most 64 fields.
struct FormFields: Sequence {
    private let pairs: ArraySlice<Substring>

    init(_ text: some StringProtocol) {
        pairs = ArraySlice(text.split(separator: "&").prefix(64).map { Substring($0) })
    }

    /// Name and value of each field that can be decoded, a plus read as a space.
    func makeIterator() -> some IteratorProtocol<(name: String, value: String)> {
        pairs.lazy.compactMap { pair -> (name: String, value: String)? in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]), let value = Self.decoded(parts.count > 1 ? parts[1] : "") else {
                return nil
            }
            return (name, value)
        }.makeIterator()
    }

    /// The first value called `name`.
    subscript(name: String) -> String? { first { $0.name == name }?.value }

    private static func decoded(_ part: Substring) -> String? {
        part.replacing("+", with: " ").removingPercentEncoding
    }
}
