import ApusTestKit
import ByteKit
import Testing
import WebSocketWire

@Suite("Input that means harm: bytes or a fault, never a trap")
struct HostileInputTests {
    /// What whole input and input in single bytes mean is the same; answers it.
    @discardableResult
    private func probe(_ wire: [UInt8]) -> [Heard] {
        let whole = hear([wire])
        if hear(wire.map { [$0] }) != whole { Issue.record("another meaning in pieces: \(wire)") }
        let faults = whole.filter { if case .fault = $0 { true } else { false } }
        if faults.count > 1 { Issue.record("two faults in one stream: \(wire)") }
        return whole
    }

    private static let heads = [
        binary([]), binary(filled(5)), binary(filled(125)), binary(filled(126)), binary(filled(300)),
        hex("82 FF 0000000000010000 01020304") + filled(20), binary([1], isFinal: false) + continuation([2]),
        control(8), control(8, hex("03E8")), control(9, filled(9)), control(10),
    ]

    @Test("every bit of a head the other way, and the extremes of each byte", arguments: heads)
    func flips(_ wire: [UInt8]) {
        for index in wire.indices.prefix(20) {
            for value in (0..<8).map({ wire[index] ^ 1 << $0 }) + [0x00, 0x7F, 0x80, 0xFF] {
                var changed = wire
                changed[index] = value
                probe(changed)
                probe(changed + binary([1]) + control(9))
            }
        }
    }

    @Test("all 65,536 beginnings of a head: those that the rules allow are taken, no more")
    func everyHead() {
        var valid = 0
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let length = second & 0x7F
                let rest = filled(length == 127 ? 12 : length == 126 ? 6 : 4)
                if case .fault? = hear([[first, second] + rest]).last { continue }
                valid += 1
            }
        }
        // Binary, final or not, with 0 to 125 bytes or a length of eight bytes (that of two is 00 07, which is overlong);
        // close, ping and pong with 0 to 125 bytes.
        #expect(valid == 2 * 127 + 3 * 126)
    }

    @Test("garbage, and garbage behind a good head", arguments: UInt64(0)..<20)
    func garbage(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<1_000 {
            let noise = random.bytes(random.below(40))
            probe(noise)
            probe([0x82, 0x80 | UInt8(random.below(6))] + noise)
            probe([0x02, 0x81, 0, 0, 0, 0, 1] + noise)
        }
    }
}
