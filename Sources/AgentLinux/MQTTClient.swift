import ByteKit
import MQTTWire
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A client of MQTT 3.1.1 that is connected whenever it can be.
///
/// Clean sessions; what is published is sent once, at QoS 1 as well: whoever needs an answer waits for it
/// and repeats. Each connection has a number, and all that comes from it carries that number.
final class MQTTClient: Sendable {
    /// What the client has to say.
    enum Event: Sendable {
        case up
        case down
        case message(topic: [UInt8], payload: [UInt8])
        case trouble(String)
    }

    /// Where to connect, and as who.
    struct Target: Sendable {
        var broker: HostPort
        var clientID: String
        var tls: NIOSSLContext?
    }

    /// Silence that the broker may expect at most, in seconds.
    static let keepAliveSeconds: UInt16 = 15
    private static let longestPauseMilliseconds: Int64 = 30_000
    private static let firstPauseMilliseconds: Int64 = 500

    private struct State {
        var link = 0
        /// The latest link that the broker accepted.
        var accepted = 0
        var channel: (any Channel)?
        var packetID: UInt16 = 0
    }

    private let target: Target
    private let report: @Sendable (Int, Event) -> Void
    private let state = Mutex(State())

    init(_ target: Target, report: @escaping @Sendable (Int, Event) -> Void) {
        self.target = target
        self.report = report
    }

    // MARK: Connecting

    /// Connects again and again, until the task is cancelled.
    func run() async {
        var pause = Self.firstPauseMilliseconds
        while !Task.isCancelled {
            let wasUp = await connectOnce()
            pause = wasUp ? Self.firstPauseMilliseconds : min(pause * 2, Self.longestPauseMilliseconds)
            let jittered = Int64.random(in: pause / 2...pause)
            try? await Task.sleep(for: .milliseconds(jittered))
        }
    }

    /// One connection from beginning to end; whether the broker accepted it.
    private func connectOnce() async -> Bool {
        let link = state.withLock { state in
            state.link += 1
            return state.link
        }
        return await withTaskCancellationHandler {
            do {
                let channel = try await open(link)
                try? await channel.closeFuture.get()
            } catch {
                report(
                    link,
                    .trouble("cannot connect to \(target.broker.host):\(target.broker.port): \(error)")
                )
            }
            let wasUp = state.withLock { state in
                defer { state.channel = nil }
                return state.channel != nil
            }
            if wasUp { report(link, .down) }
            return wasUp
        } onCancel: {
            state.withLock { $0.channel }?.close(promise: nil)
        }
    }

    private func open(_ link: Int) async throws -> any Channel {
        let target = target
        let host = target.broker.host
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = target.tls {
                        try channel.pipeline.syncOperations.addHandler(TLSFiles.handler(tls, host: host))
                    }
                    let handler = MQTTClientHandler(clientID: target.clientID) { [self] event in
                        received(event, from: channel, link)
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: host, port: target.broker.port)
            .get()
    }

    private func received(_ event: Event, from channel: any Channel, _ link: Int) {
        if case .up = event {
            state.withLock { state in
                state.channel = channel
                state.accepted = link
            }
        }
        report(link, event)
    }

    // MARK: Talking

    /// Subscribes at QoS 1; nothing happens where there is no connection.
    func subscribe(_ topic: [UInt8]) {
        send { encoder, packetID, bytes in
            try? encoder.subscribe(
                packetID,
                filter: topic.span,
                options: SubscriptionOptions(qos: .atLeastOnce),
                to: &bytes
            )
        }
    }

    /// Publishes; nothing happens where there is no connection.
    func publish(_ payload: [UInt8], to topic: [UInt8], qos: QoS) {
        send { encoder, packetID, bytes in
            _ = try? encoder.publish(
                topic: topic.span,
                qos: qos,
                packetID: packetID,
                payload: payload.span,
                to: &bytes
            )
        }
    }

    /// Ends the present connection in good order; the next one comes by itself.
    ///
    /// - Returns: the number of the latest connection that was up; what comes from it and older ones is
    ///   history.
    func drop() async -> Int {
        let (accepted, channel) = state.withLock { ($0.accepted, $0.channel) }
        guard let channel else { return accepted }
        var bytes: [UInt8] = []
        try? PacketEncoder(version: .v311).disconnect(to: &bytes)
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))
        try? await channel.close()
        return accepted
    }

    private func send(_ encode: (PacketEncoder, UInt16, inout [UInt8]) -> Void) {
        let (channel, packetID) = state.withLock { state in
            state.packetID = state.packetID == .max ? 1 : state.packetID + 1
            return (state.channel, state.packetID)
        }
        guard let channel else { return }
        var bytes: [UInt8] = []
        encode(PacketEncoder(version: .v311), packetID, &bytes)
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }
}
