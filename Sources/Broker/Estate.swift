import MQTTWire

//  What an ended session was to get for its groups goes to their other members (4.8.2): it was promised to its publishers.

/// The queue of an ended session as far as it came by shared subscriptions: on disk, under a key of its own, until other
/// members have it.
struct Estate {
    /// In the place of a session's principal on disk.
    static let principal = "e/"

    let key: [UInt8]
    /// The ticket of the commit that puts it on disk, then of the one that takes off it what has been shared out.
    var readyAfter: UInt64 = 0
    /// The sequence up to which it is shared out.
    var start: Int64 = 0
    var isReading = false
}

extension BrokerCore {
    /// Gives what an ended session was to get for its groups to their other members, once the rest is forgotten on disk.
    mutating func bequeath(_ session: Session) {
        guard session.tail.shared > 0 else { return }
        let digits = Array(String(UInt64.random(in: .min ... .max), radix: 16).utf8)
        let estate = Estate(key: Array(Estate.principal.utf8) + digits, readyAfter: nextTicket)
        // A QoS 2 message that was sent to the client must not go to anybody else [MQTT-4.8.2-5].
        record(.bequeath(key: session.key, estate: estate.key, sentUpTo: session.tail.begunUpTo))
        estates[estate.key] = estate
    }

    /// Does the same where nothing is on disk.
    mutating func handOn(_ entries: [QueueEntry]) {
        for entry in entries where !entry.share.isEmpty {
            _ = handOn(entry.message, share: entry.share, retain: entry.retain)
        }
    }

    /// An earlier run did not come to the end with an estate.
    mutating func inherit(_ key: [UInt8]) {
        estates[key] = Estate(key: key)
        readEstates()
    }

    /// Goes on with estates that are on disk, a page of each for one commit, while there is memory for that.
    mutating func readEstates() {
        for estate in estates.values where !estate.isReading && estate.readyAfter <= settled {
            guard memoryBytes < limits.memoryBytes else { return }
            estates[estate.key]?.isReading = true
            let kind = QueueRead.Kind.next(count: limits.headCount, bytes: limits.headBytes)
            _ = startRead(
                kind, key: estate.key, after: estate.start, for: .estate(estate.key), bytes: limits.headBytes)
        }
    }

    /// Shares out entries of an estate: each leaves it with the commit that puts it into a member's queue, those that
    /// nobody gets at its end.
    mutating func share(_ page: QueuePage, of key: [UInt8]) {
        guard case .next(let entries, let isEnd) = page, estates[key] != nil else { return }
        for stored in entries {
            estates[key]?.start = stored.sequence
            guard let message = Message(stored), !message.isExpired(now: now),
                handOn(message, share: stored.share, retain: stored.retain)
            else { continue }
            record(.dequeue(key: key, sequence: stored.sequence))
        }
        estates[key]?.isReading = false
        estates[key]?.readyAfter = commits.latest
        if isEnd {
            estates[key] = nil
            record(.dropSession(key: key))
        }
        readEstates()
    }

    /// Gives a message of a group to one of its members, rather beyond a limit than that it is lost.
    ///
    /// - Returns: false where there is none.
    private mutating func handOn(_ message: Message, share: [UInt8], retain: Bool) -> Bool {
        guard let group = group(share) else { return false }
        let fit = group.pick { fitness(of: $0, for: message.qos) }
        guard let member = fit ?? group.members.first(where: { $0.options.qos > .atMostOnce }) else { return false }
        let qos = min(message.qos, member.options.qos)
        if qos > .atMostOnce {
            enqueue(message, qos, member.grant, retain: retain, share: group.filter, for: member.session)
            feed(member.session)
        } else {
            deliver(message, to: member.session, member.grant, share: group.filter)
        }
        return true
    }

    private func group(_ filter: [UInt8]) -> ShareGroup? {
        guard TopicFilter.isShared(filter.span) else { return nil }
        let path = Subscription(filter: filter, options: SubscriptionOptions(qos: .atMostOnce)).topicFilter
        return subscribers.value(at: path.span)?.group(filter)
    }
}
