import ByteKit
import MQTTWire
import Testing

@Suite("Rules of CONNECT and CONNACK (3.1, 3.2)")
struct ConnectRuleTests {
    static let rows: [(rule: String, body: [UInt8], expected: MQTTFault?)] = [
        ("3.1.2-1 name", field("MQTX") + [5, 2, 0, 0, 0, 0, 0], .unknownProtocol),
        ("3.1.2-1 name, lower case", field("mqtt") + [5, 2, 0, 0, 0, 0, 0], .unknownProtocol),
        ("3.1.2-2 MQIsdp", field("MQIsdp") + [3, 2, 0, 0, 0, 0], .unsupportedVersion(3)),
        ("3.1.2-2 MQIsdp at level 4", field("MQIsdp") + [4, 2, 0, 0, 0, 0], .unsupportedVersion(4)),
        ("3.1.2-2 level 3", connectBody(level: 3, flags: 2), .unsupportedVersion(3)),
        ("3.1.2-2 level 6", connectBody(level: 6, flags: 2), .unsupportedVersion(6)),
        ("3.1.2-3 reserved flag", connectBody(level: 5, flags: 3), .reservedBits),
        ("3.1.2-3 reserved flag, 3.1.1", connectBody(level: 4, flags: 3), .reservedBits),
        ("3.1.2-11 will QoS without will", connectBody(level: 5, flags: 0x0A), .willFlagsWithoutWill),
        ("3.1.2-13 will retain without will", connectBody(level: 4, flags: 0x22), .willFlagsWithoutWill),
        (
            "3.1.2-12 will QoS 3", connectBody(level: 4, flags: 0x1E, rest: field("t") + field("")),
            .invalidQoS
        ),
        (
            "3.1.2-22 of 3.1.1, password alone", connectBody(level: 4, flags: 0x42, rest: field("p")),
            .passwordWithoutUserName
        ),
        ("3.1.2.9 password alone in MQTT 5", connectBody(level: 5, flags: 0x42, rest: field("p")), nil),
        ("3.1.2.11 no properties length", field("MQTT") + [5, 2, 0, 0], .truncated),
        ("3.1.3 trailing bytes", connectBody(level: 5, flags: 2, rest: [0]), .trailingBytes),
        ("3.1.3 user name missing", connectBody(level: 5, flags: 0x82), .truncated),
        ("3.1.3-4 client id not UTF-8", field("MQTT") + [4, 2, 0, 0, 0, 1, 0xFF], .invalidUTF8),
        (
            "3.1.3-11 will topic with wildcard",
            connectBody(level: 4, flags: 6, rest: field("a/+") + field("")),
            .topicNameInvalid
        ),
        (
            "4.7.3-1 will topic empty", connectBody(level: 4, flags: 6, rest: field("") + field("")),
            .topicNameInvalid
        ),
        (
            "3.1.3-12 user name with U+0000", connectBody(level: 4, flags: 0x82, rest: [0, 1, 0]),
            .invalidUTF8
        ),
        (
            "3.1.3.6 any password", connectBody(level: 4, flags: 0xC2, rest: field("u") + [0, 2, 0, 0xFF]),
            nil
        ),
        (
            "3.1.2.11.10 data without method", connectBody(level: 5, flags: 2, properties: [0x16, 0, 0]),
            .authenticationMethodMissing
        ),
        (
            "3.1.2.11.10 data with method",
            connectBody(level: 5, flags: 2, properties: [0x16, 0, 0, 0x15, 0, 1, 0x6D]), nil
        ),
        (
            "3.1.3.2 will properties of another table",
            connectBody(level: 5, flags: 6, rest: [3, 0x23, 0, 1] + field("t") + field("")),
            .propertyNotAllowed(.topicAlias)
        ),
    ]

    @Test("CONNECT", arguments: rows)
    func connect(_ row: (rule: String, body: [UInt8], expected: MQTTFault?)) {
        #expect(fault(frame(0x10, row.body)) == row.expected)
        #expect(fault(frame(0x10, row.body), .v311, from: .client) == row.expected)
    }

    @Test("the version of a broken CONNECT is still known")
    func brokenConnect() {
        #expect(announcedVersion(frame(0x10, connectBody(level: 5, flags: 3))) == .v5)
        #expect(announcedVersion(frame(0x10, connectBody(level: 4, flags: 3))) == .v311)
        #expect(announcedVersion(frame(0x10, connectBody(level: 6, flags: 3))) == nil)
        #expect(announcedVersion(hex("C000")) == nil)
        #expect(announcedVersion(hex("10")) == nil)
    }

    static let answers: [(rule: String, version: MQTTVersion, bytes: String, expected: MQTTFault?)] = [
        ("3.2.2-1", .v5, "20 03 02 00 00", .reservedBits), ("3.2.2-1", .v311, "20 02 80 00", .reservedBits),
        ("3.2.2-6", .v5, "20 03 01 87 00", .sessionPresentOnRefusal),
        ("3.2.2-4 of 3.1.1", .v311, "20 02 01 05", .sessionPresentOnRefusal),
        ("3.2.2.2", .v311, "20 02 00 06", .invalidReasonCode(6)),
        ("3.2.2.2", .v5, "20 03 00 8E 00", .invalidReasonCode(0x8E)),
        ("3.2.2.2", .v5, "20 03 00 01 00", .invalidReasonCode(1)), ("3.2.2.2", .v5, "20 03 00 9F 00", nil),
        ("3.2.2.3", .v5, "20 02 00 00", .truncated), ("3.2.2.3", .v311, "20 03 00 00 00", .trailingBytes),
        ("3.2.2.3.18", .v5, "20 06 00 00 03 16 0000", .authenticationMethodMissing),
    ]

    @Test("CONNACK", arguments: answers)
    func connack(_ row: (rule: String, version: MQTTVersion, bytes: String, expected: MQTTFault?)) {
        #expect(fault(hex(row.bytes), row.version) == row.expected)
    }

    @Test("table 3.1 of 3.1.1: return codes are translated both ways")
    func returnCodes() throws {
        let codes: [ReasonCode] = [
            .success, .unsupportedProtocolVersion, .clientIdentifierNotValid, .serverUnavailable,
            .badUserNameOrPassword, .notAuthorized,
        ]
        for (number, reason) in codes.enumerated() {
            let bytes = [0x20, 0x02, 0x00, UInt8(number)]
            guard case .connack(let connack) = try decode(bytes, .v311) else { throw Unexpected() }
            #expect(connack.reason == reason)
            var sink: [UInt8] = []
            try PacketEncoder(version: .v311).connack(session: .absent, reason: reason, to: &sink)
            #expect(sink == bytes)
        }
        var sink: [UInt8] = []
        try PacketEncoder(version: .v311).connack(session: .present, reason: .banned, to: &sink)
        #expect(sink == hex("20 02 00 05"))
        #expect(throws: MQTTFault.invalidReasonCode(0x9B)) {
            var sink: [UInt8] = []
            try PacketEncoder(version: .v311).connack(session: .absent, reason: .qosNotSupported, to: &sink)
        }
    }
}

@Suite("Rules of the other packets (3.3 ... 3.15)")
struct PacketRuleTests {
    typealias Row = (rule: String, version: MQTTVersion, bytes: String, expected: MQTTFault?)

    static let messages: [Row] = [
        ("3.3.2-2", .v311, "30 05 0003 612F2B", .topicNameInvalid),
        ("3.3.2-2", .v5, "30 04 0001 23 00", .topicNameInvalid),
        ("4.7.3-1", .v311, "30 02 0000", .topicNameInvalid),
        ("3.3.2.1", .v5, "30 03 0000 00", .topicMissing), ("3.3.2.1", .v5, "30 06 0000 03 23 0001", nil),
        ("3.3.2-8", .v5, "30 06 0000 03 23 0000", .topicAliasInvalid),
        ("2.2.1-3", .v311, "32 05 0001 61 0000", .packetIDZero),
        ("2.2.1-3", .v5, "34 06 0001 61 0000 00", .packetIDZero),
        ("3.3.2-14", .v5, "30 08 0001 61 04 08 0001 23", .topicNameInvalid),
        ("3.3.2-14", .v5, "30 07 0001 61 03 08 0000", .topicNameInvalid),
        ("3.3.2.3.1", .v5, "30 05 0001 61 05 00", .truncated),
        ("3.3.2.3.1", .v5, "30 03 0001 61", .truncated),
        ("1.5.5-1", .v5, "30 05 0001 61 8000", .overlongInteger),
        ("2.2.2.2", .v5, "30 06 0001 61 02 7F00", .unknownProperty(0x7F)),
        ("2.2.2.2", .v5, "30 06 0001 61 02 0000", .unknownProperty(0)),
        ("2.2.2.2", .v5, "30 05 0001 61 01 01", .truncated),
    ]

    static let acks: [Row] = [
        ("2.2.1-3", .v5, "40 02 0000", .packetIDZero), ("2.2.1-3", .v311, "70 02 0000", .packetIDZero),
        ("3.4.2", .v5, "40 01 12", .truncated), ("3.4.2", .v311, "40 03 1234 00", .trailingBytes),
        ("3.4.2-1", .v5, "40 03 1234 92", .invalidReasonCode(0x92)), ("3.4.2-1", .v5, "40 03 1234 97", nil),
        ("3.5.2-1", .v5, "50 03 1234 18", .invalidReasonCode(0x18)),
        ("3.6.2-1", .v5, "62 03 1234 10", .invalidReasonCode(0x10)), ("3.6.2-1", .v5, "62 03 1234 92", nil),
        ("3.7.2-1", .v5, "70 03 1234 80", .invalidReasonCode(0x80)),
        ("2.1.4", .v5, "40 05 1234 00 00 00", .trailingBytes),
        ("3.4.2.2", .v5, "40 08 1234 00 04 1F 0002 71", .truncated),
    ]

    static let subscriptions: [Row] = [
        ("3.8.3-2", .v311, "82 02 0001", .filterMissing), ("3.8.3-2", .v5, "82 03 0001 00", .filterMissing),
        ("3.10.3-2", .v311, "A2 02 0001", .filterMissing), ("3.10.3-2", .v5, "A2 03 0001 00", .filterMissing),
        ("2.2.1-3", .v5, "82 07 0000 00 0001 61 00", .packetIDZero),
        ("3.8.3-5", .v5, "82 07 0001 00 0001 61 40", .reservedBits),
        ("3.8.3-5", .v5, "82 07 0001 00 0001 61 80", .reservedBits),
        ("3-8.3-4 of 3.1.1", .v311, "82 06 0001 0001 61 04", .reservedBits),
        ("3-8.3-4 of 3.1.1", .v311, "82 06 0001 0001 61 03", .invalidSubscriptionOptions),
        ("3.8.3.1", .v5, "82 07 0001 00 0001 61 03", .invalidSubscriptionOptions),
        ("3.8.3.1", .v5, "82 07 0001 00 0001 61 30", .invalidSubscriptionOptions),
        ("3.8.3.1", .v5, "82 06 0001 00 0001 61", .truncated),
        ("3.8.3-4", .v5, "82 10 0001 00 000A 2473686172652F672F61 04", .noLocalOnShared),
        ("3.8.3-4", .v5, "82 10 0001 00 000A 2473686172652F672F61 01", nil),
        ("4.7.1-1", .v5, "82 08 0001 00 0002 6123 00", .topicFilterInvalid),
        ("4.7.1-1", .v5, "A2 07 0001 00 0002 6123", .topicFilterInvalid),
        ("4.7.3-1", .v311, "82 05 0001 0000 00", .topicFilterInvalid),
        ("3.8.2.1.2", .v5, "82 09 0001 02 0B00 0001 61 00", .propertyValue(.subscriptionIdentifier)),
        ("3.9.3", .v5, "90 03 0001 00", .reasonCodeMissing),
        ("3.9.3", .v311, "90 02 0001", .reasonCodeMissing),
        ("3.9.3-2 of 3.1.1", .v311, "90 03 0001 87", .invalidReasonCode(0x87)),
        ("3.9.3", .v5, "90 04 0001 00 11", .invalidReasonCode(0x11)),
        ("3.11.3", .v5, "B0 04 0001 00 01", .invalidReasonCode(1)),
        ("3.11.3", .v5, "B0 03 0001 00", .reasonCodeMissing),
        ("3.11 of 3.1.1", .v311, "B0 03 0001 00", .trailingBytes),
    ]

    static let ends: [Row] = [
        ("3.12", .v311, "C0 01 00", .trailingBytes), ("3.13", .v5, "D0 01 00", .trailingBytes),
        ("3.14 of 3.1.1", .v311, "E0 01 00", .trailingBytes),
        ("3.14.2-1", .v5, "E0 01 01", .invalidReasonCode(1)),
        ("3.14.2.2", .v5, "E0 02 00 00", nil), ("3.14.2.2", .v5, "E0 03 00 00 00", .trailingBytes),
        ("2.1.2 of 3.1.1", .v311, "F0 00", .reservedPacketType), ("3.15.2.1", .v5, "F0 01 00", .truncated),
        ("3.15.2.2.2", .v5, "F0 02 18 00", .authenticationMethodMissing),
        ("3.15.2.1", .v5, "F0 02 00 00", nil),
        ("3.15.2-1", .v5, "F0 02 80 00", .invalidReasonCode(0x80)),
    ]

    @Test("each packet is held to its clause", arguments: messages + acks + subscriptions + ends)
    func rule(_ row: Row) {
        #expect(fault(hex(row.bytes), row.version) == row.expected)
    }

    @Test("a frame is exactly one packet")
    func exactlyOne() {
        #expect(fault(hex("C000 C000")) == .trailingBytes)
        #expect(fault(hex("C0")) == .truncated)
        #expect(fault([]) == .truncated)
        #expect(fault(hex("30 05 0001")) == .truncated)
    }

    @Test("table 2-1: packets that the other side sends are refused where the side is known")
    func sides() {
        let fromClient: Set<UInt8> = [1, 8, 10, 12]
        let fromServer: Set<UInt8> = [2, 9, 11, 13]
        for golden in goldenPackets {
            let type = golden.bytes[0] >> 4
            let expected = PacketType(rawValue: type).map { MQTTFault.unexpectedPacket($0) }
            if fromClient.contains(type) {
                #expect(fault(golden.bytes, golden.version, from: .server) == expected)
                #expect(fault(golden.bytes, golden.version, from: .client) == nil)
            } else if fromServer.contains(type) {
                #expect(fault(golden.bytes, golden.version, from: .client) == expected)
                #expect(fault(golden.bytes, golden.version, from: .server) == nil)
            }
        }
        #expect(fault(hex("E000"), .v311, from: .server) == .unexpectedPacket(.disconnect))
    }

    @Test("tables 3-10 and 3-11: some reasons of DISCONNECT and AUTH belong to one side")
    func oneSidedReasons() {
        let again = hex("F0 06 19 04 15 0001 6D")
        #expect(fault(again, from: .server) == .invalidReasonCode(0x19))
        #expect(fault(again, from: .client) == nil)
        #expect(fault(hex("F0 02 00 00"), from: .client) == .invalidReasonCode(0))
        #expect(fault(hex("F0 00"), from: .client) == .invalidReasonCode(0))
        #expect(fault(hex("F0 02 00 00"), from: .server) == nil)
        #expect(fault(hex("E0 01 04"), from: .server) == .invalidReasonCode(4))
        #expect(fault(hex("E0 01 04"), from: .client) == nil)
        #expect(fault(hex("E0 01 8E"), from: .client) == .invalidReasonCode(0x8E))
        #expect(fault(hex("E0 01 8E"), from: .server) == nil)
    }
}
