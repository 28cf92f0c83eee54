//  Frames as a client sends them; the fuzz target has this file too.

import WebSocketWire

/// One masked frame of a client.
struct ClientFrame {
    var opcode: UInt8
    var payload: [UInt8]
    var isFinal = true
    var key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

    /// The bytes on the wire, masked byte by byte as RFC 6455, 5.3 words it.
    var wire: [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | opcode]
        switch payload.count {
        case ...125: bytes.append(0x80 | UInt8(payload.count))
        case ...65_535: bytes += [0x80 | 126] + bigEndian(payload.count, bytes: 2)
        default: bytes += [0x80 | 127] + bigEndian(payload.count, bytes: 8)
        }
        return bytes + key + payload.indices.map { payload[$0] ^ key[$0 % 4] }
    }

    private func bigEndian(_ number: Int, bytes: Int) -> [UInt8] {
        (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}

/// What a decoder tells, in order; the bytes of messages that come without anything between them are one.
enum Heard: Equatable {
    case data([UInt8])
    case control(ControlFrame)
    case fault(WebSocketFault)
}

/// Gives a decoder `pieces` one after the other, each with no more room for data than it has bytes.
func hear(_ pieces: [[UInt8]], with decoder: inout FrameDecoder) -> [Heard] {
    var told: [Heard] = []
    for piece in pieces {
        var position = 0
        while position < piece.count {
            let (data, heard) = step(&decoder, piece, &position)
            if case .data(let before) = told.last, !data.isEmpty {
                told[told.count - 1] = .data(before + data)
            } else if !data.isEmpty {
                told.append(.data(data))
            }
            if let heard { told.append(heard) }
        }
    }
    return told
}

func hear(_ pieces: [[UInt8]]) -> [Heard] {
    var decoder = FrameDecoder()
    return hear(pieces, with: &decoder)
}

/// One call of the decoder; after a fault the rest of the piece is given to it in the next.
private func step(_ decoder: inout FrameDecoder, _ piece: [UInt8], _ position: inout Int) -> ([UInt8], Heard?) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count - position, alignment: 1)
    defer { room.deallocate() }
    var output = OutputRawSpan(buffer: room, initializedCount: 0)
    var heard: Heard?
    do throws(WebSocketFault) {
        heard = try decoder.next(piece.span, from: &position, into: &output).map { .control($0) }
    } catch {
        heard = .fault(error)
    }
    return (Array(room.prefix(output.finalize(for: room))), heard)
}
