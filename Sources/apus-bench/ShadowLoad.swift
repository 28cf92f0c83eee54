//  Load for a running server: devices that update their shadow in a loop and wait for `accepted` each time.
//
//  The generator is a process of its own; the server's CPU time is read from /proc. A figure of one run says little on a
//  busy machine: run it several times, and compare within one run.

import ArgumentParser
import ByteKit
import Foundation
import MQTTWire
import NIOCore
import NIOPosix
import Synchronization

@main
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench", abstract: "Load for a broker, and what it costs it.",
        subcommands: [ShadowLoad.self, MessageLoad.self], defaultSubcommand: ShadowLoad.self)
}

struct ShadowLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadows",
        abstract: "Durable shadow updates per second, their latency, and the server's CPU for each.",
        discussion: "Example: apus serve --dev, then apus-bench --mqtt 127.0.0.1:1883 --pid $(pidof apus)")

    @Option(help: "HOST:PORT of plain MQTT of a server with --dev.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Devices that update at the same time.") var devices = 100
    @Option(help: "Seconds to measure, after two to warm up.") var seconds = 5
    @Option(help: "Process of the server, for its CPU time and memory.") var pid: Int?

    func run() async throws {
        let target = try BrokerTarget(mqtt)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let tally = Tally()
        var channels: [any Channel] = []
        for number in 0..<devices {
            channels.append(try await target.connect(group) { LoadDevice("bench-\(number)", tally) })
        }
        try await Task.sleep(for: .seconds(2))
        tally.restart()
        let (before, started) = (BrokerTarget.cpuSeconds(pid), ContinuousClock.now)
        try await Task.sleep(for: .seconds(seconds))
        let elapsed = started.duration(to: .now)
        let used = BrokerTarget.cpuSeconds(pid) - before
        report(tally.take(), Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18, used)
        for channel in channels { try? await channel.close() }
        try await group.shutdownGracefully()
    }

    private func report(_ latencies: [UInt64], _ elapsed: Double, _ cpu: Double) {
        let sorted = latencies.sorted()
        guard !sorted.isEmpty else { return print("no update was accepted") }
        func percentile(_ share: Double) -> String {
            String(format: "%.2f ms", Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1e6)
        }
        print("devices \(devices), \(sorted.count) updates in \(String(format: "%.1f", elapsed)) s")
        print(String(format: "updates per second  %.0f", Double(sorted.count) / elapsed))
        print(
            "accepted after      p50 \(percentile(0.5))  p90 \(percentile(0.9))  p99 \(percentile(0.99))  max \(percentile(1))"
        )
        if pid != nil { print(String(format: "server CPU/update   %.1f µs", cpu * 1e6 / Double(sorted.count))) }
    }
}

/// Nanoseconds from each update to its `accepted`.
final class Tally: Sendable {
    private let latencies = Mutex<[UInt64]>([])

    func note(_ nanoseconds: UInt64) { latencies.withLock { $0.append(nanoseconds) } }
    func restart() { latencies.withLock { $0.removeAll() } }
    func take() -> [UInt64] { latencies.withLock { $0 } }
}

/// One device: connects, subscribes to `update/accepted`, and updates again whenever the last update was accepted.
final class LoadDevice: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let shadow: String
    private let name: String
    private let tally: Tally
    private var rest: [UInt8] = []
    private var count = 0
    private var packetID: UInt16 = 1
    private var sentAt = DispatchTime.now()

    init(_ name: String, _ tally: Tally) {
        self.name = name
        self.tally = tally
        shadow = "$aws/things/\(name)/shadow/update"
    }

    func channelActive(context: ChannelHandlerContext) {
        send(context) { encoder, bytes throws(MQTTFault) in
            let id = Array(name.utf8)
            try encoder.connect(clientID: id.span, session: .clean, keepAliveSeconds: 60, to: &bytes)
            let filter = Array((shadow + "/accepted").utf8)
            try encoder.subscribe(1, filter: filter.span, options: SubscriptionOptions(qos: .atMostOnce), to: &bytes)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        rest.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        while let packet = next() {
            switch packet {
            case .suback: update(context)
            case .publish:
                tally.note(DispatchTime.now().uptimeNanoseconds - sentAt.uptimeNanoseconds)
                update(context)
            default: continue
            }
        }
    }

    private func next() -> Packet? {
        let bytes = rest
        guard let header = try? FrameHeader.peek(bytes.span), bytes.count >= header.totalBytes else { return nil }
        rest.removeFirst(header.totalBytes)
        return try? Packet.decode(bytes.span.extracting(first: header.totalBytes), version: .v311, from: .server)
    }

    /// A report of about 300 bytes, at QoS 1.
    private func update(_ context: ChannelHandlerContext) {
        count += 1
        packetID = packetID == .max ? 1 : packetID + 1
        let filling = String(repeating: "x", count: 120)
        let payload = Array(
            #"{"state":{"reported":{"count":\#(count),"temperature":21.5,"battery":{"volts":3.71,"percent":\#(count % 100)},"note":"\#(filling)"}},"clientToken":"\#(name)"}"#
                .utf8)
        sentAt = DispatchTime.now()
        send(context) { encoder, bytes throws(MQTTFault) in
            let topic = Array(shadow.utf8)
            try encoder.publish(
                topic: topic.span, qos: .atLeastOnce, packetID: packetID, payload: payload.span, to: &bytes)
        }
    }

    private func send(
        _ context: ChannelHandlerContext, _ encode: (PacketEncoder, inout [UInt8]) throws(MQTTFault) -> Void
    ) {
        var bytes: [UInt8] = []
        do throws(MQTTFault) {
            try encode(PacketEncoder(version: .v311), &bytes)
        } catch {
            return context.close(promise: nil)
        }
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
    }
}
