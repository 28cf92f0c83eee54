import Broker
import ByteKit
import MQTTWire
import Testing

/// A client with a kept session that comes and goes.
struct Guest {
    let name: String
    let version: MQTTVersion
    var client: Client

    init(_ version: MQTTVersion, _ stage: inout Stage, name: String = "c") {
        (self.name, self.version) = (name, version)
        client = Self.join(name, version, &stage)
        _ = client.received()
    }

    private static func join(_ name: String, _ version: MQTTVersion, _ stage: inout Stage) -> Client {
        stage.client(name, version, session: .resume, properties: kept(version))
    }

    /// Loses the connection and comes back: what it is sent then.
    mutating func again(_ stage: inout Stage) -> [String] {
        stage.breakLink(of: client)
        client = Self.join(name, version, &stage)
        let words = client.received()
        #expect(words.first == "connack 0 true")
        return Array(words.dropFirst())
    }
}

extension Stage {
    /// Publishes as the server.
    mutating func speak(_ text: String, _ qos: QoS, topic: String = "a") {
        core.publish(topic: Array(topic.utf8), payload: Array(text.utf8), qos: qos, now: now)
        settle()
    }
}

/// CONNECT properties of a session that is kept for ten minutes; 3.1.1 asks for that by a flag.
func kept(_ version: MQTTVersion) -> [UInt8] {
    version == .v5 ? block((.sessionExpiryInterval, 600)) : []
}

/// A CONNACK of MQTT 5.
struct Welcome {
    let frame: [UInt8]
    private let properties: ByteRange

    /// What the client was sent, where that is a CONNACK and nothing else.
    init?(_ client: Client) {
        let frames = client.frames()
        guard frames.count == 1, let frame = frames.first,
            case .connack(let ack)? = try? Packet.decode(frame.span, version: .v5, from: .server)
        else { return nil }
        self.frame = frame
        properties = ack.properties
    }

    func text(_ id: PropertyID) -> [UInt8]? {
        properties.range(id, in: frame.span).map { Array(frame[$0.start..<$0.end]) }
    }

    func byte(_ id: PropertyID) -> UInt8? { properties.byte(id, in: frame.span) }
}
