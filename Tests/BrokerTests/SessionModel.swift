import Broker
import ByteKit
import MQTTWire

/// What a client remembers across its connections: the other half of clause 4.3.
struct ClientMemory {
    /// A message that the client publishes and is not done with, in the order of sending.
    struct Outgoing {
        var id: UInt16
        var qos: QoS
        var topic: String
        var number: Int
        var isReleased = false
    }

    /// A message that has come to the application.
    struct Arrival: Equatable {
        var topic: String
        var number: Int
        var qos: QoS
    }

    let name: String
    let version: MQTTVersion
    var outgoing: [Outgoing] = []
    private var lastID: UInt16 = 0
    /// Numbers that the server has acknowledged.
    var promised: Set<Int> = []
    /// Identifiers of QoS 2 messages that were taken and not released.
    private var taken: Set<UInt16> = []
    var arrivals: [Arrival] = []
    /// Rules that the server broke, in words.
    var breaches: [String] = []

    init(name: String, version: MQTTVersion) {
        self.name = name
        self.version = version
    }

    /// A PUBLISH of a new message.
    mutating func publish(_ number: Int, to topic: String, qos: QoS) -> [UInt8] {
        repeat { lastID = lastID % 7 + 1 } while outgoing.contains { $0.id == lastID }
        let message = Outgoing(id: lastID, qos: qos, topic: topic, number: number)
        if qos > .atMostOnce { outgoing.append(message) }
        return packet(of: message, .first)
    }

    private func packet(of message: Outgoing, _ delivery: Delivery) -> [UInt8] {
        guard !message.isReleased else { return [0x62, 2, 0, UInt8(message.id)] }
        let (topic, payload) = (Array(message.topic.utf8), Array("\(message.number)".utf8))
        var bytes: [UInt8] = []
        _ = try? PacketEncoder(version: version).publish(
            topic: topic.span, qos: message.qos, delivery: delivery, packetID: message.id, payload: payload.span,
            to: &bytes)
        return bytes
    }

    /// All that is not acknowledged, once more; without a session at the server nothing of QoS 2 goes on.
    mutating func resume(isPresent: Bool) -> [[UInt8]] {
        if !isPresent {
            outgoing.removeAll(where: \.isReleased)
            taken.removeAll()
        }
        return outgoing.map { packet(of: $0, isPresent ? .repeated : .first) }
    }

    /// Takes one packet of the server and answers it.
    mutating func receive(_ frame: [UInt8]) -> [UInt8]? {
        guard let packet = try? Packet.decode(frame.span, version: version, from: .server) else {
            breaches.append("a malformed packet")
            return nil
        }
        switch packet {
        case .publish(let message): return receive(message, frame)
        case .puback(let ack), .pubcomp(let ack):
            if let index = outgoing.firstIndex(where: { $0.id == ack.packetID }) {
                let number = outgoing.remove(at: index).number
                if !ack.reason.isFailure { promised.insert(number) }
            }
        case .pubrec(let ack) where ack.reason.isFailure:
            outgoing.removeAll { $0.id == ack.packetID }
        case .pubrec(let ack):
            if let index = outgoing.firstIndex(where: { $0.id == ack.packetID }) {
                outgoing[index].isReleased = true
                // From here on the message is the server's.
                promised.insert(outgoing[index].number)
            }
            return [0x62, 2, 0, UInt8(ack.packetID)]
        case .pubrel(let ack):
            taken.remove(ack.packetID)
            return [0x70, 2, UInt8(ack.packetID >> 8), UInt8(ack.packetID & 0xFF)]
        default: break
        }
        return nil
    }

    private mutating func receive(_ message: Publish, _ frame: [UInt8]) -> [UInt8]? {
        func text(_ range: ByteRange) -> String { String(decoding: frame[range.start..<range.end], as: UTF8.self) }
        let arrival = Arrival(
            topic: text(message.topic), number: Int(text(message.payload)) ?? 0, qos: message.qos)
        let id = [UInt8(message.packetID >> 8), UInt8(message.packetID & 0xFF)]
        switch message.qos {
        case .atMostOnce:
            arrivals.append(arrival)
            return nil
        case .atLeastOnce:
            arrivals.append(arrival)
            return [0x40, 2] + id
        case .exactlyOnce:
            if taken.insert(message.packetID).inserted {
                arrivals.append(arrival)
            } else if !message.isDuplicate {
                breaches.append("identifier \(message.packetID) is in use [MQTT5-2.2.1-4]")
            }
            return [0x50, 2] + id
        }
    }
}
