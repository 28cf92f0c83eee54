import ByteKit

/// The target of an HTTP request, percent-decoded once (4, 13): segments of the path and the query.
package struct HTTPTarget: Equatable, Sendable {
    /// Bytes that are read.
    package static let maximumBytes = 8192
    /// Query parameters that are read.
    package static let maximumParameters = 32

    /// One parameter of a query.
    package struct Parameter: Equatable, Sendable {
        /// What it is called.
        package let name: String
        /// What it says.
        package let value: String
    }

    /// The segments; a decoded slash stays inside its segment.
    package let segments: [String]
    /// The parameters, in their order.
    package let query: [Parameter]

    /// Nil for a target that is too long, does not begin with a slash, or decodes to something that is not UTF-8.
    package init?(_ target: Span<UInt8>) {
        guard target.count <= Self.maximumBytes, target.count > 0, target[0] == UInt8(ascii: "/") else { return nil }
        let bytes = target.copy()
        let parts = bytes.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        var segments: [String] = []
        for segment in parts[0].dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let text = Self.decoded(segment) else { return nil }
            segments.append(text)
        }
        var query: [Parameter] = []
        for parameter in parts[parts.count - 1].split(separator: UInt8(ascii: "&")) where parts.count > 1 {
            let pair = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard query.count < Self.maximumParameters, let name = Self.decoded(pair[0]),
                let value = Self.decoded(pair.count > 1 ? pair[1] : [])
            else { return nil }
            query.append(Parameter(name: name, value: value))
        }
        self.segments = segments
        self.query = query
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            if text[index] == UInt8(ascii: "%") {
                guard text.endIndex - index > 2, let high = digit(text[index + 1]), let low = digit(text[index + 2])
                else { return nil }
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

extension [HTTPTarget.Parameter] {
    /// The value of the last parameter called `name`.
    func value(_ name: String) -> String? { last { $0.name == name }?.value }
}
