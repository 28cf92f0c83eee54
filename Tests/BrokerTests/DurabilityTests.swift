//  A broker that crashes at any moment, on a disk that holds what was committed and nothing else.
import ApusTestKit
import Broker
import MQTTWire
import Testing

/// One speaker that numbers its messages, one device with a kept session, and a broker between them.
private struct World: ~Copyable {
    var random: SeededRandom
    var stage: Stage
    var speaker: Client
    var device: Client?
    var published = 0
    /// Numbers that the speaker was told are safe.
    var promised: Set<Int> = []
    /// Numbers that the device has got, in the order of their first arrival.
    var seen: [Int] = []
    var unacknowledged: [UInt16] = []

    init(seed: UInt64) {
        random = SeededRandom(seed)
        var limits = BrokerLimits()
        // Every other history has queues that are on disk for the most part.
        if seed.isMultiple(of: 2) { limits.headCount = 2 }
        stage = Stage(limits: limits)
        stage.reads = !seed.isMultiple(of: 4)
        stage.commits = false
        speaker = stage.client("s")
        connect()
        if let device { stage.subscribe("q", from: device) }
        commitAll()
    }

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

    mutating func step() {
        switch roll(20) {
        case 0..<8: publish()
        case 8..<11: commit()
        case 11: stage.answerRead()
        case 12..<16: acknowledge()
        case 16: disconnect()
        case 17, 18: connect()
        default: crash()
        }
        listen()
    }

    mutating func publish() {
        published += 1
        stage.publish("q", "\(published)", qos: .atLeastOnce, id: UInt16(published), from: speaker)
        // The newest number is also kept at a topic of its own.
        stage.publish("last", "\(published)", retain: .yes, from: speaker)
    }

    mutating func commit() {
        stage.settle()
        if !stage.open.isEmpty { stage.commit(stage.open.removeFirst()) }
    }

    mutating func commitAll() {
        stage.settle()
        stage.commitAll()
    }

    mutating func acknowledge() {
        guard let device, !unacknowledged.isEmpty else { return }
        stage.acknowledge(unacknowledged.remove(at: roll(min(3, unacknowledged.count))), from: device)
    }

    mutating func connect() {
        disconnect()
        unacknowledged = []
        device = stage.client("d", session: .resume)
    }

    mutating func disconnect() {
        guard let device else { return }
        listen()
        stage.breakLink(of: device)
        self.device = nil
    }

    mutating func crash() {
        listen()
        device = nil
        stage.restart()
        speaker = stage.client("s")
    }

    mutating func listen() {
        stage.settle()
        for word in speaker.received() {
            let parts = word.split(separator: " ")
            if parts[0] == "puback", let number = Int(parts[1].dropFirst()) { promised.insert(number) }
        }
        for word in device?.received() ?? [] {
            let parts = word.split(separator: " ")
            guard parts[0] == "publish", let number = Int(parts[2]), let id = UInt16(parts[parts.count - 1].dropFirst())
            else { continue }
            if seen.contains(number) {
                #expect(parts.contains("dup"), "\(number) comes again without DUP [MQTT3-3.3.1-1]")
            } else {
                seen.append(number)
            }
            #expect(!unacknowledged.contains(id), "identifier \(id) is in use [MQTT3-2.3.1-4]")
            unacknowledged.append(id)
        }
    }
}

@Suite("What was promised survives")
struct DurabilityTests {
    @Test("whatever is acknowledged arrives, in order, through any crash", arguments: UInt64(0)..<200)
    func history(seed: UInt64) {
        var world = World(seed: seed)
        for _ in 0..<120 { world.step() }
        world.commitAll()
        world.crash()
        world.connect()
        while true {
            world.stage.answerReads()
            world.listen()
            guard !world.unacknowledged.isEmpty else { break }
            while !world.unacknowledged.isEmpty { world.acknowledge() }
        }
        #expect(world.promised.isSubset(of: world.seen))
        #expect(world.seen == world.seen.sorted())
        world.commitAll()
        let left = world.stage.disk.sessions.values.map(\.queue.count)
        #expect(left == [0])
    }

    @Test("retained messages after a crash are those that were committed last", arguments: UInt64(0)..<20)
    func retained(seed: UInt64) {
        var world = World(seed: seed)
        for _ in 0..<30 { world.publish() }
        for _ in 0..<Int(seed) { world.commit() }
        let kept = world.stage.disk.retained[Array("last".utf8)].map { String(decoding: $0.payload, as: UTF8.self) }
        world.crash()
        let client = world.stage.client("l")
        world.stage.subscribe("last", qos: .atMostOnce, from: client)
        let expected = kept.map { ["publish last \($0) 0 retain"] } ?? []
        #expect(client.received() == ["connack 0 false", "suback 0"] + expected)
    }
}
