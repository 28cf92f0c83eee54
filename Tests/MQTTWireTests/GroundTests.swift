import ApusTestKit
import ByteKit
import MQTTWire
import Testing

@Suite("Numbers, text and the fixed header")
struct GroundTests {
    /// MQTT 5, table 1-1.
    static let integers: [(value: Int, bytes: String)] = [
        (0, "00"), (127, "7F"), (128, "8001"), (16_383, "FF7F"), (16_384, "808001"), (2_097_151, "FFFF7F"),
        (2_097_152, "80808001"), (268_435_455, "FFFFFF7F"),
    ]

    @Test("variable byte integers look as table 1-1 says [MQTT5-1.5.5-1]", arguments: integers)
    func integer(_ row: (value: Int, bytes: String)) throws {
        var sink: [UInt8] = []
        VariableByteInteger.append(row.value, to: &sink)
        #expect(sink == hex(row.bytes))
        #expect(VariableByteInteger.byteCount(of: row.value) == sink.count)
        let header = try #require(try peek(hex("30") + sink))
        #expect(header.bodyBytes == row.value)
        #expect(header.headerBytes == 1 + sink.count)
        #expect(header.totalBytes == 1 + sink.count + row.value)
    }

    @Test(
        "a fifth byte or a useless last one is refused [MQTT5-1.5.5-1]",
        arguments: ["80808080", "8080808001", "FFFFFFFF", "8000", "808000", "80808000", "FF00"]
    )
    func overlong(_ digits: String) {
        #expect(throws: MQTTFault.overlongInteger) { try peek(hex("30") + hex(digits)) }
    }

    @Test(
        "a header that has not all arrived yet asks for more",
        arguments: ["", "30", "3080", "30FFFF", "30FFFFFF"]
    )
    func incomplete(_ digits: String) throws {
        #expect(try peek(hex(digits)) == nil)
    }

    @Test("the flags of the fixed header are those of the packet type [MQTT3-2.2.2-1] [MQTT5-2.1.3-1]")
    func headerFlags() {
        let fixed: [UInt8: UInt8] = [6: 2, 8: 2, 10: 2]
        for type in UInt8(1)...15 where type != 3 {
            for flags in UInt8(0)...15 {
                let isRight = flags == fixed[type] ?? 0
                let header = try? peek([type << 4 | flags, 0])
                #expect((header != nil) == isRight, "type \(type), flags \(flags)")
                guard !isRight else { continue }
                #expect(throws: MQTTFault.reservedBits) { try peek([type << 4 | flags]) }
            }
        }
    }

    @Test("PUBLISH has no QoS 3 and no DUP with QoS 0 [MQTT3-3.3.1-2] [MQTT5-3.3.1-2] [MQTT5-3.3.1-4]")
    func publishFlags() {
        for flags in UInt8(0)...15 {
            let first = 0x30 | flags
            if flags & 6 == 6 {
                #expect(throws: MQTTFault.invalidQoS) { try peek([first]) }
            } else if flags & 14 == 8 {
                #expect(throws: MQTTFault.duplicateWithoutQoS) { try peek([first]) }
            } else {
                #expect((try? peek([first, 0]))?.flags == flags)
            }
        }
        #expect(throws: MQTTFault.reservedPacketType) { try peek([0x00]) }
    }

    /// Unicode table 3-7, and the clauses of 1.5.4.
    static let texts: [(bytes: String, isValid: Bool)] = [
        ("", true), ("41", true), ("01", true), ("7F", true), ("00", false), ("410041", false),
        ("41F0AA9B94", true),  // figure 1-2: "A" and U+2A6D4
        ("C280", true), ("DFBF", true), ("E0A080", true), ("ED9FBF", true), ("EE8080", true),
        ("EFBFBF", true),
        ("F0908080", true), ("F48FBFBF", true), ("EFBBBF", true),  // [MQTT5-1.5.4-3]: U+FEFF stays
        ("80", false), ("BF", false), ("C080", false), ("C1BF", false), ("C2", false), ("C241", false),
        ("E08080", false), ("E09FBF", false), ("E0A0", false), ("E0A041", false), ("E1C080", false),
        ("EDA080", false), ("EDBFBF", false), ("EDA080EDB080", false),  // [MQTT5-1.5.4-1]: surrogates
        ("F0808080", false), ("F08FBFBF", false), ("F4908080", false), ("F5808080", false), ("FF", false),
        ("F0908041", false), ("F09080", false), ("F0419080", false), ("FE", false), ("F8888080", false),
    ]

    @Test("text is strict UTF-8 without U+0000 [MQTT5-1.5.4-1] [MQTT5-1.5.4-2]", arguments: texts)
    func text(_ row: (bytes: String, isValid: Bool)) {
        #expect(isWellFormed(hex(row.bytes)) == row.isValid)
        let publish = fault(frame(0x30, field(hex("74") + hex(row.bytes))), .v311)
        #expect(publish == (row.isValid ? nil : .invalidUTF8))
    }

    @Test("UTF-8 is judged as the standard library judges it", arguments: UInt64(0)..<20)
    func textAgainstLibrary(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<200 {
            let leads: [UInt8] = [
                0x41, 0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF1, 0xF4, 0x80, 0x9F, 0xA0, 0xBF, 0x8F, 0x90,
            ]
            let bytes = (0..<6).map { _ in leads.randomElement(using: &random) ?? 0 }
            #expect(isWellFormed(bytes) == (String(validating: bytes, as: UTF8.self) != nil))
        }
    }
}

@Suite("Reason codes and faults")
struct ReasonTests {
    @Test("CONNACK of 3.1.1 knows the return codes 0 ... 5 only (table 3.1)")
    func returnCodes() {
        for code in UInt8(0)...5 {
            #expect(ReasonCode(connectReturnCode: code)?.connectReturnCode == code)
        }
        #expect(ReasonCode(connectReturnCode: 6) == nil)
        for raw in UInt8(0)...255 {
            guard let code = ReasonCode(rawValue: raw) else { continue }
            #expect(code.connectReturnCode ?? 0 <= 5)
            #expect((code.connectReturnCode == 0) == !code.isFailure)
        }
    }

    @Test("table 2-6 has 43 codes")
    func count() {
        #expect((UInt8(0)...255).count { ReasonCode(rawValue: $0) != nil } == 43)
        #expect((UInt8(0)...255).count { PropertyID(rawValue: $0) != nil } == 27)
        #expect(
            [QoS.atMostOnce, .atLeastOnce, .exactlyOnce].map { ReasonCode.granted($0).rawValue } == [0, 1, 2]
        )
    }

    @Test("a fault says with which code the connection ends")
    func faultCodes() {
        let rows: [(MQTTFault, UInt8)] = [
            (.truncated, 0x81), (.trailingBytes, 0x81), (.invalidUTF8, 0x81), (.unknownProperty(0), 0x81),
            (.propertyRepeated(.topicAlias), 0x82), (.packetIDZero, 0x82), (.filterMissing, 0x82),
            (.unsupportedVersion(3), 0x84), (.unknownProtocol, 0x84), (.topicFilterInvalid, 0x8F),
            (.topicNameInvalid, 0x90), (.topicAliasInvalid, 0x94), (.packetTooLarge, 0x95),
        ]
        for (fault, code) in rows {
            #expect(fault.reasonCode.rawValue == code)
            #expect(fault.explanation.utf8CodeUnitCount > 10)
        }
    }
}
