import MQTTWire

/// The members of one shared subscription: each message goes to one of them (MQTT 5, clause 4.8.2).
///
/// A message that was given to a member stays with its session, over lost connections too. When the session ends, what
/// it has not acknowledged goes to another member; only a QoS 2 message that was sent must not [MQTT-4.8.2-5].
final class ShareGroup {
    /// `$share/NAME/FILTER`.
    let filter: [UInt8]
    private(set) var members: [Subscriber]
    private var next = 0

    init(filter: [UInt8], first: Subscriber) {
        self.filter = filter
        members = [first]
    }

    func put(_ subscriber: Subscriber) {
        if let index = members.firstIndex(where: { $0.session === subscriber.session }) {
            members[index] = subscriber
        } else {
            members.append(subscriber)
        }
    }

    func remove(_ session: Session) {
        guard let index = members.firstIndex(where: { $0.session === session }) else { return }
        members.remove(at: index)
        if next > index { next -= 1 }
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
        var best: (index: Int, fitness: Fitness)?
        for offset in members.indices {
            let index = (next + offset) % members.count
            let found = fitness(members[index])
            guard found > best?.fitness ?? .unable else { continue }
            best = (index, found)
            if found == .ready { break }
        }
        guard let best else { return nil }
        next = (best.index + 1) % members.count
        return members[best.index]
    }
}
