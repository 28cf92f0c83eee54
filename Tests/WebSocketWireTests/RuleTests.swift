import ByteKit
import Testing
import WebSocketWire

private let hello = Array("Hello".utf8)

/// A client's bytes and what they mean.
struct Case: CustomTestStringConvertible, Sendable {
    var rule: String
    var wire: [UInt8]
    var heard: [Heard]

    init(_ rule: String, _ wire: [UInt8], _ heard: Heard...) {
        (self.rule, self.wire, self.heard) = (rule, wire, heard)
    }

    var testDescription: String { rule }
}

/// Streams that keep to the rules.
///
/// Heads and payloads of 5.7 are the standard's own, with a client's mask where it has none.
let wellFormed = [
    Case("5.7: a masked message in one frame", hex("82 85 37fa213d 7f9f4d5158"), .data(hello)),
    Case(
        "5.7: a message in two frames", hex("02 83 37fa213d 7f9f4d") + hex("80 82 37fa213d 5b95"),
        .data(hello)),
    Case("5.7: a masked ping", hex("89 85 37fa213d 7f9f4d5158"), ping(hello)),
    Case("5.7: a masked pong", hex("8A 85 37fa213d 7f9f4d5158"), .control(.pong)),
    Case("5.7: 256 bytes in one frame", hex("82 FE 0100 00000000") + filled(256), .data(filled(256))),
    Case(
        "5.7: 64 KiB in one frame", hex("82 FF 0000000000010000 00000000") + filled(65_536), .data(filled(65_536))),
    Case(
        "5.2: 125, 126 and 65,535 bytes", binary(filled(125)) + binary(filled(126)) + binary(filled(65_535)),
        .data(filled(125) + filled(126) + filled(65_535))),
    Case(
        "5.4: control frames inside a message",
        binary([1], isFinal: false) + control(9, [7]) + continuation([2], isFinal: false) + control(10)
            + continuation([3]) + binary([4]),
        .data([1]), ping([7]), .data([2]), .control(.pong), .data([3, 4])),
    Case(
        "5.4: frames of nothing",
        binary([], isFinal: false) + continuation([], isFinal: false)
            + continuation([1], isFinal: false) + continuation([]) + binary([]) + binary([2]), .data([1, 2])),
    Case("5.5.2: a ping of nothing", control(9), ping([])),
    Case("5.5: a ping of 125 bytes", control(9, filled(125)), ping(filled(125))),
    Case("5.5.1: a close without a code", control(8), close(nil)),
    Case("5.5.1: a close with a code", control(8, hex("03E8")), close(1000)),
    Case("5.5.1: a close with a code and words", control(8, hex("0FA1") + hello), close(4001)),
    Case(
        "5.5.1: nothing counts behind a close", binary([1]) + control(8) + binary([2]) + [0x70, 0xFF], .data([1]),
        close(nil)),
    Case(
        "5.5.1: a close inside a message", binary([1], isFinal: false) + control(8, hex("03E9")), .data([1]),
        close(1001)),
]

/// Streams that break a rule, after `01` which does not, and before `02` that must not count.
let broken: [Case] = [
    Case("5.1: not masked", hex("82 01 02"), .fault(.notMasked)),
    Case("5.1: a ping that is not masked", hex("89 00"), .fault(.notMasked)),
    Case("5.2: RSV1", hex("C2 81 00000000 02"), .fault(.reservedBits)),
    Case("5.2: RSV2", hex("A2 81 00000000 02"), .fault(.reservedBits)),
    Case("5.2: RSV3", hex("92 81 00000000 02"), .fault(.reservedBits)),
    Case("5.2: RSV1 in a control frame", hex("C9 80 00000000"), .fault(.reservedBits)),
    Case("5.2: 125 in two bytes", hex("82 FE 007D 00000000") + filled(125), .fault(.overlongLength)),
    Case("5.2: 0 in two bytes", hex("82 FE 0000 00000000"), .fault(.overlongLength)),
    Case("5.2: 65,535 in eight bytes", hex("82 FF 000000000000FFFF 00000000"), .fault(.overlongLength)),
    Case("5.2: 0 in eight bytes", hex("82 FF 0000000000000000 00000000"), .fault(.overlongLength)),
    Case("5.2: a length with its highest bit", hex("82 FF 8000000000000000 00000000"), .fault(.lengthOutOfRange)),
    Case("5.2: all bits of a length", hex("82 FF FFFFFFFFFFFFFFFF 00000000"), .fault(.lengthOutOfRange)),
    Case("5.5: a ping in fragments", hex("09 80 00000000"), .fault(.fragmentedControl)),
    Case("5.5: a close in fragments", hex("08 82 00000000 03E8"), .fault(.fragmentedControl)),
    Case("5.5: a ping of 126 bytes", hex("89 FE 007E 00000000") + filled(126), .fault(.oversizedControl)),
    Case("5.5: a pong of 2^16 bytes", hex("8A FF 0000000000010000 00000000"), .fault(.oversizedControl)),
    Case("5.4: nothing to continue", continuation([2]), .fault(.nothingToContinue)),
    Case("5.4: nothing to continue, with more to come", continuation([2], isFinal: false), .fault(.nothingToContinue)),
    Case(
        "5.4: a message inside a message", binary([], isFinal: false) + binary([2]), .fault(.unfinishedMessage)),
    Case(
        "5.4: nothing to continue after the last frame",
        binary([], isFinal: false) + continuation([]) + continuation([2]),
        .fault(.nothingToContinue)),
    Case("5.5.1: half a close code", control(8, [3]), .fault(.truncatedCloseCode)),
    Case("MQTT 6.0.0-1: text", hex("81 81 00000000 02"), .fault(.text)),
    Case("MQTT 6.0.0-1: text that is not masked", hex("81 05 48656c6c6f"), .fault(.text)),
]

/// `count` bytes, each another than its neighbours.
func filled(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) } }

@Suite("A client's frames (RFC 6455, 5)")
struct RuleTests {
    @Test("what keeps to the rules is understood", arguments: wellFormed)
    func understood(_ row: Case) {
        #expect(hear([row.wire]) == row.heard)
    }

    @Test("what breaks a rule ends the conversation, and what came before it counts", arguments: broken)
    func refused(_ row: Case) {
        #expect(hear([binary([1]) + row.wire + binary([2])]) == [.data([1])] + row.heard)
    }

    @Test("5.2: the opcodes 3 to 7 and 11 to 15 are reserved")
    func reservedOpcodes() {
        for opcode in [UInt8](3...7) + [UInt8](11...15) {
            for first in [opcode, 0x80 | opcode] {
                #expect(hear([[first, 0x80, 0, 0, 0, 0]]) == [.fault(.reservedOpcode)], "\(first)")
            }
        }
    }

    @Test("7.4: a close carries one of the codes that may be sent, all 65,536 tried")
    func closeCodes() {
        let valid = Set([1000, 1001, 1002, 1003] + Array(1007...1011) + Array(3000...4999))
        for number in UInt16.min...UInt16.max {
            let wire = control(8, [UInt8(number >> 8), UInt8(number & 0xFF)])
            let heard = valid.contains(Int(number)) ? close(number) : .fault(.invalidCloseCode)
            guard hear([wire]) != [heard] else { continue }
            Issue.record("\(number)")
        }
    }

    @Test("7.4.1: text is unacceptable data, all else breaks the protocol")
    func codes() {
        for row in broken {
            guard case .fault(let fault)? = row.heard.last else { continue }
            #expect(fault.closeCode.rawValue == (fault == .text ? 1003 : 1002), "\(row.rule)")
        }
    }
}
