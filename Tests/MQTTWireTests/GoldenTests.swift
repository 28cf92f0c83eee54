import ByteKit
import MQTTWire
import Testing

@Suite("Packets as the standards print them")
struct GoldenTests {
    @Test("a golden packet is whole, decodes, and encodes to the same bytes", arguments: everyPacket)
    func roundTrip(_ golden: Golden) throws {
        let header = try #require(try peek(golden.bytes))
        #expect(header.totalBytes == golden.bytes.count)
        let packet = try decode(golden.bytes, golden.version)
        guard golden.isCanonical else { return }
        #expect(try encode(packet, from: golden.bytes, golden.version) == golden.bytes)
    }

    @Test(
        "figures 3.6 and 3-6: the CONNECT example says what the text below it says",
        arguments: MQTTVersion.both
    )
    func connect(version: MQTTVersion) throws {
        let bytes = (version == .v5 ? goldenV5 : goldenV311)[0].bytes
        guard case .connect(let connect) = try decode(bytes) else { throw Unexpected() }
        #expect(connect.version == version)
        #expect(connect.cleanStart)
        #expect(connect.keepAliveSeconds == 10)
        #expect(text(connect.clientID, in: bytes) == "cli")
        #expect(text(connect.userName, in: bytes) == "user")
        #expect(connect.password.map { MQTTWireTests.bytes($0, in: bytes) } == hex("1122334455"))
        let will = try #require(connect.will)
        #expect(will.qos == .atLeastOnce)
        #expect(!will.retain)
        #expect(text(will.topic, in: bytes) == "a/b")
        #expect(text(will.payload, in: bytes) == "hi")
        let expiry = connect.properties.u32(.sessionExpiryInterval, in: bytes.span)
        #expect(expiry == (version == .v5 ? 10 : nil))
        #expect(announcedVersion(bytes) == version)
    }

    @Test("figures 3.11 and 3-9: the PUBLISH example", arguments: MQTTVersion.both)
    func publish(version: MQTTVersion) throws {
        let bytes = hex(version == .v5 ? "32 0A 0003 612F62 000A 00 6869" : "32 09 0003 612F62 000A 6869")
        guard case .publish(let publish) = try decode(bytes, version) else { throw Unexpected() }
        #expect(text(publish.topic, in: bytes) == "a/b")
        #expect(publish.packetID == 10)
        #expect(publish.qos == .atLeastOnce)
        #expect(!publish.isDuplicate)
        #expect(!publish.retain)
        #expect(publish.properties.isEmpty)
        #expect(text(publish.payload, in: bytes) == "hi")
    }

    @Test("figures 3.23 and 3-21: the SUBSCRIBE example", arguments: MQTTVersion.both)
    func subscribe(version: MQTTVersion) throws {
        let tail = hex("0003 612F62 01 0003 632F64 02")
        let bytes = frame(0x82, hex("000A") + (version == .v5 ? [0] : []) + tail)
        guard case .subscribe(let subscribe) = try decode(bytes, version) else { throw Unexpected() }
        #expect(subscribe.packetID == 10)
        let all = filters(subscribe, in: bytes)
        #expect(all.map { text($0.filter, in: bytes) } == ["a/b", "c/d"])
        #expect(all.map(\.options) == [.init(qos: .atLeastOnce), .init(qos: .exactlyOnce)])
    }

    @Test("MQTT 5, 3.8.3.1: all subscription options")
    func options() throws {
        let bytes = hex("82 09 0001 02 0B 7F 0001 23 2E")
        guard case .subscribe(let subscribe) = try decode(bytes) else { throw Unexpected() }
        #expect(subscribe.properties.variableByteInteger(.subscriptionIdentifier, in: bytes.span) == 127)
        let options = try #require(filters(subscribe, in: bytes).first).options
        #expect(options.qos == .exactlyOnce)
        #expect(options.noLocal)
        #expect(options.retainAsPublished)
        #expect(options.retainHandling == .never)
        #expect(options.encoded(for: .v311) == 2)
    }

    @Test("figure 3.27: SUBACK tells one outcome for each filter")
    func suback() throws {
        let bytes = hex("90 05 000A 00 02 80")
        guard case .suback(let ack) = try decode(bytes, .v311) else { throw Unexpected() }
        #expect(ack.packetID == 10)
        #expect(reasons(ack, in: bytes) == [.success, .grantedQoS2, .unspecifiedError])
        #expect(ack.reason(at: 3, in: bytes.span) == nil)
        #expect(ack.reason(at: -1, in: bytes.span) == nil)
    }

    @Test("MQTT 5, 3.4.2.1: the short forms of PUBACK mean the same as the long one")
    func shortAcks() throws {
        for digits in ["40 02 1234", "40 03 1234 00", "40 04 1234 00 00"] {
            guard case .puback(let ack) = try decode(hex(digits)) else { throw Unexpected() }
            #expect(ack.packetID == 0x1234)
            #expect(ack.reason == .success)
            #expect(ack.properties.isEmpty)
        }
        #expect(fault(hex("40 03 1234 00"), .v311) == .trailingBytes)
    }
}

struct Unexpected: Error {}

extension MQTTVersion {
    static var both: [MQTTVersion] { [.v311, .v5] }
}
