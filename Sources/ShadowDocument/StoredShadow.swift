//  One shadow as it is stored: two JSON objects, the times of their leaves, a version.
//
//  Documents stay bytes. An update is read into a tape and laid over the stored bytes in one walk that writes the
//  new document and the times of its leaves side by side. Metadata has the shape of the state, so only the times are
//  kept, in the order of the leaves; what clients see is made from document and times when it is shown.
import ByteKit
import JSONText

/// The two halves of a shadow's state.
public enum ShadowSection: CaseIterable, Sendable {
    /// What the owner wants.
    case desired
    /// What the device says.
    case reported

    /// The member's name.
    public var name: StaticString {
        switch self {
        case .desired: "desired"
        case .reported: "reported"
        }
    }
}

/// A shadow, or the tombstone of a deleted one.
public struct StoredShadow: Equatable, Sendable {
    /// Compact `{"desired":{…},"reported":{…}}`; a section without members is left out.
    public var document: [UInt8]
    /// When each leaf of the document was last named.
    ///
    /// `[seconds,count,seconds,count…]` in the order of the leaves, where `count` neighbours share one time. Answers
    /// show it in the document's shape, as `{"timestamp":seconds}`.
    public var metadata: [UInt8]
    /// Grows by one with each accepted update, and once more with a deletion.
    public var version: UInt64
    /// Whether it was deleted: then only the version counts.
    public var isDeleted: Bool

    /// Takes the parts as they were stored.
    public init(document: [UInt8], metadata: [UInt8], version: UInt64, isDeleted: Bool) {
        self.document = document
        self.metadata = metadata
        self.version = version
        self.isDeleted = isDeleted
    }

    /// When one of its leaves was last named, seconds since 1970; nil where it has none.
    public var changed: UInt64? {
        let text = metadata.span
        var elements = JSONScanner.elements(of: ByteRange(start: 0, count: text.count))
        var newest: UInt64?
        while let time = elements.next(in: text), elements.next(in: text) != nil {
            newest = max(newest ?? 0, JSONScanner.unsigned(of: time, in: text) ?? 0)
        }
        return newest
    }

    /// The tombstone left by a deletion, which uses up one version.
    public var tombstone: StoredShadow {
        StoredShadow(document: Array("{}".utf8), metadata: Array("[]".utf8), version: version &+ 1, isDeleted: true)
    }

    /// The JSON text at a path of plain member names inside a section; nil where there is nothing.
    public func value(_ section: ShadowSection, _ path: [StaticString]) -> [UInt8]? {
        let text = document.span
        guard !isDeleted,
            var place = JSONScanner.member(section.name, of: ByteRange(start: 0, count: text.count), in: text)
        else { return nil }
        for name in path {
            guard JSONScanner.kind(of: place, in: text) == .object,
                let next = JSONScanner.member(name, of: place, in: text)
            else { return nil }
            place = next
        }
        return text.slice(place).copy()
    }

    /// The string at a path; nil where there is something else or nothing.
    public func string(_ section: ShadowSection, _ path: [StaticString]) -> String? {
        guard let bytes = value(section, path), bytes.first == UInt8(ascii: "\"") else { return nil }
        var content: [UInt8] = []
        let text = bytes.span
        guard JSONScanner.string(of: ByteRange(start: 0, count: text.count), in: text, into: &content) else {
            return nil
        }
        return String(decoding: content, as: UTF8.self)
    }
}
