import ByteKit
package import MQTTWire

/// One subscription of a session.
package struct Subscription: Equatable, Sendable {
    /// As the client named it, with `$share/NAME/` in front where it is shared.
    package var filter: [UInt8]
    package var options: SubscriptionOptions
    /// Subscription identifier, from 1 to 268 435 455; 0 = none.
    package var identifier: UInt32 = 0

    /// The filter that topics are compared with: without `$share/NAME/`.
    var topicFilter: [UInt8] {
        let whole = filter
        guard let shared = TopicFilter.split(shared: whole.span) else { return whole }
        return whole.span.slice(shared.filter).copy()
    }

    var isShared: Bool { TopicFilter.isShared(filter.span) }

    /// Bytes that a filter counts for: its own, and for each level beyond the eighth what the tree needs for a level.
    static func weight(of filter: Span<UInt8>) -> Int {
        var slashes = 0
        for index in filter.indices where filter[index] == UInt8(ascii: "/") { slashes += 1 }
        return filter.count + 128 * max(0, slashes - 7)
    }
}

/// A subscriber as the tree of filters holds it.
struct Subscriber {
    let session: Session
    let options: SubscriptionOptions
    let identifier: UInt32

    /// What it gets of a message when no other filter matches.
    var grant: Grant {
        Grant(
            qos: options.qos, keepsRetain: options.retainAsPublished, identifiers: identifier == 0 ? [] : [identifier])
    }
}

/// How a message is delivered.
struct Grant {
    var qos: QoS
    /// Whether the RETAIN flag stays as published [MQTT-3.3.1-12, MQTT-3.3.1-13].
    var keepsRetain: Bool
    /// Those of all subscriptions that the message came by [MQTT-3.3.4-3, MQTT-3.3.4-4].
    var identifiers: [UInt32]

    /// A message that nobody subscribed to.
    static let unasked = Grant(qos: .atMostOnce, keepsRetain: false, identifiers: [])

    /// One copy for both: the highest QoS and all identifiers [MQTT-3.3.4-2].
    mutating func join(_ other: Grant) {
        qos = max(qos, other.qos)
        keepsRetain = keepsRetain || other.keepsRetain
        identifiers += other.identifiers
    }
}

/// A session that gets a message, with all its subscriptions that match: one copy.
struct Recipient {
    private let first: Subscriber
    private var others: [Subscriber] = []
    private let whole: Grant

    /// - Parameter subscribers: one or more, all of one session.
    private init(_ first: Subscriber, _ others: [Subscriber]) {
        self.first = first
        self.others = others
        whole = others.reduce(into: first.grant) { $0.join($1.grant) }
    }

    var session: Session { first.session }

    /// What the session gets of a message that `sender` published; nil = nothing [MQTT-3.8.3-3].
    func grant(from sender: Session?) -> Grant? {
        guard session === sender else { return whole }
        var result: Grant?
        for subscriber in [first] + others where !subscriber.options.noLocal {
            if result == nil { result = subscriber.grant } else { result?.join(subscriber.grant) }
        }
        return result
    }

    /// Puts the subscribers of one session together, sessions in the order in which they occur first.
    static func gather(_ subscribers: [Subscriber]) -> [Recipient] {
        var recipients: [Recipient] = []
        recipients.reserveCapacity(subscribers.count)
        var positions: [ObjectIdentifier: Int] = [:]
        for subscriber in subscribers {
            if let position = positions[ObjectIdentifier(subscriber.session)] {
                let known = recipients[position]
                recipients[position] = Recipient(known.first, known.others + [subscriber])
            } else {
                positions[ObjectIdentifier(subscriber.session)] = recipients.count
                recipients.append(Recipient(subscriber, []))
            }
        }
        return recipients
    }
}

/// All that is subscribed at one filter.
struct FilterPlace {
    private(set) var subscribers = Roster()
    private(set) var groups: [ShareGroup] = []
    /// Where each group stands, by its whole filter.
    private var places: [[UInt8]: Int] = [:]

    var isEmpty: Bool { subscribers.isEmpty && groups.isEmpty }

    /// Puts a subscription in the place of an older one of the same session [MQTT-3.8.4-3].
    mutating func put(_ subscriber: Subscriber, as subscription: Subscription) {
        guard subscription.isShared else { return subscribers.put(subscriber) }
        let filter = subscription.filter
        let group = group(filter) ?? ShareGroup(filter: filter)
        group.put(subscriber)
        guard places[filter] == nil else { return }
        places[filter] = groups.count
        groups.append(group)
    }

    mutating func remove(_ session: Session, _ subscription: Subscription) {
        guard subscription.isShared else { return subscribers.remove(session) }
        guard let place = places[subscription.filter] else { return }
        groups[place].remove(session)
        guard groups[place].members.isEmpty else { return }
        places[subscription.filter] = nil
        let last = groups.removeLast()
        guard place < groups.count else { return }
        groups[place] = last
        places[last.filter] = place
    }

    /// The group with this whole filter.
    func group(_ filter: [UInt8]) -> ShareGroup? {
        places[filter].map { groups[$0] }
    }
}
