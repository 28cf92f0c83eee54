import ApusTestKit
import ByteKit
import WebSocketWire

/// The bytes of a row of hexadecimal digits; spaces are for the reader.
func hex(_ digits: String) -> [UInt8] {
    let values = digits.compactMap(\.hexDigitValue)
    return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
}

func ping(_ payload: [UInt8]) -> Heard { .control(.ping(FixedBytes(payload.span))) }

func close(_ code: UInt16?) -> Heard { .control(.close(code.flatMap(CloseCode.init(received:)))) }

func binary(_ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
    ClientFrame(opcode: 2, payload: payload, isFinal: isFinal).wire
}

func continuation(_ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
    ClientFrame(opcode: 0, payload: payload, isFinal: isFinal).wire
}

func control(_ opcode: UInt8, _ payload: [UInt8] = []) -> [UInt8] {
    ClientFrame(opcode: opcode, payload: payload).wire
}

/// `bytes` in pieces, cut where `places` say.
func cut(_ bytes: [UInt8], at places: [Int]) -> [[UInt8]] {
    zip([0] + places, places + [bytes.count]).map { Array(bytes[$0..<$1]) }
}

extension SeededRandom {
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    /// Up to 20 places to cut `bytes` at.
    mutating func places(in bytes: [UInt8]) -> [Int] {
        (0..<below(21)).map { _ in below(bytes.count + 1) }.sorted()
    }
}
