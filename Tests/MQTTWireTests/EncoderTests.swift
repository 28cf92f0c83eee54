import ApusTestKit
import ByteKit
import MQTTWire
import Testing

@Suite("Encoding")
struct EncoderTests {
    @Test("the layout of a PUBLISH tells where topic, identifier and payload lie", arguments: UInt64(0)..<40)
    func layout(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let version = MQTTVersion.both[Int(seed % 2)]
        let qos = try #require(QoS(rawValue: UInt8(seed % 3)))
        let topic = random.text()
        let payload = random.bytes([0, 1, 90, 127, 128, 20_000][Int(seed % 6)])
        var properties: [UInt8] = []
        if seed % 4 == 0 { try Property.append(.contentType, bytes: random.text().span, to: &properties) }
        var sink: [UInt8] = []
        let layout = try PacketEncoder(version: version).publish(
            topic: topic.span,
            qos: qos,
            properties: properties.span,
            payload: payload.span,
            to: &sink
        )
        #expect(layout.totalBytes == sink.count)
        #expect(Array(sink[layout.headBytes...]) == payload)
        #expect(Array(sink[layout.topicStart..<layout.topicStart + topic.count]) == topic)
        #expect((layout.packetIDStart == nil) == (qos == .atMostOnce))
        if let start = layout.packetIDStart {
            sink[start] = 0x12
            sink[start + 1] = 0x34
            sink[0] |= 0b1000
        }
        guard case .publish(let publish) = try decode(sink, version) else { throw Unexpected() }
        #expect(publish.packetID == (qos == .atMostOnce ? 0 : 0x1234))
        #expect(publish.isDuplicate == (qos != .atMostOnce))
        #expect(bytes(publish.payload, in: sink) == payload)
        #expect(bytes(publish.topic, in: sink) == topic)
        #expect(bytes(publish.properties, in: sink) == (version == .v5 ? properties : []))
    }

    @Test("DUP is never set with QoS 0 [MQTT3-3.3.1-2] [MQTT3-4.3.1-1]")
    func duplicate() throws {
        var sink: [UInt8] = []
        let encoder = PacketEncoder(version: .v311)
        try encoder.publish(topic: hex("61").span, delivery: .repeated, payload: hex("").span, to: &sink)
        #expect(sink == hex("30 03 0001 61"))
    }

    @Test("2.1.4: no packet is longer than 268 435 455 bytes behind its header, and nothing is written then")
    func tooLarge() throws {
        let encoder = PacketEncoder(version: .v311)
        var sink: [UInt8] = []
        let most = 268_435_455 - 3
        let layout = try encoder.publishHeader(topic: hex("61").span, payloadBytes: most, to: &sink)
        #expect(layout.totalBytes == 268_435_460)
        #expect(sink == hex("30 FFFFFF7F 0001 61"))
        for payloadBytes in [most + 1, .max, -1] {
            #expect(throws: MQTTFault.packetTooLarge) {
                var sink: [UInt8] = []
                try encoder.publishHeader(topic: hex("61").span, payloadBytes: payloadBytes, to: &sink)
            }
        }
    }

    @Test("1.5.4: no field is longer than 65 535 bytes, and nothing is written then")
    func fieldTooLong() throws {
        let long = [UInt8](repeating: 0x61, count: 65_536)
        let fits = [UInt8](repeating: 0x61, count: 65_535)
        let encoder = PacketEncoder(version: .v5)
        var sink: [UInt8] = []
        try encoder.subscribe(1, filter: fits.span, options: SubscriptionOptions(qos: .atMostOnce), to: &sink)
        #expect(fault(sink) == nil)
        let empty: [UInt8] = []
        expectFieldTooLong { (sink) throws(MQTTFault) in
            try encoder.publish(topic: long.span, payload: empty.span, to: &sink)
        }
        expectFieldTooLong { (sink) throws(MQTTFault) in
            try encoder.subscribe(
                1,
                filter: long.span,
                options: SubscriptionOptions(qos: .atMostOnce),
                to: &sink
            )
        }
        expectFieldTooLong { (sink) throws(MQTTFault) in
            try encoder.connect(clientID: long.span, session: .clean, keepAliveSeconds: 0, to: &sink)
        }
        expectFieldTooLong { (sink) throws(MQTTFault) in
            try Property.append(.reasonString, bytes: long.span, to: &sink)
        }
        expectFieldTooLong { (sink) throws(MQTTFault) in
            try Property.appendUserProperty(name: empty.span, value: long.span, to: &sink)
        }
    }

    private func expectFieldTooLong(_ write: (inout [UInt8]) throws(MQTTFault) -> Void) {
        var sink: [UInt8] = []
        do {
            try write(&sink)
            Issue.record("nothing was thrown")
        } catch {
            #expect(error == .fieldTooLong)
        }
        #expect(sink.isEmpty)
    }

    @Test("what a version does not have is dropped or refused")
    func versions() throws {
        let old = PacketEncoder(version: .v311)
        let block = hex("1F 0001 61")
        var sink: [UInt8] = []
        try old.puback(1, reason: .quotaExceeded, properties: block.span, to: &sink)
        try old.disconnect(reason: .serverBusy, properties: block.span, to: &sink)
        try old.suback(2, codes: [.grantedQoS1, .quotaExceeded].span, properties: block.span, to: &sink)
        try old.unsuback(3, codes: [.success].span, properties: block.span, to: &sink)
        #expect(sink == hex("40 02 0001 E0 00 90 04 0002 01 80 B0 02 0003"))
        #expect(throws: MQTTFault.reservedPacketType) {
            var sink: [UInt8] = []
            try old.auth(reason: .reauthenticate, properties: block.span, to: &sink)
        }
        #expect(throws: MQTTFault.passwordWithoutUserName) {
            var sink: [UInt8] = []
            try old.connect(
                clientID: block.span,
                session: .clean,
                keepAliveSeconds: 1,
                password: block.span,
                to: &sink
            )
        }
        #expect(throws: MQTTFault.filterMissing) {
            var sink: [UInt8] = []
            try old.subscribe(1, filters: hex("").span, to: &sink)
        }
    }

    @Test("a device encodes into a fixed buffer, which tells when it was too small")
    func fixedBuffer() throws {
        let encoder = PacketEncoder(version: .v311)
        var large = FixedBytes<32>()
        let id = Array("press-17".utf8)
        try encoder.connect(clientID: id.span, session: .clean, keepAliveSeconds: 60, to: &large)
        #expect(!large.overflowed)
        let expected = hex("10 14 0004 4D515454 04 02 003C 0008") + id
        #expect(large == FixedBytes<32>(expected.span))
        var small = FixedBytes<8>()
        try encoder.connect(clientID: id.span, session: .clean, keepAliveSeconds: 60, to: &small)
        #expect(small.overflowed)
    }
}

@Suite("Round trips of random packets")
struct RoundTripTests {
    @Test("a random CONNECT comes back as it was", arguments: UInt64(0)..<100)
    func connect(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let version = MQTTVersion.both[Int(seed & 1)]
        let clientID = random.text()
        let userName = random.text()
        let password = random.bytes(Int(seed % 9))
        let topic = random.text()
        let payload = random.bytes(Int(seed % 200))
        var properties: [UInt8] = []
        Property.append(.receiveMaximum, u16: UInt16(seed) + 1, to: &properties)
        try Property.appendUserProperty(name: userName.span, value: topic.span, to: &properties)
        var willProperties: [UInt8] = []
        Property.append(.willDelayInterval, u32: UInt32(seed), to: &willProperties)
        let will = WillMessage(
            topic: topic.span,
            payload: payload.span,
            qos: .exactlyOnce,
            retain: .yes,
            properties: willProperties.span
        )
        var sink: [UInt8] = []
        try PacketEncoder(version: version).connect(
            clientID: clientID.span,
            session: .resume,
            keepAliveSeconds: UInt16(seed),
            userName: userName.span,
            password: password.span,
            will: will,
            properties: properties.span,
            to: &sink
        )
        let packet = try decode(sink, from: .client)
        guard case .connect(let connect) = packet else { throw Unexpected() }
        #expect(connect.version == version)
        #expect(!connect.cleanStart)
        #expect(connect.keepAliveSeconds == UInt16(seed))
        #expect(bytes(connect.clientID, in: sink) == clientID)
        #expect(connect.userName.map { bytes($0, in: sink) } == userName)
        #expect(connect.password.map { bytes($0, in: sink) } == password)
        #expect(bytes(connect.properties, in: sink) == (version == .v5 ? properties : []))
        let read = try #require(connect.will)
        #expect(read.qos == .exactlyOnce)
        #expect(read.retain)
        #expect(bytes(read.topic, in: sink) == topic)
        #expect(bytes(read.payload, in: sink) == payload)
        #expect(bytes(read.properties, in: sink) == (version == .v5 ? willProperties : []))
        #expect(try encode(packet, from: sink, version) == sink)
    }

    @Test("random answers and requests come back as they were", arguments: UInt64(0)..<100)
    func others(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let version = MQTTVersion.both[Int(seed & 1)]
        let encoder = PacketEncoder(version: version)
        let packetID = UInt16.random(in: 1...UInt16.max, using: &random)
        var reason: [UInt8] = []
        try Property.append(.reasonString, bytes: random.text().span, to: &reason)
        var user: [UInt8] = []
        for _ in 0..<seed % 4 {
            try Property.appendUserProperty(name: random.text().span, value: random.text().span, to: &user)
        }
        let codes: [ReasonCode] = (0..<seed % 30 + 1).map { _ in
            [.success, .grantedQoS1, .grantedQoS2, .unspecifiedError].randomElement(using: &random)
                ?? .success
        }
        var packets: [[UInt8]] = Array(repeating: [], count: 9)
        try encoder.connack(session: .present, reason: .success, properties: reason.span, to: &packets[0])
        try encoder.puback(packetID, reason: .noMatchingSubscribers, properties: reason.span, to: &packets[1])
        try encoder.pubrec(packetID, reason: .quotaExceeded, properties: user.span, to: &packets[2])
        try encoder.pubrel(
            packetID,
            reason: .packetIdentifierNotFound,
            properties: reason.span,
            to: &packets[3]
        )
        try encoder.pubcomp(packetID, properties: user.span, to: &packets[4])
        try encoder.suback(packetID, codes: codes.span, properties: user.span, to: &packets[5])
        let gone = codes.map { $0.isFailure ? ReasonCode.noSubscriptionExisted : .success }
        try encoder.unsuback(packetID, codes: gone.span, properties: reason.span, to: &packets[6])
        try encoder.disconnect(reason: .quotaExceeded, properties: reason.span, to: &packets[7])
        var filters: [UInt8] = []
        for code in codes {
            var options = SubscriptionOptions(qos: .atLeastOnce)
            options.noLocal = code.isFailure
            options.retainHandling = code == .success ? .never : .sendIfNew
            try encoder.appendFilter(random.text().span, options: options, to: &filters)
        }
        try encoder.subscribe(packetID, filters: filters.span, properties: user.span, to: &packets[8])
        for frame in packets {
            let packet = try decode(frame, version)
            #expect(try encode(packet, from: frame, version) == frame)
            #expect(try peek(frame)?.totalBytes == frame.count)
        }
        guard case .suback(let ack) = try decode(packets[5], version) else { throw Unexpected() }
        #expect(ack.packetID == packetID)
        #expect(reasons(ack, in: packets[5]) == codes)
    }
}
