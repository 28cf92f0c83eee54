import MQTTWire

/// Who gets the messages of one topic.
struct Audience {
    var recipients: [Recipient] = []
    /// Each group gets one copy (clause 4.8.2).
    var groups: [ShareGroup] = []
}

/// Audiences of topics that were published to lately.
///
/// Bounded by topics and by recipients: crowds that hear everything would else be kept once for each topic.
struct Audiences {
    private static let topicLimit = 4096
    private static let recipientLimit = 1 << 17
    /// Bytes of the longest topic that is remembered.
    private static let longestTopic = 1024

    private var known: [[UInt8]: Audience] = [:]
    private var recipients = 0

    subscript(topic: [UInt8]) -> Audience? { known[topic] }

    /// Remembers an audience that was not known.
    mutating func keep(_ audience: Audience, of topic: [UInt8]) {
        guard topic.count <= Self.longestTopic else { return }
        recipients += audience.recipients.count
        if known.count >= Self.topicLimit || recipients > Self.recipientLimit {
            removeAll()
            recipients = audience.recipients.count
        }
        known[topic] = audience
    }

    /// The subscriptions of a filter changed: without wildcards that is about one topic.
    mutating func forget(filter: [UInt8]) {
        guard TopicName.isValid(filter.span) else { return removeAll() }
        if let old = known.removeValue(forKey: filter) { recipients -= old.recipients.count }
    }

    mutating func removeAll() {
        known.removeAll(keepingCapacity: true)
        recipients = 0
    }
}
