//  Packets byte by byte, for what no encoder would write, and what becomes of whoever sends them.
import Broker
import MQTTWire
import Testing

/// A string or binary field behind its length.
func field(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
}

func field(_ text: String) -> [UInt8] {
    field(Array(text.utf8))
}

/// A packet with a body of fewer than 128 bytes.
func frame(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
    [first, UInt8(body.count)] + body
}

/// Properties behind their length; 3.1.1 has none.
func properties(_ version: MQTTVersion, _ block: [UInt8] = []) -> [UInt8] {
    version == .v5 ? [UInt8(block.count)] + block : []
}

/// A CONNECT with keep-alive 0; `rest` is what follows the client identifier.
func connect(
    _ version: MQTTVersion, flags: UInt8 = 2, _ block: [UInt8] = [], id: [UInt8] = field("c"), rest: [UInt8] = []
) -> [UInt8] {
    frame(0x10, field("MQTT") + [version.rawValue, flags, 0, 0] + properties(version, block) + id + rest)
}

extension Stage {
    /// A connection that has sent `bytes` and nothing else.
    mutating func stranger(_ version: MQTTVersion, _ bytes: [UInt8]) -> Client {
        let client = Client(version, now: now)
        core.opened(client.connection, now: now)
        send(bytes, from: client)
        return client
    }

    /// A connection that has sent this CONNECT, and may come in.
    mutating func guest(_ version: MQTTVersion, _ bytes: [UInt8]) -> Client {
        let client = stranger(version, bytes)
        core.authenticated(client.connection, as: .administrator, now: now)
        settle()
        return client
    }

    /// What clients showed in their CONNECTs.
    var credentials: [Credentials] {
        steps.compactMap { if case .authenticate(_, let shown) = $0 { shown } else { nil } }
    }
}

/// A packet that breaks a rule.
struct Breach: CustomStringConvertible, Sendable {
    let description: String
    /// What MQTT 5 calls it.
    let reason: ReasonCode
    let bytes: @Sendable (MQTTVersion) -> [UInt8]

    init(_ description: String, _ reason: ReasonCode, _ bytes: @escaping @Sendable (MQTTVersion) -> [UInt8]) {
        self.description = description
        self.reason = reason
        self.bytes = bytes
    }
}

/// The client is closed, MQTT 5 is told why, and nothing came of the packet.
func expectClosed(_ breach: Breach, _ version: MQTTVersion) {
    var stage = Stage()
    let witness = stage.client("w")
    stage.subscribe("#", from: witness)
    let client = stage.client("c", version)
    _ = (witness.received(), client.received())
    stage.send(breach.bytes(version), from: client)
    #expect(client.connection.isClosing)
    #expect(client.received() == (version == .v5 ? ["disconnect \(breach.reason.rawValue)"] : []))
    #expect(witness.received() == [])
}

/// The CONNECT is not taken: no CONNACK, nobody is asked who it is, the connection is closed.
func expectTurnedAway(_ bytes: [UInt8], _ version: MQTTVersion) {
    var stage = Stage()
    let client = stage.stranger(version, bytes)
    #expect(client.connection.isClosing && client.connection.output == [])
    #expect(stage.credentials.isEmpty)
}
