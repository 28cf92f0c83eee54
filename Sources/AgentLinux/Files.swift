import Glibc

/// A call to the file system that failed.
struct FileFault: Error, CustomStringConvertible {
    let call: String
    let path: String
    let code: Int32

    /// The fault of the call that just failed.
    init(_ call: String, _ path: String) {
        self.call = call
        self.path = path
        code = errno
    }

    var description: String {
        "\(call) \(path): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")"
    }
}

/// Files that survive a power cut: written beside, flushed, renamed, and the directory flushed.
enum Files {
    /// The whole file, or `nil` where there is none.
    static func read(_ path: String, maximumBytes: Int) throws -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            guard errno == ENOENT else { throw FileFault("open", path) }
            return nil
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        while bytes.count <= maximumBytes {
            let piece = try readPiece(file, path, maximumBytes: min(65_536, maximumBytes + 1 - bytes.count))
            guard !piece.isEmpty else { break }
            bytes += piece
        }
        return bytes
    }

    /// Up to that many bytes from where the file stands; empty at its end.
    static func readPiece(_ file: Int32, _ path: String, maximumBytes: Int) throws -> [UInt8] {
        var failed = false
        let piece = [UInt8](unsafeUninitializedCapacity: maximumBytes) { buffer, count in
            let read = Glibc.read(file, buffer.baseAddress, maximumBytes)
            failed = read < 0
            count = max(0, read)
        }
        if failed { throw FileFault("read", path) }
        return piece
    }

    /// Writes all of `bytes` where the file stands.
    static func append(_ bytes: UnsafeRawBufferPointer, to file: Int32, _ path: String) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(file, rest.baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFault("write", path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
    }

    /// Replaces the file as a whole; it is there after a power cut, as it was or as it is now.
    static func replace(_ path: String, with bytes: [UInt8]) throws {
        let beside = path + ".new"
        let file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileFault("create", beside) }
        do {
            defer { close(file) }
            try bytes.withUnsafeBytes { try append($0, to: file, beside) }
            guard fsync(file) == 0 else { throw FileFault("flush", beside) }
        }
        try move(beside, to: path)
    }

    /// Renames, and flushes the directory.
    static func move(_ path: String, to target: String) throws {
        guard rename(path, target) == 0 else { throw FileFault("rename", path) }
        try flushDirectory(of: target)
    }

    /// Flushes what was written to the file at `path`, and sets its mode.
    static func flush(_ path: String, mode: mode_t) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw FileFault("open", path) }
        defer { close(file) }
        guard fchmod(file, mode) == 0 else { throw FileFault("chmod", path) }
        guard fsync(file) == 0 else { throw FileFault("flush", path) }
    }

    /// Makes a directory, unless it is there.
    static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw FileFault("create directory", path) }
    }

    /// Size of the file, or `nil` where there is none.
    static func size(_ path: String) -> UInt64? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return UInt64(max(0, status.st_size))
    }

    /// The path without links and dots, which must exist.
    static func absolute(_ path: String) throws -> String {
        guard let resolved = realpath(path, nil) else { throw FileFault("find", path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func flushDirectory(of path: String) throws {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let directory = open(parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw FileFault("open", parent) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw FileFault("flush", parent) }
    }
}
