//  Clients that come, go, take themselves over and answer late, and a server that crashes: whatever happens, nothing that
//  was acknowledged is lost, QoS 2 arrives exactly once, and each publisher's messages keep their order.
import ApusTestKit
import Broker
import MQTTWire
import Testing

/// Clients with kept sessions around one broker, on a disk that holds what was committed.
private struct Town: ~Copyable {
    static let topics = ["t/a", "t/b"]

    /// One client: its memory and, while it is connected, its connection.
    struct Citizen {
        var memory: ClientMemory
        var client: Client?
        /// Packets that have arrived and wait to be looked at.
        var inbox: [[UInt8]] = []
        /// QoS of its subscription to all topics; nil = it only publishes.
        var wants: QoS?
        var isGreeted = false
    }

    var random: SeededRandom
    var stage: Stage
    var citizens: [Citizen] = []
    var stale: [Client] = []
    /// Publisher and QoS of every number.
    var published: [(publisher: Int, topic: String, qos: QoS)] = []

    init(seed: UInt64) {
        random = SeededRandom(seed)
        var limits = BrokerLimits()
        // Every other history has queues that are on disk for the most part.
        if seed.isMultiple(of: 2) { limits.headCount = 2 }
        stage = Stage(limits: limits)
        stage.reads = !seed.isMultiple(of: 4)
        stage.commits = false
        let versions: [MQTTVersion] = [.v311, .v5]
        for index in 0..<5 {
            let memory = ClientMemory(name: "c\(index)", version: versions[roll(2)])
            citizens.append(Citizen(memory: memory, wants: index < 2 ? nil : QoS(rawValue: UInt8(index - 2))))
        }
        for index in citizens.indices {
            connect(index)
            if let client = citizens[index].client, let qos = citizens[index].wants {
                stage.subscribe("t/#", qos: qos, from: client)
            }
        }
        settle()
    }

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

    mutating func step() {
        let index = roll(citizens.count)
        switch roll(40) {
        case 0..<12: publish(roll(2))
        case 12..<26: look(index)
        case 26..<32: commit()
        case 32: stage.answerRead()
        case 33..<35: cut(index)
        case 35..<38: connect(index)
        case 38: if let old = stale.popLast() { stage.breakLink(of: old) }
        default: crash()
        }
    }

    mutating func publish(_ index: Int) {
        guard let client = citizens[index].client, !client.connection.isClosing, citizens[index].isGreeted,
            citizens[index].memory.outgoing.count < 6
        else { return }
        let qos = QoS(rawValue: UInt8(roll(3))) ?? .atMostOnce
        let topic = Self.topics[roll(2)]
        published.append((index, topic, qos))
        stage.send(citizens[index].memory.publish(published.count - 1, to: topic, qos: qos), from: client)
    }

    /// Takes what has arrived at a client, and answers one packet or a few of them.
    mutating func look(_ index: Int) {
        guard let client = citizens[index].client else { return }
        citizens[index].inbox += client.frames()
        for _ in 0...roll(4) where !citizens[index].inbox.isEmpty {
            let frame = citizens[index].inbox.removeFirst()
            if frame[0] >> 4 == PacketType.connack.rawValue { greet(index, client, frame) }
            if let answer = citizens[index].memory.receive(frame) { stage.send(answer, from: client) }
        }
    }

    private mutating func greet(_ index: Int, _ client: Client, _ frame: [UInt8]) {
        citizens[index].isGreeted = true
        for bytes in citizens[index].memory.resume(isPresent: frame[2] == 1) { stage.send(bytes, from: client) }
    }

    mutating func cut(_ index: Int) {
        guard let client = citizens[index].client else { return }
        stage.breakLink(of: client)
        leave(index)
    }

    private mutating func leave(_ index: Int) {
        citizens[index].client = nil
        citizens[index].inbox = []
        citizens[index].isGreeted = false
    }

    /// Connects, over a connection that may still be there.
    mutating func connect(_ index: Int) {
        if let old = citizens[index].client { stale.append(old) }
        leave(index)
        let memory = citizens[index].memory
        var block: [UInt8] = []
        Property.append(.sessionExpiryInterval, u32: 3600, to: &block)
        Property.append(.receiveMaximum, u16: UInt16(1 + roll(5)), to: &block)
        citizens[index].client = stage.client(
            memory.name, memory.version, session: .resume, properties: memory.version == .v5 ? block : [])
    }

    mutating func commit() {
        stage.settle()
        if !stage.open.isEmpty { stage.commit(stage.open.removeFirst()) }
    }

    /// Goes on until nobody has anything left to do.
    mutating func settle() {
        for _ in 0..<400 {
            stage.settle()
            stage.commitAll()
            stage.answerReads()
            for index in citizens.indices { look(index) }
        }
    }

    mutating func crash() {
        stale = []
        for index in citizens.indices { leave(index) }
        stage.restart()
    }
}

@Suite("Sessions under all that can happen")
struct SessionPropertyTests {
    @Test(
        """
        nothing acknowledged is lost, QoS 2 comes once, the order holds \
        [MQTT3-4.6.0-5] [MQTT3-4.6.0-6] [MQTT5-4.6.0-5] [MQTT5-4.6.0-6]
        """, arguments: UInt64(0)..<200)
    func history(seed: UInt64) {
        var town = Town(seed: seed)
        for _ in 0..<300 { town.step() }
        for index in town.citizens.indices { town.connect(index) }
        town.settle()
        for (index, citizen) in town.citizens.enumerated() {
            #expect(citizen.memory.breaches == [], "client \(index)")
            #expect(citizen.memory.outgoing.isEmpty, "client \(index) was not answered")
            if let wants = citizen.wants { check(citizen.memory, wants, town.published, town.promised) }
        }
        let left = town.stage.disk.sessions.values.map { $0.queue.count + $0.received.count }
        #expect(left.allSatisfy { $0 == 0 })
    }

    private func check(
        _ memory: ClientMemory, _ wants: QoS, _ published: [(publisher: Int, topic: String, qos: QoS)],
        _ promised: Set<Int>
    ) {
        var times: [Int: Int] = [:]
        var last: [String: Int] = [:]
        for arrival in memory.arrivals {
            let message = published[arrival.number]
            times[arrival.number, default: 0] += 1
            #expect(arrival.qos == min(message.qos, wants) && arrival.topic == message.topic)
            // Who was away misses QoS 0, and may get it later from a repetition of the publisher.
            guard times[arrival.number] == 1, arrival.qos > .atMostOnce else { continue }
            let flow = "\(message.publisher) \(message.topic)"
            #expect(last[flow, default: -1] < arrival.number, "\(memory.name): order of \(flow)")
            last[flow] = arrival.number
        }
        for number in published.indices {
            let qos = min(published[number].qos, wants)
            let count = times[number, default: 0]
            if qos > .atMostOnce, promised.contains(number) {
                #expect(count >= 1, "\(memory.name): \(number) was promised and is lost")
            }
            if qos == .exactlyOnce {
                #expect(count <= 1, "\(memory.name): \(number) of QoS 2 came \(count) times")
            }
        }
    }
}

extension Town {
    /// Numbers that some publisher was told are safe.
    fileprivate var promised: Set<Int> {
        citizens.reduce(into: []) { $0.formUnion($1.memory.promised) }
    }
}
