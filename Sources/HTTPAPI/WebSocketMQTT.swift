//  MQTT over WebSocket (MQTT 5 section 6, MQTT 3.1.1 section 6; RFC 6455) on the HTTP ports, path `/mqtt`.
//
//  The broker lives on an event loop of its own. A client that upgrades gets a pair of sockets: one end is a client like
//  any other to the broker, the other end (`BrokerEnd`) belongs to the HTTP connection, where `WebSocketCarrier` stands in
//  front of the HTTP handlers, which see nothing any more. The pair is there before the client is told 101.
//
//  Bytes go on as they come, whatever frame they are in, so that the broker's own limits hold (16 KiB before CONNECT, 10 s):
//  what waits here is one read of the socket, and nothing is read while the other side has not taken the last one.

import ByteKit
import NIOCore
import WebSocketWire

/// Names what MQTT over WebSocket needs from the rest of the server.
package enum WebSocketMQTT {
    /// Takes one end of a connected pair of sockets, the client's `ADDRESS:PORT`, the thing that its certificate names, and
    /// the operator's access key that signed the request.
    package typealias Broker =
        @Sendable (
            _ descriptor: CInt, _ address: String, _ thing: [UInt8]?, _ signer: String?
        ) -> Void

    /// Most bytes that are read from a client at a time.
    static let readBytes = 16 << 10
    /// Time for the last frames to arrive and for the client to close.
    static let partingPatience = TimeAmount.seconds(2)
}

/// The WebSocket side: takes the bytes out of frames, and puts the broker's into frames.
final class WebSocketCarrier: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The way to the broker; nil from the end of the conversation on.
    private var end: BrokerEnd?
    private var context: ChannelHandlerContext?
    private var decoder = FrameDecoder()
    /// The last ping that was not answered.
    private var ping: FixedBytes<125>?

    init(end: BrokerEnd) {
        self.end = end
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        end?.carry(for: self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    // MARK: In

    /// How the conversation goes on after some frames.
    private enum Course {
        case goesOn
        /// The client leaves, or broke a rule; the code is what it hears.
        case ends(CloseCode?)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes after the end is read to see the client close, and not looked at.
        guard let end else { return }
        let frames = unwrapInboundIn(data)
        var bytes = context.channel.allocator.buffer(capacity: frames.readableBytes)
        let course = decode(frames.readableBytesUInt8Span, into: &bytes)
        if bytes.readableBytes > 0 { end.write(bytes) }
        answerPing()
        if case .ends(let code) = course { leave(code) }
    }

    private func decode(_ input: Span<UInt8>, into bytes: inout ByteBuffer) -> Course {
        var (course, position) = (Course.goesOn, 0)
        bytes.writeWithOutputRawSpan(minimumWritableBytes: input.count) { output in
            do throws(WebSocketFault) {
                while let frame = try decoder.next(input, from: &position, into: &output) {
                    switch frame {
                    case .ping(let payload): ping = payload
                    case .pong: break
                    case .close(let code): course = .ends(code)
                    }
                }
            } catch {
                course = .ends(error.closeCode)
            }
        }
        return course
    }

    /// Answers the last ping, and with it those before (RFC 6455, 5.5.3); once the client reads, where it does not.
    private func answerPing() {
        guard let payload = ping, let context, context.channel.isWritable else { return }
        ping = nil
        var frame: [UInt8] = []
        ServerFrame.appendPong(payload, to: &frame)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame)), promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The HTTP port tells of half a connection; there is no half of a WebSocket.
        if case .inputClosed = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        end?.finish()
        end = nil
        context.fireChannelInactive()
    }

    // MARK: Out

    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Sends what the broker has for the client, as one message.
    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        var head: [UInt8] = []
        ServerFrame.appendHead(.binary, payloadBytes: bytes.readableBytes, to: &head)
        context.write(wrapOutboundOut(ByteBuffer(bytes: head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            answerPing()
            end?.readMore()
        }
        context.fireChannelWritabilityChanged()
    }

    func setReading(_ isReading: Bool) {
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    // MARK: End

    /// The broker has closed its end.
    func endClosed() { leave(.normalClosure) }

    /// Says goodbye, and closes once the client has read it: a socket that is closed with unread bytes in it throws away what
    /// is on its way to the client as well (RFC 6455, 7.1.1).
    private func leave(_ code: CloseCode?) {
        guard let end, let context else { return }
        self.end = nil
        ping = nil
        end.finish()
        setReading(true)
        var frame: [UInt8] = []
        ServerFrame.appendClose(code, to: &frame)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame))).whenSuccess {
            bound.value.context?.close(mode: .output, promise: nil)
        }
        context.eventLoop.scheduleTask(in: WebSocketMQTT.partingPatience) { bound.value.context?.close(promise: nil) }
    }
}
