import Foundation

/// What there is of memory and disk for the server.
struct Machine {
    /// Bytes of memory: the machine's, or what the service or container that the server runs in may have of it.
    let memory: UInt64
    /// Bytes that are free on the disk of the data directory; very many where that is not known.
    let freeDisk: UInt64

    init(dataDirectory: String) {
        memory = min(ProcessInfo.processInfo.physicalMemory, Self.memoryLimit() ?? .max)
        var disk = statvfs()
        freeDisk = statvfs(dataDirectory, &disk) == 0 ? UInt64(disk.f_bavail) * UInt64(disk.f_frsize) : .max / 2
    }

    /// The limit of the control group (systemd's MemoryMax, a container's memory), version 2 or 1; the lowest on the way up.
    private static func memoryLimit() -> UInt64? {
        let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        var limits: [UInt64] = []
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[0] == "0" {
                limits += Self.limits("/sys/fs/cgroup", String(parts[2]), "memory.max")
            } else if parts[1].split(separator: ",").contains("memory") {
                limits += Self.limits("/sys/fs/cgroup/memory", String(parts[2]), "memory.limit_in_bytes")
            }
        }
        return limits.min()
    }

    private static func limits(_ root: String, _ group: String, _ file: String) -> [UInt64] {
        var path = URL(fileURLWithPath: root + group).standardized.path
        var found: [UInt64] = []
        while path.hasPrefix(root) {
            let text = try? String(contentsOfFile: path + "/" + file, encoding: .utf8)
            if let limit = text.flatMap({ UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) {
                found.append(limit)
            }
            path = URL(fileURLWithPath: path).deletingLastPathComponent().path
        }
        return found
    }
}
