//  Images on disk, named by their content: `DATA/blobs/ab/cdef…` (SHA-256 in hex, the first byte as a folder).
//
//  A blob is written to a temporary file while its digest is computed, flushed, renamed into place, and its folder
//  flushed: a name that exists has its bytes, whenever the power goes.

import Crypto
import Foundation

/// Fault while a blob is taken in.
package enum BlobError: Error, Sendable, Equatable {
    /// More bytes than the limit arrived.
    case tooLarge(limit: Int)
    /// A system call failed.
    case io(call: String, code: Int32)
}

/// The folder of images.
package struct BlobStore: Sendable {
    /// The folder that everything lies in.
    package let root: String

    /// Opens or creates the folder at `root`, and clears what an earlier run left unfinished.
    package init(root: String) throws {
        self.root = root
        let incoming = root + "/incoming"
        try? FileManager.default.removeItem(atPath: incoming)
        try FileManager.default.createDirectory(atPath: incoming, withIntermediateDirectories: true)
    }

    /// Where the blob with `digest` (32 bytes) is or would be.
    package func path(of digest: [UInt8]) -> String {
        let hex = digest.hexadecimal
        return root + "/" + hex.prefix(2) + "/" + hex.dropFirst(2)
    }

    /// Starts to take in a blob of at most `limit` bytes.
    package func incoming(limit: Int) throws -> IncomingBlob {
        try IncomingBlob(path: root + "/incoming/" + UUID().uuidString, limit: limit)
    }

    /// Gives a finished blob its name; one that is there already stays.
    package func keep(_ blob: IncomingBlob, digest: [UInt8]) throws {
        let target = path(of: digest)
        let folder = (target as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard rename(blob.path, target) == 0 else { throw BlobError.io(call: "rename", code: errno) }
        try flush(directory: folder)
        try flush(directory: root)
    }

    private func flush(directory: String) throws {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BlobError.io(call: "open", code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw BlobError.io(call: "fsync", code: errno) }
    }
}

/// A blob that is being written; removed again unless it is kept.
package final class IncomingBlob {
    let path: String
    private let limit: Int
    private let descriptor: Int32
    private var hasher = SHA256()
    /// Bytes taken so far.
    package private(set) var count = 0

    init(path: String, limit: Int) throws {
        self.path = path
        self.limit = limit
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw BlobError.io(call: "open", code: errno) }
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Takes the next bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count <= limit - count else { throw BlobError.tooLarge(limit: limit) }
        hasher.update(bufferPointer: bytes)
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            guard written > 0 else { throw BlobError.io(call: "write", code: errno) }
            rest = rest.dropFirst(written)
        }
        count += bytes.count
    }

    /// Flushes the bytes to disk and answers their SHA-256.
    package func finish() throws -> [UInt8] {
        guard fsync(descriptor) == 0 else { throw BlobError.io(call: "fsync", code: errno) }
        return Array(hasher.finalize())
    }

    /// Reads the whole blob back, for inspection.
    package func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) throws -> T {
        guard count > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let mapping = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let mapping, mapping != MAP_FAILED else { throw BlobError.io(call: "mmap", code: errno) }
        defer { munmap(mapping, count) }
        return try body(UnsafeRawBufferPointer(start: mapping, count: count))
    }
}

extension Sequence<UInt8> {
    /// Two lower-case digits a byte.
    package var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
