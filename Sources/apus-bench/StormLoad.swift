import ArgumentParser
import NIOCore
import NIOPosix

/// What happens when a power cut ends: all devices come at once, subscribe, and ask for their shadows.
struct StormLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm",
        abstract: "Devices that all come at once, make three subscriptions and wait for their shadow.",
        discussion: "With --echo a message to itself stands for the shadow: for brokers that have none.")

    @Option(help: "HOST:PORT of plain MQTT; anybody must be allowed in.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Devices.") var clients = 5000
    @Flag(help: "A message to itself instead of a shadow request.") var echo = false
    @Option(help: "Process of the broker, for its CPU time.") var pid: [Int] = []

    func run() async throws {
        let (target, usage) = (try BrokerTarget(mqtt), ProcessUsage(pids: pid))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        if !echo { try await ShadowFiller.fill(0..<clients, at: target, group) }
        let arrivals = Arrivals()
        let echo = echo
        let stretch = Stretch(usage)
        _ = try await target.connect(clients, atOnce: 2500, group) { StormDevice($0, echo: echo, arrivals) }
        try await wait(seconds: 60, for: "every answer") { arrivals.count == clients }
        print("\(stretch.report(clients, "devices")), \(arrivals.latencies.text)")
        try await group.shutdownGracefully()
    }
}

private final class StormDevice: RawClient {
    private let request: [UInt8]
    private let arrivals: Arrivals
    private let began = Latencies.now

    init(_ number: Int, echo: Bool, _ arrivals: Arrivals) {
        let name = ShadowFiller.thing(number)
        let root = echo ? "things/\(name)" : "$aws/things/\(name)/shadow"
        let answers = echo ? "get" : "get/+"
        self.arrivals = arrivals
        request = RawPacket.publish(root + "/get", qos: 1, identifier: 1, [])
        super.init(
            greeting: RawPacket.connect(name)
                + RawPacket.subscribe(
                    [root + "/" + answers, root + "/update/delta", root + "/update/accepted"], qos: 1))
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .suback: send(request)
        case .publish:
            if let identifier = packet.identifier { acknowledge(identifier) }
            arrivals.latencies.note(Latencies.now - began)
        default: break
        }
    }
}
