//  One client's side of the wire: what the broker sends must be packets that the client can take, and answers that it asked
//  for (clauses 2 to 4).

import Broker
import ByteKit
import MQTTWire

/// Looks over the shoulder of one connection.
struct Watch {
    let connection: Connection
    private(set) var version = MQTTVersion.v311
    private var packetLimit = Int.max
    private var receiveMaximum = 65_535
    private var aliasMaximum: UInt16 = 0
    private var takesReasons = true
    private var aliases: [UInt16: [UInt8]] = [:]
    /// Messages to the client that it has not answered to the end, by identifier.
    private var open: [UInt16: QoS] = [:]
    /// Answers that the client waits for.
    private var asked: [Ask: Int] = [:]
    private var wasGreeted = false
    private var isOver = false

    private struct Ask: Hashable {
        var type: PacketType
        var id: UInt16
    }

    init(_ connection: Connection) {
        self.connection = connection
    }

    /// The highest open identifiers first: what a client would answer.
    var openIDs: [UInt16] { open.keys.sorted() }

    // MARK: From the client

    /// Takes note of a packet that the client is about to send.
    mutating func sends(_ frame: [UInt8]) {
        guard let packet = try? Packet.decode(frame.span, version: version, from: .client) else {
            if !wasGreeted { version = Connect.announcedVersion(in: frame.span) ?? version }
            return
        }
        switch packet {
        case .connect(let connect): sends(connect, frame)
        case .publish(let publish) where publish.qos == .atLeastOnce: ask(.puback, publish.packetID)
        case .publish(let publish) where publish.qos == .exactlyOnce: ask(.pubrec, publish.packetID)
        case .pubrel(let ack): ask(.pubcomp, ack.packetID)
        case .subscribe(let request): ask(.suback, request.packetID)
        case .unsubscribe(let request): ask(.unsuback, request.packetID)
        case .pingreq: ask(.pingresp, 0)
        case .puback(let ack) where open[ack.packetID] == .atLeastOnce: open[ack.packetID] = nil
        case .pubrec(let ack):
            if ack.reason.isFailure, open[ack.packetID] == .exactlyOnce { open[ack.packetID] = nil }
            // Unknown ones are answered as well.
            ask(.pubrel, ack.packetID)
        case .pubcomp(let ack) where open[ack.packetID] == .exactlyOnce: open[ack.packetID] = nil
        default: break
        }
    }

    private mutating func sends(_ connect: Connect, _ frame: [UInt8]) {
        guard !wasGreeted else { return }
        version = connect.version
        guard version == .v5 else { return }
        let properties = connect.properties
        packetLimit = properties.u32(.maximumPacketSize, in: frame.span).map { Int($0) } ?? .max
        receiveMaximum = Int(properties.u16(.receiveMaximum, in: frame.span) ?? 65_535)
        aliasMaximum = properties.u16(.topicAliasMaximum, in: frame.span) ?? 0
        takesReasons = properties.byte(.requestProblemInformation, in: frame.span) != 0
    }

    private mutating func ask(_ type: PacketType, _ id: UInt16) {
        asked[Ask(type: type, id: id), default: 0] += 1
    }

    // MARK: From the broker

    /// Takes what the broker has for the client; all of it must be right.
    mutating func read() -> [[UInt8]] {
        let bytes = connection.output
        connection.output = []
        var frames: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let rest = bytes.span.extracting(droppingFirst: start)
            guard let header = try? FrameHeader.peek(rest), header.totalBytes <= rest.count else {
                fatalError("half a packet to a client")
            }
            frames.append(Array(bytes[start..<(start + header.totalBytes)]))
            start += header.totalBytes
        }
        for frame in frames { hears(frame) }
        return frames
    }

    private mutating func hears(_ frame: [UInt8]) {
        require(!isOver, "3.14.4-1: a packet after DISCONNECT")
        require(frame.count <= packetLimit, "3.1.2-24: \(frame.count) bytes to a client that takes \(packetLimit)")
        guard let packet = try? Packet.decode(frame.span, version: version, from: .server) else {
            fatalError("a malformed packet to a client: \(frame.prefix(40))")
        }
        if case .connack = packet {
            require(!wasGreeted, "3.2.0-2: a second CONNACK")
            wasGreeted = true
            return
        }
        require(wasGreeted, "3.2.0-1: another packet before CONNACK")
        switch packet {
        case .publish(let publish): hears(publish, frame)
        case .puback(let ack): answered(.puback, ack.packetID, ack.properties)
        case .pubrec(let ack): answered(.pubrec, ack.packetID, ack.properties)
        case .pubcomp(let ack): answered(.pubcomp, ack.packetID, ack.properties)
        case .pubrel(let ack): require(open[ack.packetID] != .atLeastOnce, "4.3.2: PUBREL for a QoS 1 message")
        case .suback(let ack): answered(.suback, ack.packetID, ack.properties)
        case .unsuback(let ack): answered(.unsuback, ack.packetID, ack.properties)
        case .pingresp: answered(.pingresp, 0, .empty)
        case .disconnect: isOver = true
        default: fatalError("a packet that a server never sends: \(packet)")
        }
    }

    private mutating func answered(_ type: PacketType, _ id: UInt16, _ properties: ByteRange) {
        let ask = Ask(type: type, id: id)
        require(asked[ask, default: 0] > 0, "\(type) \(id): an answer that nobody asked for")
        asked[ask, default: 0] -= 1
        require(takesReasons || properties.isEmpty, "3.1.2-29: a reason for a client that wants none")
    }

    private mutating func hears(_ publish: Publish, _ frame: [UInt8]) {
        var topic = frame.span.slice(publish.topic).copy()
        if let alias = publish.properties.u16(.topicAlias, in: frame.span) {
            require(alias <= aliasMaximum, "3.1.2-26: alias \(alias) to a client that takes \(aliasMaximum)")
            if topic.isEmpty { topic = aliases[alias] ?? [] } else { aliases[alias] = topic }
        }
        require(TopicName.isValid(topic.span), "3.3.2-1: a PUBLISH without topic")
        guard publish.qos > .atMostOnce else { return }
        require(open[publish.packetID] == nil, "2.2.1-4: identifier \(publish.packetID) is in use")
        open[publish.packetID] = publish.qos
        require(open.count <= receiveMaximum, "3.3.4-9: \(open.count) open messages, \(receiveMaximum) are taken")
    }
}
