//  Packets that say all that they can: every field, and every property of MQTT 5, table 2-4, that may stand in them.

import MQTTWire

/// A row of MQTT 5, table 2-4.
struct PropertyRow: Sendable {
    var id: UInt8
    /// A valid value, in hexadecimal digits.
    var value: String
    /// The places that may have it.
    var places: String

    init(_ id: UInt8, _ value: String, _ places: String) {
        (self.id, self.value, self.places) = (id, value, places)
    }

    func belongs(to place: String) -> Bool {
        places.split(separator: " ").contains { $0 == place }
    }
}

let propertyPlaces = [
    "connect", "will", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback",
    "unsubscribe", "unsuback", "disconnect", "auth",
]

let propertyTable = [
    PropertyRow(0x01, "01", "publish will"), PropertyRow(0x02, "00000001", "publish will"),
    PropertyRow(0x03, "0001 61", "publish will"), PropertyRow(0x08, "0001 61", "publish will"),
    PropertyRow(0x09, "0001 FF", "publish will"), PropertyRow(0x0B, "01", "publish subscribe"),
    PropertyRow(0x11, "00000001", "connect connack disconnect"), PropertyRow(0x12, "0001 61", "connack"),
    PropertyRow(0x13, "0001", "connack"), PropertyRow(0x15, "0001 61", "connect connack auth"),
    PropertyRow(0x16, "0001 FF", "connect connack auth"), PropertyRow(0x17, "01", "connect"),
    PropertyRow(0x18, "00000001", "will"), PropertyRow(0x19, "01", "connect"),
    PropertyRow(0x1A, "0001 61", "connack"), PropertyRow(0x1C, "0001 61", "connack disconnect"),
    PropertyRow(0x1F, "0001 61", "connack puback pubrec pubrel pubcomp suback unsuback disconnect auth"),
    PropertyRow(0x21, "0001", "connect connack"), PropertyRow(0x22, "0001", "connect connack"),
    PropertyRow(0x23, "0001", "publish"), PropertyRow(0x24, "01", "connack"), PropertyRow(0x25, "01", "connack"),
    PropertyRow(0x26, "0001 61 0001 62", propertyPlaces.joined(separator: " ")),
    PropertyRow(0x27, "00000001", "connect connack"), PropertyRow(0x28, "01", "connack"),
    PropertyRow(0x29, "01", "connack"), PropertyRow(0x2A, "01", "connack"),
]

/// A packet that carries `properties` at `place`, all else as simple as can be.
func packet(at place: String, _ properties: [UInt8]) -> [UInt8] {
    packet(at: place, block: [UInt8(properties.count)] + properties)
}

/// The same with a block of properties whose length may be wrong.
func packet(at place: String, block: [UInt8]) -> [UInt8] {
    switch place {
    case "connect": frame(0x10, field("MQTT") + [5, 2, 0, 10] + block + field("c"))
    case "will": frame(0x10, connectBody(level: 5, flags: 6, rest: block + field("t") + field("")))
    case "connack": frame(0x20, [0, 0] + block)
    case "publish": frame(0x30, field("t") + block)
    case "puback": frame(0x40, [0, 1, 0] + block)
    case "pubrec": frame(0x50, [0, 1, 0] + block)
    case "pubrel": frame(0x62, [0, 1, 0] + block)
    case "pubcomp": frame(0x70, [0, 1, 0] + block)
    case "subscribe": frame(0x82, [0, 1] + block + field("t") + [0])
    case "suback": frame(0x90, [0, 1] + block + [0])
    case "unsubscribe": frame(0xA2, [0, 1] + block + field("t"))
    case "unsuback": frame(0xB0, [0, 1] + block + [0])
    case "disconnect": frame(0xE0, [0] + block)
    default: frame(0xF0, [0] + block)
    }
}

/// All properties that may stand at `place`; what may repeat comes twice.
private func allProperties(at place: String) -> [UInt8] {
    propertyTable.filter { $0.belongs(to: place) }.flatMap { row in
        let once = [row.id] + hex(row.value)
        return row.id == 0x26 || (row.id == 0x0B && place == "publish") ? once + once : once
    }
}

/// MQTT 5: one of each packet with every property; CONNECT with those of the will, user name and password as well.
let fullV5: [Golden] = {
    let block = allProperties(at: "will")
    let will = [UInt8(block.count)] + block + field("t") + field("w")
    let whole = frame(
        0x10, connectBody(level: 5, flags: 0xEE, properties: [0x21, 0, 9], rest: will + field("u") + field("p")))
    let packets = propertyPlaces.map { place in
        Golden("5 table 2-4: all properties of \(place)", .v5, packet(at: place, allProperties(at: place)))
    }
    return packets + [Golden("5 3.1: CONNECT with everything", .v5, whole)]
}()

/// Every packet of both versions, as small as the standards print it and as full as it can be.
let everyPacket = goldenPackets + fullV5
