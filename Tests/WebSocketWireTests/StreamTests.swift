import ApusTestKit
import ByteKit
import Testing
import WebSocketWire

@Suite("Frames as a stream: any cut, any length")
struct StreamTests {
    @Test("every stream, cut at every byte and into single bytes, means the same", arguments: wellFormed + broken)
    func everyCut(_ row: Case) {
        let wire = Array(row.wire.prefix(300))
        let whole = hear([wire])
        for place in 0...wire.count {
            guard hear(cut(wire, at: [place])) != whole else { continue }
            Issue.record("cut at \(place)")
        }
        #expect(hear(wire.map { [$0] }) == whole)
    }

    @Test("a decoder keeps no byte of a message, and no announced length makes it allocate")
    func bounds() {
        #expect(_isPOD(FrameDecoder.self))
        #expect(MemoryLayout<FrameDecoder>.size <= 176)
    }

    @Test("a frame of 2^63 - 1 bytes is a stream like any other", arguments: ["0000010000000000", "7FFFFFFFFFFFFFFF"])
    func endless(_ length: String) {
        var decoder = FrameDecoder()
        #expect(hear([hex("82 FF \(length) 00000000")], with: &decoder) == [])
        let piece = filled(16_384)
        for _ in 0..<64 {
            guard hear([piece], with: &decoder) != [.data(piece)] else { continue }
            Issue.record("other bytes")
        }
    }

    @Test("after a close or a fault everything is taken and nothing told")
    func ended() {
        for end in [control(8), continuation([1])] {
            var decoder = FrameDecoder()
            _ = hear([end], with: &decoder)
            #expect(hear([binary([1]), control(9), filled(1000)], with: &decoder) == [])
        }
    }

    @Test("random frames in random pieces", arguments: UInt64(0)..<200)
    func anyCuts(seed: UInt64) {
        var random = SeededRandom(seed)
        var (wire, expected) = ([UInt8](), [Heard]())
        for _ in 0..<random.below(12) + 1 { message(&random, &wire, &expected) }
        #expect(hear(cut(wire, at: random.places(in: wire))) == expected)
    }

    /// A message in one to four frames, with control frames between them.
    private func message(_ random: inout SeededRandom, _ wire: inout [UInt8], _ expected: inout [Heard]) {
        let count = random.below(4) + 1
        for index in 0..<count {
            let sizes = [0, 1, 7, 8, 9, random.below(40), 125, 126, random.below(3_000), random.below(70_000)]
            let payload = random.bytes(sizes[random.below(sizes.count)])
            wire +=
                ClientFrame(
                    opcode: index == 0 ? 2 : 0, payload: payload, isFinal: index == count - 1, key: random.bytes(4)
                ).wire
            if case .data(let before)? = expected.last {
                expected[expected.count - 1] = .data(before + payload)
            } else if !payload.isEmpty {
                expected.append(.data(payload))
            }
            guard random.below(3) == 0 else { continue }
            let words = random.bytes(random.below(126))
            let isPing = random.below(2) == 0
            wire += ClientFrame(opcode: isPing ? 9 : 10, payload: words, key: random.bytes(4)).wire
            expected.append(isPing ? ping(words) : .control(.pong))
        }
    }

    @Test("5.3: unmasking in words is unmasking byte by byte, wherever it begins", arguments: 0...40)
    func words(count: Int) {
        let key = hex("01 80 7F FE")
        for start in 0..<8 {
            let payload = filled(start + count)
            let wire = ClientFrame(opcode: 2, payload: payload, key: key).wire
            #expect(hear(cut(wire, at: [6 + start])) == (payload.isEmpty ? [] : [.data(payload)]))
        }
    }
}
