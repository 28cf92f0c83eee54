//  A speaker that numbers its messages and a listener, both with kept sessions: what was acknowledged to the one comes to the
//  other in order, and what is of QoS 2 comes once (clauses 4.3, 4.6). It also comes back to the speaker, at least once, by a
//  shared subscription.

import Broker
import ByteKit
import MQTTWire

/// One honest client: what it remembers and, while it is connected, its connection.
struct Honest {
    /// Numbers from here on are those of the speaker; nobody else hits them by chance.
    static let firstNumber = 7_340_000_000
    static let topic = "h/news"

    var memory: ClientMemory
    var watch: Watch?
    /// Packets that are sent and that the broker has not read yet.
    var outbox: [[UInt8]] = []
    /// Whether a message was turned down: it comes again behind later ones, where the refusal got lost.
    var wasRefused = false
    private var inbox: [[UInt8]] = []
    private var isGreeted = false

    init(_ name: String, _ version: MQTTVersion) {
        memory = ClientMemory(name: name, version: version)
    }

    /// Whether its CONNECT was accepted and it has heard so.
    var isIn: Bool { isGreeted && watch?.connection.isConnected == true }

    /// CONNECT for a session of a week, on a fresh connection.
    mutating func connect(window: UInt16, now: Int64) -> [UInt8] {
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        Property.append(.sessionExpiryInterval, u32: 604_800, to: &block)
        Property.append(.receiveMaximum, u16: window, to: &block)
        let name = Array(memory.name.utf8)
        try? PacketEncoder(version: memory.version).connect(
            clientID: name.span, session: .resume, keepAliveSeconds: 0, properties: block.span, to: &bytes)
        watch = Watch(Connection(address: "[::1]:7", certificateThing: nil, now: now))
        (inbox, outbox, isGreeted) = ([], [], false)
        return bytes
    }

    mutating func leave() {
        (watch, inbox, outbox, isGreeted) = (nil, [], [], false)
    }

    /// The packets to send in answer to the next one that has arrived; nil where none has.
    mutating func look() -> [[UInt8]]? {
        inbox += watch?.read() ?? []
        if watch?.connection.isClosing == true { outbox = [] }
        guard !inbox.isEmpty else { return nil }
        let frame = inbox.removeFirst()
        guard frame[0] >> 4 == PacketType.connack.rawValue else { return memory.receive(frame).map { [$0] } ?? [] }
        guard frame[3] == 0 else { return [] }
        isGreeted = true
        return memory.resume(isPresent: frame[2] == 1)
    }

    /// What the speaker was promised has come, and once where that was promised.
    ///
    /// - Parameter waiting: payloads that still wait for the speaker.
    static func check(_ client: Honest, _ listener: ClientMemory, _ published: [QoS], waiting: [String]) {
        let speaker = client.memory
        require(speaker.breaches.isEmpty && listener.breaches.isEmpty, "\(speaker.breaches + listener.breaches)")
        var times: [Int: Int] = [:]
        var last = 0
        for arrival in listener.arrivals where arrival.number >= firstNumber {
            times[arrival.number, default: 0] += 1
            guard times[arrival.number] == 1, arrival.qos > .atMostOnce, !client.wasRefused else { continue }
            require(arrival.number > last, "4.6.0-6: message \(arrival.number - firstNumber) comes too late")
            last = arrival.number
        }
        let echoes = Set(speaker.arrivals.map(\.number) + waiting.compactMap { Int($0) })
        for (index, qos) in published.enumerated() {
            let count = times[firstNumber + index, default: 0]
            let isPromised = qos > .atMostOnce && speaker.promised.contains(firstNumber + index)
            require(!isPromised || count >= 1, "message \(index) was promised and is lost")
            require(!isPromised || echoes.contains(firstNumber + index), "4.8.2: message \(index) is lost to its group")
            require(qos < .exactlyOnce || count <= 1, "4.3.3: message \(index) of QoS 2 came \(count) times")
        }
    }
}
