import Foundation

/// The server's folder: made on first use, locked while a server uses it.
struct DataDirectory {
    let path: String
    private let lock: Int32

    /// Opens or creates the folder and takes its lock.
    init(_ path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure(
                "cannot create the data directory", "\(path): \(error.localizedDescription)",
                "Choose a place that can be written with --data-dir")
        }
        lock = open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw CommandFailure(
                "cannot write to the data directory", "\(path): \(String(cString: strerror(errno)))",
                "Give this user the right to write there, or choose another --data-dir")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw CommandFailure(
                "the data directory is in use", "another server holds the lock of \(path)",
                "Stop that server, or choose another --data-dir")
        }
    }

    /// A file in the folder.
    func file(_ name: String) -> String { path + "/" + name }
}
