//  Versions as text, ordered as Semantic Versioning 2.0 section 11 says.
//
//  One comparator serves offers, lists, targets, rollback protection, the command line and the devices:
//  comparing as text, as a decimal number or by prefix has stranded fleets. What is not a version has no
//  order at all. Nothing is converted to a number, so digits of any length compare right: no leading zeros,
//  hence the longer run is the larger one.

public import ByteKit

/// Reads and orders version texts: `1.0.10`, `2.0.0-rc.1`, `1.4.2+build.77`.
///
/// Not a version: a leading `v`, fewer or more than three numbers, leading zeros, spaces, anything over
/// `maximumBytes` bytes (SemVer 2.0 sections 2, 9, 10).
public enum VersionText {
    /// Longest text that is taken for a version, in bytes.
    public static let maximumBytes = 64

    /// How the first of two versions stands to the second.
    public enum Ordering: Equatable, Sendable {
        /// The first precedes the second.
        case older
        /// Neither precedes the other; build metadata may differ.
        case same
        /// The second precedes the first.
        case newer
    }

    /// Where the parts of one version text lie.
    public struct Version: Equatable, Sendable {
        /// Digits of the major number.
        public let major: ByteRange
        /// Digits of the minor number.
        public let minor: ByteRange
        /// Digits of the patch number.
        public let patch: ByteRange
        /// Identifiers behind the hyphen, without it; empty for a release.
        public let prerelease: ByteRange
    }

    /// Whether `text` is a version.
    public static func isValid(_ text: Span<UInt8>) -> Bool {
        parse(text) != nil
    }

    /// Finds the parts of a version, or `nil` where `text` is none.
    public static func parse(_ text: Span<UInt8>) -> Version? {
        guard text.count <= maximumBytes else { return nil }
        var reader = Reader(end: text.count)
        guard let major = reader.number(in: text), reader.skip(.dot, in: text),
            let minor = reader.number(in: text), reader.skip(.dot, in: text),
            let patch = reader.number(in: text)
        else { return nil }
        var prerelease = ByteRange.empty
        if reader.skip(.hyphen, in: text) {
            guard let run = reader.identifiers(in: text, zeros: .refused) else { return nil }
            prerelease = run
        }
        if reader.skip(.plus, in: text) {
            guard reader.identifiers(in: text, zeros: .allowed) != nil else { return nil }
        }
        guard reader.isAtEnd else { return nil }
        return Version(major: major, minor: minor, patch: patch, prerelease: prerelease)
    }

    /// How `first` stands to `second`, or `nil` where either is no version.
    ///
    /// Build metadata does not count (section 10).
    public static func compare(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Ordering? {
        guard let left = parse(first), let right = parse(second) else { return nil }
        let major = compareDigits(first.slice(left.major), second.slice(right.major))
        guard major == .same else { return major }
        let minor = compareDigits(first.slice(left.minor), second.slice(right.minor))
        guard minor == .same else { return minor }
        let patch = compareDigits(first.slice(left.patch), second.slice(right.patch))
        guard patch == .same else { return patch }
        return comparePrereleases(first.slice(left.prerelease), second.slice(right.prerelease))
    }
}
