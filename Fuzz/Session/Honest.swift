//  A speaker that numbers its messages and a listener, both with kept sessions: what was acknowledged to the one comes to the
//  other, and what is of QoS 2 comes once (clause 4.3).

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
    static func check(_ speaker: ClientMemory, _ listener: ClientMemory, _ published: [QoS]) {
        require(speaker.breaches.isEmpty && listener.breaches.isEmpty, "\(speaker.breaches + listener.breaches)")
        var times: [Int: Int] = [:]
        for arrival in listener.arrivals { times[arrival.number, default: 0] += 1 }
        for (index, qos) in published.enumerated() {
            let count = times[firstNumber + index, default: 0]
            let isPromised = qos > .atMostOnce && speaker.promised.contains(firstNumber + index)
            require(!isPromised || count >= 1, "message \(index) was promised and is lost")
            require(qos < .exactlyOnce || count <= 1, "4.3.3: message \(index) of QoS 2 came \(count) times")
        }
    }
}
