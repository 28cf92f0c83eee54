public import ByteKit

/// The name a message is published to (clause 4.7): levels of bytes between slashes.
public enum TopicName {
    /// The longest topic name or filter, in bytes [MQTT-4.7.3-3].
    @inlinable public static var maximumBytes: Int { 65_535 }

    /// Whether `topic` is valid text, not empty and free of wildcards [MQTT-4.7.0-1, 4.7.3-1, -2, -3].
    public static func isValid(_ topic: Span<UInt8>) -> Bool {
        topic.count <= maximumBytes && hasValidForm(topic) && UTF8Check.isWellFormed(topic)
    }

    /// Whether text that is known to be UTF-8 is not empty and has no wildcard.
    static func hasValidForm(_ topic: Span<UInt8>) -> Bool {
        !topic.isEmpty && !hasWildcard(topic)
    }

    /// Whether `+` or `#` occurs anywhere.
    static func hasWildcard(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where text[index] == Sign.plus || text[index] == Sign.hash {
            return true
        }
        return false
    }
}

/// The topics a subscription wants (clause 4.7).
///
/// Like a name, but `+` stands for one level and a last `#` for the rest.
public enum TopicFilter {
    /// Whether `filter` is valid text and well formed [MQTT-4.7.1-1, -2, 4.7.3-1, -2, -3, 4.8.2-1, -2].
    ///
    /// What starts with `$share/` must be a well-formed shared subscription, in both versions.
    public static func isValid(_ filter: Span<UInt8>) -> Bool {
        filter.count <= TopicName.maximumBytes && hasValidForm(filter) && UTF8Check.isWellFormed(filter)
    }

    /// Whether text that is known to be UTF-8 is a well-formed filter, shared or not.
    static func hasValidForm(_ filter: Span<UInt8>) -> Bool {
        isShared(filter) ? split(shared: filter) != nil : hasPlainForm(filter)
    }

    private static func hasPlainForm(_ filter: Span<UInt8>) -> Bool {
        guard !filter.isEmpty else { return false }
        for index in filter.indices where filter[index] == Sign.plus || filter[index] == Sign.hash {
            let startsLevel = index == 0 || filter[index - 1] == Sign.slash
            let isLast = index == filter.count - 1
            let endsLevel = isLast || (filter[index] == Sign.plus && filter[index + 1] == Sign.slash)
            guard startsLevel && endsLevel else { return false }
        }
        return true
    }

    /// Whether a message on `topic` is wanted by `filter` (clauses 4.7.1 and 4.7.2).
    ///
    /// `a/#` also wants `a`; a wildcard at the front wants no topic that starts with `$` [MQTT-4.7.2-1].
    /// Both should be valid; of a shared subscription hand in the filter part.
    public static func matches(filter: Span<UInt8>, topic: Span<UInt8>) -> Bool {
        guard !filter.isEmpty, !topic.isEmpty else { return false }
        let startsWild = filter[0] == Sign.plus || filter[0] == Sign.hash
        guard !(startsWild && topic[0] == Sign.dollar) else { return false }
        var place = 0
        for index in filter.indices {
            switch filter[index] {
            case Sign.hash: return true
            case Sign.plus:
                while place < topic.count && topic[place] != Sign.slash { place += 1 }
            case let byte where place < topic.count && topic[place] == byte:
                place += 1
            default:
                return place == topic.count && isRest(filter, from: index)
            }
        }
        return place == topic.count
    }

    /// Whether exactly `/#` is left of the filter, which also wants the level above.
    private static func isRest(_ filter: Span<UInt8>, from index: Int) -> Bool {
        index == filter.count - 2 && filter[index] == Sign.slash && filter[index + 1] == Sign.hash
    }
}

extension TopicFilter {
    /// A shared subscription taken apart: `$share/group/filter` (MQTT 5, clause 4.8.2).
    public struct Shared: Equatable, Sendable {
        /// The name of the group, at least one byte.
        public let group: ByteRange
        /// The filter that the group shares.
        public let filter: ByteRange
    }

    /// Whether `filter` claims to be a shared subscription.
    public static func isShared(_ filter: Span<UInt8>) -> Bool {
        filter.starts(with: "$share/")
    }

    /// Takes a shared subscription apart.
    ///
    /// - Returns: the places of group and filter, or `nil` where `filter` is not shared or not well formed:
    ///   no group, a wildcard in the group, no filter [MQTT-4.8.2-1, MQTT-4.8.2-2].
    public static func split(shared filter: Span<UInt8>) -> Shared? {
        guard isShared(filter) else { return nil }
        let start = 7
        var end = start
        while end < filter.count && filter[end] != Sign.slash { end += 1 }
        guard end > start, end < filter.count else { return nil }
        let group = ByteRange(start: start, count: end - start)
        let rest = ByteRange(start: end + 1, count: filter.count - end - 1)
        guard !TopicName.hasWildcard(filter.slice(group)) else { return nil }
        guard hasPlainForm(filter.slice(rest)) else { return nil }
        return Shared(group: group, filter: rest)
    }
}

/// The bytes with a meaning in topics.
private enum Sign {
    static var hash: UInt8 { 0x23 }
    static var dollar: UInt8 { 0x24 }
    static var plus: UInt8 { 0x2B }
    static var slash: UInt8 { 0x2F }
}
