import ByteKit
import MQTTWire
import Testing

@Suite("Properties (MQTT 5, 2.2.2)")
struct PropertyTests {
    @Test("table 2-4: every property is accepted where it belongs and refused elsewhere", arguments: propertyPlaces)
    func placement(_ place: String) throws {
        for row in propertyTable {
            let method: [UInt8] = row.id == 0x16 && row.belongs(to: place) ? hex("15 0001 6D") : []
            let bytes = packet(at: place, [row.id] + hex(row.value) + method)
            let id = try #require(PropertyID(rawValue: row.id))
            let isAllowed = row.belongs(to: place)
            #expect(fault(bytes) == (isAllowed ? nil : .propertyNotAllowed(id)), "\(id) in \(place)")
        }
    }

    @Test("2.2.2.2: only user properties repeat, and subscription identifiers in PUBLISH", arguments: propertyPlaces)
    func repetition(_ place: String) throws {
        for row in propertyTable where row.belongs(to: place) {
            let once = [row.id] + hex(row.value)
            let id = try #require(PropertyID(rawValue: row.id))
            let mayRepeat = row.id == 0x26 || (place == "publish" && row.id == 0x0B)
            #expect(fault(packet(at: place, once + once)) == (mayRepeat ? nil : .propertyRepeated(id)))
        }
    }

    @Test("1.5.5-1: the length of the properties is as short as it can be, in every packet", arguments: propertyPlaces)
    func overlongLength(_ place: String) {
        for block in ["8000", "808000", "80808000", "8080808000", "FFFFFFFF7F"] {
            #expect(fault(packet(at: place, block: hex(block))) == .overlongInteger, "\(block)")
        }
    }

    @Test("2.2.2.1: a property ends where the properties end, in every packet", arguments: propertyPlaces)
    func straddling(_ place: String) {
        for row in propertyTable where row.belongs(to: place) {
            let property = [row.id] + hex(row.value)
            for count in 1..<property.count {
                let block = [UInt8(count)] + property
                #expect(fault(packet(at: place, block: block)) == .truncated, "\(count) bytes of \(row.id)")
            }
            let beyond = packet(at: place, block: [127] + property)
            #expect(fault(beyond) == .truncated, "more properties than packet")
        }
    }

    static let values: [(rule: String, place: String, property: String, expected: MQTTFault?)] = [
        ("3.3.2.3.2", "publish", "01 02", .propertyValue(.payloadFormatIndicator)),
        ("3.1.3.2.3", "will", "01 02", .propertyValue(.payloadFormatIndicator)),
        ("3.1.2.11.3", "connect", "21 0000", .propertyValue(.receiveMaximum)),
        ("3.2.2.3.3", "connack", "21 0000", .propertyValue(.receiveMaximum)),
        ("3.1.2.11.4", "connect", "27 00000000", .propertyValue(.maximumPacketSize)),
        ("3.1.2.11.5", "connect", "22 0000", nil),
        ("3.1.2.11.6", "connect", "19 02", .propertyValue(.requestResponseInformation)),
        ("3.1.2.11.7", "connect", "17 FF", .propertyValue(.requestProblemInformation)),
        ("3.2.2.3.4", "connack", "24 02", .propertyValue(.maximumQoS)),
        ("3.2.2.3.4", "connack", "24 00", nil),
        ("3.2.2.3.5", "connack", "25 02", .propertyValue(.retainAvailable)),
        ("3.2.2.3.11", "connack", "28 02", .propertyValue(.wildcardSubscriptionAvailable)),
        ("3.2.2.3.12", "connack", "29 02", .propertyValue(.subscriptionIdentifierAvailable)),
        ("3.2.2.3.13", "connack", "2A 02", .propertyValue(.sharedSubscriptionAvailable)),
        ("3.3.2.3.4", "publish", "23 0000", .topicAliasInvalid),
        ("3.3.2.3.8", "publish", "0B 00", .propertyValue(.subscriptionIdentifier)),
        ("3.3.2.3.8", "publish", "0B FFFFFF7F", nil),
        ("1.5.5-1", "publish", "0B FFFFFFFF7F", .overlongInteger),
        ("1.5.5-1", "publish", "0B 8000", .overlongInteger),
        ("3.8.2.1.2", "subscribe", "0B 00", .propertyValue(.subscriptionIdentifier)),
        ("1.5.4-1", "publish", "03 0001 FF", .invalidUTF8),
        ("1.5.4-2", "disconnect", "1F 0001 00", .invalidUTF8),
        ("1.5.7-1", "connect", "26 0001 61 0001 80", .invalidUTF8),
        ("1.5.7-1", "connect", "26 0001 80 0001 61", .invalidUTF8),
        ("1.5.6", "publish", "09 0003 00FF80", nil),
        ("1.5.2", "publish", "23 00", .truncated), ("1.5.3", "connect", "11 000000", .truncated),
        ("1.5.4", "connack", "12 0005 61", .truncated), ("1.5.7", "publish", "26 0001 61", .truncated),
    ]

    @Test("a value outside its range is refused with its own fault", arguments: values)
    func value(_ row: (rule: String, place: String, property: String, expected: MQTTFault?)) {
        #expect(fault(packet(at: row.place, hex(row.property))) == row.expected)
    }

    @Test("some properties come from one side only [MQTT5-3.3.4-6] [MQTT5-3.14.2-2]")
    func sides() {
        let identified = packet(at: "publish", hex("0B 01"))
        #expect(fault(identified, from: .client) == .propertyFromWrongSide(.subscriptionIdentifier))
        #expect(fault(identified, from: .server) == nil)
        let expiring = packet(at: "disconnect", hex("11 00000001"))
        #expect(fault(expiring, from: .server) == .propertyFromWrongSide(.sessionExpiryInterval))
        #expect(fault(expiring, from: .client) == nil)
        let moved = packet(at: "disconnect", hex("1C 0001 61"))
        #expect(fault(moved, from: .client) == .propertyFromWrongSide(.serverReference))
        #expect(fault(moved, from: .server) == nil)
    }

    @Test("every kind of property is found again by name")
    func lookUp() throws {
        var block: [UInt8] = []
        Property.append(.payloadFormatIndicator, byte: 1, to: &block)
        Property.append(.messageExpiryInterval, u32: 0xDEAD_BEEF, to: &block)
        try Property.append(.contentType, bytes: Array("text/plain".utf8).span, to: &block)
        try Property.append(.correlationData, bytes: hex("00FF").span, to: &block)
        Property.append(.subscriptionIdentifier, variableByteInteger: 16_384, to: &block)
        Property.append(.topicAlias, u16: 513, to: &block)
        try Property.appendUserProperty(name: hex("6E").span, value: hex("76").span, to: &block)
        let bytes = packet(at: "publish", block)
        guard case .publish(let publish) = try decode(bytes) else { throw Unexpected() }
        let properties = publish.properties
        #expect(properties.byte(.payloadFormatIndicator, in: bytes.span) == 1)
        #expect(properties.u32(.messageExpiryInterval, in: bytes.span) == 0xDEAD_BEEF)
        #expect(text(properties.range(.contentType, in: bytes.span), in: bytes) == "text/plain")
        #expect(properties.range(.correlationData, in: bytes.span)?.count == 2)
        #expect(properties.variableByteInteger(.subscriptionIdentifier, in: bytes.span) == 16_384)
        #expect(properties.u16(.topicAlias, in: bytes.span) == 513)
        guard case .pair(let name, let value) = properties.property(.userProperty, in: bytes.span) else {
            throw Unexpected()
        }
        #expect(text(name, in: bytes) == "n")
        #expect(text(value, in: bytes) == "v")
        #expect(properties.range(.responseTopic, in: bytes.span) == nil)
        #expect(properties.u32(.topicAlias, in: bytes.span) == nil)
    }

    @Test("a forwarded message keeps its properties but for those that belong to the connection")
    func copy() throws {
        let kept = hex("26 0001 61 0001 62 01 01 26 0001 61 0001 63")
        let bytes = packet(at: "publish", hex("23 0005") + kept + hex("02 00000009"))
        guard case .publish(let publish) = try decode(bytes) else { throw Unexpected() }
        var block: [UInt8] = []
        let excluded = PropertySet(.topicAlias).with(.messageExpiryInterval)
        Property.copy(publish.properties, in: bytes.span, without: excluded, to: &block)
        #expect(block == kept)
    }

    @Test("a property range that does not lie in the frame has no properties")
    func strayRange() {
        let stray = [
            ByteRange(start: 5, count: .max), ByteRange(start: -1, count: 1), ByteRange(start: 9, count: 0),
        ]
        for range in stray {
            var cursor = PropertyCursor(range)
            #expect(cursor.next(in: hex("2301").span) == nil)
            #expect(range.u16(.topicAlias, in: hex("230001").span) == nil)
        }
    }
}
