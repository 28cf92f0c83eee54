import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Operations

/// Hummingbird's HTTP/1 channel with the handler for downloads behind the decoder.
struct FrontChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let inner: HTTP1Channel
    let operations: Operations
    let access: AWSAccess
    let isTLS: Bool
    let broker: WebSocketMQTT.Broker

    init(
        responder: @escaping HTTPChannelHandler.Responder, operations: Operations, access: AWSAccess, isTLS: Bool,
        broker: @escaping WebSocketMQTT.Broker
    ) {
        // Request heads of devices, browsers and SDKs stay far below this; the default would be 80 kB in 1000 fields.
        let limits = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: 32 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100)
        inner = HTTP1Channel(responder: responder, configuration: .init(httpDecoderConfiguration: limits))
        self.operations = operations
        self.access = access
        self.isTLS = isTLS
        self.broker = broker
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let firmware = FirmwareHandler(operations: operations, isTLS: isTLS)
            try pipeline.addHandler(firmware, position: .after(decoder))
            let upgrade = WebSocketUpgrade(access: access, isTLS: isTLS, broker: broker)
            try pipeline.addHandler(upgrade, position: .after(decoder))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await inner.handle(value: value, logger: logger)
    }
}
