import JSONText
import MQTTWire

/// What AWS IoT tells of a client on `$aws/events/presence/…` and `$aws/events/subscriptions/…`.
package struct LifecycleEvent: Sendable {
    package enum Kind: Sendable, Equatable {
        case connected
        case disconnected(DisconnectReason)
        /// The filters of one SUBSCRIBE that were granted.
        case subscribed([[UInt8]])
        /// The filters of one UNSUBSCRIBE that had been subscribed.
        case unsubscribed([[UInt8]])
    }

    package var kind: Kind
    package var clientID: [UInt8]
    package var principal: Principal
    /// 32 hexadecimal digits, the same in all events of one connection.
    package var sessionIdentifier: [UInt8]
    /// Counts the connections of the client from 0; begins again after an hour without one.
    package var versionNumber: Int
    /// Where the client connects from, `ADDRESS:PORT`.
    package var address: String
    /// When it happened, milliseconds since 1970.
    package var timestamp: Int64

    /// The thing that came or went; an operator's client goes by its identifier.
    package var thing: [UInt8] {
        switch principal {
        case .device(let thing): thing
        case .administrator: clientID
        }
    }

    /// The topic to publish to; nil for client identifiers with wildcards, which get none.
    package var topic: [UInt8]? {
        guard !clientID.contains(UInt8(ascii: "+")), !clientID.contains(UInt8(ascii: "#")) else { return nil }
        return Array("$aws/events/\(family)/\(name)/".utf8) + clientID
    }

    /// The JSON to publish.
    package var payload: [UInt8] {
        var body: [UInt8] = []
        append("clientId", clientID, to: &body, opening: "{")
        body.append(contentsOf: ",\"timestamp\":\(timestamp)".utf8)
        append("eventType", Array(name.utf8), to: &body)
        append("sessionIdentifier", sessionIdentifier, to: &body)
        append("principalIdentifier", thing, to: &body)
        appendDetails(to: &body)
        body.append(UInt8(ascii: "}"))
        return body
    }

    private var family: String {
        switch kind {
        case .connected, .disconnected: "presence"
        case .subscribed, .unsubscribed: "subscriptions"
        }
    }

    private var name: String {
        switch kind {
        case .connected: "connected"
        case .disconnected: "disconnected"
        case .subscribed: "subscribed"
        case .unsubscribed: "unsubscribed"
        }
    }

    private func appendDetails(to body: inout [UInt8]) {
        switch kind {
        case .connected:
            let host = address.split(separator: ":").dropLast().joined(separator: ":")
            append("ipAddress", Array(host.utf8), to: &body)
            body.append(contentsOf: ",\"versionNumber\":\(versionNumber)".utf8)
        case .disconnected(let reason):
            body.append(contentsOf: ",\"clientInitiatedDisconnect\":\(reason == .clientInitiated)".utf8)
            append("disconnectReason", Array(reason.rawValue.utf8), to: &body)
            body.append(contentsOf: ",\"versionNumber\":\(versionNumber)".utf8)
        case .subscribed(let filters), .unsubscribed(let filters):
            body.append(contentsOf: ",\"topics\":[".utf8)
            for (index, filter) in filters.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                JSONWriter.string(filter.span, to: &body)
            }
            body.append(UInt8(ascii: "]"))
        }
    }

    private func append(_ key: String, _ value: [UInt8], to body: inout [UInt8], opening: String = ",") {
        body.append(contentsOf: "\(opening)\"\(key)\":".utf8)
        JSONWriter.string(value.span, to: &body)
    }
}

/// Why a connection ended, in AWS IoT's words.
package enum DisconnectReason: String, Sendable {
    case clientInitiated = "CLIENT_INITIATED_DISCONNECT"
    case connectionLost = "CONNECTION_LOST"
    case keepAliveTimeout = "MQTT_KEEP_ALIVE_TIMEOUT"
    case duplicateClientID = "DUPLICATE_CLIENTID"
    case clientError = "CLIENT_ERROR"
    case authorization = "AUTH_ERROR"
    case throttled = "THROTTLED"
    case serverError = "SERVER_ERROR"
    case serverInitiated = "SERVER_INITIATED_DISCONNECT"
    case apiInitiated = "API_INITIATED_DISCONNECT"

    /// The word for a connection that the server ended with `reason`.
    init(_ reason: ReasonCode?) {
        switch reason {
        case .sessionTakenOver: self = .duplicateClientID
        case .keepAliveTimeout: self = .keepAliveTimeout
        case .notAuthorized: self = .authorization
        case .quotaExceeded: self = .throttled
        case .implementationSpecificError: self = .serverError
        case .serverShuttingDown: self = .serverInitiated
        default: self = .clientError
        }
    }
}

/// Counts the connections of each client (`versionNumber`).
struct ConnectionCounts {
    /// Milliseconds without connection after which the count begins again.
    private static let memory: Int64 = 3_600_000
    /// Clients that are remembered.
    private static let limit = 100_000
    /// Bytes of the longest key that is remembered (AWS IoT takes client identifiers of 128).
    private static let longestKey = 512

    private var known: [[UInt8]: (number: Int, leftAt: Int64)] = [:]

    /// The number of a connection that begins.
    mutating func next(_ key: [UInt8], now: Int64) -> Int {
        guard key.count <= Self.longestKey else { return 0 }
        if known.count >= Self.limit { forget(now: now) }
        var number = 0
        if let last = known[key], last.leftAt > now - Self.memory { number = last.number + 1 }
        known[key] = (number, .max)
        return number
    }

    mutating func left(_ key: [UInt8], now: Int64) {
        known[key]?.leftAt = now
    }

    private mutating func forget(now: Int64) {
        known = known.filter { $0.value.leftAt > now - Self.memory }
        // Rather a count that begins again than a walk at every connection.
        if known.count > Self.limit / 2 { known.removeAll() }
    }
}

extension BrokerCore {
    mutating func note(_ kind: LifecycleEvent.Kind, _ connection: Connection, _ session: Session) {
        step(
            .lifecycle(
                LifecycleEvent(
                    kind: kind, clientID: session.clientID, principal: session.principal,
                    sessionIdentifier: connection.identifier, versionNumber: connection.number,
                    address: connection.address, timestamp: now)))
    }
}
