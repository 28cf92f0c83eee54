import Broker
import ByteKit
import MQTTWire
import Testing

@Suite("The $SYS tree")
struct SystemReportTests {
    /// What the listener hears, by the topic below `$SYS/broker/`.
    private func report(_ stage: inout Stage, to listener: Client) -> [String: String] {
        _ = listener.received()
        stage.core.reportSystem(version: "1.2.3", uptimeSeconds: 61, now: stage.now)
        stage.settle()
        var heard: [String: String] = [:]
        for frame in listener.frames() {
            guard case .publish(let message)? = try? Packet.decode(frame.span, version: .v311, from: .server) else {
                continue
            }
            let topic = String(decoding: frame[message.topic.start..<message.topic.end], as: UTF8.self)
            heard[String(topic.dropFirst("$SYS/broker/".count))] = String(
                decoding: frame[message.payload.start..<message.payload.end], as: UTF8.self)
        }
        return heard
    }

    @Test("the numbers say what happened")
    func numbers() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("$SYS/#", from: listener)
        let away = stage.client("a", session: .resume)
        stage.subscribe("q", from: away)
        stage.breakLink(of: away)
        let client = stage.client("c")
        stage.publish("q", "xyz", qos: .atLeastOnce, id: 1, from: client)
        stage.publish("kept", "x", retain: .yes, from: client)
        let first = report(&stage, to: listener)
        let expected = [
            "version": "apus version 1.2.3", "uptime": "61 seconds", "clients/total": "3", "clients/connected": "2",
            "clients/disconnected": "1", "messages/received": "7", "publish/messages/received": "2",
            "publish/messages/dropped": "0", "subscriptions/count": "2", "retained messages/count": "1",
            "store/messages/count": "1", "store/messages/bytes": "204",
        ]
        for (name, value) in expected { #expect(first[name] == value, "\(name)") }
        #expect(first.count == 22)
        let second = report(&stage, to: listener)
        #expect(second["publish/messages/sent"] == "\(22 + 8)", "eight of this report went before it")
        #expect((second["bytes/sent"].flatMap { Int($0) } ?? 0) > (first["bytes/sent"].flatMap { Int($0) } ?? 0))
    }

    @Test("only what somebody listens to is said; # alone is no listener [MQTT3-4.7.2-1]")
    func unheard() {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("#", from: listener)
        #expect(report(&stage, to: listener) == [:])
        stage.subscribe("$SYS/broker/uptime", from: listener)
        #expect(report(&stage, to: listener) == ["uptime": "61 seconds"])
    }

    @Test("nobody else publishes there, and a device does not listen")
    func closed() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        let device = stage.client("d", as: .device(thing: [0x64]))
        _ = (client.received(), device.received())
        stage.publish("$SYS/broker/uptime", "0", qos: .atLeastOnce, id: 1, from: client)
        stage.subscribe("$SYS/#", from: device)
        #expect(client.received() == ["puback #1 135"] && device.received() == ["suback 128"])
    }
}
