//  Downloads: a raw handler in front of the API's router on the same port.
//
//  The reader of an image is a small device whose firmware cannot be changed any more: header names are spelled as it
//  expects them, the length is always there, nothing is chunked or compressed, the head stays within 500 bytes, and a
//  reader that pauses for a minute is left in peace (field reports 1 to 4). Without TLS the bytes go from file to socket
//  by sendfile; with TLS in pieces, the next one when the last is written.

import Identity
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Operations

/// Answers `/firmware/…` and lets everything else pass to the router.
final class FirmwareHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Bytes handed to the socket at a time; progress is counted in these steps.
    static let pieceBytes = 128 << 10
    /// Socket send buffer of a download: bytes in it count as handed out although they are still on their way.
    private static let sendBufferBytes = 128 << 10
    /// A request must be complete this long after its first byte, and an idle connection say something.
    private static let requestPatience = TimeAmount.seconds(60)
    /// Parts of pipelined requests that may wait for an answer before them.
    private static let heldParts = 64

    private let operations: Operations
    private let isTLS: Bool
    private var held: [HTTPServerRequestPart] = []
    private var readIsHeld = false
    /// Answers of the router that are not finished.
    private var openAnswers = 0
    /// The head of a download whose request is not complete, or whose answer is not.
    private var request: HTTPRequestHead?
    private var download: OpenDownload?
    private var deadline: Scheduled<Void>?

    init(operations: Operations, isTLS: Bool) {
        self.operations = operations
        self.isTLS = isTLS
    }

    func handlerAdded(context: ChannelHandlerContext) {
        armDeadline(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        download?.finish()
        download = nil
        context.fireChannelInactive()
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        armDeadline(context)
        let part = unwrapInboundIn(data)
        guard held.isEmpty else {
            held.append(part)
            return
        }
        take(part, context)
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head) where FirmwarePath.isPath(head.uri):
            guard openAnswers == 0, request == nil else {
                held.append(part)
                return
            }
            request = head
        case .head:
            guard request == nil else {
                held.append(part)
                return
            }
            openAnswers += 1
            context.fireChannelRead(wrapInboundOut(part))
        case .body:
            if request == nil { context.fireChannelRead(wrapInboundOut(part)) }
        case .end:
            guard let request, download == nil else {
                context.fireChannelRead(wrapInboundOut(part))
                return
            }
            deadline?.cancel()
            begin(request, context)
        }
    }

    func read(context: ChannelHandlerContext) {
        if held.count < Self.heldParts {
            context.read()
        } else {
            readIsHeld = true
        }
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            openAnswers -= 1
            context.write(data, promise: promise)
            if openAnswers == 0 {
                armDeadline(context)
                releaseHeld(context)
            }
        } else {
            deadline?.cancel()
            context.write(data, promise: promise)
        }
    }

    private func releaseHeld(_ context: ChannelHandlerContext) {
        let parts = held
        held = []
        for part in parts {
            if held.isEmpty { take(part, context) } else { held.append(part) }
        }
        // The router takes parts only at the end of a read.
        if !parts.isEmpty { context.fireChannelReadComplete() }
        if readIsHeld, held.count < Self.heldParts {
            readIsHeld = false
            context.read()
        }
    }

    /// Who does not finish a request meets a deadline; who only reads slowly does not.
    private func armDeadline(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: Self.requestPatience) { bound.value.close(promise: nil) }
    }
}

// MARK: - One download

extension FirmwareHandler {
    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard head.method == .GET || head.method == .HEAD else {
            return answer(.methodNotAllowed, [("Allow", "GET, HEAD"), ("Content-Length", "0")], head, context)
        }
        guard let path = FirmwarePath(head.uri) else {
            return answer(.notFound, [("Content-Length", "0")], head, context)
        }
        let range = ByteRangeHeader(head.headers.first(name: "Range"))
        let certificate =
            isTLS ? (try? context.channel.pipeline.syncOperations.nioSSL_peerCertificate()) : nil
        let request = DownloadRequest(
            product: path.product, hardware: path.hardware, version: path.version,
            address: context.remoteAddress?.ipAddress ?? "",
            certificateThing: certificate.flatMap { try? $0.toDERBytes() }.flatMap(PeerName.commonName),
            startsAtZero: head.method == .GET && range.startsAtZero)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        let operations = self.operations
        context.eventLoop.makeFutureWithTask { try await operations.download(request) }.whenComplete { result in
            guard boundContext.value.channel.isActive else { return }
            switch result {
            case .success(let target): bound.value.send(target, range, head, boundContext.value)
            case .failure:
                bound.value.answer(.internalServerError, [("Content-Length", "0")], head, boundContext.value)
            }
        }
    }

    private func send(
        _ target: DownloadTarget?, _ range: ByteRangeHeader, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        guard let target, let file = try? NIOFileHandle(_deprecatedPath: target.path) else {
            return answer(.notFound, [("Content-Length", "0")], head, context)
        }
        let plan = FirmwareAnswer(target, range, head)
        guard head.method == .GET, let body = plan.body else {
            try? file.close()
            return answer(plan.status, plan.headers, head, context)
        }
        writeHead(plan.status, plan.headers, head, context)
        let download = OpenDownload(file: file, target: target, body: body, closes: !head.isKeepAlive)
        self.download = download
        context.channel.setOption(.socketOption(.so_sndbuf), value: Self.sendBufferBytes).whenComplete { _ in }
        sendPiece(download, context)
    }

    /// Hands the next piece to the socket; goes on when it is written.
    private func sendPiece(_ download: OpenDownload, _ context: ChannelHandlerContext) {
        guard download.next < download.end else { return end(download, context) }
        let count = min(Self.pieceBytes, download.end - download.next)
        guard let piece = download.piece(count, isTLS: isTLS, context.channel.allocator) else {
            // The head has promised bytes that cannot be read: only a broken connection tells the client.
            context.close(promise: nil)
            return
        }
        download.next += count
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.body(piece))).whenSuccess {
            // The piece that was written belongs to the open download: a connection has one at a time.
            guard let download = bound.value.download else { return }
            bound.value.operations.note(download)
            bound.value.sendPiece(download, boundContext.value)
        }
    }

    private func end(_ download: OpenDownload, _ context: ChannelHandlerContext) {
        download.finish()
        self.download = nil
        finish(closes: download.closes, context)
    }

    private func answer(
        _ status: HTTPResponseStatus, _ headers: [(String, String)], _ head: HTTPRequestHead,
        _ context: ChannelHandlerContext
    ) {
        writeHead(status, headers, head, context)
        finish(closes: !head.isKeepAlive, context)
    }

    private func writeHead(
        _ status: HTTPResponseStatus, _ headers: [(String, String)], _ head: HTTPRequestHead,
        _ context: ChannelHandlerContext
    ) {
        var fields = HTTPHeaders(headers)
        if !head.isKeepAlive {
            fields.add(name: "Connection", value: "close")
        } else if head.version == .http1_0 {
            fields.add(name: "Connection", value: "keep-alive")
        }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: status, headers: fields))),
            promise: nil)
    }

    private func finish(closes: Bool, _ context: ChannelHandlerContext) {
        request = nil
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        guard !closes else {
            written.whenComplete { _ in bound.value.close(promise: nil) }
            return
        }
        armDeadline(context)
        releaseHeld(context)
        context.read()
    }
}

/// A download that is being sent.
final class OpenDownload {
    private let file: NIOFileHandle
    let target: DownloadTarget
    let end: Int
    let closes: Bool
    var next: Int
    private var isOpen = true
    /// Percentage that was last told.
    var toldPercent = -1

    init(file: NIOFileHandle, target: DownloadTarget, body: Range<Int>, closes: Bool) {
        self.file = file
        self.target = target
        self.closes = closes
        next = body.lowerBound
        end = body.upperBound
    }

    func finish() {
        guard isOpen else { return }
        isOpen = false
        try? file.close()
    }

    func piece(_ count: Int, isTLS: Bool, _ allocator: ByteBufferAllocator) -> IOData? {
        guard isOpen else { return nil }
        guard isTLS else {
            return .fileRegion(FileRegion(fileHandle: file, readerIndex: next, endIndex: next + count))
        }
        var buffer = allocator.buffer(capacity: count)
        let read = try? file.withUnsafeFileDescriptor { descriptor in
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
                max(0, pread(descriptor, memory.baseAddress, count, off_t(next)))
            }
        }
        return read == count ? .byteBuffer(buffer) : nil
    }
}

extension Operations {
    /// Counts what has been written, for devices that do not report their progress: once per percent.
    fileprivate func note(_ download: OpenDownload) {
        guard download.target.thing != nil, download.target.size > 0 else { return }
        let percent = download.next * 100 / download.target.size
        guard percent > download.toldPercent else { return }
        download.toldPercent = percent
        handedOut(download.next, of: download.target)
    }
}
