//  What the fuzz targets found, kept as a case each.

import Broker
import MQTTWire
import Testing

@Suite("Found by fuzzing")
struct FuzzFindingTests {
    @Test("a message that is acknowledged comes to every kept session, also when the first of them fills all queues")
    func lastRoom() {
        var limits = BrokerLimits()
        (limits.queueBytes, limits.sessionShareBytes) = (300, 0)
        var stage = Stage(limits: limits)
        let names = ["a", "b", "c"]
        for name in names {
            let device = stage.client(name, session: .resume)
            stage.subscribe("q", from: device)
            stage.breakLink(of: device)
        }
        let sender = stage.client("s", .v5)
        _ = sender.received()
        for id in [1, 2] as [UInt16] {
            stage.publish("q", String(repeating: "x", count: 150), qos: .atLeastOnce, id: id, from: sender)
        }
        #expect(sender.received() == ["puback #1", "puback #2 151"])
        for name in names {
            let words = stage.client(name, session: .resume).received()
            #expect(words.count == 2, "\(name) has \(words)")
        }
    }

    @Test("what was sent has DUP after a crash, also behind answers that were not on disk [MQTT5-3.3.1-1]")
    func duplicateBehindAnswers() {
        var limits = BrokerLimits()
        limits.sendWindow = 3
        var stage = Stage(limits: limits)
        let sender = stage.client("s")
        let device = stage.client("d", session: .resume)
        stage.subscribe("q", from: device)
        for number in 1...9 { stage.publish("q", "\(number)", qos: .atLeastOnce, id: 1, from: sender) }
        let disk = stage.disk
        stage.commits = false
        var sent: Set<Substring> = []
        for id in 1...9 as ClosedRange<UInt16> {
            sent.formUnion(device.received().filter { $0.hasPrefix("publish") }.map { $0.split(separator: " ")[2] })
            if sent.contains("\(id)") { stage.acknowledge(id, from: device) }
        }
        #expect(sent == ["1", "2", "3"], "the next ones wait until the answers are on disk")
        var later = Stage(limits: limits)
        later.disk = disk
        later.restart()
        let again = later.client("d", session: .resume).received().filter { $0.hasPrefix("publish") }
        #expect(again.count == 3 && again.allSatisfy { $0.contains("dup") })
        stage.commitAll()
        #expect(device.received().map { $0.split(separator: " ")[2] } == ["4", "5", "6"])
    }

    @Test(
        "a second CONNECT of another protocol is a protocol error, in a DISCONNECT that has that code [MQTT5-3.1.0-2]")
    func secondConnect() {
        var stage = Stage()
        let client = stage.client("c", .v5)
        stage.send([0x10, 7, 0, 4, 0x58, 0x51, 0x54, 0x54, 5], from: client)
        #expect(client.received() == ["connack 0 false", "disconnect 130"] && client.connection.isClosing)
    }

    @Test("4.8.2: it comes to its group as well, when a plain subscription of the member fills the session's queue")
    func lastRoomOfGroup() {
        var limits = BrokerLimits()
        limits.sessionQueueBytes = 300
        var stage = Stage(limits: limits)
        let device = stage.client("d", .v5, session: .resume, properties: [0x11, 0, 0, 1, 0])
        for filter in ["q", "$share/g/q"] { stage.subscribe(filter, from: device) }
        stage.breakLink(of: device)
        let sender = stage.client("s", .v5)
        _ = sender.received()
        for id in [1, 2] as [UInt16] {
            stage.publish("q", String(repeating: "x", count: 150), qos: .atLeastOnce, id: id, from: sender)
        }
        #expect(sender.received() == ["puback #1", "puback #2 151"])
        #expect(stage.client("d", .v5, session: .resume).received().count == 3)
    }
}
