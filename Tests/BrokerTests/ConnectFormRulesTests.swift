//  What a CONNECT must look like (clauses 3.1.0 to 3.1.3): whoever sends another one is closed without an answer.
import Broker
import MQTTWire
import Testing

/// A CONNECT that breaks a rule.
private struct Row: CustomStringConvertible, Sendable {
    let description: String
    let bytes: @Sendable (MQTTVersion) -> [UInt8]

    init(_ description: String, _ bytes: @escaping @Sendable (MQTTVersion) -> [UInt8]) {
        self.description = description
        self.bytes = bytes
    }

    /// `rest` follows the client identifier.
    init(_ description: String, flags: UInt8, _ rest: @escaping @Sendable (MQTTVersion) -> [UInt8] = { _ in [] }) {
        self.init(description) { connect($0, flags: flags, rest: rest($0)) }
    }
}

@Suite("Rules of the form of CONNECT (3.1)")
struct ConnectFormRulesTests {
    private static let names = ["MQTX", "mqtt", "", "MQTT5"].map { name in
        Row("name \"\(name)\"") { frame(0x10, field(name) + [$0.rawValue, 2, 0, 0] + properties($0) + field("c")) }
    }

    @Test("another protocol name [MQTT3-3.1.2-1] [MQTT3-3.1.4-1]", arguments: names)
    private func nameOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test("another protocol name, MQTT 5 [MQTT5-3.1.2-1] [MQTT5-3.1.4-1]", arguments: names)
    private func nameNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    @Test("a protocol level that there is not is answered and closed [MQTT3-3.1.2-2] [MQTT5-3.1.2-2]")
    func levels() {
        for level in [0, 3, 6, 0x84, 255] as [UInt8] {
            var stage = Stage()
            let client = stage.stranger(.v5, frame(0x10, field("MQTT") + [level, 2, 0, 0, 0] + field("c")))
            #expect(client.connection.output == [0x20, 2, 0, 1] && client.connection.isClosing)
        }
    }

    private static let reserved = [Row("reserved bit", flags: 3), Row("reserved bit alone", flags: 1)]

    @Test("the reserved bit of the flags [MQTT3-3.1.2-3]", arguments: reserved)
    private func reservedOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test("the reserved bit of the flags, MQTT 5 [MQTT5-3.1.2-3]", arguments: reserved)
    private func reservedNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    private static let noWill = [
        Row("will QoS 1", flags: 0x0A), Row("will QoS 2", flags: 0x12), Row("will retain", flags: 0x22),
        Row("a will", flags: 2) { properties($0) + field("gone") + field("x") },
    ]

    @Test(
        "flags or fields of a will without the will flag [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15]",
        arguments: noWill)
    private func noWillOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test(
        "flags or fields of a will without the will flag, MQTT 5 [MQTT5-3.1.2-11] [MQTT5-3.1.2-13]", arguments: noWill)
    private func noWillNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    private static let halfWill = [
        Row("nothing of a will", flags: 6), Row("will topic alone", flags: 6) { properties($0) + field("gone") },
        Row("will payload cut", flags: 6) { properties($0) + field("gone") + [0, 9, 0x78] },
    ]

    @Test("the will flag without the will [MQTT3-3.1.2-9]", arguments: halfWill)
    private func halfWillOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test("the will flag without the will, MQTT 5 [MQTT5-3.1.2-9]", arguments: halfWill)
    private func halfWillNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    private static let willQoS3 = [
        Row("will QoS 3", flags: 0x1E) { properties($0) + field("gone") + field("x") }
    ]

    @Test("will QoS 3 [MQTT3-3.1.2-14]", arguments: willQoS3)
    private func willQoS3Old(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test("will QoS 3, MQTT 5 [MQTT5-3.1.2-12]", arguments: willQoS3)
    private func willQoS3New(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    private static let credentials = [
        Row("a user name without its flag", flags: 2) { _ in field("user") },
        Row("no user name with its flag", flags: 0x82),
        Row("a password without its flag", flags: 0x82) { _ in field("user") + field("pass") },
        Row("no password with its flag", flags: 0xC2) { _ in field("user") },
    ]

    @Test(
        """
        user name and password, where their flags say otherwise \
        [MQTT3-3.1.2-18] [MQTT3-3.1.2-19] [MQTT3-3.1.2-20] [MQTT3-3.1.2-21]
        """, arguments: credentials)
    private func credentialsOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test(
        """
        user name and password, where their flags say otherwise, MQTT 5 \
        [MQTT5-3.1.2-16] [MQTT5-3.1.2-17] [MQTT5-3.1.2-18] [MQTT5-3.1.2-19]
        """, arguments: credentials)
    private func credentialsNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    @Test("a password without a user name: not in 3.1.1 [MQTT3-3.1.2-22], but in MQTT 5")
    func passwordAlone() {
        expectTurnedAway(connect(.v311, flags: 0x42, rest: field("pass")), .v311)
        var stage = Stage()
        _ = stage.stranger(.v5, connect(.v5, flags: 0x42, rest: field("pass")))
        #expect(stage.credentials.map(\.password) == [Array("pass".utf8)])
    }

    private static let texts = [[0xFF], [0x61, 0], [0xED, 0xA0, 0x80]].flatMap { (text: [UInt8]) in
        [
            Row("client identifier \(text)") { connect($0, id: field(text)) },
            Row("will topic \(text)", flags: 6) { properties($0) + field(text) + field("x") },
            Row("user name \(text)", flags: 0x82) { _ in field(text) },
        ]
    }

    @Test(
        "text in CONNECT that is not UTF-8 [MQTT3-3.1.3-4] [MQTT3-3.1.3-10] [MQTT3-3.1.3-11]", arguments: texts)
    private func textsOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test(
        "text in CONNECT that is not UTF-8, MQTT 5 [MQTT5-3.1.3-4] [MQTT5-3.1.3-11] [MQTT5-3.1.3-12]",
        arguments: texts)
    private func textsNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    private static let others = [
        Row("no client identifier") { connect($0, id: []) },
        Row("bytes behind the last field", flags: 2) { _ in [0] },
        Row("a will topic with a wildcard", flags: 6) { properties($0) + field("a/#") + field("x") },
        Row("nothing behind the flags") { frame(0x10, field("MQTT") + [$0.rawValue, 2]) },
    ]

    @Test("fields that are not there, or too many [MQTT3-3.1.3-3] [MQTT3-3.1.4-1]", arguments: others)
    private func othersOld(_ row: Row) { expectTurnedAway(row.bytes(.v311), .v311) }

    @Test("fields that are not there, or too many, MQTT 5 [MQTT5-3.1.3-3] [MQTT5-3.1.4-1]", arguments: others)
    private func othersNew(_ row: Row) { expectTurnedAway(row.bytes(.v5), .v5) }

    @Test(
        "the fields are read in the order of the standard [MQTT3-3.1.3-1] [MQTT5-3.1.3-1]",
        arguments: [MQTTVersion.v311, .v5])
    func order(version: MQTTVersion) {
        var stage = Stage()
        let listener = stage.client("l")
        stage.subscribe("#", qos: .exactlyOnce, from: listener)
        _ = listener.received()
        let will = properties(version, [0x18, 0, 0, 0, 0]) + field("topic") + field("payload")
        let bytes = connect(version, flags: 0xD6, id: field("identifier"), rest: will + field("user") + field("pass"))
        let client = stage.guest(version, bytes)
        #expect(client.received() == ["connack 0 false"])
        let shown = stage.credentials.last
        #expect(shown?.clientID == Array("identifier".utf8))
        #expect(shown?.userName == Array("user".utf8) && shown?.password == Array("pass".utf8))
        stage.breakLink(of: client)
        #expect(listener.received() == ["publish topic payload 2 #1"])
    }
}
