import ApusTestKit
import ByteKit
import MQTTWire
import Testing

@Suite("Input that means harm: a fault or a packet, never a trap")
struct HostileInputTests {
    /// Touches everything a packet names, so that a wrong range traps here.
    private func walk(_ packet: Packet, in frame: [UInt8], _ version: MQTTVersion) {
        _ = try? encode(packet, from: frame, version)
        guard case .publish(let publish) = packet else { return }
        var cursor = PropertyCursor(publish.properties)
        var count = 0
        while cursor.next(in: frame.span) != nil { count += 1 }
        #expect(count <= publish.properties.count)
    }

    private func probe(_ frame: [UInt8]) -> Int {
        _ = announcedVersion(frame)
        var decoded = 0
        for version in MQTTVersion.both {
            for sender in [PacketSender.client, .server] {
                guard let packet = try? decode(frame, version, from: sender) else { continue }
                walk(packet, in: frame, version)
                let header = try? peek(frame)
                #expect(header?.totalBytes == frame.count, "a packet is as long as its header says")
                decoded += 1
            }
        }
        return decoded
    }

    @Test("a decoded packet holds places in its frame and nothing else: no announced length makes it allocate")
    func allocation() {
        #expect(_isPOD(Packet.self) && _isPOD(FrameHeader.self) && _isPOD(PropertyCursor.self))
    }

    @Test("every packet cut at every byte", arguments: everyPacket)
    func cuts(_ golden: Golden) throws {
        for count in golden.bytes.indices {
            let cut = Array(golden.bytes.prefix(count))
            #expect(fault(cut, golden.version) == .truncated)
            let header = try peek(cut)
            #expect(header == nil || count >= 2)
            // The same cut with an honest length: the body ends too early, or is a shorter valid packet.
            guard count >= 2 else { continue }
            _ = probe([cut[0], UInt8(count - 2)] + cut.dropFirst(2))
        }
        #expect(fault(golden.bytes + [0], golden.version) == .trailingBytes)
        #expect(try peek(golden.bytes + [0xFF, 0xFF])?.totalBytes == golden.bytes.count)
    }

    @Test("every packet with every byte changed: each bit, all bits, and the extremes", arguments: everyPacket)
    func changes(_ golden: Golden) {
        let masks = (0..<8).map { UInt8(1) << $0 } + [0xFF]
        for index in golden.bytes.indices {
            let old = golden.bytes[index]
            for value in masks.map({ old ^ $0 }) + [0x00, 0x7F, 0x80, 0xFF] {
                var frame = golden.bytes
                frame[index] = value
                _ = probe(frame)
            }
        }
    }

    @Test("100,000 frames of garbage behind an honest header", arguments: UInt64(0)..<10)
    func garbage(seed: UInt64) {
        var random = SeededRandom(seed)
        let flags: [UInt8: UInt8] = [6: 2, 8: 2, 10: 2]
        var decoded = 0
        for _ in 0..<10_000 {
            let numbers = random.next()
            let type = UInt8(numbers % 15) + 1
            let body = random.bytes(Int(numbers >> 8 & 0x1F)).map { numbers & 0x80 == 0 ? $0 & 0x2F : $0 }
            let frame = frame(type << 4 | flags[type, default: 0], body)
            let version: MQTTVersion = numbers & 0x40 == 0 ? .v311 : .v5
            guard let packet = try? decode(frame, version) else { continue }
            walk(packet, in: frame, version)
            decoded += 1
        }
        #expect(decoded > 100, "the garbage is too wild to reach the inner rules")
    }

    @Test("mutated golden packets, spliced and shuffled", arguments: UInt64(0)..<20)
    func splices(seed: UInt64) {
        var random = SeededRandom(seed &+ 1_000)
        for _ in 0..<200 {
            guard let left = goldenV5.randomElement(using: &random)?.bytes,
                let right = goldenPackets.randomElement(using: &random)?.bytes
            else { continue }
            let body =
                left.dropFirst(2).prefix(Int.random(in: 0...left.count, using: &random))
                + right.suffix(Int.random(in: 0...right.count, using: &random))
            _ = probe([left[0], UInt8(body.count)] + body)
        }
    }

    @Test("announced lengths far beyond the bytes are only a request for more")
    func announced() throws {
        let header = try #require(try peek(hex("10 FFFFFF7F 0004")))
        #expect(header.totalBytes == 268_435_460)
        #expect(fault(hex("10 FFFFFF7F 0004")) == .truncated)
        #expect(fault(hex("30 07 0001 61 FFFFFF7F")) == .truncated)
    }
}
