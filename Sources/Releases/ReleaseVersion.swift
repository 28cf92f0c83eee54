import VersionText

/// The version of a release: Semantic Versioning 2.0, kept as the text it was given.
package struct ReleaseVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The text, 1 to 64 bytes.
    package let text: String

    /// Reads a version; nil where `text` is none.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard VersionText.isValid(bytes.span) else { return nil }
        self.text = text
    }

    /// The text.
    package var description: String { text }

    /// Precedence of Semantic Versioning 2.0, section 11.
    package static func < (left: ReleaseVersion, right: ReleaseVersion) -> Bool {
        let a = Array(left.text.utf8)
        let b = Array(right.text.utf8)
        return VersionText.compare(a.span, b.span) == .older
    }
}
