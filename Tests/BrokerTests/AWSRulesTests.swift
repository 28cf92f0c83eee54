//  Sections 3.7, 7 and 8: reserved topics, messages of the server, and what devices expect of the broker.
import Broker
import MQTTWire
import Testing

private let lamp = Principal.device(thing: Array("lamp".utf8))
private let prefix = "$aws/things/lamp/shadow"

extension Stage {
    /// Topics and payloads of the requests that the server has to answer since the last call.
    fileprivate mutating func requests() -> [String] {
        defer { steps = [] }
        return steps.compactMap {
            if case .request(let request, _) = $0 {
                String(decoding: request.topic + [32] + request.payload, as: UTF8.self)
            } else {
                nil
            }
        }
    }

    fileprivate mutating func announce(_ topic: String, _ payload: String) {
        core.publish(topic: Array(topic.utf8), payload: Array(payload.utf8), now: now)
        settle()
    }
}

@Suite("AWS IoT: reserved topics and messages of the server")
struct AWSRulesTests {
    @Test(
        "3.7, 12.3: messages of the server reach every subscriber, at the lower QoS [AWS-3.7-1] [AWS-3.7-3] [AWS-12.3-1]"
    )
    func serverMessages() {
        var stage = Stage()
        let listeners = [QoS.atMostOnce, .atLeastOnce, .exactlyOnce].map { qos in
            let client = stage.client("c\(qos.rawValue)")
            stage.subscribe("\(prefix)/update/+", qos: qos, from: client)
            _ = client.received()
            return client
        }
        stage.announce("\(prefix)/update/delta", "d")
        let topic = "publish \(prefix)/update/delta d"
        #expect(listeners.map { $0.received() } == [["\(topic) 0"], ["\(topic) 1 #1"], ["\(topic) 1 #1"]])
        let late = stage.client("late")
        stage.subscribe("\(prefix)/#", from: late)
        #expect(late.received() == ["connack 0 false", "suback 1"], "not retained")
    }

    @Test("3.7, 8: they wait in the kept session of a device that is away [AWS-3.7-2] [AWS-8-8]")
    func sleepingDevice() {
        var stage = Stage()
        var device = stage.client("lamp", session: .resume, as: lamp)
        stage.subscribe("\(prefix)/update/delta", from: device)
        #expect(device.received() == ["connack 0 false", "suback 1"])
        stage.breakLink(of: device)
        for version in 1...3 {
            stage.announce("\(prefix)/update/delta", "\(version)")
        }
        device = stage.client("lamp", session: .resume, as: lamp)
        #expect(
            device.received()
                == ["connack 0 true"] + (1...3).map { "publish \(prefix)/update/delta \($0) 1 #\($0)" })
    }

    @Test("3.7: requests come at QoS 0 or 1 [AWS-3.7-5]", arguments: [QoS.atMostOnce, .atLeastOnce])
    func requests(qos: QoS) {
        var stage = Stage()
        let device = stage.client("lamp", as: lamp)
        stage.publish("\(prefix)/update", "u", qos: qos, id: 1, from: device)
        let asked = stage.requests()
        #expect(asked == ["\(prefix)/update u"])
    }

    private static let filters: [(filter: String, reaches: Bool)] = [
        ("#", false), ("+/#", false), ("+/things/lamp/shadow/get", false), ("$aws/things/+/shadow/#", true),
        ("$aws/#", true), ("$aws/things/lamp/shadow/+", true), ("$AWS/#", false),
    ]

    @Test("7: filters that begin with a wildcard do not reach $ topics [AWS-7-1]", arguments: filters)
    func wildcards(_ row: (filter: String, reaches: Bool)) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe(row.filter, qos: .atMostOnce, from: listener)
        _ = listener.received()
        stage.announce("\(prefix)/get", "x")
        #expect(listener.received() == (row.reaches ? ["publish \(prefix)/get x 0"] : []))
    }

    private static let closed = [
        "\(prefix)/update/accepted", "\(prefix)/update/delta", "\(prefix)/update/documents", "\(prefix)/get/rejected",
        "\(prefix)/delete/accepted", "\(prefix)/name/n/update/delta", "\(prefix)/Update", "\(prefix)/update/",
        "\(prefix)/name/n", "$aws/things/lamp", "$aws/things//shadow/get", "$aws/things/lamp/jobs/notify",
        "$aws/things/lamp/jobs/notify-next", "$aws/things/lamp/jobs/get/accepted", "$aws/events/job/J/completed",
        "$aws/events/presence/connected/lamp", "$aws/rules/r/x", "$aws/things/lamp/streams/s/get/json", "$SYS/x", "$x",
    ]

    @Test("7: what is no request reaches nobody and changes nothing [AWS-7-2] [AWS-7-3] [AWS-7-5]", arguments: closed)
    func noForgery(topic: String) {
        for principal in [Principal.administrator, lamp] {
            for (version, retain) in [(.v311, .no), (.v5, .no), (.v5, .yes)] as [(MQTTVersion, Retain)] {
                var stage = Stage()
                let listener = stage.client("l")
                for filter in ["$aws/#", "$SYS/#", "$x"] { stage.subscribe(filter, from: listener) }
                _ = listener.received()
                let forger = stage.client("f", version, as: principal)
                _ = stage.requests()
                stage.publish(topic, "forged", qos: .atLeastOnce, id: 1, retain: retain, from: forger)
                stage.subscribe(topic, from: listener)
                let (asked, heard) = (stage.requests(), listener.received())
                #expect(asked == [] && !heard.contains { $0.hasPrefix("publish") })
            }
        }
    }

    private static let others = [
        "$aws/things/lamp/jobs/Get", "$aws/things/lamp/jobs/nothing", "$aws/things/lamp/jobs/J/update/x",
    ]

    @Test("7: under …/jobs/ the service answers, RETAIN stores nothing [AWS-7-2] [AWS-7-5]", arguments: others)
    func jobTopics(topic: String) {
        var stage = Stage()
        let device = stage.client("lamp", as: lamp)
        stage.publish(topic, "x", retain: .yes, from: device)
        let asked = stage.requests()
        #expect(asked == ["\(topic) x"])
        let late = stage.client("late")
        stage.subscribe("$aws/things/lamp/jobs/#", from: late)
        #expect(late.received() == ["connack 0 false", "suback 1"])
    }

    @Test("12.1: an answer goes to the connection that asked, subscribed or not, once [AWS-12.1-11] [AWS-12.1-12]")
    func jobAnswers() {
        var stage = Stage()
        let (asking, subscribed, other) = (stage.client("a", as: lamp), stage.client("s", as: lamp), stage.client("o"))
        let topic = "$aws/things/lamp/jobs/get"
        for filter in ["\(topic)/accepted", "$aws/things/lamp/jobs/+/+"] { stage.subscribe(filter, from: subscribed) }
        stage.subscribe("\(topic)/+", from: other)
        for client in [asking, subscribed, other] { _ = client.received() }
        for client in [asking, subscribed] {
            stage.steps = []
            stage.publish(topic, "{}", from: client)
            for case .request(_, let ticket) in stage.steps {
                stage.core.answer(
                    ticket, topic: Array("\(topic)/accepted".utf8), payload: Array("yes".utf8), now: stage.now)
            }
            stage.settle()
            let heard = client.received()
            #expect(heard.count == 1 && heard[0].hasPrefix("publish \(topic)/accepted yes "))
        }
        #expect(asking.received() + subscribed.received() + other.received() == [])
    }

    @Test("1.2: more than ten shadow requests in flight on one connection are to be refused [AWS-1.2-4]")
    func requestsInFlight() {
        var stage = Stage()
        let (device, other) = (stage.client("lamp", as: lamp), stage.client("o", as: lamp))
        for number in 1...12 {
            stage.publish("\(prefix)/get", "\(number)", from: device)
        }
        stage.publish("\(prefix)/get", "other", from: other)
        stage.publish("$aws/things/lamp/jobs/get", "job", from: device)
        var (services, tickets): ([ServiceRequest.Service], [AnswerTicket]) = ([], [])
        for case .request(let request, let ticket) in stage.steps {
            services.append(request.service)
            tickets.append(ticket)
        }
        let expected =
            Array(repeating: ServiceRequest.Service.shadow, count: 10) + [
                .shadowThrottled, .shadowThrottled, .shadow, .jobs,
            ]
        #expect(services == expected)
        stage.steps = []
        for ticket in tickets { stage.core.complete(ticket, now: stage.now) }
        stage.publish("\(prefix)/get", "13", from: device)
        for case .request(let request, _) in stage.steps { #expect(request.service == .shadow) }
    }

    @Test("7: who subscribes to a request topic gets the request as it is; RETAIN stores nothing [AWS-7-4] [AWS-7-5]")
    func rawRequests() {
        var stage = Stage()
        let (device, listener) = (stage.client("lamp", as: lamp), stage.client("l"))
        stage.subscribe("$aws/things/+/shadow/update", qos: .atMostOnce, from: listener)
        _ = listener.received()
        stage.publish("\(prefix)/update", "not even JSON", retain: .yes, from: device)
        #expect(listener.received() == ["publish \(prefix)/update not even JSON 0"])
        let late = stage.client("late")
        stage.subscribe("\(prefix)/update", from: late)
        #expect(late.received() == ["connack 0 false", "suback 1"])
    }

    @Test("7: a will is no request, and no way to publish on answer topics [AWS-7-6] [AWS-18-11]")
    func wills() {
        for topic in ["\(prefix)/update", "\(prefix)/update/delta", "$aws/things/lamp/jobs/get"] {
            var stage = Stage()
            let listener = stage.client("l")
            stage.subscribe("$aws/things/lamp/#", qos: .atMostOnce, from: listener)
            _ = listener.received()
            let device = stage.client("lamp", as: lamp, will: (topic, "w"))
            let isAnswer = topic.hasSuffix("delta")
            #expect(device.received() == [isAnswer ? "connack 135 false" : "connack 0 false"])
            stage.breakLink(of: device)
            let asked = stage.requests()
            #expect(asked == [])
            #expect(listener.received() == (isAnswer ? [] : ["publish \(topic) w 0"]))
        }
    }

    @Test(
        "8: the filters of AWS's clients are granted to a device [AWS-8-2]",
        arguments: ["\(prefix)/get/+", "\(prefix)/delete/+", "\(prefix)/update/accepted", "\(prefix)/name/n/get/+"])
    func filtersOfClients(filter: String) {
        var stage = Stage()
        let device = stage.client("lamp", .v5, as: lamp)
        stage.subscribe(filter, from: device)
        stage.announce(filter.replacing("+", with: "accepted"), "a")
        stage.announce(filter.replacing("+", with: "rejected").replacing("update/accepted", with: "x"), "r")
        let words = device.received()
        #expect(words.contains("suback 1"))
        #expect(words.count { $0.hasPrefix("publish") } == (filter.hasSuffix("+") ? 2 : 1))
    }

    @Test("8, 20: a take-over is immediate, while the old connection seems alive [AWS-8-6] [AWS-20-6]")
    func takeOver() {
        for (version, words) in [(.v311, []), (.v5, ["disconnect 142"])] as [(MQTTVersion, [String])] {
            var stage = Stage()
            let old = stage.client("lamp", version, as: lamp, keepAlive: 15)
            _ = old.received()
            let new = stage.client("lamp", version, as: lamp, keepAlive: 15)
            #expect(old.received() == words && old.connection.isClosing)
            #expect(new.received() == ["connack 0 false"] && !new.connection.isClosing)
        }
    }

    @Test("8: intervals are taken as the client asks, zero too [AWS-8-7]")
    func keepAlive() {
        var stage = Stage()
        let (short, none) = (stage.client("s", keepAlive: 15), stage.client("n", keepAlive: 0))
        stage.pass(seconds: 22)
        #expect(!short.connection.isClosing)
        stage.pass(seconds: 1)
        #expect(short.connection.isClosing && !none.connection.isClosing)
        stage.pass(seconds: 100_000)
        #expect(!none.connection.isClosing)
    }

    @Test("8: QoS 2 may be supported [AWS-8-5]")
    func exactlyOnce() {
        var stage = Stage()
        let client = stage.client("c")
        stage.publish("a", "x", qos: .exactlyOnce, id: 1, from: client)
        #expect(client.received() == ["connack 0 false", "pubrec #1"])
    }

    private static let userNames: [(text: String, name: String?)] = [
        ("lamp", "lamp"), ("lamp?SDK=IoTDeviceSDK/Python&Platform=Unix", "lamp"), ("a?b?c", "a"),
        ("?SDK=Python&Version=1", nil), ("?", nil), ("", nil),
    ]

    @Test("8: of a user name the part before the first ? counts [AWS-8-1]", arguments: userNames)
    func metrics(_ row: (text: String, name: String?)) {
        var stage = Stage()
        let client = Client(.v311, now: stage.now)
        stage.core.opened(client.connection, now: stage.now)
        let user = Array(row.text.utf8)
        let body: [UInt8] = [0, 4, 77, 81, 84, 84, 4, 0x82, 0, 0, 0, 1, 0x63, 0, UInt8(user.count)] + user
        stage.send([0x10, UInt8(body.count)] + body, from: client)
        let shown = stage.steps.compactMap { if case .authenticate(_, let shown) = $0 { shown } else { nil } }
        #expect(shown.map(\.userName) == [row.name.map { Array($0.utf8) }])
    }

    @Test("8: a refused client of 3.1.1 hears code 5 [AWS-8-9]")
    func refusedClient() {
        var stage = Stage()
        let client = Client(.v311, now: stage.now)
        stage.core.opened(client.connection, now: stage.now)
        stage.send([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 1, 0x63], from: client)
        stage.core.refuse(client.connection, .notAuthorized, "no")
        stage.settle()
        #expect(client.frames() == [[0x20, 2, 0, 5]] && client.connection.isClosing)
    }
}
