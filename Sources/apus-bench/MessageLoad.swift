//  Load for any MQTT broker: publishers as fast as the broker takes them, subscribers that count what comes.
//
//  Raw MQTT 3.1.1: what one publisher sends is made once and written again and again, so that the generator costs less
//  than what it measures. For QoS 0 the publishers wait only for their sockets; for QoS 1 each keeps a window open.

import ArgumentParser
import Foundation
import MQTTWire
import NIOCore
import NIOPosix
import Synchronization

struct MessageLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "messages", abstract: "Messages delivered per second, and the broker's CPU for each.",
        discussion: "Example: apus-bench messages --mqtt 127.0.0.1:1883 --pid $(pidof mosquitto) --qos 1")

    @Option(help: "HOST:PORT of plain MQTT; anybody must be allowed in.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Clients that publish, each to a topic of its own.") var publishers = 10
    @Option(help: "Clients that subscribe to all of the topics.") var subscribers = 10
    @Option(help: "0 or 1, for both sides.") var qos = 0
    @Option(help: "Messages that a publisher has open at QoS 1.") var window = 20
    @Option(help: "Bytes of a message.") var payload = 100
    @Option(help: "Messages a second of each publisher; absent: as fast as they are taken.") var rate: Int?
    @Option(help: "Seconds to measure, after one to warm up.") var seconds = 3
    @Option(help: "Process of the broker, for its CPU time.") var pid: Int?

    func run() async throws {
        let target = try BrokerTarget(mqtt)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let counts = MessageCounts()
        let root = "bench/\(UInt32.random(in: 0 ... .max))"
        var channels: [any Channel] = []
        for number in 0..<subscribers {
            let qos = qos
            channels.append(
                try await target.connect(group) {
                    CountingSubscriber("s\(number)-\(root.suffix(8))", filter: root + "/#", qos: qos, counts)
                })
        }
        try await counts.wait(subscribers)
        for number in 0..<publishers {
            let load = self
            channels.append(
                try await target.connect(group) { FloodingPublisher("p\(number)-\(root.suffix(8))", root, load) })
        }
        try await Task.sleep(for: .seconds(1))
        let (delivered, began) = (counts.delivered, ContinuousClock.now)
        let cpu = BrokerTarget.cpuSeconds(pid)
        try await Task.sleep(for: .seconds(seconds))
        let used = BrokerTarget.cpuSeconds(pid) - cpu
        let elapsed = began.duration(to: .now)
        let count = Double(counts.delivered - delivered)
        let time = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        print(
            String(format: "%.0f deliveries/s", count / time)
                + (counts.lost == 0 ? "" : ", \(counts.lost) subscribers closed by the broker")
                + (pid == nil || count == 0 ? "" : String(format: ", %.2f µs of broker CPU each", used * 1e6 / count)))
        for channel in channels { try? await channel.close() }
        try await group.shutdownGracefully()
    }
}

/// The broker under load.
struct BrokerTarget {
    let host: String
    let port: Int

    init(_ text: String) throws {
        let parts = text.split(separator: ":").map(String.init)
        guard parts.count == 2, let port = Int(parts[1]) else { throw ValidationError("--mqtt HOST:PORT") }
        (host, self.port) = (parts[0], port)
    }

    func connect(
        _ group: any EventLoopGroup, _ handler: @escaping @Sendable () -> any ChannelInboundHandler
    ) async throws -> any Channel {
        try await ClientBootstrap(group: group)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler()) }
            }
            .connect(host: host, port: port).get()
    }

    /// User and system time of a process so far.
    static func cpuSeconds(_ pid: Int?) -> Double {
        guard let pid, let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return 0 }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// What has arrived so far.
final class MessageCounts: Sendable {
    private let deliveries = Atomic<Int>(0)
    private let ready = Atomic<Int>(0)

    var delivered: Int { deliveries.load(ordering: .relaxed) }

    private let closed = Atomic<Int>(0)
    /// Subscribers that the broker has closed.
    var lost: Int { closed.load(ordering: .relaxed) }

    func ended() { closed.add(1, ordering: .relaxed) }
    func add(_ count: Int) { deliveries.add(count, ordering: .relaxed) }
    func subscribed() { ready.add(1, ordering: .relaxed) }

    func wait(_ count: Int) async throws {
        for _ in 0..<1000 where ready.load(ordering: .relaxed) < count { try await Task.sleep(for: .milliseconds(10)) }
        guard ready.load(ordering: .relaxed) == count else { throw ValidationError("not every subscriber got in") }
    }
}

/// Packets of MQTT 3.1.1 as bytes.
enum RawPacket {
    static func connect(_ id: String) -> [UInt8] {
        packet(0x10, [0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60] + text(id))
    }

    static func subscribe(_ filter: String, qos: Int) -> [UInt8] { packet(0x82, [0, 1] + text(filter) + [UInt8(qos)]) }

    /// At QoS 1 the packet identifier stands at `identifierOffset`.
    static func publish(
        _ topic: String, qos: Int, payload: Int
    ) -> (bytes: [UInt8], identifierOffset: Int) {
        let body = text(topic) + (qos > 0 ? [0, 0] : []) + [UInt8](repeating: 0x78, count: payload)
        let bytes = packet(UInt8(0x30 | qos << 1), body)
        return (bytes, bytes.count - payload - 2)
    }

    private static func text(_ text: String) -> [UInt8] {
        [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + Array(text.utf8)
    }

    private static func packet(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = body.count
        repeat {
            length.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return [type] + length + body
    }
}

/// Cuts packets out of what a socket brings.
struct PacketCutter {
    private var rest = ByteBuffer()

    /// Calls `body` with the type and the whole bytes of each packet.
    mutating func take(_ bytes: ByteBuffer, _ body: (_ type: UInt8, _ packet: ByteBuffer, _ header: Int) -> Void) {
        var bytes = bytes
        rest.writeBuffer(&bytes)
        while let header = try? FrameHeader.peek(rest.readableBytesUInt8Span), rest.readableBytes >= header.totalBytes,
            let packet = rest.readSlice(length: header.totalBytes)
        {
            let type = packet.getInteger(at: packet.readerIndex, as: UInt8.self) ?? 0
            let lengthBytes = header.totalBytes > 16_385 ? 3 : header.totalBytes > 129 ? 2 : 1
            body(type, packet, 1 + lengthBytes)
        }
        rest.discardReadBytes()
    }
}

/// Subscribes, counts, and acknowledges what wants to be.
final class CountingSubscriber: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let (id, filter): (String, String)
    private let qos: Int
    private let counts: MessageCounts
    private var cutter = PacketCutter()

    init(_ id: String, filter: String, qos: Int, _ counts: MessageCounts) {
        (self.id, self.filter) = (id, filter)
        self.qos = qos
        self.counts = counts
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(
            NIOAny(ByteBuffer(bytes: RawPacket.connect(id) + RawPacket.subscribe(filter, qos: qos))), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { counts.ended() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var acknowledgements = ByteBuffer()
        var count = 0
        cutter.take(unwrapInboundIn(data)) { type, packet, header in
            if type >> 4 == 9 { counts.subscribed() }
            guard type >> 4 == 3 else { return }
            count += 1
            let start = packet.readerIndex + header
            guard type & 0x06 != 0, let topic: UInt16 = packet.getInteger(at: start),
                let identifier: UInt16 = packet.getInteger(at: start + 2 + Int(topic))
            else { return }
            acknowledgements.writeBytes([0x40, 2])
            acknowledgements.writeInteger(identifier)
        }
        counts.add(count)
        if acknowledgements.readableBytes > 0 { context.writeAndFlush(NIOAny(acknowledgements), promise: nil) }
    }
}

/// Publishes for as long as the broker takes it.
final class FloodingPublisher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let id: String
    private let load: MessageLoad
    private var message: (bytes: [UInt8], identifierOffset: Int)
    private var cutter = PacketCutter()
    private var isConnected = false
    private var open = 0
    private var identifier: UInt16 = 0

    init(_ id: String, _ root: String, _ load: MessageLoad) {
        self.id = id
        self.load = load
        message = RawPacket.publish("\(root)/\(id)", qos: load.qos, payload: load.payload)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: RawPacket.connect(id))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        cutter.take(unwrapInboundIn(data)) { type, _, _ in
            switch type >> 4 {
            case 2: isConnected = true
            case 4: open -= 1
            default: break
            }
        }
        guard isConnected else { return }
        if load.rate == nil { flood(context) } else { schedule(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isConnected, load.rate == nil { flood(context) }
    }

    private func flood(_ context: ChannelHandlerContext) {
        if load.qos > 0 {
            let count = load.window - open
            if count > 0 { send(count, context) }
        } else {
            while context.channel.isWritable, context.channel.isActive { send(20, context) }
        }
    }

    /// One message after the other at the rate asked for; begun once.
    private func schedule(_ context: ChannelHandlerContext) {
        guard open == 0, identifier == 0, let rate = load.rate else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleRepeatedTask(
            initialDelay: .nanoseconds(0), delay: .nanoseconds(Int64(1_000_000_000 / max(1, rate)))
        ) { task in
            guard bound.value.1.channel.isActive else { return task.cancel() }
            bound.value.0.send(1, bound.value.1)
        }
    }

    private func send(_ count: Int, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: count * message.bytes.count)
        for _ in 0..<count {
            if load.qos > 0 {
                identifier = identifier == .max ? 1 : identifier + 1
                message.bytes[message.identifierOffset] = UInt8(identifier >> 8)
                message.bytes[message.identifierOffset + 1] = UInt8(identifier & 0xFF)
                open += 1
            } else {
                identifier = 1
            }
            buffer.writeBytes(message.bytes)
        }
        context.writeAndFlush(NIOAny(buffer), promise: nil)
    }
}
