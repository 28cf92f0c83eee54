import ByteKit
import JSONText

/// What a device says of an execution in words of its own: a map of texts to texts (1.1, 11.2).
package struct StatusDetails: Equatable, Sendable {
    /// Bytes that the map may have as compact JSON (our bound; as a job document).
    package static let maximumBytes = 32_768

    /// Compact JSON, `{}` for no details; repeated keys are gone.
    package let text: [UInt8]

    /// No details.
    package static let none = StatusDetails(stored: Array("{}".utf8))

    /// Takes the text as it was stored.
    package init(stored text: [UInt8]) { self.text = text }

    /// Whether there is nothing to show.
    package var isEmpty: Bool { text.count <= 2 }

    /// Reads a member of a request; nil where it is no map of texts, or where a key, a value or the whole breaks 1.1.
    init?(_ body: JSONBody, at index: Int) {
        guard body.kind(index) == .object else { return nil }
        var text = [UInt8(ascii: "{")]
        for member in body.members(of: index) {
            guard IoTNames.isDetailKey(member.name), let value = body.string(member.value),
                IoTNames.isDetailValue(value)
            else { return nil }
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            text.appendJSON(member.name)
            text.append(UInt8(ascii: ":"))
            text.appendJSON(value)
        }
        text.append(UInt8(ascii: "}"))
        guard text.count <= Self.maximumBytes else { return nil }
        self.text = text
    }
}
