//  A WebSocket client's bytes: the decoder, however they are cut, must say what a slow one says that has them all at once.

import ByteKit
import WebSocketWire

/// - Parameter bytes: a number that makes the pieces, then what the client sends.
func websocket(_ bytes: [UInt8]) {
    guard let seed = bytes.first else { return }
    let wire = Array(bytes.dropFirst())
    let expected = slowly(wire)
    require(hear([wire]) == expected, "RFC 6455, 5: whole")
    require(hear(wire.map { [$0] }) == expected, "RFC 6455, 5: single bytes")
    require(hear(pieces(wire, seed)) == expected, "RFC 6455, 5: pieces")
}

private func pieces(_ bytes: [UInt8], _ seed: UInt8) -> [[UInt8]] {
    var (state, start, result) = (UInt32(seed) | 1, 0, [[UInt8]]())
    while start < bytes.count {
        state = state &* 1_664_525 &+ 1_013_904_223
        let end = min(bytes.count, start + 1 + Int(state >> 24) % 33)
        result.append(Array(bytes[start..<end]))
        start = end
    }
    return result
}

/// The clauses one after the other, frame by frame, without a care for time or memory.
private func slowly(_ wire: [UInt8]) -> [Heard] {
    var (told, rest, isInMessage) = ([Heard](), wire[...], false)
    while let head = slowHead(rest, isInMessage) {
        guard case .success(let frame) = head else { return told + slowFault(head) }
        rest = rest.dropFirst(frame.headBytes)
        let payload = zip(rest.prefix(frame.length), 0...).map { $0 ^ frame.key[$1 % 4] }
        rest = rest.dropFirst(payload.count)
        switch frame.opcode {
        case 0, 2:
            isInMessage = !frame.isFinal
            if case .data(let before)? = told.last, !payload.isEmpty {
                told[told.count - 1] = .data(before + payload)
            } else if !payload.isEmpty {
                told.append(.data(payload))
            }
        case _ where payload.count < frame.length: return told
        case 8: return told + [slowClose(payload)]
        case 9: told.append(.control(.ping(FixedBytes(payload.span))))
        default: told.append(.control(.pong))
        }
    }
    return told
}

private struct SlowFrame {
    var opcode: UInt8
    var isFinal: Bool
    var headBytes: Int
    var length: Int
    var key: [UInt8]
}

private func slowFault(_ head: Result<SlowFrame, WebSocketFault>) -> [Heard] {
    if case .failure(let fault) = head { [.fault(fault)] } else { [] }
}

/// The next frame or its fault; nil where its head is not complete.
private func slowHead(_ bytes: ArraySlice<UInt8>, _ isInMessage: Bool) -> Result<SlowFrame, WebSocketFault>? {
    let head = Array(bytes.prefix(14))
    guard let first = head.first else { return nil }
    let (opcode, isFinal) = (first & 15, first >= 128)
    if first & 0x70 != 0 { return .failure(.reservedBits) }
    if ![0, 1, 2, 8, 9, 10].contains(opcode) { return .failure(.reservedOpcode) }
    if opcode == 1 { return .failure(.text) }
    if opcode >= 8 && !isFinal { return .failure(.fragmentedControl) }
    guard head.count > 1 else { return nil }
    let short = Int(head[1] & 127)
    if head[1] < 128 { return .failure(.notMasked) }
    if opcode >= 8 && short > 125 { return .failure(.oversizedControl) }
    let more = short < 126 ? 0 : short == 126 ? 2 : 8
    if more == 8, head.count > 2, head[2] >= 128 { return .failure(.lengthOutOfRange) }
    guard head.count >= 2 + more else { return nil }
    let length = more == 0 ? short : head[2..<2 + more].reduce(0) { $0 << 8 | Int($1) }
    if more > 0, length < (more == 2 ? 126 : 65_536) { return .failure(.overlongLength) }
    guard head.count >= 6 + more else { return nil }
    if opcode == 0 && !isInMessage { return .failure(.nothingToContinue) }
    if opcode == 2 && isInMessage { return .failure(.unfinishedMessage) }
    let key = Array(head[(2 + more)..<(6 + more)])
    return .success(SlowFrame(opcode: opcode, isFinal: isFinal, headBytes: 6 + more, length: length, key: key))
}

private func slowClose(_ payload: [UInt8]) -> Heard {
    guard !payload.isEmpty else { return .control(.close(nil)) }
    guard payload.count > 1 else { return .fault(.truncatedCloseCode) }
    let code = Int(payload[0]) * 256 + Int(payload[1])
    let isKnown = (1000...1003).contains(code) || (1007...1011).contains(code) || (3000...4999).contains(code)
    return isKnown ? .control(.close(CloseCode(received: UInt16(code)))) : .fault(.invalidCloseCode)
}
