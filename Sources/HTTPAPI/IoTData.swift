package import Broker
import ByteKit
import Foundation
import HTTPTypes
import Hummingbird
import JobService
import MQTTWire
import Operations
import ShadowDocument
import ShadowService

/// What programs may ask of the broker; each call comes back when what must be kept is on disk.
package struct BrokerCalls: Sendable {
    package var publish: @Sendable (ProgramMessage, Principal) async throws -> ProgramOutcome
    package var send: @Sendable (ProgramMessage, _ client: [UInt8]) async throws -> ProgramOutcome
    package var client: @Sendable ([UInt8]) async throws -> ClientFacts?
    package var disconnect:
        @Sendable (_ client: [UInt8], _ endsSession: Bool, _ dropsWill: Bool) async throws -> ProgramOutcome

    package init(
        publish: @escaping @Sendable (ProgramMessage, Principal) async throws -> ProgramOutcome,
        send: @escaping @Sendable (ProgramMessage, [UInt8]) async throws -> ProgramOutcome,
        client: @escaping @Sendable ([UInt8]) async throws -> ClientFacts?,
        disconnect: @escaping @Sendable ([UInt8], Bool, Bool) async throws -> ProgramOutcome
    ) {
        self.publish = publish
        self.send = send
        self.client = client
        self.disconnect = disconnect
    }
}

/// AWS IoT's HTTP data plane, `iot-data` (spec 4, 5).
struct IoTData {
    /// Bytes of a message or a document (1.2).
    private static let payloadLimit = 128 << 10
    /// Bytes of a topic (AWS IoT: 256).
    private static let topicLimit = 256

    let operations: Operations
    let broker: BrokerCalls

    func answer(_ call: AWSCall) async throws -> Response {
        guard call.body.count <= Self.payloadLimit else { throw AWSFault.tooLarge }
        let path = call.target.segments
        switch (path[0], path.count) {
        case ("things", 3): return try await shadow(call, path[1])
        case ("api", 5) where path[1...3] == ["things", "shadow", "ListNamedShadowsForThing"]:
            return try await list(call, path[4])
        case ("topics", 2...): return try await publish(call, topic: path[1...].joined(separator: "/"))
        case ("retainedMessage", 1): return try await retainedMessages(call)
        case ("retainedMessage", 2...):
            return try await retainedMessage(call, topic: path[1...].joined(separator: "/"))
        case ("connections", 2): return try await connection(call, path[1])
        case ("connections", 3) where path[2] == "subscriptions": return try await subscriptions(call, path[1])
        case ("connections", 3) where path[2] == "messages": return try await direct(call, path[1])
        default: throw AWSFault.notFound("There is nothing at this path")
        }
    }

    // MARK: Shadows

    private func shadow(_ call: AWSCall, _ thing: String) async throws -> Response {
        let operation: ShadowOperation =
            switch call.method {
            case "GET": .get
            case "POST": .update
            case "DELETE": .delete
            default: throw AWSFault.methodNotAllowed
            }
        guard let id = ShadowID(thing: thing, name: call.query("name")) else {
            throw AWSFault.invalid("Invalid thing or shadow name")
        }
        try call.admit(to: thing)
        return try response(
            await operations.shadowRequest(ShadowRequest(id: id, operation: operation), payload: call.body))
    }

    private func list(_ call: AWSCall, _ thing: String) async throws -> Response {
        guard call.method == "GET" else { throw AWSFault.methodNotAllowed }
        guard ShadowID(thing: thing, name: nil) != nil else { throw AWSFault.invalid("Invalid thing name") }
        try call.admit(to: thing)
        let answer = ShadowService.listNamed(
            names: try await operations.namedShadows(thing: thing), pageSize: try call.integer("pageSize", or: nil),
            nextToken: call.query("nextToken"), timestampSeconds: UInt64(Date().timeIntervalSince1970))
        return try response(answer)
    }

    private func response(_ answer: ShadowAnswer) throws -> Response {
        switch answer {
        case .success(let body): return AWSAnswer.success(body)
        case .refusal(let refusal): throw AWSFault(refusal)
        }
    }

    // MARK: Messages

    fileprivate struct Published: Encodable {
        var message = "OK"
        var traceId = UUID().uuidString.lowercased()
    }

    private func publish(_ call: AWSCall, topic: String) async throws -> Response {
        guard call.method == "POST" else { throw AWSFault.methodNotAllowed }
        var message = try self.message(call, topic: topic)
        guard let qos = try call.integer("qos", 0...1) else { throw AWSFault.invalid("Invalid qos: 0 or 1") }
        message.qos = UInt8(qos)
        message.retain = try call.flag("retain")
        let outcome = try await broker.publish(message, call.principal)
        switch outcome {
        case .asked(.jobs): try await operations.jobRequest(topic: message.topic, payload: message.payload)
        case .asked: try await operations.shadowRequest(topic: message.topic, payload: message.payload)
        default: try refuse(outcome)
        }
        return AWSAnswer.success(Published())
    }

    private func refuse(_ outcome: ProgramOutcome) throws(AWSFault) {
        switch outcome {
        case .done, .asked: break
        case .forbidden: throw .forbidden
        case .invalid: throw .invalid("This topic cannot be published to in this way")
        case .full: throw .throttled
        case .unknown: throw .notFound("There is no such client")
        case .unavailable: throw .unavailable
        }
    }

    /// The message of a call, at QoS 0.
    private func message(_ call: AWSCall, topic: String) throws -> ProgramMessage {
        let name = Array(topic.utf8)
        guard name.count <= Self.topicLimit, TopicName.isValid(name.span) else {
            throw AWSFault.invalid("Invalid topic: 1 to 256 bytes without wildcards")
        }
        return ProgramMessage(
            topic: name, payload: call.body, properties: try MessageFields(call).block,
            expirySeconds: try call.integer("messageExpiry", 0...Int(UInt32.max), or: nil).map(UInt32.init(clamping:)))
    }

    // MARK: Retained messages

    fileprivate struct RetainedPage: Encodable {
        var retainedTopics: [RetainedTopic]
        var nextToken: String?
    }

    fileprivate struct RetainedBody: Encodable {
        var topic: String
        var payload: Data
        var qos: Int
        var lastModifiedTime: Int64
        var userProperties: Data?
    }

    private func retainedMessages(_ call: AWSCall) async throws -> Response {
        guard call.method == "GET" else { throw AWSFault.methodNotAllowed }
        try call.admitOperator()
        let size = try call.integer("maxResults", 1...200, or: 200) ?? 200
        let rows = try await operations.retainedTopics(after: try call.token(), limit: size + 1)
        let shown = rows.prefix(size)
        return AWSAnswer.success(
            RetainedPage(
                retainedTopics: Array(shown), nextToken: rows.count > size ? shown.last.map { Token.of($0.topic) } : nil
            ))
    }

    private func retainedMessage(_ call: AWSCall, topic: String) async throws -> Response {
        guard call.method == "GET" else { throw AWSFault.methodNotAllowed }
        try call.admitOperator()
        guard let found = try await operations.retainedMessage(topic: topic) else {
            throw AWSFault.notFound("No retained message exists on topic '\(topic)'")
        }
        return AWSAnswer.success(
            RetainedBody(
                topic: topic, payload: found.payload, qos: found.qos, lastModifiedTime: found.stored,
                userProperties: MessageFields.userProperties(in: found.properties)))
    }

    // MARK: Connections

    fileprivate struct Connection: Encodable {
        var clientId: String
        var connected: Bool
        var thingName: String?
        var cleanSession: Bool
        var sessionExpiry: Int64
        var sourceIp: String?
        var sourcePort: Int?
        var keepAliveDuration: Int?
        var connectedSince: Int64?
        var disconnectedSince: Int64?
    }

    private func connection(_ call: AWSCall, _ client: String) async throws -> Response {
        try call.admitOperator()
        let id = try self.client(client)
        switch call.method {
        case "GET":
            return AWSAnswer.success(
                try await facts(id, client).connection(client, withSocket: try call.flag("includeSocketInformation")))
        case "DELETE":
            try refuse(
                await broker.disconnect(id, try call.flag("cleanSession"), try call.flag("preventWillMessage")))
            return AWSAnswer.success([])
        default: throw AWSFault.methodNotAllowed
        }
    }

    fileprivate struct SubscriptionPage: Encodable {
        struct Row: Encodable {
            var topicFilter: String
            var qos: Int
        }

        var subscriptions: [Row]
        var nextToken: String?
    }

    private func subscriptions(_ call: AWSCall, _ client: String) async throws -> Response {
        guard call.method == "GET" else { throw AWSFault.methodNotAllowed }
        try call.admitOperator()
        let size = try call.integer("maxResults", 1...200, or: 200) ?? 200
        let after = try call.token()
        let rows = try await facts(self.client(client), client).subscriptions
            .map { SubscriptionPage.Row(topicFilter: String(decoding: $0.filter, as: UTF8.self), qos: Int($0.qos)) }
            .filter { after.isEmpty || after.utf8.lexicographicallyPrecedes($0.topicFilter.utf8) }
        let shown = rows.prefix(size)
        return AWSAnswer.success(
            SubscriptionPage(
                subscriptions: Array(shown),
                nextToken: rows.count > size ? shown.last.map { Token.of($0.topicFilter) } : nil))
    }

    private func direct(_ call: AWSCall, _ client: String) async throws -> Response {
        guard call.method == "POST" else { throw AWSFault.methodNotAllowed }
        try call.admitOperator()
        guard try !call.flag("confirmation") else {
            throw AWSFault.invalid("confirmation: not offered; messages are sent at QoS 0")
        }
        let message = try self.message(call, topic: call.query("topic") ?? "")
        try refuse(await broker.send(message, self.client(client)))
        return AWSAnswer.success(Published())
    }

    private func client(_ client: String) throws(AWSFault) -> [UInt8] {
        guard (1...128).contains(client.utf8.count), !client.hasPrefix("$") else {
            throw .invalid("Invalid clientId: 1 to 128 bytes, not a dollar sign first")
        }
        return Array(client.utf8)
    }

    private func facts(_ id: [UInt8], _ client: String) async throws -> ClientFacts {
        guard let facts = try await broker.client(id) else {
            throw AWSFault.notFound("There is no client '\(client)'")
        }
        return facts
    }
}

extension ClientFacts {
    /// As GetConnection shows it; the socket's addresses only where they are asked for.
    fileprivate func connection(_ client: String, withSocket: Bool) -> some Encodable {
        let parts = (withSocket ? address : nil)?.split(separator: ":") ?? []
        return IoTData.Connection(
            clientId: client, connected: isConnected, thingName: thing.map { String(decoding: $0, as: UTF8.self) },
            cleanSession: sessionExpiry == 0, sessionExpiry: Int64(sessionExpiry),
            sourceIp: parts.count > 1 ? parts.dropLast().joined(separator: ":") : nil,
            sourcePort: parts.count > 1 ? parts.last.flatMap { Int($0) } : nil,
            keepAliveDuration: keepAliveSeconds.map { Int($0) }, connectedSince: connectedSince,
            disconnectedSince: disconnectedSince)
    }
}
