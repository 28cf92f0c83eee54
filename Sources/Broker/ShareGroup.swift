import MQTTWire

/// The members of one shared subscription: each message goes to one of them (MQTT 5, clause 4.8.2).
///
/// A message that was given to a member stays with its session, over lost connections too. When the session ends, what
/// it has not acknowledged goes to another member; only a QoS 2 message that was sent must not [MQTT-4.8.2-5].
final class ShareGroup {
    /// `$share/NAME/FILTER`.
    let filter: [UInt8]
    private(set) var members = Roster()

    init(filter: [UInt8]) {
        self.filter = filter
    }

    func put(_ subscriber: Subscriber) {
        members.put(subscriber)
    }

    func remove(_ session: Session) {
        members.remove(session)
    }

    /// How well a member can take a message now.
    enum Fitness: Int, Comparable {
        /// Away and not kept, or full.
        case unable
        /// Away; its kept session can take it.
        case away
        /// Connected, but what it was sent is not acknowledged or not even read.
        case busy
        case ready

        static func < (left: Fitness, right: Fitness) -> Bool { left.rawValue < right.rawValue }
    }

    /// Picks a member, in turn among those that fit best; nil where nobody can take the message.
    func pick(_ fitness: (Subscriber) -> Fitness) -> Subscriber? {
        members.pick(above: .unable, upTo: .ready, fitness)
    }
}
