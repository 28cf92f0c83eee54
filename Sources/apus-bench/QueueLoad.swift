import ArgumentParser
import NIOCore
import NIOPosix

/// Messages for a client that is away and whose session is kept: what is acknowledged is on disk, where the broker says so.
struct QueueLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "QoS 1 to a kept session whose client is away: messages taken per second.",
        discussion: "mosquitto acknowledges at once and writes its database every half an hour and when it ends.")

    @Option(help: "HOST:PORT of plain MQTT; anybody must be allowed in.") var mqtt = "127.0.0.1:1883"
    @Option(help: "Clients that publish.") var publishers = 1
    @Option(help: "Messages that each has open.") var window = 20
    @Option(help: "Bytes of a message.") var payload = 100
    @Option(help: "Seconds to measure, after half a second to warm up.") var seconds = 3
    @Option(help: "Process of the broker, for its CPU time.") var pid: [Int] = []

    func run() async throws {
        let (target, usage) = (try BrokerTarget(mqtt), ProcessUsage(pids: pid))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let counts = MessageCounts(measures: true)
        let tag = "\(UInt32.random(in: 0 ... .max))"
        let topic = "away/\(tag)"
        let sleeper = try await target.connect(group) {
            SleepingSubscriber(
                greeting: RawPacket.connect(tag, isKept: true) + RawPacket.subscribe([topic], qos: 1), counts)
        }
        try await wait(seconds: 10, for: "SUBACK") { counts.subscribed == 1 }
        try await sleeper.close()
        let plan = PublishPlan(window: window, payload: payload)
        let channels = try await target.connect(publishers, atOnce: 100, group) { number in
            Publisher("p\(number)-\(tag)", topic: topic, plan, counts)
        }
        try await Task.sleep(for: .milliseconds(500))
        counts.latencies.restart()
        let (before, stretch) = (counts.acknowledged, Stretch(usage))
        try await Task.sleep(for: .seconds(seconds))
        print("\(stretch.report(counts.acknowledged - before, "messages")), \(counts.latencies.text)")
        for channel in channels { try await channel.close() }
        // A clean session under its name ends the kept one.
        _ = try await target.connect(group) { SleepingSubscriber(greeting: RawPacket.connect(tag), counts) }
        try await wait(seconds: 10, for: "CONNACK") { counts.delivered == 1 }
        try await group.shutdownGracefully()
    }
}

/// Counts SUBACK as a subscription and, where nothing is subscribed, CONNACK as a delivery.
private final class SleepingSubscriber: RawClient {
    private let counts: MessageCounts

    init(greeting: [UInt8], _ counts: MessageCounts) {
        self.counts = counts
        super.init(greeting: greeting)
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .suback: counts.noteSubscription()
        case .connack where counts.subscribed == 1: counts.noteDelivery()
        default: break
        }
    }
}
