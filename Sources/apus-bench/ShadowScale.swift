import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

/// What an update costs with many shadows stored, and what a stored shadow takes.
struct ShadowScale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shadow-scale",
        abstract: "Fills a server with shadows step by step; after each step, the cost of an update of any of them.",
        discussion: "Needs a server with --dev and an empty data directory.")

    @Option(help: "HOST:PORT of plain MQTT of a server with --dev.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Stored shadows at which to measure, increasing.") var steps = [10_000, 100_000, 1_000_000]
    @Option(help: "Seconds to measure, after one to warm up.") var seconds = 5
    @Option(help: "Process of the server, for its CPU time and memory.") var pid: [Int]
    @Option(help: "The server's data directory.") var dataDir: String

    func run() async throws {
        let (target, usage) = (try BrokerTarget(mqtt), ProcessUsage(pids: pid))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (memory, disk) = (usage.residentBytes, diskBytes)
        var filled = 0
        for step in steps {
            let filling = Stretch(usage)
            try await ShadowFiller.fill(filled..<step, at: target, group)
            print("\(step) shadows: filled with \(filling.report(step - filled, "updates"))")
            filled = step
            print(
                String(
                    format: "  stored: %.0f bytes of disk and %.0f bytes of memory each",
                    Double(diskBytes - disk) / Double(step), Double(usage.residentBytes - memory) / Double(step)))
            for devices in [1, 100] { try await measure(devices, of: step, target, usage, group) }
        }
        try await group.shutdownGracefully()
    }

    /// Updates of shadows at random over all of them; each device has its share, so that nobody hears of another's.
    private func measure(
        _ devices: Int, of step: Int, _ target: BrokerTarget, _ usage: ProcessUsage, _ group: any EventLoopGroup
    ) async throws {
        let latencies = Latencies()
        let channels = try await target.connect(devices, atOnce: 100, group) { number in
            RoamingDevice(number * step / devices..<(number + 1) * step / devices, latencies)
        }
        try await Task.sleep(for: .seconds(1))
        latencies.restart()
        let stretch = Stretch(usage)
        try await Task.sleep(for: .seconds(seconds))
        print("  \(devices) at a time: \(stretch.report(latencies.count, "updates")), \(latencies.text)")
        for channel in channels { try await channel.close() }
    }

    private var diskBytes: Int {
        let folder = URL(fileURLWithPath: dataDir)
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: [.fileSizeKey])
        var sum = 0
        while let file = files?.nextObject() as? URL {
            sum += (try? file.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0
        }
        return sum
    }
}

/// Updates one shadow after the other, and takes PUBACK for the answer: it comes when the shadow is on disk.
private final class RoamingDevice: RawClient {
    private let things: Range<Int>
    private let latencies: Latencies
    private var count = 0
    private var sent: UInt64 = 0

    init(_ things: Range<Int>, _ latencies: Latencies) {
        (self.things, self.latencies) = (things, latencies)
        super.init(greeting: RawPacket.connect("roamer-\(UInt32.random(in: 0 ... .max))"))
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .connack: update()
        case .puback:
            latencies.note(Latencies.now - sent)
            update()
        default: break
        }
    }

    private func update() {
        count += 1
        sent = Latencies.now
        let thing = ShadowFiller.thing(.random(in: things))
        send(
            RawPacket.publish(
                "$aws/things/\(thing)/shadow/update", qos: 1, identifier: 1,
                ShadowReport.payload(count: count, token: "r")))
    }
}
