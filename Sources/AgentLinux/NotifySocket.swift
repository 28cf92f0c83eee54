import Glibc

/// A datagram socket on which a program says `READY=1`, as services do to systemd.
struct NotifySocket {
    /// What goes into `NOTIFY_SOCKET`.
    let name: String
    /// The socket, not blocking.
    let descriptor: Int32

    /// Makes the socket at `path`, or in the abstract space where the path is too long for a socket.
    init(path: String) throws {
        let longest = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
        let isAbstract = path.utf8.count > longest
        name = isAbstract ? "@apus-agent-\(getpid())" : path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Self.flags, 0)
        guard descriptor >= 0 else { throw FileFault("make socket", name) }
        if !isAbstract { unlink(path) }
        guard Self.bind(descriptor, isAbstract ? "\0" + name.dropFirst() : name) == 0 else {
            let fault = FileFault("bind", name)
            Glibc.close(descriptor)
            throw fault
        }
        if !isAbstract { chmod(path, 0o600) }
    }

    private static var flags: Int32 { Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue) }

    private static func bind(_ descriptor: Int32, _ name: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let terminator = bytes.first == 0 ? 0 : 1
        let length = MemoryLayout<sa_family_t>.size + bytes.count + terminator
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(length))
            }
        }
    }

    /// Whether one of the messages that wait says `READY=1`.
    func readsReady() -> Bool {
        var isReady = false
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { return isReady }
            let lines = buffer.prefix(count).split(separator: UInt8(ascii: "\n"))
            isReady = isReady || lines.contains { $0.elementsEqual("READY=1".utf8) }
        }
    }

    func close() {
        Glibc.close(descriptor)
        if !name.hasPrefix("@") { unlink(name) }
    }
}
