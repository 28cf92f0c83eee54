import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// Clients that are there and say nothing.
///
/// The broker should be fresh: memory that it has once had hides what they take.
struct IdleLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle", abstract: "Memory of the broker for each connection that is idle, and CPU for its coming.")

    @Option(help: "HOST:PORT of MQTT; anybody must be allowed in.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Connections.") var clients = 5000
    @Flag(help: "Over TLS; the broker's certificate is not verified.") var tls = false
    @Option(help: "Process of the broker, for its memory and CPU time.") var pid: [Int]

    func run() async throws {
        var target = try BrokerTarget(mqtt)
        if tls {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            target.tls = try NIOSSLContext(configuration: configuration)
        }
        let usage = ProcessUsage(pids: pid)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let arrivals = Arrivals()
        let (memory, stretch) = (usage.residentBytes, Stretch(usage))
        _ = try await target.connect(clients, atOnce: 100, group) { IdleClient("idle-\($0)", arrivals) }
        try await wait(seconds: 60, for: "every CONNACK") { arrivals.count == clients }
        let rate = stretch.report(clients, "connects")
        try await Task.sleep(for: .seconds(1))
        let perClient = Double(usage.residentBytes - memory) / Double(clients) / 1024
        print(String(format: "%.2f KiB each, ", perClient) + rate)
        try await group.shutdownGracefully()
    }
}

/// Clients that are in, and how long each took.
final class Arrivals: Sendable {
    let latencies = Latencies()

    var count: Int { latencies.count }
}

private final class IdleClient: RawClient {
    private let arrivals: Arrivals
    private let began = Latencies.now

    init(_ id: String, _ arrivals: Arrivals) {
        self.arrivals = arrivals
        super.init(greeting: RawPacket.connect(id))
    }

    override func took(_ packet: ArrivedPacket) {
        if packet.kind == .connack { arrivals.latencies.note(Latencies.now - began) }
    }
}
