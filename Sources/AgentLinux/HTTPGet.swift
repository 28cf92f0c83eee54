import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Where a GET goes: `http://HOST[:PORT]/PATH` or `https://…`.
struct HTTPAddress: Equatable, Sendable {
    var isSecure: Bool
    var server: HostPort
    /// Host and port as they stand in the URL.
    var authority: String
    /// Path and query, from the first slash on.
    var path: String

    init?(_ url: String) {
        let rest: Substring
        if url.hasPrefix("https://") {
            isSecure = true
            rest = url.dropFirst(8)
        } else if url.hasPrefix("http://") {
            isSecure = false
            rest = url.dropFirst(7)
        } else {
            return nil
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        authority = String(rest[..<slash])
        path = slash == rest.endIndex ? "/" : String(rest[slash...])
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            let server = HostPort(authority) ?? HostPort("\(authority):\(isSecure ? 443 : 80)")
        else { return nil }
        self.server = server
    }
}

/// One GET over HTTP/1.1 whose answer is read as slowly as the reader likes, and to the last byte that
/// arrived.
///
/// Everything that reached this machine before a connection broke is handed over before the break is.
/// Redirections are not followed: an image comes from the server the device was told.
struct HTTPGet: Sendable {
    typealias Stream = NIOAsyncChannel<HTTPClientResponsePart, SendableRequestPart>
    typealias SendableRequestPart = HTTPPart<HTTPRequestHead, ByteBuffer>

    /// How long the server may be silent while the reader waits, in seconds.
    static let silenceSeconds: UInt64 = 60

    let tls: NIOSSLContext?

    /// What follows the head of an answer.
    struct Body {
        fileprivate var parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator
        fileprivate let patience: Patience

        /// The next bytes; `nil` at the end of a whole answer.
        mutating func next() async throws -> ByteBuffer? {
            while let part = try await part() {
                switch part {
                case .body(let bytes): return bytes
                case .end: return nil
                case .head: continue
                }
            }
            throw ChannelError.eof
        }

        fileprivate mutating func head() async throws -> HTTPResponseHead {
            while let part = try await part() {
                if case .head(let head) = part, head.status.code >= 200 { return head }
            }
            throw ChannelError.eof
        }

        private mutating func part() async throws -> HTTPClientResponsePart? {
            patience.begin()
            defer { patience.end() }
            return try await parts.next()
        }
    }

    /// Sends the request and hands the answer over; the connection ends with that.
    func run<Result: Sendable>(
        _ address: HTTPAddress,
        _ headers: HTTPHeaders,
        _ handle: (HTTPResponseHead, inout Body) async throws -> Result
    ) async throws -> Result {
        let stream = try await connect(address)
        let patience = Patience(stream.channel)
        defer { patience.cancel() }
        return try await stream.executeThenClose { inbound, outbound in
            try await outbound.write(.head(head(address, headers)))
            try await outbound.write(.end(nil))
            var body = Body(parts: inbound.makeAsyncIterator(), patience: patience)
            let head = try await body.head()
            return try await handle(head, &body)
        }
    }

    private func head(_ address: HTTPAddress, _ headers: HTTPHeaders) -> HTTPRequestHead {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.path)
        head.headers = [
            "Host": address.authority, "User-Agent": "apus-agent", "Accept": "*/*", "Connection": "close",
        ]
        head.headers.add(contentsOf: headers)
        return head
    }

    private func connect(_ address: HTTPAddress) async throws -> Stream {
        let tls = address.isSecure ? try self.tls ?? Self.anyAuthority() : nil
        let host = address.server.host
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connect(host: host, port: address.server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(TLSFiles.handler(tls, host: host))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(RequestParts())
                    return try Stream(wrappingChannelSynchronously: channel)
                }
            }
    }

    private static func anyAuthority() throws -> NIOSSLContext {
        try NIOSSLContext(configuration: .makeClientConfiguration())
    }
}

/// Turns the parts that may cross threads into those of the encoder.
private final class RequestParts: ChannelOutboundHandler {
    typealias OutboundIn = HTTPGet.SendableRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPClientRequestPart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let bytes): .body(.byteBuffer(bytes))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}

/// Closes a connection whose reader has waited too long; a reader that takes its time is none of its
/// business.
private final class Patience: Sendable {
    private let waitingSince = Mutex<UInt64?>(nil)
    private let check = Mutex<RepeatedTask?>(nil)

    init(_ channel: any Channel) {
        let task = channel.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(5), delay: .seconds(5)) {
            [weak self] _ in
            guard let since = self?.waitingSince.withLock({ $0 }) else { return }
            if Clock.now() >= since + HTTPGet.silenceSeconds * 1_000 { channel.close(promise: nil) }
        }
        check.withLock { $0 = task }
    }

    func begin() { waitingSince.withLock { $0 = Clock.now() } }

    func end() { waitingSince.withLock { $0 = nil } }

    func cancel() { check.withLock { $0?.cancel() } }
}
