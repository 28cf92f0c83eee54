import MQTTWire

extension BrokerCore {
    /// Takes up what an earlier run left, or what is on disk after a failed commit; clients come back when they like.
    package mutating func restore(_ state: RestoredState, now: Int64) {
        self.now = now
        remember()
        for stored in state.retained {
            guard let qos = QoS(rawValue: stored.qos) else { continue }
            let message = Message(
                topic: stored.topic, payload: stored.payload, qos: qos, retain: true, properties: stored.properties,
                expires: stored.expires)
            place(message)
        }
        var common = CommonMessages()
        for stored in state.sessions {
            restore(stored, &common)
        }
    }

    private mutating func restore(_ stored: RestoredState.StoredSession, _ common: inout CommonMessages) {
        guard let principal = Principal(text: stored.principal),
            let clientID = Session.clientID(of: stored.key, principal)
        else { return }
        let session = Session(
            key: stored.key, principal: principal, clientID: clientID, expirySeconds: stored.expirySeconds)
        session.endedAt = stored.endedAt ?? now
        session.isStored = true
        add(session)
        for (filter, raw, identifier) in stored.subscriptions {
            guard let options = try? SubscriptionOptions(raw, version: .v5) else { continue }
            let subscription = Subscription(filter: filter, options: options, identifier: identifier)
            _ = session.subscribe(subscription)
            plant(subscription, of: session)
        }
        if let stored = stored.will, let will = LastWill(stored) {
            session.will = (will, stored.due ?? session.due(of: will, from: now))
        }
        arm(session)
        session.received = Set(stored.received)
        for (position, entry) in stored.queue.enumerated() {
            guard let qos = QoS(rawValue: entry.qos) else { continue }
            let message = common.message(of: entry, qos)
            hold(message)
            watchExpiry(of: message, in: session)
            // Which of them the earlier run had sent is not stored: at most one window of them (`maySend`).
            session.restore(
                QueueEntry(
                    sequence: entry.sequence, message: message, qos: qos, retain: entry.retain,
                    identifiers: entry.identifiers, share: entry.share, wasSent: position < limits.sendWindow,
                    isReleased: entry.isReleased))
        }
    }
}

/// Finds messages again that wait for several sessions, so that their bytes are in memory once.
private struct CommonMessages {
    private struct Key: Hashable {
        let topic: [UInt8]
        let payload: [UInt8]
        let properties: [UInt8]
        let qos: UInt8
        let expires: Int64?
    }

    private var known: [Key: Message] = [:]

    mutating func message(of entry: StoredEntry, _ qos: QoS) -> Message {
        let key = Key(
            topic: entry.topic, payload: entry.payload, properties: entry.properties, qos: entry.qos,
            expires: entry.expires)
        if let message = known[key] { return message }
        let message = Message(
            topic: entry.topic, payload: entry.payload, qos: qos, properties: entry.properties, expires: entry.expires)
        known[key] = message
        return message
    }
}

extension Session {
    /// `d/THING/CLIENT` or `a//CLIENT`: a thing's name has no slash.
    static func key(_ principal: Principal, clientID: [UInt8]) -> [UInt8] {
        Array((principal.text + "/").utf8) + clientID
    }

    static func clientID(of key: [UInt8], _ principal: Principal) -> [UInt8]? {
        let prefix = Array((principal.text + "/").utf8)
        return key.starts(with: prefix) ? Array(key.dropFirst(prefix.count)) : nil
    }
}

extension Principal {
    /// The principal as it is stored.
    var text: String {
        switch self {
        case .device(let thing): "d/" + String(decoding: thing, as: UTF8.self)
        case .administrator: "a/"
        }
    }

    init?(text: String) {
        switch text.prefix(2) {
        case "d/": self = .device(thing: Array(text.dropFirst(2).utf8))
        case "a/": self = .administrator
        default: return nil
        }
    }
}
