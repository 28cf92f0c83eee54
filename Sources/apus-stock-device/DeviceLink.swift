import ByteKit
import MQTTWire
import NIOCore
import NIOPosix
import NIOSSL

/// The device's MQTT connection: 3.1.1, clean session, keep-alive 15 s, QoS 0.
final class DeviceLink: Sendable {
    /// The server or the network ended the connection.
    struct Closed: Error {}

    /// A message for the device.
    struct Message: Sendable {
        var topic: String
        var payload: [UInt8]
    }

    private static let keepAliveSeconds: UInt16 = 15
    private let channel: any Channel
    /// What arrives, until the connection ends.
    let messages: AsyncThrowingStream<Message, any Error>

    private init(channel: any Channel, messages: AsyncThrowingStream<Message, any Error>) {
        self.channel = channel
        self.messages = messages
    }

    static func connect(server: String, thing: String, tls: TLSConfiguration) async throws -> DeviceLink {
        let parts = server.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else { throw Closed() }
        let host = String(parts[0])
        let context = try NIOSSLContext(configuration: tls)
        let (messages, continuation) = AsyncThrowingStream.makeStream(of: Message.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let isName = host.contains { $0.isLetter }
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: isName ? host : nil))
                    try channel.pipeline.syncOperations.addHandler(PacketReader(continuation))
                }
            }
            .connect(host: host, port: port).get()
        let link = DeviceLink(channel: channel, messages: messages)
        try await link.send { encoder, bytes throws(MQTTFault) in
            let name = Array(thing.utf8)
            try encoder.connect(
                clientID: name.span, session: .clean, keepAliveSeconds: keepAliveSeconds, to: &bytes)
        }
        _ = channel.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(10), delay: .seconds(10)) { task in
            guard channel.isActive else { return task.cancel() }
            var bytes: [UInt8] = []
            PacketEncoder(version: .v311).pingreq(to: &bytes)
            channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        }
        return link
    }

    func subscribe(_ topic: String) async throws {
        try await send { encoder, bytes throws(MQTTFault) in
            let filter = Array(topic.utf8)
            try encoder.subscribe(1, filter: filter.span, options: SubscriptionOptions(qos: .atMostOnce), to: &bytes)
        }
    }

    func publish(_ payload: [UInt8], to topic: String) async throws {
        try await send { encoder, bytes throws(MQTTFault) in
            let name = Array(topic.utf8)
            try encoder.publish(topic: name.span, payload: payload.span, to: &bytes)
        }
    }

    func close() async {
        try? await channel.close()
    }

    private func send(_ encode: (PacketEncoder, inout [UInt8]) throws(MQTTFault) -> Void) async throws {
        var bytes: [UInt8] = []
        try encode(PacketEncoder(version: .v311), &bytes)
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }
}

/// Cuts packets out of the bytes and hands the messages on.
private final class PacketReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let messages: AsyncThrowingStream<DeviceLink.Message, any Error>.Continuation
    private var rest: [UInt8] = []

    init(_ messages: AsyncThrowingStream<DeviceLink.Message, any Error>.Continuation) {
        self.messages = messages
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        rest.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        do {
            while let frame = try nextFrame() {
                guard case .publish(let publish) = try Packet.decode(frame.span, version: .v311, from: .server) else {
                    continue
                }
                messages.yield(
                    DeviceLink.Message(
                        topic: String(decoding: frame[publish.topic.start..<publish.topic.end], as: UTF8.self),
                        payload: Array(frame[publish.payload.start..<publish.payload.end])))
            }
        } catch {
            context.close(promise: nil)
        }
    }

    private func nextFrame() throws -> [UInt8]? {
        let bytes = rest
        guard let header = try FrameHeader.peek(bytes.span), bytes.count >= header.totalBytes else { return nil }
        rest.removeFirst(header.totalBytes)
        return Array(bytes[..<header.totalBytes])
    }

    func channelInactive(context: ChannelHandlerContext) {
        messages.finish(throwing: DeviceLink.Closed())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        messages.finish(throwing: error)
        context.close(promise: nil)
    }
}
