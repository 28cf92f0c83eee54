//  What the broker tells about itself on `$SYS/broker/…`, with the names that Mosquitto uses.

import MQTTWire

extension BrokerCore {
    /// Publishes the numbers of the `$SYS` tree that somebody subscribed to; call it every ten seconds.
    ///
    /// Not retained: a new subscriber hears with the next report. Costs a look into the tree of filters per number.
    package mutating func reportSystem(version: String, uptimeSeconds: Int64, now: Int64) {
        var sums: SessionSums?
        for number in SystemNumber.allCases {
            let topic = Array("$SYS/broker/\(number.rawValue)".utf8)
            guard isHeard(topic) else { continue }
            let text =
                switch number {
                case .version: "apus version \(version)"
                case .uptime: "\(uptimeSeconds) seconds"
                default: "\(value(of: number, &sums))"
                }
            publish(topic: topic, payload: Array(text.utf8), qos: .atMostOnce, now: now)
        }
    }

    private func value(of number: SystemNumber, _ known: inout SessionSums?) -> Int {
        func sums() -> SessionSums {
            let sums = known ?? SessionSums(sessions.values)
            known = sums
            return sums
        }
        return switch number {
        case .version, .uptime: 0
        case .clientsTotal: sessions.count
        case .clientsConnected: sums().connected
        case .clientsDisconnected: sessions.count - sums().connected
        case .messagesReceived: counters.packetsReceived
        case .messagesSent: counters.packetsSent
        case .publishReceived: counters.published
        case .publishSent: counters.publishesSent
        case .publishDropped: counters.dropped
        case .publishDroppedToSlow: counters.droppedToSlow
        case .clientsClosedAsSlow: counters.closedAsSlow
        case .publishersHeldBack: counters.heldBack
        case .publishersThrottled: counters.throttled
        case .memoryBytes: memoryBytes
        case .failedCommits: counters.failedCommits
        case .bytesReceived: counters.bytesReceived
        case .bytesSent: counters.bytesSent
        case .subscriptions: sums().subscriptions
        case .retained: retained.count
        case .storedMessages: sums().queued
        case .storedBytes: queuedBytes
        }
    }
}

/// What is added up over all sessions, in one walk.
private struct SessionSums {
    var connected = 0
    var subscriptions = 0
    var queued = 0

    init(_ sessions: some Sequence<Session>) {
        for session in sessions {
            if session.connection != nil { connected += 1 }
            subscriptions += session.subscriptions.count
            queued += session.queueCount
        }
    }
}

/// The names below `$SYS/broker/`.
private enum SystemNumber: String, CaseIterable {
    case version
    case uptime
    case clientsTotal = "clients/total"
    case clientsConnected = "clients/connected"
    case clientsDisconnected = "clients/disconnected"
    case messagesReceived = "messages/received"
    case messagesSent = "messages/sent"
    case publishReceived = "publish/messages/received"
    case publishSent = "publish/messages/sent"
    case publishDropped = "publish/messages/dropped"
    // Mosquitto has no names for these.
    case publishDroppedToSlow = "publish/messages/dropped/slow"
    case clientsClosedAsSlow = "clients/closed/slow"
    case publishersHeldBack = "publishers/held back"
    case publishersThrottled = "publishers/throttled"
    case memoryBytes = "memory/bytes"
    case failedCommits = "store/commits/failed"
    case bytesReceived = "bytes/received"
    case bytesSent = "bytes/sent"
    case subscriptions = "subscriptions/count"
    case retained = "retained messages/count"
    case storedMessages = "store/messages/count"
    case storedBytes = "store/messages/bytes"
}
