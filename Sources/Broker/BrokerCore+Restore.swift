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
        for stored in state.sessions {
            if stored.principal == Estate.principal { inherit(stored.key) } else { restore(stored) }
        }
    }

    private mutating func restore(_ stored: RestoredState.StoredSession) {
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
        session.restore(stored.queue)
        queuedBytes += session.queuedBytes
        watchExpiry(session)
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
