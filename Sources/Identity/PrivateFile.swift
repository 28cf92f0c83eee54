package import Foundation

/// Small files that must be whole or absent.
package enum PrivateFile {
    /// Writes `text` to a temporary file beside `path`, flushes it and renames it into place.
    ///
    /// - Throws: `POSIXError` of the call that failed.
    package static func write(_ text: String, to path: String, mode: mode_t) throws {
        let temporary = path + ".new"
        let descriptor = Foundation.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw fault() }
        do {
            defer { Foundation.close(descriptor) }
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
                guard written > 0 else { throw fault() }
                rest = rest.dropFirst(written)
            }
            guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else { throw fault() }
        }
        guard rename(temporary, path) == 0 else { throw fault() }
        try flushDirectory(of: path)
    }

    /// Makes the names in the directory that holds `path` durable.
    package static func flushDirectory(of path: String) throws {
        let parent = (path as NSString).deletingLastPathComponent
        let directory = Foundation.open(parent.isEmpty ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw fault() }
        defer { Foundation.close(directory) }
        guard fsync(directory) == 0 else { throw fault() }
    }

    private static func fault() -> POSIXError {
        POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
    }
}
