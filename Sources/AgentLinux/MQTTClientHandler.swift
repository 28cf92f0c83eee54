import ByteKit
import MQTTWire
import NIOCore

/// One connection's bytes: greets, keeps alive, cuts packets out of the stream, acknowledges.
final class MQTTClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Longest packet that is read, in bytes; AWS allows 128 KB of payload.
    static let maximumPacketBytes = 1 << 18
    /// How long the broker may take to accept, in seconds.
    private static let acceptSeconds: Int64 = 10

    private let clientID: [UInt8]
    private let report: (MQTTClient.Event) -> Void
    private let encoder = PacketEncoder(version: .v311)
    private var input = ByteBuffer()
    private var ping: RepeatedTask?
    private var isAccepted = false
    private var heardSincePing = true

    init(clientID: String, report: @escaping (MQTTClient.Event) -> Void) {
        self.clientID = Array(clientID.utf8)
        self.report = report
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { greet(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        greet(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ping?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        report(.trouble("\(error)"))
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        input.writeBuffer(&piece)
        heardSincePing = true
        do {
            while let packet = try nextFrame() {
                try handle(packet, context)
            }
            input.discardReadBytes()
        } catch {
            report(.trouble("broker breaks the protocol: \(error)"))
            context.close(promise: nil)
        }
    }

    // MARK: Sending

    private func greet(_ context: ChannelHandlerContext) {
        guard ping == nil else { return }
        let clientID = clientID
        write(context) { encoder, bytes in
            try? encoder.connect(
                clientID: clientID.span,
                session: .clean,
                keepAliveSeconds: MQTTClient.keepAliveSeconds,
                to: &bytes
            )
        }
        let interval = TimeAmount.seconds(Int64(MQTTClient.keepAliveSeconds))
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        ping = context.eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(Self.acceptSeconds),
            delay: interval
        ) { _ in
            let (handler, context) = bound.value
            handler.keepAlive(context)
        }
    }

    private func keepAlive(_ context: ChannelHandlerContext) {
        guard isAccepted, heardSincePing else {
            report(.trouble(isAccepted ? "broker is silent" : "broker does not accept"))
            context.close(promise: nil)
            return
        }
        heardSincePing = false
        write(context) { encoder, bytes in encoder.pingreq(to: &bytes) }
    }

    private func write(_ context: ChannelHandlerContext, _ encode: (PacketEncoder, inout [UInt8]) -> Void) {
        var bytes: [UInt8] = []
        encode(encoder, &bytes)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    // MARK: Receiving

    private func nextFrame() throws -> ByteBuffer? {
        let view = input
        guard let header = try FrameHeader.peek(view.readableBytesUInt8Span) else { return nil }
        guard header.totalBytes <= Self.maximumPacketBytes else { throw MQTTFault.packetTooLarge }
        return input.readSlice(length: header.totalBytes)
    }

    private func handle(_ frame: ByteBuffer, _ context: ChannelHandlerContext) throws {
        switch try Packet.decode(frame.readableBytesUInt8Span, version: .v311, from: .server) {
        case .connack(let answer):
            guard answer.reason == .success else {
                report(.trouble("broker refuses: \(answer.reason)"))
                return context.close(promise: nil)
            }
            isAccepted = true
            report(.up)
        case .publish(let message):
            report(
                .message(topic: bytes(message.topic, in: frame), payload: bytes(message.payload, in: frame))
            )
            guard message.qos == .atLeastOnce else { return }
            write(context) { encoder, bytes in try? encoder.puback(message.packetID, to: &bytes) }
        case .suback(let answer):
            let reason = answer.reason(at: 0, in: frame.readableBytesUInt8Span)
            guard let reason, reason.rawValue >= 0x80 else { return }
            report(.trouble("broker refuses a subscription: \(reason)"))
        default:
            break
        }
    }

    private func bytes(_ place: ByteRange, in frame: ByteBuffer) -> [UInt8] {
        frame.getBytes(at: frame.readerIndex + place.start, length: place.count) ?? []
    }
}
