import Broker
import ByteKit
import Identity
import MQTTWire
import NIOCore
import NIOSSL
import NIOTLS

/// One client's socket: cuts packets out of the bytes, writes what the core has for the client.
final class MQTTHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Where a client comes from whose socket does not show it: it was carried here by another protocol.
    struct Origin: Sendable {
        /// `ADDRESS:PORT`.
        var address: String
        /// The thing that the client's verified certificate names.
        var certificateThing: [UInt8]?
        /// The operator's access key whose verified signature it showed.
        var signer: String?
    }

    private let broker: BrokerLoop
    private let isTLS: Bool
    private let origin: Origin?
    private var connection: Connection?
    private var context: ChannelHandlerContext?
    private var held = ByteBuffer()
    private var readIsHeld = false
    private var isShut = false

    init(broker: BrokerLoop, isTLS: Bool, origin: Origin? = nil) {
        self.broker = broker
        self.isTLS = isTLS
        self.origin = origin
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    /// Time for the TLS handshake; from then on the core's limits hold.
    private static let handshakePatience = TimeAmount.seconds(10)

    func channelActive(context: ChannelHandlerContext) {
        if isTLS {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: Self.handshakePatience) {
                if bound.value.connection == nil { bound.value.context?.close(promise: nil) }
            }
        } else {
            open(context, certificateThing: origin?.certificateThing)
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            let certificate = try? context.channel.pipeline.syncOperations.nioSSL_peerCertificate()
            let der = certificate.flatMap { try? $0.toDERBytes() }
            open(context, certificateThing: der.flatMap(PeerName.commonName).map { Array($0.utf8) })
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func open(_ context: ChannelHandlerContext, certificateThing: [UInt8]?) {
        let address =
            origin?.address ?? context.remoteAddress.map { "\($0.ipAddress ?? "unix"):\($0.port ?? 0)" } ?? "unknown"
        let made = Connection(
            address: address, certificateThing: certificateThing, signer: origin?.signer,
            now: BrokerLoop.now)
        made.handle = self
        connection = made
        broker.core.opened(made, now: BrokerLoop.now)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let connection {
            broker.core.closed(connection, now: BrokerLoop.now)
            connection.handle = nil
            self.connection = nil
            broker.scheduleDrain()
        }
        self.context = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isShut else { return }
        var bytes = unwrapInboundIn(data)
        if held.readableBytes > 0 {
            // What was consumed goes, or the buffer of a client that always has more would grow with all it ever sent.
            if held.readerIndex > held.readableBytes { held.discardReadBytes() }
            held.writeBuffer(&bytes)
            swap(&held, &bytes)
            held = ByteBuffer()
        }
        consume(&bytes)
        if bytes.readableBytes > 0 { held = bytes }
        broker.scheduleDrain()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        broker.socketWasRead()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if connection?.mustWait == true {
            readIsHeld = true
        } else {
            context.read()
        }
    }

    /// Hands the core every whole packet in `bytes`, unless the client has to wait.
    private func consume(_ bytes: inout ByteBuffer) {
        guard let connection else { return }
        let used = consume(bytes.readableBytesUInt8Span, connection)
        bytes.moveReaderIndex(forwardBy: used)
    }

    private func consume(_ bytes: Span<UInt8>, _ connection: Connection) -> Int {
        let now = BrokerLoop.now
        var used = 0
        do throws(MQTTFault) {
            while !connection.mustWait, !connection.isClosing {
                let rest = bytes.extracting(droppingFirst: used)
                guard let header = try FrameHeader.peek(rest) else { break }
                guard header.totalBytes <= connection.inputLimit else { throw .packetTooLarge }
                guard rest.count >= header.totalBytes else { break }
                broker.core.received(rest.extracting(first: header.totalBytes), from: connection, now: now)
                used += header.totalBytes
            }
        } catch {
            broker.core.protocolFault(connection, error)
        }
        return used
    }

    // MARK: Out

    /// Goes on with what the core has for this client, and with what was held back.
    func advance() {
        guard let context, let connection else { return }
        if held.readableBytes > 0, !connection.mustWait, !connection.isClosing {
            var bytes = held
            held = ByteBuffer()
            consume(&bytes)
            held = bytes
            broker.scheduleDrain()
        }
        if readIsHeld, !connection.mustWait {
            readIsHeld = false
            context.read()
        }
        write(context, connection)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if let connection, context.channel.isWritable { write(context, connection) }
        context.fireChannelWritabilityChanged()
    }

    private func write(_ context: ChannelHandlerContext, _ connection: Connection) {
        guard !isShut else { return }
        let hasOutput = !connection.output.isEmpty
        if hasOutput, context.channel.isWritable || connection.isClosing {
            let buffer = context.channel.allocator.buffer(bytes: connection.output)
            connection.output = []
            if broker.core.drained(connection) { broker.scheduleDrain() }
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        }
        if connection.isClosing {
            isShut = true
            held = ByteBuffer()
            hasOutput && !isTLS ? partFrom(context) : context.close(promise: nil)
        } else if connection.hasMore, context.channel.isWritable {
            broker.core.fill(connection, now: BrokerLoop.now)
            broker.scheduleDrain()
        }
    }

    /// Time for the last packets to arrive and for the client to close.
    private static let partingPatience = TimeAmount.seconds(2)

    /// Closes once the client has read why: a socket that is closed with unread bytes in it throws away what is on its
    /// way to the client as well. (The TLS handler waits by itself.)
    private func partFrom(_ context: ChannelHandlerContext) {
        context.close(mode: .output, promise: nil)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.partingPatience) { bound.value.context?.close(promise: nil) }
    }
}
