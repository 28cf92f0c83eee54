import Broker
import ByteKit
import MQTTWire

/// A broker with clients that speak in encoded packets: what a client sends goes through the core, what it gets is decoded.
struct Stage: ~Copyable {
    var core: BrokerCore
    var now: Int64 = 1_000_000
    /// Tickets of changes that are not committed yet.
    var open: [UInt64] = []
    var changes: [DurableChange] = []
    var steps: [BrokerStep] = []
    /// Whether changes are committed at once.
    var commits = true
    /// Whether queues on disk are read at once; otherwise reads gather in `openReads`.
    var reads = true
    var openReads: [QueueRead] = []
    /// What is committed.
    var disk = Disk()
    private let limits: BrokerLimits
    private var underWay: [UInt64: [DurableChange]] = [:]

    init(denied: [String] = [], longestKeepAlive: UInt16? = nil, limits: BrokerLimits = BrokerLimits()) {
        self.limits = limits
        core = BrokerCore(
            policy: TopicPolicy(denied: denied.map { Array($0.utf8) }), longestKeepAlive: longestKeepAlive,
            limits: limits)
    }

    /// A client that has said CONNECT and been let in.
    mutating func client(
        _ name: String, _ version: MQTTVersion = .v311, session: SessionStart = .clean,
        as principal: Principal = .administrator,
        keepAlive: UInt16 = 0, will: (topic: String, payload: String)? = nil, willRetain: Retain = .no,
        willProperties: [UInt8] = [], properties: [UInt8] = []
    ) -> Client {
        let client = Client(version, now: now)
        core.opened(client.connection, now: now)
        let id = Array(name.utf8)
        var bytes: [UInt8] = []
        let encoder = PacketEncoder(version: version)
        if let will {
            let (topic, payload) = (Array(will.topic.utf8), Array(will.payload.utf8))
            let message = WillMessage(
                topic: topic.span, payload: payload.span, qos: .atLeastOnce, retain: willRetain,
                properties: willProperties.span)
            try? encoder.connect(
                clientID: id.span, session: session, keepAliveSeconds: keepAlive, will: message,
                properties: properties.span,
                to: &bytes)
        } else {
            try? encoder.connect(
                clientID: id.span, session: session, keepAliveSeconds: keepAlive, properties: properties.span,
                to: &bytes)
        }
        send(bytes, from: client)
        core.authenticated(client.connection, as: principal, now: now)
        settle()
        return client
    }

    mutating func send(_ bytes: [UInt8], from client: Client) {
        core.received(bytes.span, from: client.connection, now: now)
        settle()
    }

    mutating func publish(
        _ topic: String, _ payload: String, qos: QoS = .atMostOnce, id: UInt16 = 0, retain: Retain = .no,
        from client: Client
    ) {
        let (name, body) = (Array(topic.utf8), Array(payload.utf8))
        var bytes: [UInt8] = []
        _ = try? PacketEncoder(version: client.version).publish(
            topic: name.span, qos: qos, retain: retain, packetID: id, payload: body.span, to: &bytes)
        send(bytes, from: client)
    }

    mutating func subscribe(
        _ filter: String, qos: QoS = .atLeastOnce, options: SubscriptionOptions? = nil, identifier: Int? = nil,
        from client: Client
    ) {
        let name = Array(filter.utf8)
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        if let identifier {
            Property.append(.subscriptionIdentifier, variableByteInteger: identifier, to: &block)
        }
        try? PacketEncoder(version: client.version).subscribe(
            7, filter: name.span, options: options ?? SubscriptionOptions(qos: qos), properties: block.span, to: &bytes)
        send(bytes, from: client)
    }

    mutating func acknowledge(_ id: UInt16, from client: Client) {
        answer(.puback, id, from: client)
    }

    /// Sends PUBACK, PUBREC, PUBREL or PUBCOMP.
    mutating func answer(_ type: PacketType, _ id: UInt16, _ reason: ReasonCode = .success, from client: Client) {
        let first = type.rawValue << 4 | (type == .pubrel ? 2 : 0)
        let tail = reason == .success ? [] : [reason.rawValue]
        send([first, UInt8(2 + tail.count), UInt8(id >> 8), UInt8(id & 0xFF)] + tail, from: client)
    }

    /// Brings back a ticket as committed.
    mutating func commit(_ ticket: UInt64) {
        for change in underWay.removeValue(forKey: ticket) ?? [] { disk.apply(change) }
        core.committed(ticket, now: now)
        settle()
    }

    /// Brings back every open ticket as committed.
    mutating func commitAll() {
        while !open.isEmpty { commit(open.removeFirst()) }
    }

    /// Answers the oldest open read with what is on disk now.
    mutating func answerRead() {
        guard !openReads.isEmpty else { return }
        let read = openReads.removeFirst()
        core.read(read.number, disk.page(read), now: now)
        settle()
    }

    /// Answers all open reads, and those that follow.
    mutating func answerReads() {
        while !openReads.isEmpty { answerRead() }
    }

    /// The server is there again, with what is on disk.
    mutating func restart() {
        let (old, time, isAutomatic, readsAtOnce) = (disk, now, commits, reads)
        self = Stage(limits: limits)
        (disk, now, commits, reads) = (old, time, isAutomatic, readsAtOnce)
        core.restore(disk.state(limits), now: now)
        settle()
    }

    /// Takes what the core has, as the shell would.
    mutating func settle() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for step in core.takeSteps() {
                if case .read(let read) = step {
                    guard reads else {
                        openReads.append(read)
                        continue
                    }
                    core.read(read.number, disk.page(read), now: now)
                    isBusy = true
                } else {
                    steps.append(step)
                }
            }
            if let (ticket, changed) = core.takeChanges() {
                changes += changed
                underWay[ticket] = changed
                if commits { commit(ticket) } else { open.append(ticket) }
                isBusy = true
            }
        }
        _ = core.takeDirty()
    }
}

/// One client's connection, and what it has been sent.
final class Client {
    let version: MQTTVersion
    let connection: Connection

    init(_ version: MQTTVersion, now: Int64) {
        self.version = version
        connection = Connection(address: "127.0.0.1:5", certificateThing: nil, now: now)
    }

    /// What arrived since the last call, in short words such as `connack 0 false` or `publish a/b x 1 retain dup #3`.
    func received() -> [String] {
        frames().map { Self.word($0, version) }
    }

    /// The packets that arrived since the last call.
    func frames() -> [[UInt8]] {
        let bytes = connection.output
        connection.output = []
        var frames: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let rest = bytes.span.extracting(droppingFirst: start)
            guard let header = try? FrameHeader.peek(rest) else { return frames + [[]] }
            frames.append(Array(bytes[start..<(start + header.totalBytes)]))
            start += header.totalBytes
        }
        return frames
    }

    /// Subscription identifiers, smallest first, such as ` <1,200>`.
    private static func identifiers(_ properties: ByteRange, _ frame: [UInt8]) -> String {
        var cursor = PropertyCursor(properties)
        var found: [UInt32] = []
        while let property = cursor.next(in: frame.span) {
            if property.id == .subscriptionIdentifier, case .variableByteInteger(let value) = property.value {
                found.append(value)
            }
        }
        return found.isEmpty ? "" : " <" + found.sorted().map { "\($0)" }.joined(separator: ",") + ">"
    }

    private static func word(_ name: String, _ ack: Ack) -> String {
        "\(name) #\(ack.packetID)" + (ack.reason == .success ? "" : " \(ack.reason.rawValue)")
    }

    private static func word(_ frame: [UInt8], _ version: MQTTVersion) -> String {
        func text(_ range: ByteRange) -> String { String(decoding: frame[range.start..<range.end], as: UTF8.self) }
        guard let packet = try? Packet.decode(frame.span, version: version, from: .server) else { return "malformed" }
        switch packet {
        case .connack(let ack): return "connack \(ack.reason.rawValue) \(ack.sessionPresent)"
        case .puback(let ack): return Self.word("puback", ack)
        case .pubrec(let ack): return Self.word("pubrec", ack)
        case .pubrel(let ack): return Self.word("pubrel", ack)
        case .pubcomp(let ack): return Self.word("pubcomp", ack)
        case .suback(let ack):
            return "suback " + frame[ack.codes.start..<ack.codes.end].map { "\($0)" }.joined(separator: ",")
        case .unsuback: return "unsuback"
        case .pingresp: return "pingresp"
        case .disconnect(let goodbye): return "disconnect \(goodbye.reason.rawValue)"
        case .publish(let message):
            return "publish \(text(message.topic)) \(text(message.payload)) \(message.qos.rawValue)"
                + (message.retain ? " retain" : "") + (message.isDuplicate ? " dup" : "")
                + (message.qos == .atMostOnce ? "" : " #\(message.packetID)")
                + identifiers(message.properties, frame)
        default: return "other"
        }
    }
}
