//  The message that a client leaves behind (clauses 3.1.2.5, 3.1.3.2 and 3.14.4).
import Broker
import MQTTWire
import Testing

private let both = [MQTTVersion.v311, .v5]

@Suite("Rules of wills (3.1.2.5)")
struct WillRulesTests {
    private func listening(_ stage: inout Stage, _ version: MQTTVersion = .v311) -> Client {
        let listener = stage.client("l", version)
        stage.subscribe("gone", qos: .exactlyOnce, from: listener)
        _ = listener.received()
        return listener
    }

    @Test("without a will nothing is published at the end [MQTT3-3.1.2-12]", arguments: both)
    func none(version: MQTTVersion) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("#", from: listener)
        _ = listener.received()
        stage.breakLink(of: stage.client("c", version))
        #expect(listener.received() == [])
    }

    @Test("a will is retained where its flag says so [MQTT3-3.1.2-16] [MQTT3-3.1.2-17]")
    func retainOld() { retain(.v311) }

    @Test("a will is retained where its flag says so, MQTT 5 [MQTT5-3.1.2-14] [MQTT5-3.1.2-15]")
    func retainNew() { retain(.v5) }

    private func retain(_ version: MQTTVersion) {
        for flag in [Retain.no, .yes] {
            var stage = Stage()
            let listener = listening(&stage)
            stage.breakLink(of: stage.client("c", version, will: ("gone", "x"), willRetain: flag))
            #expect(listener.received() == ["publish gone x 1 #1"])
            let late = stage.client("late")
            stage.subscribe("gone", qos: .atMostOnce, from: late)
            let expected = flag == .yes ? ["publish gone x 0 retain"] : []
            #expect(late.received() == ["connack 0 false", "suback 0"] + expected)
        }
    }

    @Test("a will leaves with its own QoS, and once [MQTT3-3.1.2-8] [MQTT5-3.1.2-8]", arguments: both)
    func quality(version: MQTTVersion) {
        for qos in UInt8(0)...2 {
            var stage = Stage()
            let listener = listening(&stage)
            let will = properties(version) + field("gone") + field("x")
            let client = stage.guest(version, connect(version, flags: 6 | qos << 3, rest: will))
            #expect(listener.received() == [])
            stage.breakLink(of: client)
            #expect(listener.received() == ["publish gone x \(qos)" + (qos > 0 ? " #1" : "")])
            stage.breakLink(of: stage.client("c", version))
            stage.pass(seconds: 1000)
            #expect(listener.received() == [])
        }
    }

    @Test(
        "DISCONNECT deletes the will: always in 3.1.1 [MQTT3-3.1.2-10] [MQTT3-3.14.4-3]")
    func goodbyeOld() {
        var stage = Stage()
        let listener = listening(&stage)
        let client = stage.client("c", will: ("gone", "x"), willRetain: .yes)
        stage.send([0xE0, 0], from: client)
        stage.core.closed(client.connection, now: stage.now)
        stage.settle()
        stage.subscribe("gone", from: listener)
        #expect(listener.received() == ["suback 1"])
    }

    @Test(
        "DISCONNECT deletes the will of MQTT 5 with 0x00 alone [MQTT5-3.1.2-8] [MQTT5-3.1.2-10] [MQTT5-3.14.4-3]",
        arguments: [
            ([0xE0, 0], false), ([0xE0, 1, 0], false), ([0xE0, 2, 0, 0], false), ([0xE0, 1, 4], true),
            ([0xE0, 1, 0x80], true), ([0xE0, 1, 0x83], true), ([0xE0, 1, 0x97], true),
        ] as [([UInt8], Bool)])
    func goodbyeNew(bytes: [UInt8], isSent: Bool) {
        var stage = Stage()
        let listener = listening(&stage)
        let client = stage.client("c", .v5, will: ("gone", "x"))
        _ = client.received()
        stage.send(bytes, from: client)
        #expect(client.connection.isClosing && client.received() == [])
        #expect(listener.received() == (isSent ? ["publish gone x 1 #1"] : []))
    }

    @Test("what a will says about itself goes with it, User Properties in their order [MQTT5-3.1.3-10]")
    func forwarded() throws {
        var block: [UInt8] = [PropertyID.payloadFormatIndicator.rawValue, 1]
        for (name, value) in [("b", "1"), ("a", "2"), ("b", "3"), ("a", "2")] {
            let (name, value) = (Array(name.utf8), Array(value.utf8))
            try Property.appendUserProperty(name: name.span, value: value.span, to: &block)
        }
        var stage = Stage()
        let listener = listening(&stage, .v5)
        let delay: [UInt8] = [PropertyID.willDelayInterval.rawValue, 0, 0, 0, 0]
        let client = stage.client("c", .v5, will: ("gone", "x"), willProperties: delay + block)
        stage.breakLink(of: client)
        let frames = listener.frames()
        #expect(frames == [frame(0x32, field("gone") + [0, 1, UInt8(block.count)] + block + [0x78])])
    }
}
