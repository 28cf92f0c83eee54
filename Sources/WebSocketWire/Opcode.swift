/// What a frame is for (RFC 6455, 5.2 and 11.8); the other ten numbers are reserved.
package enum Opcode: UInt8, Sendable {
    /// More of the message that an earlier frame began.
    case continuation = 0x0
    /// Begins a message of text.
    case text = 0x1
    /// Begins a message of bytes.
    case binary = 0x2
    /// Ends the conversation.
    case close = 0x8
    /// Asks for a pong with the same payload.
    case ping = 0x9
    /// Answers a ping, or says "I am here" unasked.
    case pong = 0xA

    /// Whether the frame is about the connection and stands by itself (5.5).
    package var isControl: Bool { rawValue & 0x8 != 0 }
}
