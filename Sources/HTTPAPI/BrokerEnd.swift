import Glibc
import NIOCore
import NIOPosix

/// The end of a pair of sockets that belongs to a WebSocket; the broker has the other one.
final class BrokerEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Stage {
        /// Nobody is there yet to whom the broker could speak.
        case waiting
        case carrying(WebSocketCarrier)
        /// The client is gone: what the broker still sends is dropped.
        case finished
    }

    private var stage = Stage.waiting
    private var context: ChannelHandlerContext?
    private var readIsHeld = false

    private init() {}

    /// Makes a pair of sockets on `loop`, on which this runs; answers this end and the descriptor of the broker's.
    static func open(on loop: any EventLoop) -> EventLoopFuture<(NIOLoopBound<BrokerEnd>, CInt)> {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            return loop.makeFailedFuture(IOError(errnoCode: errno, reason: "socketpair"))
        }
        let (own, other) = (ends[0], ends[1])
        let end = NIOLoopBound(BrokerEnd(), eventLoop: loop)
        let opened = ClientBootstrap(group: loop)
            // Full with the first byte that the socket does not take.
            .channelOption(.writeBufferWaterMark, value: .init(low: 1, high: 1))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(end.value) }
            }
            .withConnectedSocket(own)
        opened.whenFailure { _ in _ = Glibc.close(other) }
        return opened.map { _ in (end, other) }
    }

    /// Reads from the broker for `carrier` from now on.
    func carry(for carrier: WebSocketCarrier) {
        stage = .carrying(carrier)
        readMore()
    }

    // MARK: From the broker

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func read(context: ChannelHandlerContext) {
        switch stage {
        case .carrying(let carrier) where carrier.isWritable: context.read()
        case .waiting, .carrying: readIsHeld = true
        case .finished: context.read()
        }
    }

    /// Goes on with what was held back.
    func readMore() {
        guard readIsHeld, let context else { return }
        readIsHeld = false
        read(context: context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .carrying(let carrier) = stage { carrier.write(unwrapInboundIn(data)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if case .carrying(let carrier) = stage { carrier.endClosed() }
        stage = .finished
        context.fireChannelInactive()
    }

    // MARK: To the broker

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        if case .carrying(let carrier) = stage, !context.channel.isWritable { carrier.setReading(false) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .carrying(let carrier) = stage, context.channel.isWritable { carrier.setReading(true) }
        context.fireChannelWritabilityChanged()
    }

    /// The client is gone; the broker learns it when it has read what the client sent before.
    func finish() {
        stage = .finished
        context?.close(mode: .output, promise: nil)
        readMore()
    }
}
