//  MQTT over WebSocket (MQTT 5 section 6, MQTT 3.1.1 section 6; RFC 6455) on the HTTP ports, path `/mqtt`.
//
//  The broker lives on an event loop of its own. Once a client has upgraded, its bytes go through a pair of sockets: one end
//  is a client like any other to the broker, the other end belongs to the HTTP connection. The frames' codec is put in front
//  of the HTTP handlers, which see nothing any more; each side stops reading while the other cannot write.

import Crypto
import Foundation
import Identity
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import RequestSigning

/// Names what MQTT over WebSocket needs from the rest of the server.
package enum WebSocketMQTT {
    /// Takes one end of a connected pair of sockets, the client's `ADDRESS:PORT`, the thing that its certificate names, and
    /// whether an operator's access key signed the request.
    package typealias Broker =
        @Sendable (
            _ descriptor: CInt, _ address: String, _ thing: [UInt8]?, _ isSigned: Bool
        ) -> Void

    /// Largest frame, bytes: the largest packet of the broker fits in.
    static let frameBytes = 256 << 10
}

/// Answers `GET /mqtt`: switches to WebSocket, or says what is missing.
final class WebSocketUpgrade: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let access: AWSAccess
    private let isTLS: Bool
    private let broker: WebSocketMQTT.Broker
    private var request: HTTPRequestHead?

    init(access: AWSAccess, isTLS: Bool, broker: @escaping WebSocketMQTT.Broker) {
        self.access = access
        self.isTLS = isTLS
        self.broker = broker
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head) where head.uri == "/mqtt" || head.uri.hasPrefix("/mqtt?"):
            request = head
        case .end where request != nil:
            answer(context)
        case .body where request != nil: break
        default: context.fireChannelRead(data)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard let request else { return }
        self.request = nil
        if let (status, why) = Self.fault(request) { return refuse(status, why, request, context) }
        let signed = SignedRequest(request)
        guard signed.isSigned, !access.isDevelopment else { return upgrade(request, isSigned: false, context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let verified = context.eventLoop.makeFutureWithTask { [access, isTLS] in
            _ = try await access.verify(signed, [], isTLS: isTLS)
        }
        verified.whenComplete { result in
            let (handler, context) = bound.value
            switch result {
            case .success: handler.upgrade(request, isSigned: true, context)
            case .failure(let error): handler.refuse(.forbidden, Self.words(error), request, context)
            }
        }
    }

    private static func words(_ error: any Error) -> String {
        (error as? AWSFault).map { "\($0.exception): the signature is not one of this server's access keys" }
            ?? "the signature could not be checked"
    }

    private func upgrade(_ request: HTTPRequestHead, isSigned: Bool, _ context: ChannelHandlerContext) {
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
        do {
            try switchOver(context, isSigned: isSigned)
        } catch {
            context.close(promise: nil)
        }
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

    private func switchOver(_ context: ChannelHandlerContext, isSigned: Bool) throws {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw IOError(errnoCode: errno, reason: "socketpair")
        }
        let pipeline = context.pipeline.syncOperations
        let certificate = try? pipeline.nioSSL_peerCertificate()
        let thing = certificate.flatMap { try? $0.toDERBytes() }.flatMap(PeerName.commonName).map { Array($0.utf8) }
        let address = context.remoteAddress.map { "\($0.ipAddress ?? "unix"):\($0.port ?? 0)" } ?? "unknown"
        let carrier = WebSocketCarrier()
        let http = try pipeline.handler(type: HTTPResponseEncoder.self)
        try pipeline.addHandlers(
            [
                ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: WebSocketMQTT.frameBytes)),
                WebSocketFrameEncoder(), carrier,
            ], position: .before(http))
        // It would close a connection that asks for nothing.
        pipeline.removeHandler(try pipeline.handler(type: FirmwareHandler.self), promise: nil)
        let bound = NIOLoopBound(carrier, eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let end = BrokerEnd(carrier: bound.value)
                    bound.value.end = end
                    try channel.pipeline.syncOperations.addHandler(end)
                }
            }
            .withConnectedSocket(ends[0])
            .whenFailure { _ in bound.value.close() }
        broker(ends[1], address, thing, isSigned)
    }
}

/// The WebSocket side: takes the bytes out of frames, and puts the broker's into frames.
final class WebSocketCarrier: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    var end: BrokerEnd?
    private var context: ChannelHandlerContext?
    /// Bytes that came before the broker's end was there.
    private var early = ByteBuffer()

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var frame = unwrapInboundIn(data)
        // RFC 6455, 5.1: a client masks what it sends.
        guard frame.maskKey != nil else { return leave(.protocolError) }
        switch frame.opcode {
        case .binary, .continuation:
            var bytes = frame.unmaskedData
            if let end { end.write(bytes) } else { early.writeBuffer(&bytes) }
        case .ping:
            // Who does not read gets none: a later one answers the earlier ones too (RFC 6455, 5.5.3).
            guard context.channel.isWritable else { return }
            frame = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        case .connectionClose: leave(.normalClosure)
        // [MQTT-6.0.0-1]
        case .text: leave(.unacceptableData)
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        leave(error is NIOWebSocketError ? .protocolError : .unexpectedServerError)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        end?.close()
        end = nil
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { end?.readMore() }
        context.fireChannelWritabilityChanged()
    }

    /// The broker's end is open: hands on what waited.
    func opened() {
        guard context != nil else {
            end?.close()
            end = nil
            return
        }
        if early.readableBytes > 0 { end?.write(early) }
        early = ByteBuffer()
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .binary, data: bytes)), promise: nil)
    }

    /// The broker has closed its end.
    func close() { leave(.normalClosure) }

    func setReading(_ isReading: Bool) {
        context?.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
    }

    /// Says goodbye with a code, and closes.
    private func leave(_ code: WebSocketErrorCode) {
        let leaving = context
        // The end of the broker's end comes back here at once.
        context = nil
        end?.close()
        end = nil
        guard let context = leaving else { return }
        var bytes = context.channel.allocator.buffer(capacity: 2)
        bytes.write(webSocketErrorCode: code)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        context.writeAndFlush(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: bytes)), promise: promise)
    }
}

/// The end of the pair of sockets that belongs to the WebSocket; the broker has the other one.
final class BrokerEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let carrier: WebSocketCarrier
    private var context: ChannelHandlerContext?
    private var readIsHeld = false

    init(carrier: WebSocketCarrier) {
        self.carrier = carrier
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        carrier.opened()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        carrier.write(unwrapInboundIn(data))
    }

    func read(context: ChannelHandlerContext) {
        if carrier.isWritable { context.read() } else { readIsHeld = true }
    }

    func readMore() {
        guard readIsHeld else { return }
        readIsHeld = false
        context?.read()
    }

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        if !context.channel.isWritable { carrier.setReading(false) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { carrier.setReading(true) }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        carrier.close()
        context.fireChannelInactive()
    }

    func close() {
        context?.close(promise: nil)
        context = nil
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
