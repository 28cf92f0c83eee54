import ByteKit
package import MQTTWire

/// One application message on its way through the broker; its bytes are shared by everybody who gets it.
package final class Message {
    /// Topic name, UTF-8 without wildcards.
    package let topic: [UInt8]
    /// The payload as published.
    package let payload: [UInt8]
    /// Quality of service it was published with.
    package let qos: QoS
    /// Whether the publisher asked to keep it.
    package let retain: Bool
    /// Encoded MQTT 5 properties that travel with the message (MQTT 5 §3.3.2.3), without length and expiry.
    package let properties: [UInt8]
    /// When it is of no use any more, milliseconds since 1970.
    package let expires: Int64?
    /// What kind of place the topic is.
    let kind: TopicClass
    /// Places in queues that hold the message.
    var holders = 0

    package init(
        topic: [UInt8], payload: [UInt8], qos: QoS, retain: Bool = false, properties: [UInt8] = [],
        expires: Int64? = nil
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.expires = expires
        kind = TopicClass.of(topic.span)
    }

    /// A message that waited on disk, with the QoS that its subscriber gets.
    convenience init?(_ stored: StoredEntry) {
        guard let qos = QoS(rawValue: stored.qos) else { return nil }
        self.init(
            topic: stored.topic, payload: stored.payload, qos: qos, properties: stored.properties,
            expires: stored.expires)
    }

    /// What a message and one place in a queue hold beside the message's own bytes.
    static let overhead = 100 + QueueEntry.cost

    /// What the message holds with one place in a queue, in bytes.
    var cost: Int { topic.count + payload.count + properties.count + Self.overhead }

    /// The thing whose log topic it was published to: that follows from the topic, also after a restart.
    var loggingThing: [UInt8]? {
        guard case .deviceLog(let thing) = kind else { return nil }
        return Array(topic[thing.start..<thing.end])
    }

    func isExpired(now: Int64) -> Bool {
        expires.map { $0 < now } ?? false
    }

    /// The same message with another time of expiry.
    func expiring(_ expires: Int64?) -> Message {
        Message(
            topic: topic, payload: payload, qos: qos, retain: retain, properties: properties, expires: expires)
    }
}

/// What makes two encoded PUBLISH packets of one message differ, but for bits that are patched.
struct PacketForm: Hashable {
    var version: MQTTVersion
    var qos: QoS
}

/// The encoded packets of the message that was written last: one that goes to many is encoded once for each form.
///
/// No longer than that: encoded forms would hold more memory than the messages, and nobody counts them.
struct PacketCache {
    private var message: Message?
    private var packets: [PacketForm: PacketTemplate] = [:]

    func packet(of message: Message, _ form: PacketForm) -> PacketTemplate? {
        self.message === message ? packets[form] : nil
    }

    mutating func keep(_ packet: PacketTemplate, of message: Message, _ form: PacketForm) {
        if self.message !== message { packets.removeAll(keepingCapacity: true) }
        self.message = message
        packets[form] = packet
    }
}

/// An encoded PUBLISH whose first byte and packet identifier are still to be set.
struct PacketTemplate {
    var bytes: [UInt8]
    var packetIDOffset: Int
}
