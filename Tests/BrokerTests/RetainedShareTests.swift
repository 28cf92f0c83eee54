import Broker
import MQTTWire
import Testing

/// What a device may have retained: messages on its own log topics, under any prefix.
@Suite("Retained messages of one device")
struct RetainedShareTests {
    private static func limits(topics: Int = 1000, bytes: Int = 1 << 20) -> BrokerLimits {
        var limits = BrokerLimits()
        (limits.retainedTopicsPerThing, limits.retainedBytesPerThing) = (topics, bytes)
        return limits
    }

    private static func device(_ thing: String, _ stage: inout Stage, _ version: MQTTVersion = .v5) -> Client {
        let client = stage.client(thing, version, as: .device(thing: Array(thing.utf8)))
        _ = client.received()
        return client
    }

    /// Retains or, with an empty text, deletes on a log topic of the client's thing: what it is answered.
    private static func retain(
        _ prefix: String, _ text: String, _ thing: String = "lamp", from client: Client, _ stage: inout Stage
    ) -> [String] {
        stage.publish("\(prefix)/things/\(thing)/logs", text, qos: .atLeastOnce, id: 1, retain: .yes, from: client)
        return client.received()
    }

    private static let (done, refused) = (["puback #1"], ["puback #1 151"])

    @Test("more topics than its share are refused; what is there may be replaced and deleted, others are not affected")
    func topics() {
        var stage = Stage(limits: Self.limits(topics: 3))
        let (client, other) = (Self.device("lamp", &stage), Self.device("other", &stage))
        let operatorClient = stage.client("o", .v5)
        _ = operatorClient.received()
        for prefix in ["a", "b", "c", "b"] {
            let answer = Self.retain(prefix, "x", from: client, &stage)
            #expect(answer == Self.done)
        }
        for (prefix, text, wanted) in [
            ("d", "x", Self.refused), ("a", "", Self.done), ("d", "x", Self.done), ("a", "x", Self.refused),
            ("e", "", Self.done),
        ] {
            let answer = Self.retain(prefix, text, from: client, &stage)
            #expect(answer == wanted, "\(prefix) \(text)")
        }
        let (ofOther, ofOperator) = (
            Self.retain("d", "x", "other", from: other, &stage), Self.retain("z", "x", from: operatorClient, &stage)
        )
        #expect(ofOther == Self.done)
        #expect(ofOperator == Self.refused, "the share is the topics', whoever publishes: a restart does not change it")
        stage.publish("d", "x", qos: .atLeastOnce, id: 1, retain: .yes, from: operatorClient)
        #expect(operatorClient.received() == Self.done)
    }

    @Test("more bytes than its share are refused; a client of 3.1.1 is closed without PUBACK")
    func bytes() {
        var stage = Stage(limits: Self.limits(bytes: 2000))
        let client = Self.device("lamp", &stage, .v311)
        let answers = ["a", "b", "a"].map { Self.retain($0, String(repeating: "x", count: 700), from: client, &stage) }
        #expect(answers == [Self.done, Self.done, Self.done])
        stage.steps = []
        #expect({ Self.retain("c", String(repeating: "x", count: 700), from: client, &stage) }() == [])
        #expect(client.connection.isClosing)
        let reasons = stage.steps.compactMap { step in
            if case .refused(_, let reason) = step { reason } else { nil }
        }
        #expect(reasons == ["as much is retained as may be, of all or of this device"])
    }

    @Test("what is not retained is not counted, and QoS 0 beyond the share reaches subscribers all the same")
    func live() {
        var stage = Stage(limits: Self.limits(topics: 1))
        let (client, listener) = (Self.device("lamp", &stage), stage.client("l"))
        stage.subscribe("+/things/+/logs", qos: .atMostOnce, from: listener)
        _ = listener.received()
        for prefix in ["a", "b"] { stage.publish("\(prefix)/things/lamp/logs", "x", from: client) }
        for prefix in ["a", "b"] { stage.publish("\(prefix)/things/lamp/logs", "y", retain: .yes, from: client) }
        #expect(
            listener.received() == ["a", "b"].map { "publish \($0)/things/lamp/logs x 0" }
                + ["a", "b"].map { "publish \($0)/things/lamp/logs y 0" })
        let late = stage.client("late")
        stage.subscribe("+/things/+/logs", qos: .atMostOnce, from: late)
        #expect(late.received().dropFirst(2) == ["publish a/things/lamp/logs y 0 retain"])
    }

    @Test("the share is the same after a restart, and after what expired is forgotten")
    func restart() {
        var stage = Stage(limits: Self.limits(topics: 2))
        var client = Self.device("lamp", &stage)
        let first = Self.retain("a", "x", from: client, &stage)
        let expiring = block((.messageExpiryInterval, 60))
        let (topic, text): ([UInt8], [UInt8]) = (Array("b/things/lamp/logs".utf8), [1])
        var bytes: [UInt8] = []
        _ = try? PacketEncoder(version: .v5).publish(
            topic: topic.span, qos: .atLeastOnce, retain: .yes, packetID: 1, properties: expiring.span,
            payload: text.span, to: &bytes)
        stage.send(bytes, from: client)
        #expect(first == Self.done && client.received() == Self.done)
        stage.restart()
        client = Self.device("lamp", &stage)
        let full = Self.retain("c", "x", from: client, &stage)
        #expect(full == Self.refused)
        stage.now += 61_000
        stage.core.tick(now: stage.now)
        stage.settle()
        let freed = Self.retain("c", "x", from: client, &stage)
        #expect(freed == Self.done)
    }
}
