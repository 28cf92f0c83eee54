import MQTTWire
import Testing

/// A place in a packet that holds text, and a packet with a given text there.
private struct TextField: CustomTestStringConvertible, Sendable {
    var name: String
    var version: MQTTVersion
    var make: @Sendable ([UInt8]) -> [UInt8]

    init(_ name: String, _ version: MQTTVersion, _ make: @escaping @Sendable ([UInt8]) -> [UInt8]) {
        (self.name, self.version, self.make) = (name, version, make)
    }

    var testDescription: String { name }
}

private let fixedFields = [
    TextField("client identifier", .v5) { frame(0x10, field("MQTT") + [5, 2, 0, 0, 0] + field($0)) },
    TextField("client identifier of 3.1.1", .v311) { frame(0x10, field("MQTT") + [4, 2, 0, 0] + field($0)) },
    TextField("will topic", .v5) { frame(0x10, connectBody(level: 5, flags: 6, rest: [0] + field($0) + field(""))) },
    TextField("will topic of 3.1.1", .v311) {
        frame(0x10, connectBody(level: 4, flags: 6, rest: field($0) + field("")))
    },
    TextField("user name", .v5) { frame(0x10, connectBody(level: 5, flags: 0x82, rest: field($0))) },
    TextField("user name of 3.1.1", .v311) { frame(0x10, connectBody(level: 4, flags: 0x82, rest: field($0))) },
    TextField("topic", .v5) { frame(0x30, field($0) + [3, 0x23, 0, 1]) },
    TextField("topic of 3.1.1", .v311) { frame(0x30, field($0)) },
    TextField("filter of SUBSCRIBE", .v5) { frame(0x82, [0, 1, 0] + field($0) + [0]) },
    TextField("second filter of SUBSCRIBE", .v311) { frame(0x82, [0, 1] + field("a") + [0] + field($0) + [0]) },
    TextField("filter of UNSUBSCRIBE", .v5) { frame(0xA2, [0, 1, 0] + field($0)) },
    TextField("second filter of UNSUBSCRIBE", .v311) { frame(0xA2, [0, 1] + field("a") + field($0)) },
]

/// Every text property wherever it may stand, and both halves of a user property.
private let propertyFields: [TextField] = propertyTable.flatMap { row -> [TextField] in
    guard let id = PropertyID(rawValue: row.id), id.kind == .text || id.kind == .textPair else { return [] }
    return propertyPlaces.filter(row.belongs).flatMap { place -> [TextField] in
        guard id.kind == .textPair else {
            return [TextField("\(id) of \(place)", .v5) { packet(at: place, [row.id] + field($0)) }]
        }
        return [
            TextField("name of \(place)", .v5) { packet(at: place, [row.id] + field($0) + field("v")) },
            TextField("value of \(place)", .v5) { packet(at: place, [row.id] + field("n") + field($0)) },
        ]
    }
}

@Suite("Text in every packet (1.5.4)")
struct TextFieldTests {
    @Test(
        "every string is strict UTF-8 without U+0000 [MQTT5-1.5.4-1] [MQTT5-1.5.4-2]",
        arguments: fixedFields + propertyFields)
    private func strict(_ place: TextField) {
        for text in GroundTests.texts where !text.bytes.isEmpty {
            let expected: MQTTFault? = text.isValid ? nil : .invalidUTF8
            #expect(fault(place.make(hex(text.bytes)), place.version) == expected, "\(text.bytes)")
        }
    }

    @Test("binary data may hold anything (1.5.6)")
    func binary() {
        let bytes = hex("00 FF C0 80 ED A0 80")
        #expect(fault(frame(0x10, connectBody(level: 5, flags: 6, rest: [0] + field("t") + field(bytes)))) == nil)
        #expect(fault(frame(0x10, connectBody(level: 5, flags: 0x42, rest: field(bytes)))) == nil)
        #expect(fault(packet(at: "publish", [0x09] + field(bytes))) == nil)
        #expect(fault(packet(at: "auth", [0x15] + field("m") + [0x16] + field(bytes))) == nil)
        #expect(fault(frame(0x30, field("t") + bytes), .v311) == nil)
    }
}
