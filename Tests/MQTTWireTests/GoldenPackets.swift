//  Packets as the standards print them. Where a figure shows only one part of a packet, the rest is the least
//  that makes it whole. 311 = OASIS MQTT 3.1.1, 5 = OASIS MQTT 5.0.

import MQTTWire
import Testing

struct Golden: CustomTestStringConvertible, Sendable {
    let source: String
    let version: MQTTVersion
    let bytes: [UInt8]
    /// Whether an encoder would choose these very bytes.
    let isCanonical: Bool

    init(_ source: String, _ version: MQTTVersion, _ digits: String, isCanonical: Bool = true) {
        self.source = source
        self.version = version
        bytes = hex(digits)
        self.isCanonical = isCanonical
    }

    init(_ source: String, _ version: MQTTVersion, _ bytes: [UInt8]) {
        self.source = source
        self.version = version
        self.bytes = bytes
        isCanonical = true
    }

    var testDescription: String { source }
}

let goldenV311 = [
    Golden(
        "311 figure 3.6: CONNECT with will, user name and password",
        .v311,
        "10 25 0004 4D515454 04 CE 000A 0003 636C69 0003 612F62 0002 6869 0004 75736572 0005 1122334455"
    ),
    Golden(
        "311 3.1.2.4: CONNECT with nothing but clean session",
        .v311,
        "10 0C 0004 4D515454 04 02 003C 0000"
    ),
    Golden("311 figure 3.8: CONNACK accepted", .v311, "20 02 00 00"),
    Golden("311 3.2.2.2: CONNACK with session present", .v311, "20 02 01 00"),
    Golden("311 table 3.1: CONNACK not authorized", .v311, "20 02 00 05"),
    Golden("311 figure 3.11: PUBLISH a/b, QoS 1, identifier 10", .v311, "32 09 0003 612F62 000A 6869"),
    Golden("311 3.3: PUBLISH with QoS 0 and RETAIN, empty", .v311, "31 05 0003 612F62"),
    Golden("311 3.3: PUBLISH with QoS 2 and DUP", .v311, "3C 08 0003 612F62 0001 00"),
    Golden("311 figure 3.13: PUBACK", .v311, "40 02 1234"),
    Golden("311 figure 3.14: PUBREC", .v311, "50 02 1234"),
    Golden("311 figure 3.16: PUBREL", .v311, "62 02 1234"),
    Golden("311 figure 3.18: PUBCOMP", .v311, "70 02 1234"),
    Golden(
        "311 figures 3.21 and 3.23: SUBSCRIBE a/b with QoS 1, c/d with QoS 2",
        .v311,
        "82 0E 000A 0003 612F62 01 0003 632F64 02"
    ),
    Golden("311 figure 3.27: SUBACK 0, 2, failure", .v311, "90 05 000A 00 02 80"),
    Golden("311 figure 3.30: UNSUBSCRIBE a/b, c/d", .v311, "A2 0C 000A 0003 612F62 0003 632F64"),
    Golden("311 figure 3.31: UNSUBACK", .v311, "B0 02 000A"),
    Golden("311 figure 3.33: PINGREQ", .v311, "C0 00"),
    Golden("311 figure 3.34: PINGRESP", .v311, "D0 00"),
    Golden("311 figure 3.35: DISCONNECT", .v311, "E0 00"),
]

let goldenV5 = [
    Golden(
        "5 figure 3-6: CONNECT with session expiry interval 10",
        .v5,
        """
        10 2C 0004 4D515454 05 CE 000A 05 11 0000000A 0003 636C69 00 0003 612F62 0002 6869
        0004 75736572 0005 1122334455
        """
    ),
    Golden(
        "5 3.1.3.2: CONNECT with will properties",
        .v5,
        "10 18 0004 4D515454 05 06 0000 00 0000 05 18 00000005 0001 77 0000"
    ),
    Golden(
        "5 3.1.2.9: CONNECT with a password alone",
        .v5,
        "10 11 0004 4D515454 05 42 0000 00 0000 0002 7077"
    ),
    Golden("5 3.2: CONNACK without properties", .v5, "20 03 00 00 00"),
    Golden("5 3.2.2.3: CONNACK with properties", .v5, "20 0B 01 00 08 21 0014 24 01 22 000A"),
    Golden("5 figure 3-9: PUBLISH a/b, QoS 1, identifier 10", .v5, "32 0A 0003 612F62 000A 00 6869"),
    Golden("5 3.3.2.3.4: PUBLISH by topic alias", .v5, "30 07 0000 03 23 0001 6F"),
    Golden(
        "5 3.3.2.3.8: PUBLISH for two subscription identifiers",
        .v5,
        "30 0B 0001 74 06 0B 01 0B 808001 01"
    ),
    Golden("5 3.4.2.1: PUBACK of two bytes", .v5, "40 02 1234"),
    Golden("5 3.4.2.1: PUBACK with a reason code alone", .v5, "40 03 1234 10"),
    Golden("5 3.4.2.1: PUBACK with reason code 0 spelled out", .v5, "40 03 1234 00", isCanonical: false),
    Golden("5 3.4.2.1: PUBACK with an empty property block", .v5, "40 04 1234 00 00", isCanonical: false),
    Golden("5 3.5: PUBREC with a reason string", .v5, "50 08 1234 97 04 1F 0001 71"),
    Golden("5 3.6: PUBREL", .v5, "62 03 1234 92"),
    Golden("5 3.7: PUBCOMP", .v5, "70 02 1234"),
    Golden(
        "5 figures 3-19 and 3-21: SUBSCRIBE a/b with QoS 1, c/d with QoS 2",
        .v5,
        "82 0F 000A 00 0003 612F62 01 0003 632F64 02"
    ),
    Golden("5 3.8.3.1: SUBSCRIBE with all options", .v5, "82 09 0001 02 0B 7F 0001 23 2E"),
    Golden("5 3.9: SUBACK", .v5, "90 06 000A 00 00 02 A2"),
    Golden("5 3.10: UNSUBSCRIBE a/b, c/d", .v5, "A2 0D 000A 00 0003 612F62 0003 632F64"),
    Golden("5 3.11: UNSUBACK", .v5, "B0 05 000A 00 00 11"),
    Golden("5 3.12: PINGREQ", .v5, "C0 00"),
    Golden("5 3.13: PINGRESP", .v5, "D0 00"),
    Golden("5 3.14.2.1: DISCONNECT of nothing", .v5, "E0 00"),
    Golden("5 3.14.2.1: DISCONNECT with a reason code alone", .v5, "E0 01 04"),
    Golden("5 figure 3-24: DISCONNECT with session expiry interval", .v5, "E0 07 00 05 11 00000000"),
    Golden("5 3.15: AUTH of nothing", .v5, "F0 00", isCanonical: false),
    Golden("5 3.15: AUTH with method and data", .v5, "F0 0A 18 08 15 0001 6D 16 0001 FF"),
]

let goldenPackets = goldenV311 + goldenV5
