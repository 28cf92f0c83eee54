import ApusTestKit
import Broker
import MQTTWire
import Testing

@Suite("Clients that fall silent")
struct SilenceTests {
    @Test(
        "the deadline is 1.5 times the keep-alive after the last packet, to the millisecond [MQTT3-3.1.2-24] [MQTT5-3.1.2-22]"
    )
    func deadline() {
        var stage = Stage()
        let client = stage.client("c", .v5, keepAlive: 10)
        let start = stage.now
        stage.now = start + 14_000
        stage.send([0xC0, 0], from: client)
        for (millisecond, isOpen) in [(15_001, true), (29_000, true), (29_001, false)] as [(Int64, Bool)] {
            stage.now = start + millisecond
            stage.core.timeUp(now: stage.now)
            stage.settle()
            #expect(client.connection.isConnected == isOpen, "after \(millisecond) ms")
        }
        #expect(client.received().last == "disconnect 141")
    }

    @Test(
        "who comes, speaks, leaves and falls silent at any time is ended when it must and not sooner",
        arguments: UInt64(0)..<20)
    func anyTimes(seed: UInt64) {
        var random = SeededRandom(seed)
        var stage = Stage()
        var clients: [(client: Client, keepAlive: Int64, heardOf: Int64)] = []
        for round in 0..<2000 {
            stage.now += Int64.random(in: 0...2000, using: &random)
            stage.core.timeUp(now: stage.now)
            stage.settle()
            for one in clients where one.keepAlive > 0 {
                let isLate = stage.now - one.heardOf > one.keepAlive * 1500
                #expect(one.client.connection.isConnected == !isLate)
            }
            clients.removeAll { !$0.client.connection.isConnected }
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where clients.count < 30:
                let keepAlive = [0, 1, 5, 30, 60].randomElement(using: &random) ?? 0
                let client = stage.client("\(round)", keepAlive: UInt16(keepAlive))
                clients.append((client, Int64(keepAlive), stage.now))
            case 1 where !clients.isEmpty:
                stage.breakLink(of: clients.remove(at: Int.random(in: 0..<clients.count, using: &random)).client)
            case _ where !clients.isEmpty:
                let place = Int.random(in: 0..<clients.count, using: &random)
                stage.send([0xC0, 0], from: clients[place].client)
                _ = clients[place].client.received()
                clients[place].heardOf = stage.now
            default: break
            }
        }
    }

    @Test("where much is due at once, one turn does a part of it, and the rest stays due")
    func crowd() {
        var stage = Stage()
        let count = 3 * BrokerCore.deadlinesPerTurn + 1
        for number in 0..<count {
            let message = ProgramMessage(
                topic: Array("\(number)".utf8), payload: [1], retain: true, expirySeconds: 60)
            _ = stage.core.publish(message, as: .administrator, now: stage.now)
        }
        stage.settle()
        stage.now += 60_001
        var gone: [Int] = []
        while let due = stage.core.deadline, due <= stage.now {
            stage.changes = []
            stage.core.timeUp(now: stage.now)
            stage.settle()
            gone.append(stage.changes.count)
        }
        #expect(gone == [1000, 1000, 1000, 1])
    }

    @Test("a deadline is set while somebody could fall silent, and none without clients")
    func alarm() {
        var stage = Stage()
        #expect(stage.core.deadline == nil)
        let client = stage.client("c", keepAlive: 100)
        #expect(stage.core.deadline == stage.now + 10_001, "the time for CONNECT, which is over")
        stage.core.timeUp(now: stage.now + 10_001)
        #expect(stage.core.deadline == stage.now + 150_001)
        stage.breakLink(of: client)
        stage.core.timeUp(now: stage.now + 150_001)
        #expect(stage.core.deadline == nil)
    }
}
