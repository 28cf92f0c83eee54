//  What hostile clients say: packets of any content, most of them well formed so that they reach the rules behind the codec.

import Broker
import ByteKit
import MQTTWire

private let names = [
    "a", "a/b", "a//c", "x/things/lamp/logs", "$aws/things/lamp/shadow/update", "$SYS/x", "h/x", "a/b/c/d",
]
private let filters = [
    "a", "a/+", "#", "+/b", "$share/g/a/#", "$share/g/a", "$SYS/#", "$aws/things/lamp/shadow/#", "h/#", "$share/h/h/#",
    "a/b/#", "$aws/events/#",
]
private let clients = ["p", "q", "r", "", "s", "lamp"]

extension Input {
    /// CONNECT with any flags and properties.
    mutating func connect() -> [UInt8] {
        let (flags, more) = (byte(), byte())
        let version: MQTTVersion = flags & 1 == 0 ? .v311 : .v5
        let name = Array(pick(clients).utf8)
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        if more & 1 != 0 { Property.append(.sessionExpiryInterval, u32: pick([0, 1, 60, 3600, .max]), to: &block) }
        if more & 2 != 0 { Property.append(.receiveMaximum, u16: pick([1, 2, 5, .max]), to: &block) }
        if more & 4 != 0 { Property.append(.topicAliasMaximum, u16: pick([1, 3, .max]), to: &block) }
        if more & 8 != 0 { Property.append(.maximumPacketSize, u32: pick([1, 5, 20, 40, 300]), to: &block) }
        if more & 16 != 0 { Property.append(.requestProblemInformation, byte: more >> 7, to: &block) }
        let session: SessionStart = flags & 2 == 0 ? .resume : .clean
        let keepAlive = UInt16(pick([0, 0, 2, 60]))
        let topic = Array(pick(names).utf8)
        var delay: [UInt8] = []
        if flags & 8 != 0 { Property.append(.willDelayInterval, u32: pick([1, 30, 3600]), to: &delay) }
        if flags & 16 != 0 { Property.append(.messageExpiryInterval, u32: pick([1, 30]), to: &delay) }
        let will = WillMessage(
            topic: topic.span, payload: name.span, qos: QoS(rawValue: flags >> 5 & 3) ?? .atMostOnce,
            retain: flags & 128 != 0 ? .yes : .no, properties: delay.span)
        try? PacketEncoder(version: version).connect(
            clientID: name.span, session: session, keepAliveSeconds: keepAlive, will: flags & 4 != 0 ? will : nil,
            properties: block.span, to: &bytes)
        return bytes
    }

    mutating func publish(_ version: MQTTVersion) -> [UInt8] {
        let flags = byte()
        var topic = Array(pick(names).utf8)
        let payload = [UInt8](repeating: 0x78, count: pick([0, 1, 1, 10, 10, 300, 300, 120_000]))
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        if flags & 32 != 0 { Property.append(.messageExpiryInterval, u32: pick([0, 1, 60]), to: &block) }
        if flags & 64 != 0 {
            Property.append(.topicAlias, u16: pick([1, 2, 16, 17]), to: &block)
            if flags & 128 != 0, version == .v5 { topic = [] }
        }
        _ = try? PacketEncoder(version: version).publish(
            topic: topic.span, qos: QoS(rawValue: flags & 3) ?? .atMostOnce, retain: flags & 4 != 0 ? .yes : .no,
            delivery: flags & 8 != 0 ? .repeated : .first, packetID: UInt16(roll(5)) + (flags & 16 != 0 ? 0 : 1),
            properties: block.span, payload: payload.span, to: &bytes)
        return bytes
    }

    mutating func subscribe(_ version: MQTTVersion) -> [UInt8] {
        let encoder = PacketEncoder(version: version)
        var (block, list, bytes): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        let count = roll(4)
        if count == 3 { Property.append(.subscriptionIdentifier, variableByteInteger: roll(200) + 1, to: &block) }
        for _ in 0...count {
            let filter = Array(pick(filters).utf8)
            let options = (try? SubscriptionOptions(byte(), version: .v5)) ?? SubscriptionOptions(qos: .exactlyOnce)
            try? encoder.appendFilter(filter.span, options: options, to: &list)
        }
        try? encoder.subscribe(UInt16(roll(3) + 1), filters: list.span, properties: block.span, to: &bytes)
        return bytes
    }

    mutating func unsubscribe(_ version: MQTTVersion) -> [UInt8] {
        let encoder = PacketEncoder(version: version)
        var (list, bytes): ([UInt8], [UInt8]) = ([], [])
        let filter = Array(pick(filters).utf8)
        try? encoder.appendFilter(filter.span, to: &list)
        try? encoder.unsubscribe(UInt16(roll(3) + 1), filters: list.span, to: &bytes)
        return bytes
    }

    /// PUBACK, PUBREC, PUBREL or PUBCOMP, as a rule for a message that is open.
    mutating func acknowledgement(_ version: MQTTVersion, open: [UInt16]) -> [UInt8] {
        let choice = byte()
        let types: [UInt8] = [0x40, 0x50, 0x62, 0x70]
        var id = UInt16(roll(6))
        if choice & 4 != 0, !open.isEmpty { id = open[Int(id) % open.count] }
        let reasons: [UInt8] = [0x00, 0x10, 0x80, 0x92, 0x97]
        let tail: [UInt8] = version == .v5 && choice & 8 != 0 ? [pick(reasons)] : []
        let head: [UInt8] = [types[Int(choice & 3)], UInt8(2 + tail.count)]
        return head + [UInt8(id >> 8), UInt8(id & 0xFF)] + tail
    }

    /// Any first byte and any body.
    mutating func anything() -> [UInt8] {
        var frame = [byte()]
        let body = take(roll(80))
        VariableByteInteger.append(body.count, to: &frame)
        return frame + body
    }

    mutating func disconnect(_ version: MQTTVersion) -> [UInt8] {
        var (block, bytes): ([UInt8], [UInt8]) = ([], [])
        let choice = byte()
        if choice & 1 != 0 { Property.append(.sessionExpiryInterval, u32: pick([0, 60, .max]), to: &block) }
        try? PacketEncoder(version: version).disconnect(
            reason: choice & 2 != 0 && version == .v5 ? .disconnectWithWill : .success, properties: block.span,
            to: &bytes)
        return bytes
    }

    mutating func topic() -> [UInt8] { Array(pick(names).utf8) }
}
