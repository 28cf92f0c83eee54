//  Load for any MQTT broker: publishers as fast as the broker takes them or at a fixed rate, subscribers that count what
//  comes. For QoS 0 the publishers wait only for their sockets; for QoS 1 each keeps a window open.

import ArgumentParser
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
    @Option(help: "Bytes of a message; at least 8 with --rate.") var payload = 100
    @Option(help: "Messages a second of each publisher; absent: as fast as they are taken.") var rate: Int?
    @Option(help: "Seconds to measure, after one to warm up.") var seconds = 3
    @Option(help: "Process of the broker, for its CPU time.") var pid: [Int] = []

    func run() async throws {
        let (target, usage) = (try BrokerTarget(mqtt), ProcessUsage(pids: pid))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let counts = MessageCounts(measures: rate != nil)
        let root = "bench/\(UInt32.random(in: 0 ... .max))"
        let (qos, tag) = (qos, root.suffix(8))
        _ = try await target.connect(subscribers, atOnce: 100, group) { number in
            CountingSubscriber("s\(number)-\(tag)", filter: root + "/#", qos: qos, counts)
        }
        try await wait(seconds: 10, for: "every SUBACK") { counts.subscribed == subscribers }
        let plan = PublishPlan(qos: qos, window: window, payload: payload, rate: rate)
        _ = try await target.connect(publishers, atOnce: 100, group) { number in
            Publisher("p\(number)-\(tag)", topic: "\(root)/p\(number)", plan, counts)
        }
        try await Task.sleep(for: .seconds(1))
        counts.latencies.restart()
        let (before, stretch) = (counts.delivered, Stretch(usage))
        try await Task.sleep(for: .seconds(seconds))
        print(
            stretch.report(counts.delivered - before, "deliveries")
                + (rate == nil ? "" : ", \(counts.latencies.text)")
                + (counts.lost == 0 ? "" : ", \(counts.lost) subscribers closed by the broker"))
        try await group.shutdownGracefully()
    }
}

/// How a publisher goes about it.
struct PublishPlan: Sendable {
    var qos = 1
    /// Messages that are open at QoS 1.
    var window = 20
    /// Bytes.
    var payload = 100
    /// Messages a second, each with the time at which it left in it; nil = as fast as they are taken.
    var rate: Int?
}

/// What has arrived so far.
final class MessageCounts: Sendable {
    private let deliveries = Atomic<Int>(0)
    private let acknowledgements = Atomic<Int>(0)
    private let subscriptions = Atomic<Int>(0)
    private let closures = Atomic<Int>(0)
    /// From the time in a message to its arrival, where publishers keep to a rate.
    let latencies = Latencies()
    let measures: Bool

    init(measures: Bool) {
        self.measures = measures
    }

    var delivered: Int { deliveries.load(ordering: .relaxed) }
    /// Messages of QoS 1 that the broker has taken.
    var acknowledged: Int { acknowledgements.load(ordering: .relaxed) }
    var subscribed: Int { subscriptions.load(ordering: .relaxed) }
    /// Subscribers that the broker has closed.
    var lost: Int { closures.load(ordering: .relaxed) }

    func noteDelivery() { deliveries.add(1, ordering: .relaxed) }
    func noteAcknowledgement() { acknowledgements.add(1, ordering: .relaxed) }
    func noteSubscription() { subscriptions.add(1, ordering: .relaxed) }
    func noteClosure() { closures.add(1, ordering: .relaxed) }
}

/// Subscribes, counts, and acknowledges what wants to be.
final class CountingSubscriber: RawClient {
    private let counts: MessageCounts

    init(_ id: String, filter: String, qos: Int, _ counts: MessageCounts) {
        self.counts = counts
        super.init(greeting: RawPacket.connect(id) + RawPacket.subscribe([filter], qos: qos))
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .suback: counts.noteSubscription()
        case .publish:
            counts.noteDelivery()
            if let identifier = packet.identifier { acknowledge(identifier) }
            guard counts.measures, let sent: UInt64 = packet.payload.getInteger(at: packet.payload.readerIndex) else {
                return
            }
            counts.latencies.note(Latencies.now - sent)
        default: break
        }
    }

    override func ended() { counts.noteClosure() }
}

/// Publishes for as long as the broker takes it; the packet is made once and written again and again.
final class Publisher: RawClient {
    private let plan: PublishPlan
    private let counts: MessageCounts
    private var message: (bytes: [UInt8], identifierOffset: Int)
    private var isConnected = false
    private var open = 0
    private var identifier: UInt16 = 0
    /// When each identifier was sent, where no rate is kept to.
    private var sentAt = [UInt64](repeating: 0, count: 1 << 16)

    init(_ id: String, topic: String, _ plan: PublishPlan, _ counts: MessageCounts) {
        (self.plan, self.counts) = (plan, counts)
        message = RawPacket.publish(topic, qos: plan.qos, payload: plan.payload)
        super.init(greeting: RawPacket.connect(id))
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .connack:
            isConnected = true
            plan.rate.map(keep)
        case .puback:
            open -= 1
            counts.noteAcknowledgement()
            if plan.rate == nil, counts.measures, let identifier = packet.identifier {
                counts.latencies.note(Latencies.now - sentAt[Int(identifier)])
            }
        default: return
        }
        flood()
    }

    override func becameWritable() { flood() }

    private func flood() {
        guard isConnected, plan.rate == nil, let channel = context?.channel else { return }
        if plan.qos > 0 {
            while open < plan.window { publish() }
        } else {
            while channel.isWritable, channel.isActive {
                for _ in 0..<20 { publish() }
                flush()
            }
        }
    }

    /// One message after the other at a rate, from a moment of its own.
    private func keep(_ rate: Int) {
        guard let context else { return }
        let gap = Int64(1_000_000_000 / max(1, rate))
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleRepeatedTask(
            initialDelay: .nanoseconds(.random(in: 0..<gap)), delay: .nanoseconds(gap)
        ) { task in
            guard bound.value.context != nil else { return task.cancel() }
            bound.value.publish()
            bound.value.flush()
        }
    }

    private func publish() {
        if plan.qos > 0 {
            identifier = identifier == .max ? 1 : identifier + 1
            message.bytes[message.identifierOffset] = UInt8(identifier >> 8)
            message.bytes[message.identifierOffset + 1] = UInt8(identifier & 0xFF)
            open += 1
        }
        if counts.measures {
            let now = Latencies.now
            if plan.rate == nil { sentAt[Int(identifier)] = now } else { stamp(now) }
        }
        send(message.bytes)
    }

    private func stamp(_ time: UInt64) {
        let start = message.bytes.count - plan.payload
        for place in 0..<min(8, plan.payload) {
            message.bytes[start + place] = UInt8(truncatingIfNeeded: time >> UInt64(56 - 8 * place))
        }
    }
}
