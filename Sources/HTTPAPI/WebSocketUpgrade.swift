import Crypto
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import NIOSSL
import RequestSigning

/// Answers `GET /mqtt`: switches to WebSocket, or says what is missing.
final class WebSocketUpgrade: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let access: AWSAccess
    private let isTLS: Bool
    private let broker: WebSocketMQTT.Broker
    private var stage = Stage.passing

    private enum Stage {
        /// Requests for others pass.
        case passing
        /// A request to upgrade is not complete.
        case taking(HTTPRequestHead)
        /// It is being answered, or was. What follows is dropped: a client has to wait for the answer (RFC 6455, 4.1).
        case answering
    }

    init(access: AWSAccess, isTLS: Bool, broker: @escaping WebSocketMQTT.Broker) {
        self.access = access
        self.isTLS = isTLS
        self.broker = broker
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (stage, unwrapInboundIn(data)) {
        case (.passing, .head(let head)) where head.uri == "/mqtt" || head.uri.hasPrefix("/mqtt?"):
            stage = .taking(head)
        case (.passing, _): context.fireChannelRead(data)
        case (.taking(let request), .end):
            stage = .answering
            answer(request, context)
        case (.taking, _), (.answering, _): break
        }
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        // Whoever does not wait for the answer is not read.
        setOption(.autoRead, false, context)
        if let (status, why) = Self.fault(request) { return refuse(status, why, request, context) }
        let signed = SignedRequest(request)
        guard signed.isSigned, !access.isDevelopment else { return upgrade(request, signer: nil, context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let verified = context.eventLoop.makeFutureWithTask { [access, isTLS] in
            try await access.verify(signed, [], isTLS: isTLS).accessKeyID
        }
        verified.whenComplete { result in
            let (handler, context) = bound.value
            switch result {
            case .success(let key): handler.upgrade(request, signer: key, context)
            case .failure(let error): handler.refuse(.forbidden, Self.words(error), request, context)
            }
        }
    }

    private static func words(_ error: any Error) -> String {
        (error as? AWSFault).map { "\($0.exception): the signature is not one of this server's access keys" }
            ?? "the signature could not be checked"
    }

    /// Connects the client with the broker, then tells it so.
    private func upgrade(_ request: HTTPRequestHead, signer: String?, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        BrokerEnd.open(on: context.eventLoop).whenComplete { result in
            let (handler, context) = bound.value
            switch result {
            case .success((let end, let descriptor)):
                handler.tell(request, context)
                handler.switchOver(to: end.value, context)
                handler.broker(descriptor, Self.address(context), Self.thing(context), signer)
            case .failure(let error):
                handler.refuse(.serviceUnavailable, "there is no way to the broker: \(error)", request, context)
            }
        }
    }

    private func tell(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let key = request.headers.first(name: "Sec-WebSocket-Key") ?? ""
        // RFC 6455, 4.2.2: the key with this text, hashed.
        let digest = Insecure.SHA1.hash(data: Data("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))
        let headers: HTTPHeaders = [
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "mqtt",
            "Sec-WebSocket-Accept": Data(digest).base64EncodedString(),
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// What is wrong with a request to upgrade; nil where nothing is.
    private static func fault(_ request: HTTPRequestHead) -> (HTTPResponseStatus, String)? {
        let headers = request.headers
        guard request.method == .GET,
            headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" })
        else { return (.upgradeRequired, "this is MQTT over WebSocket: ask with Upgrade: websocket") }
        guard headers.first(name: "Sec-WebSocket-Version") == "13", headers.contains(name: "Sec-WebSocket-Key") else {
            return (.badRequest, "Sec-WebSocket-Version must be 13, and Sec-WebSocket-Key is needed")
        }
        // [MQTT-6.0.0-3]
        guard headers[canonicalForm: "Sec-WebSocket-Protocol"].contains("mqtt") else {
            return (.badRequest, "the subprotocol must be mqtt: Sec-WebSocket-Protocol: mqtt")
        }
        // A page of another site must not speak to a broker that its reader can reach.
        if let origin = headers.first(name: "Origin") {
            let host = headers.first(name: "Host") ?? ""
            guard origin == "http://\(host)" || origin == "https://\(host)" else {
                return (.forbidden, "pages of other sites may not connect (Origin is \(origin))")
            }
        }
        return nil
    }

    private func refuse(
        _ status: HTTPResponseStatus, _ why: String, _ request: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let body = ByteBuffer(string: why + "\n")
        var headers: HTTPHeaders = [
            "Content-Type": "text/plain; charset=utf-8", "Content-Length": "\(body.readableBytes)",
            "Connection": "close",
        ]
        if status == .upgradeRequired { headers.add(name: "Upgrade", value: "websocket") }
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        if request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    }

    /// Puts frames in the place of HTTP; where the client is gone by now, the broker finds its end closed.
    private func switchOver(to end: BrokerEnd, _ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
            try pipeline.addHandler(WebSocketCarrier(end: end), position: .before(encoder))
            // The one has no more to do, and may hold bytes; the other would close a connection that asks for nothing.
            pipeline.removeHandler(
                try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self), promise: nil)
            pipeline.removeHandler(try pipeline.handler(type: FirmwareHandler.self), promise: nil)
        } catch {
            end.finish()
            return context.close(promise: nil)
        }
        let buffers = AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 2048, maximum: WebSocketMQTT.readBytes)
        setOption(.recvAllocator, buffers, context)
        setOption(.maxMessagesPerRead, 1, context)
        setOption(.autoRead, true, context)
    }

    private func setOption<Option: ChannelOption>(
        _ option: Option, _ value: Option.Value, _ context: ChannelHandlerContext
    ) {
        // It fails where the connection is closed, which others see.
        try? context.channel.syncOptions?.setOption(option, value: value)
    }

    /// The client's `ADDRESS:PORT`.
    private static func address(_ context: ChannelHandlerContext) -> String {
        context.remoteAddress.map { "\($0.ipAddress ?? "unix"):\($0.port ?? 0)" } ?? "unknown"
    }

    /// The thing that the client's certificate names.
    private static func thing(_ context: ChannelHandlerContext) -> [UInt8]? {
        let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
        return certificate.flatMap { try? $0.toDERBytes() }.flatMap(PeerName.commonName).map { Array($0.utf8) }
    }
}

extension SignedRequest {
    /// A request for an upgrade as it came in.
    fileprivate init(_ request: HTTPRequestHead) {
        self.init(
            method: request.method.rawValue, target: request.uri,
            fields: request.headers.map { Field($0.name, $0.value) })
    }
}
