//  What every load needs: the broker's address, its process, and figures in words.

import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The broker under load.
struct BrokerTarget {
    let host: String
    let port: Int
    /// For TLS, whatever certificate the broker shows; nil = plain.
    var tls: NIOSSLContext?

    init(_ text: String) throws {
        let parts = text.split(separator: ":").map(String.init)
        guard parts.count == 2, let port = Int(parts[1]) else { throw ValidationError("--mqtt HOST:PORT") }
        (host, self.port) = (parts[0], port)
    }

    func connect(
        _ group: any EventLoopGroup, _ handler: @escaping @Sendable () -> any ChannelInboundHandler
    ) async throws -> any Channel {
        let tls = self.tls
        return try await ClientBootstrap(group: group)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(60))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(handler())
                }
            }
            .connect(host: host, port: port).get()
    }

    /// Connects `count` clients, `atOnce` of them at the same time.
    func connect(
        _ count: Int, atOnce: Int, _ group: any EventLoopGroup,
        _ handler: @escaping @Sendable (_ number: Int) -> any ChannelInboundHandler
    ) async throws -> [any Channel] {
        var channels: [any Channel] = []
        for start in stride(from: 0, to: count, by: atOnce) {
            channels += try await withThrowingTaskGroup(of: (any Channel).self) { tasks in
                for number in start..<min(count, start + atOnce) {
                    tasks.addTask { try await connect(group) { handler(number) } }
                }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
        }
        return channels
    }
}

/// What processes have used so far.
struct ProcessUsage {
    /// Processes that are looked at together.
    let pids: [Int]

    /// User and system time, seconds.
    var cpuSeconds: Double {
        pids.reduce(0) { $0 + Self.cpuSeconds($1) }
    }

    /// Memory in RAM, bytes.
    var residentBytes: Int {
        pids.reduce(0) { sum, pid in
            let pages = Self.read("/proc/\(pid)/statm").split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return sum + pages * sysconf(Int32(_SC_PAGESIZE))
        }
    }

    private static func read(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }

    private static func cpuSeconds(_ pid: Int) -> Double {
        let text = read("/proc/\(pid)/stat")
        guard let name = text.lastIndex(of: ")") else { return 0 }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The CPU time that each of `count` operations took, as the end of a line; empty where no process was named.
    func share(of seconds: Double, _ count: Int) -> String {
        pids.isEmpty || count == 0 ? "" : String(format: ", %.1f µs of broker CPU each", seconds * 1e6 / Double(count))
    }
}

/// Nanoseconds that single operations took.
final class Latencies: Sendable {
    private let times = Mutex<[UInt64]>([])

    /// The clock of all of them.
    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    func note(_ nanoseconds: UInt64) { times.withLock { $0.append(nanoseconds) } }
    func restart() { times.withLock { $0.removeAll(keepingCapacity: true) } }
    var count: Int { times.withLock { $0.count } }

    /// `p50 1.23 ms  p99 4.56 ms  max 7.89 ms`.
    var text: String {
        let sorted = times.withLock { $0 }.sorted()
        guard !sorted.isEmpty else { return "no answer" }
        return [("p50", 0.5), ("p99", 0.99), ("max", 1)].map { word, share in
            let place = min(sorted.count - 1, Int(Double(sorted.count) * share))
            return String(format: "%@ %.2f ms", word, Double(sorted[place]) / 1e6)
        }.joined(separator: "  ")
    }
}

/// One stretch of time that is measured.
struct Stretch {
    private let began = ContinuousClock.now
    private let usage: ProcessUsage
    private let cpuBefore: Double

    init(_ usage: ProcessUsage) {
        self.usage = usage
        cpuBefore = usage.cpuSeconds
    }

    /// Seconds since its beginning.
    var seconds: Double {
        let elapsed = began.duration(to: .now).components
        return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
    }

    /// Rate and CPU time of what was done since then.
    func report(_ count: Int, _ what: String) -> String {
        let cpu = usage.cpuSeconds - cpuBefore
        return String(format: "%.0f %@/s", Double(count) / seconds, what) + usage.share(of: cpu, count)
    }
}

/// Waits until `condition` holds; polls.
func wait(seconds: Int, for what: String, until condition: () -> Bool) async throws {
    for _ in 0..<(seconds * 100) where !condition() { try await Task.sleep(for: .milliseconds(10)) }
    guard condition() else { throw ValidationError("\(what) did not come within \(seconds) s") }
}
