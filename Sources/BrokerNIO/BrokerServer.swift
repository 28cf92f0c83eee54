package import Broker
package import Logging
package import NIOCore
import NIOPosix
package import NIOSSL
import Synchronization

/// The MQTT listeners with their broker, all on one event loop.
package final class BrokerServer: Sendable {
    private let broker: BrokerLoop
    private let loop: any EventLoop
    private let logger: Logger

    /// A broker that takes up `state` and then waits for listeners.
    ///
    /// - Parameter version: what `$SYS/broker/version` tells.
    package init(
        loop: any EventLoop, version: String, policy: TopicPolicy, longestKeepAlive: UInt16?, limits: BrokerLimits,
        state: RestoredState, hooks: BrokerHooks,
        logger: Logger
    ) {
        self.loop = loop
        self.logger = logger
        var core = BrokerCore(policy: policy, longestKeepAlive: longestKeepAlive, limits: limits)
        core.restore(state, now: BrokerLoop.now)
        broker = BrokerLoop(loop: loop, core: core, hooks: hooks, logger: logger)
        let broker = self.broker
        _ = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            broker.core.tick(now: BrokerLoop.now)
            broker.drain()
        }
        let start = BrokerLoop.now
        _ = loop.scheduleRepeatedTask(initialDelay: .seconds(10), delay: .seconds(10)) { _ in
            let now = BrokerLoop.now
            broker.core.reportSystem(version: version, uptimeSeconds: (now - start) / 1000, now: now)
            broker.drain()
        }
    }

    /// Opens a listener, with `tls` one that speaks TLS, and answers its channel.
    package func listen(host: String, port: Int, tls: NIOSSLContext?) async throws -> any Channel {
        let broker = self.broker
        return try await ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 65_536)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(MQTTHandler(broker: broker, isTLS: tls != nil))
                }
            }
            .bind(host: host, port: port).get()
    }

    /// Takes over one end of a connected pair of sockets, behind which a client speaks plain MQTT.
    ///
    /// - Parameters:
    ///   - address: where the client comes from, `ADDRESS:PORT`.
    ///   - certificateThing: the thing that its verified certificate names.
    ///   - signer: the operator's access key whose verified signature it showed.
    package func adopt(_ descriptor: CInt, address: String, certificateThing: [UInt8]?, signer: String?) {
        let broker = self.broker
        let origin = MQTTHandler.Origin(address: address, certificateThing: certificateThing, signer: signer)
        ClientBootstrap(group: loop)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        MQTTHandler(broker: broker, isTLS: false, origin: origin))
                }
            }
            .withConnectedSocket(descriptor).whenFailure { [logger] error in
                logger.error("an MQTT client over WebSocket was lost", metadata: ["error": "\(error)"])
            }
    }

    /// Publishes messages of the server, in order.
    package func publish(_ messages: [(topic: [UInt8], payload: [UInt8])]) {
        broker.post(messages.map { .publish(topic: $0.topic, payload: $0.payload) })
    }

    /// Closes the connections of a device whose rights ended.
    package func disconnect(thing: String) {
        broker.post(CollectionOfOne(.disconnect(thing: Array(thing.utf8))))
    }

    /// Closes the connections that an operator's token or access key opened.
    package func disconnect(credential: String) {
        broker.post(CollectionOfOne(.disconnectCredential(credential)))
    }

    /// Publishes a program's message with the rights of `principal`; what must be kept is on disk then.
    ///
    /// - Throws: `Unstored` where it is not.
    package func publish(_ message: ProgramMessage, as principal: Principal) async throws -> ProgramOutcome {
        try await perform { $0.publish(message, as: principal, now: $1) }
    }

    /// Sends a message to one client alone.
    package func send(_ message: ProgramMessage, to clientID: [UInt8]) async throws -> ProgramOutcome {
        try await perform { $0.send(message, to: clientID, now: $1) }
    }

    /// Closes a client's connection.
    package func disconnect(client: [UInt8], endsSession: Bool, dropsWill: Bool) async throws -> ProgramOutcome {
        try await perform { $0.disconnect(client: client, endsSession: endsSession, dropsWill: dropsWill, now: $1) }
    }

    /// What is known of a client.
    package func client(_ clientID: [UInt8]) async throws -> ClientFacts? {
        let broker = self.broker
        return try await loop.submit { broker.core.client(clientID) }.get()
    }

    /// What was asked for may be lost: its commit failed.
    package struct Unstored: Error {}

    private func perform(
        _ body: @escaping @Sendable (inout BrokerCore, _ now: Int64) -> ProgramOutcome
    ) async throws -> ProgramOutcome {
        let broker = self.broker
        return try await loop.flatSubmit {
            let promise = broker.loop.makePromise(of: ProgramOutcome.self)
            let outcome = body(&broker.core, BrokerLoop.now)
            if case .done(let ticket?) = outcome {
                broker.await(ticket) { $0 == .done ? promise.succeed(outcome) : promise.fail(Unstored()) }
            } else {
                promise.succeed(outcome)
            }
            broker.drain()
            return promise.futureResult
        }.get()
    }

    /// Whether clients are let in.
    package var isServing: Bool { broker.isServing.withLock { $0 } }

    /// Numbers for `/metrics`.
    package func counters() async throws -> (counters: BrokerCounters, connections: Int, memoryBytes: Int) {
        let broker = self.broker
        return try await loop.submit {
            (broker.core.counters, broker.core.connectionCount, broker.core.memoryBytes)
        }.get()
    }

    /// Tells the clients that the server stops; kept sessions stay.
    package func shutDown() async {
        let broker = self.broker
        try? await loop.submit {
            broker.core.shutDown(now: BrokerLoop.now)
            broker.drain()
        }.get()
    }
}
