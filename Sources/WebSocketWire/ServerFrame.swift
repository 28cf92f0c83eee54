package import ByteKit

/// A server's frames: whole messages, never masked (RFC 6455, 5.1).
package enum ServerFrame {
    /// Appends the head of a frame that is a message, or about the connection, by itself; the payload has to follow.
    ///
    /// The length takes as few bytes as it can (5.2).
    package static func appendHead(_ opcode: Opcode, payloadBytes: Int, to sink: inout some ByteSink) {
        sink.append(0x80 | opcode.rawValue)
        switch payloadBytes {
        case ...125: sink.append(UInt8(payloadBytes))
        case ...65_535:
            sink.append(126)
            sink.appendBigEndian(UInt16(payloadBytes))
        default:
            sink.append(127)
            sink.appendBigEndian(UInt32(payloadBytes >> 32))
            sink.appendBigEndian(UInt32(truncatingIfNeeded: payloadBytes))
        }
    }

    /// Appends the answer to a ping, with the ping's payload (5.5.3).
    package static func appendPong(_ payload: FixedBytes<125>, to sink: inout some ByteSink) {
        appendHead(.pong, payloadBytes: payload.count, to: &sink)
        sink.append(payload.span)
    }

    /// Appends a close frame, which has no payload where there is no code (5.5.1).
    package static func appendClose(_ code: CloseCode?, to sink: inout some ByteSink) {
        appendHead(.close, payloadBytes: code == nil ? 0 : 2, to: &sink)
        if let code { sink.appendBigEndian(code.rawValue) }
    }
}
