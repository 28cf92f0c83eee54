//  The firmware of the demo's Linux device: a program that shines and says which version it is.
//
//  Its version stands in the last bytes of its own file, where the demo writes it: two images differ as two builds would.
import Glibc

/// A lamp.
@main
struct DemoLamp {
    /// Bytes at the end of the image: `APUS-FIRMWARE VERSION`, filled up with spaces, and a line feed.
    static let trailerBytes = 64

    static func main() {
        signal(SIGTERM) { _ in _exit(0) }
        say("firmware \(ownVersion() ?? "without a version") starts")
        guard notifyReady() else {
            say("nobody listens at NOTIFY_SOCKET")
            exit(1)
        }
        while true {
            pause()
        }
    }

    private static func say(_ text: String) {
        let line = Array("lamp: \(text)\n".utf8)
        _ = write(STDOUT_FILENO, line, line.count)
    }

    private static func ownVersion() -> String? {
        let descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard lseek(descriptor, off_t(-trailerBytes), SEEK_END) >= 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: trailerBytes)
        guard read(descriptor, &bytes, trailerBytes) == trailerBytes else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\n" })
        return words.count == 2 && words[0] == "APUS-FIRMWARE" ? String(words[1]) : nil
    }

    /// Tells the agent that the lamp is up, as systemd's services do: `READY=1` in a datagram.
    private static func notifyReady() -> Bool {
        guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), !path.isEmpty else { return true }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        // A name that starts with @ stands in no directory.
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let message = Array("READY=1".utf8)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, message, message.count, 0, $0, length) == message.count
            }
        }
    }
}
