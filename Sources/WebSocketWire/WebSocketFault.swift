/// What is wrong with the frames of a client.
///
/// Clauses are those of RFC 6455.
package enum WebSocketFault: Error, Equatable, Sendable {
    /// RSV1, RSV2 or RSV3 is set, and no extension was agreed on (5.2).
    case reservedBits
    /// An opcode that has no meaning (5.2).
    case reservedOpcode
    /// A client masks all that it sends (5.1).
    case notMasked
    /// A length in more bytes than it needs (5.2).
    case overlongLength
    /// The highest bit of a length of 64 bits is set (5.2).
    case lengthOutOfRange
    /// A control frame that is not final (5.5).
    case fragmentedControl
    /// A control frame of more than 125 bytes (5.5).
    case oversizedControl
    /// A continuation, and no message has begun (5.4).
    case nothingToContinue
    /// A new message before the last one is at its end (5.4).
    case unfinishedMessage
    /// A close frame with half a code (5.5.1).
    case truncatedCloseCode
    /// A close frame with a code that none may carry (7.4).
    case invalidCloseCode
    /// Text, where MQTT comes in binary frames alone [MQTT-6.0.0-1].
    case text

    /// The code to end the conversation with (7.4.1).
    package var closeCode: CloseCode { self == .text ? .unacceptableData : .protocolError }
}
