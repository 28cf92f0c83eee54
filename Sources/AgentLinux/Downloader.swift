import DeviceCore
import Glibc
import NIOCore
import NIOHTTP1
import NIOSSL

/// Fetches images into the passive slot's file, from where a former try stopped if the server's file is
/// still the same.
struct Downloader: Sendable {
    /// One image to fetch.
    struct Order: Sendable {
        var version: String
        var slot: Slot
        /// Bytes that are there.
        var offset: UInt64
    }

    /// How an answer begins.
    private struct Beginning {
        var part: SlotDirectory.Part
        var offset: UInt64
    }

    private let client: HTTPGet
    private let baseURL: String
    private let slots: SlotDirectory
    private let bytesPerSecond: Int?
    private let log: AgentLog

    init(_ options: AgentOptions, tls: NIOSSLContext?, slots: SlotDirectory, log: AgentLog) throws {
        guard HTTPAddress(options.firmwareURL) != nil else {
            throw AgentFault("--firmware-url \"\(options.firmwareURL)\": expected http://… or https://…")
        }
        self.slots = slots
        self.log = log
        baseURL = options.firmwareURL
        bytesPerSecond = options.linkSpeed
        client = HTTPGet(tls: tls)
    }

    /// Fetches, and tells how it goes; silent once the task is cancelled.
    func fetch(_ order: Order, report: @Sendable (DeviceCore.Event) -> Void) async {
        let end: DeviceCore.Event
        do {
            end = try await attempt(order, report: report)
        } catch let fault as FileFault {
            log.error("\(fault)", .storageFailed)
            end = .ioFailed
        } catch {
            if !Task.isCancelled { log.warning("download broken: \(error)") }
            end = .downloadBroken
        }
        if !Task.isCancelled { report(end) }
    }

    private func attempt(
        _ order: Order,
        report: @Sendable (DeviceCore.Event) -> Void
    ) async throws -> DeviceCore.Event {
        let known = order.offset > 0 ? slots.part(of: order.slot, version: order.version) : nil
        if let known, order.offset == known.totalBytes {
            report(.downloadStarted(totalBytes: known.totalBytes, offset: order.offset))
            return .downloadFinished
        }
        guard let address = HTTPAddress("\(baseURL)\(order.version).bin") else { return .downloadBroken }
        return try await client.run(address, range(order, known)) { head, body in
            logHead(head)
            switch head.status {
            case .ok, .partialContent:
                guard let beginning = try beginning(head, order, known) else { return .downloadBroken }
                report(.downloadStarted(totalBytes: beginning.part.totalBytes, offset: beginning.offset))
                return try await store(&body, beginning, order.slot, report: report)
            default:
                if head.status == .rangeNotSatisfiable { slots.forgetPart(of: order.slot) }
                return .downloadRefused(httpStatus: UInt16(head.status.code))
            }
        }
    }

    private func range(_ order: Order, _ known: SlotDirectory.Part?) -> HTTPHeaders {
        guard let known, known.entityTag.hasPrefix("\"") else { return [:] }
        return ["Range": "bytes=\(order.offset)-", "If-Range": known.entityTag]
    }

    private func logHead(_ head: HTTPResponseHead) {
        let headers = head.headers.map { "\($0.name): \($0.value)" }.joined(separator: "; ")
        log.info("download answered \(head.status.code); \(headers)")
    }

    /// Compares the head of an answer with what was asked for; `nil` where it does not fit.
    private func beginning(
        _ response: HTTPResponseHead,
        _ order: Order,
        _ known: SlotDirectory.Part?
    ) throws -> Beginning? {
        if response.status == .partialContent {
            guard let known,
                response.headers.first(name: "Content-Range")
                    == "bytes \(order.offset)-\(known.totalBytes - 1)/\(known.totalBytes)"
            else {
                slots.forgetPart(of: order.slot)
                return nil
            }
            return Beginning(part: known, offset: order.offset)
        }
        guard let length = response.headers.first(name: "Content-Length"), let total = UInt64(length) else {
            return nil
        }
        let tag = response.headers.first(name: "ETag") ?? ""
        let digest = ImageDigest(reprDigest: response.headers.first(name: "Repr-Digest"), entityTag: tag)
        let part = SlotDirectory.Part(
            version: order.version,
            entityTag: tag,
            totalBytes: total,
            digest: digest
        )
        try slots.begin(part, of: order.slot)
        return Beginning(part: part, offset: 0)
    }

    // MARK: Body

    private func store(
        _ body: inout HTTPGet.Body,
        _ beginning: Beginning,
        _ slot: Slot,
        report: @Sendable (DeviceCore.Event) -> Void
    ) async throws -> DeviceCore.Event {
        let path = slots.partFile(of: slot)
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileFault("create", path) }
        defer { close(file) }
        guard ftruncate(file, off_t(beginning.offset)) == 0, lseek(file, 0, SEEK_END) >= 0 else {
            throw FileFault("shorten", path)
        }
        var progress = Progress(received: beginning.offset, total: beginning.part.totalBytes)
        defer { report(.downloadProgress(receivedBytes: progress.received)) }
        while let chunk = try await body.next() {
            try await store(chunk, to: file, path, &progress, report: report)
        }
        guard progress.received == progress.total else { return .downloadBroken }
        guard fsync(file) == 0 else { throw FileFault("flush", path) }
        log.info("download stored \(progress.received) bytes")
        return .downloadFinished
    }

    /// Stores what came at once, in pieces where the speed is bounded.
    private func store(
        _ chunk: ByteBuffer,
        to file: Int32,
        _ path: String,
        _ progress: inout Progress,
        report: @Sendable (DeviceCore.Event) -> Void
    ) async throws {
        var chunk = chunk
        while chunk.readableBytes > 0 {
            try Task.checkCancellation()
            let piece = chunk.readSlice(length: min(chunk.readableBytes, pieceBytes)) ?? ByteBuffer()
            guard piece.readableBytes <= progress.total - progress.received else { throw ChannelError.eof }
            try piece.withUnsafeReadableBytes { try Files.append($0, to: file, path) }
            progress.received += UInt64(piece.readableBytes)
            if progress.isDue() { report(.downloadProgress(receivedBytes: progress.received)) }
            try await slowDown(after: piece.readableBytes)
        }
    }

    /// Bytes that are read at once: a tenth of a second's worth where the speed is bounded.
    private var pieceBytes: Int {
        guard let bytesPerSecond else { return .max }
        return max(1, bytesPerSecond / 10)
    }

    private func slowDown(after bytes: Int) async throws {
        guard let bytesPerSecond else { return }
        try await Task.sleep(for: .nanoseconds(Int64(bytes) * 1_000_000_000 / Int64(max(1, bytesPerSecond))))
    }

    /// Tells progress ten times a second at most.
    private struct Progress {
        var received: UInt64
        let total: UInt64
        private var toldAt: UInt64 = 0

        init(received: UInt64, total: UInt64) {
            self.received = received
            self.total = total
        }

        mutating func isDue() -> Bool {
            let now = Clock.now()
            guard now >= toldAt + 100 else { return false }
            toldAt = now
            return true
        }
    }
}
