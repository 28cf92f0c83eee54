import MQTTWire
import Testing

/// Which codes a packet may carry (MQTT 5, tables 3-1 to 3-11), for all 256 of them.
@Suite("Reason codes by packet")
struct ReasonTableTests {
    struct Table: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let sender: PacketSender
        let codes: [UInt8]
        /// The packet around a code.
        let packet: @Sendable (UInt8) -> [UInt8]
    }

    static let answers = [
        Table(
            testDescription: "table 3-1: CONNACK", sender: .server,
            codes: [
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
                0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ]
        ) { frame(0x20, [0, $0, 0]) },
        Table(
            testDescription: "table 3-8: SUBACK", sender: .server,
            codes: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
        ) { frame(0x90, [0, 1, 0, $0]) },
        Table(
            testDescription: "table 3-9: UNSUBACK", sender: .server,
            codes: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]
        ) { frame(0xB0, [0, 1, 0, $0]) },
    ]

    static let taken: [UInt8] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
    static let acknowledgements = [PacketSender.client, .server].flatMap { sender in
        [
            Table(testDescription: "table 3-4: PUBACK", sender: sender, codes: taken) { frame(0x40, [0, 1, $0]) },
            Table(testDescription: "table 3-5: PUBREC", sender: sender, codes: taken) { frame(0x50, [0, 1, $0]) },
            Table(testDescription: "table 3-6: PUBREL", sender: sender, codes: [0, 0x92]) { frame(0x62, [0, 1, $0]) },
            Table(testDescription: "table 3-7: PUBCOMP", sender: sender, codes: [0, 0x92]) { frame(0x70, [0, 1, $0]) },
        ]
    }

    static let shared: [UInt8] = [
        0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    ]
    static let others = [
        Table(testDescription: "table 3-10: DISCONNECT of a client", sender: .client, codes: shared + [0x04]) {
            frame(0xE0, [$0])
        },
        // 0x8C stands in table 2-6 and not in table 3-10.
        Table(
            testDescription: "table 3-10: DISCONNECT of a server", sender: .server,
            codes: shared + [
                0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
            ]
        ) { frame(0xE0, [$0]) },
        Table(testDescription: "table 3-11: AUTH of a client", sender: .client, codes: [0x18, 0x19]) {
            frame(0xF0, [$0, 4, 0x15] + field("m"))
        },
        Table(testDescription: "table 3-11: AUTH of a server", sender: .server, codes: [0x00, 0x18]) {
            frame(0xF0, [$0, 4, 0x15] + field("m"))
        },
    ]

    @Test("answers of the server [MQTT5-3.2.2-8] [MQTT5-3.9.3-2] [MQTT5-3.11.3-2]", arguments: answers)
    func server(_ table: Table) { check(table) }

    @Test(
        "acknowledgements of both sides [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1]",
        arguments: acknowledgements)
    func acknowledgement(_ table: Table) { check(table) }

    @Test("DISCONNECT and AUTH [MQTT5-3.14.2-1] [MQTT5-3.15.2-1]", arguments: others)
    func other(_ table: Table) { check(table) }

    private func check(_ table: Table) {
        for code in UInt8(0)...255 {
            let isAllowed = table.codes.contains(code)
            let found = fault(table.packet(code), .v5, from: table.sender)
            #expect(found == (isAllowed ? nil : .invalidReasonCode(code)), "\(code)")
        }
    }
}
