//  What the fuzz targets found, kept as a case each.

import Broker
import MQTTWire
import Testing

@Suite("Found by fuzzing")
struct FuzzFindingTests {
    @Test("a message that is acknowledged comes to every kept session, also when the first of them fills all queues")
    func lastRoom() {
        var limits = BrokerLimits()
        limits.queueBytes = 300
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
