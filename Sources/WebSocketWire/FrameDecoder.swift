//  A client's side of a WebSocket as a stream (RFC 6455, 5): bytes in as they come, unmasked bytes of messages out.
//
//  Frames may be of any length, and a message of any number of frames: what is kept between two calls is the head of a
//  frame that is not complete, or the payload of such a control frame, and never a byte of a message. Where messages and
//  frames begin and end is not told, for MQTT does not care [MQTT-6.0.0-2]. Masking is demanded (5.1), no extension is
//  agreed on (9), and text is refused [MQTT-6.0.0-1]. The reason in a close frame is not looked at, so nothing has to be
//  UTF-8 (1007 is never answered).

package import ByteKit

/// A frame about the connection itself (RFC 6455, 5.5).
package enum ControlFrame: Equatable, Sendable {
    /// The peer wants a pong with the same payload (5.5.2).
    case ping(FixedBytes<125>)
    /// The peer is there (5.5.3).
    case pong
    /// The peer leaves, with a code where it gives one; nothing of what it sends later counts (5.5.1).
    case close(CloseCode?)
}

/// Takes a client's frames apart.
package struct FrameDecoder: Sendable {
    private enum State {
        /// A head has to come; `held` has what there is of it.
        case head
        /// So many bytes of a message have to come.
        case data(remaining: UInt64)
        /// So many bytes of a control frame have to come; `held` has those before them.
        case control(Opcode, remaining: Int)
        /// After a close frame or a fault.
        case ended
    }

    private var state = State.head
    private var held = FixedBytes<125>()
    private var mask = Mask(0, 0, 0, 0)
    /// Whether a message has begun whose last frame has not come.
    private var isInMessage = false

    /// Before the first byte.
    package init() {}

    /// Takes the bytes of `input` from `position` on, to the end of a control frame or of the input.
    ///
    /// - Parameters:
    ///   - position: where to begin; then, how far it came.
    ///   - data: gets what the frames had of messages; needs room for as many bytes as are left in `input`.
    /// - Returns: a control frame, behind which more may follow; `nil` when all of `input` is taken.
    /// - Throws: the first fault, with what came before it in `data`; afterwards all input is taken and dropped.
    package mutating func next(
        _ input: Span<UInt8>, from position: inout Int, into data: inout OutputRawSpan
    ) throws(WebSocketFault) -> ControlFrame? {
        do throws(WebSocketFault) {
            return try take(input, &position, &data)
        } catch {
            state = .ended
            throw error
        }
    }

    private mutating func take(
        _ input: Span<UInt8>, _ position: inout Int, _ data: inout OutputRawSpan
    ) throws(WebSocketFault) -> ControlFrame? {
        while true {
            switch state {
            case .head:
                guard let head = try takeHead(input, &position) else { return nil }
                try begin(head)
            case .data(let remaining):
                guard takeData(remaining, input, &position, &data) else { return nil }
            case .control(let opcode, let remaining):
                guard takeControl(opcode, remaining, input, &position) else { return nil }
                return try end(opcode)
            case .ended:
                position = input.count
                return nil
            }
        }
    }

    private mutating func takeHead(_ input: Span<UInt8>, _ position: inout Int) throws(WebSocketFault) -> FrameHead? {
        if held.isEmpty, let head = try FrameHead.peek(input.extracting(droppingFirst: position)) {
            position += head.headBytes
            return head
        }
        while position < input.count {
            held.append(input[position])
            position += 1
            guard let head = try FrameHead.peek(held.span) else { continue }
            held.removeAll()
            return head
        }
        return nil
    }

    /// Where the frame of `head` stands among the others (5.4).
    private mutating func begin(_ head: FrameHead) throws(WebSocketFault) {
        mask = head.mask
        guard !head.opcode.isControl else {
            state = .control(head.opcode, remaining: Int(head.payloadBytes))
            return
        }
        let continues = head.opcode == .continuation
        guard continues == isInMessage else { throw continues ? .nothingToContinue : .unfinishedMessage }
        isInMessage = !head.isFinal
        state = .data(remaining: head.payloadBytes)
    }

    /// Whether the frame is complete.
    private mutating func takeData(
        _ remaining: UInt64, _ input: Span<UInt8>, _ position: inout Int, _ data: inout OutputRawSpan
    ) -> Bool {
        let count = Int(min(remaining, UInt64(input.count - position)))
        mask.apply(to: input.extracting(position..<position + count), into: &data)
        position += count
        let isComplete = UInt64(count) == remaining
        state = isComplete ? .head : .data(remaining: remaining - UInt64(count))
        return isComplete
    }

    /// Whether the frame is complete.
    private mutating func takeControl(
        _ opcode: Opcode, _ remaining: Int, _ input: Span<UInt8>, _ position: inout Int
    ) -> Bool {
        let count = min(remaining, input.count - position)
        for index in position..<position + count {
            held.append(mask.apply(to: input[index]))
        }
        position += count
        state = .control(opcode, remaining: remaining - count)
        return count == remaining
    }

    /// The control frame whose payload is in `held`.
    private mutating func end(_ opcode: Opcode) throws(WebSocketFault) -> ControlFrame {
        let payload = held
        held.removeAll()
        state = .head
        switch opcode {
        case .ping: return .ping(payload)
        case .close:
            state = .ended
            return .close(try Self.closeCode(payload.span))
        default: return .pong
        }
    }

    /// No code at all is fine, half of one is not (5.5.1).
    private static func closeCode(_ payload: Span<UInt8>) throws(WebSocketFault) -> CloseCode? {
        guard !payload.isEmpty else { return nil }
        guard payload.count >= 2 else { throw .truncatedCloseCode }
        let number = UInt16(payload[0]) << 8 | UInt16(payload[1])
        guard let code = CloseCode(received: number) else { throw .invalidCloseCode }
        return code
    }
}
