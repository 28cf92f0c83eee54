//  Load for a running server: devices that update their shadow, and wait for `accepted` each time or keep to a rate.
//
//  The generator is a process of its own; the server's CPU time is read from /proc. A figure of one run says little on a
//  busy machine: run it several times, and compare within one run.

import ArgumentParser
import NIOCore
import NIOPosix

@main
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench", abstract: "Load for a broker, and what it costs it.",
        subcommands: [
            ShadowLoad.self, ShadowScale.self, Responder.self, MessageLoad.self, QueueLoad.self, StormLoad.self,
            IdleLoad.self,
        ], defaultSubcommand: ShadowLoad.self)
}

struct ShadowLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadows",
        abstract: "Shadow updates per second, their latency, and the server's CPU for each.",
        discussion: "Example: apus serve --dev, then apus-bench --mqtt 127.0.0.1:1883 --pid $(pidof apus)")

    @Option(help: "HOST:PORT of plain MQTT of a server with --dev.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Devices that update at the same time.") var devices = 100
    @Option(help: "Updates a second of all devices together; absent: each again when the last was accepted.")
    var rate: Int?
    @Option(help: "Seconds to measure, after one to warm up.") var seconds = 3
    @Option(help: "Process of the server, for its CPU time; again for one that helps it.") var pid: [Int] = []

    func run() async throws {
        let (target, usage) = (try BrokerTarget(mqtt), ProcessUsage(pids: pid))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let gap = rate.map { Int64(devices) * 1_000_000_000 / Int64(max(1, $0)) }
        let latencies = Latencies()
        _ = try await target.connect(devices, atOnce: 100, group) { number in
            UpdatingDevice(ShadowFiller.thing(number), gap: gap, latencies)
        }
        try await Task.sleep(for: .seconds(1))
        latencies.restart()
        let stretch = Stretch(usage)
        try await Task.sleep(for: .seconds(seconds))
        print("\(stretch.report(latencies.count, "updates")), \(latencies.text)")
        try await group.shutdownGracefully()
    }
}

/// One client: updates a shadow again whenever the last update was accepted, or at fixed times.
final class UpdatingDevice: RawClient {
    private let gap: Int64?
    private let latencies: Latencies
    private let name: String
    private let topic: String
    private var count = 0
    private var identifier: UInt16 = 0
    /// When the updates that are not answered yet were sent or due; they are answered in order.
    private var open: [UInt64] = []

    /// - Parameter gap: nanoseconds between two updates; nil: it waits for each answer.
    init(_ name: String, gap: Int64?, _ latencies: Latencies) {
        (self.name, self.gap, self.latencies) = (name, gap, latencies)
        topic = "$aws/things/\(name)/shadow/update"
        super.init(
            greeting: RawPacket.connect(name) + RawPacket.subscribe([topic + "/accepted"], qos: 0))
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .suback: gap.map(keep) ?? update(due: Latencies.now)
        case .publish:
            guard !open.isEmpty else { return }
            latencies.note(Latencies.now - open.removeFirst())
            if gap == nil { update(due: Latencies.now) }
        default: break
        }
    }

    private func keep(_ gap: Int64) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleRepeatedTask(
            initialDelay: .nanoseconds(.random(in: 0..<gap)), delay: .nanoseconds(gap)
        ) { task in
            guard bound.value.context != nil else { return task.cancel() }
            bound.value.update(due: Latencies.now)
            bound.value.flush()
        }
    }

    private func update(due: UInt64) {
        count += 1
        identifier = identifier == .max ? 1 : identifier + 1
        open.append(due)
        send(
            RawPacket.publish(
                topic, qos: 1, identifier: identifier, ShadowReport.payload(count: count, token: name)))
    }
}
