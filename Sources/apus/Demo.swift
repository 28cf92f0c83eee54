import ArgumentParser
import Foundation

/// `apus demo`: its own server, an owner, two simulated devices, and the whole flow from "published" to "runs".
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the whole flow with simulated devices, on a server of its own.",
        discussion: """
            Starts a server in a temporary directory with a product, an owner and two devices on 1.0.4: a stock device \
            that speaks the article's protocol, and an apus-agent whose firmware is a real program. Publishes 1.0.5, \
            accepts it as the owner, shows the progress, and then keeps serving.

            Example: apus demo --once
            """)

    @Flag(help: "End after the update instead of serving on.")
    var once = false

    @Option(help: "Speed of the devices' links, bytes a second.")
    var linkSpeed = 1_000_000

    @Option(help: "Seconds until the demo gives up.")
    var patience = 120

    func run() async throws {
        let stage = try DemoStage(linkSpeed: linkSpeed)
        signal(SIGINT, SIG_IGN)
        signal(SIGTERM, SIG_IGN)
        let signals = [SIGINT, SIGTERM].map { DispatchSource.makeSignalSource(signal: $0, queue: .global()) }
        signals.forEach { source in
            source.setEventHandler {
                stage.strike()
                Foundation.exit(CommandFailure.Code.cancelled.rawValue)
            }
            source.resume()
        }
        let play = DemoPlay(stage: stage, patience: .seconds(patience))
        do {
            try await play.perform()
        } catch {
            stage.endProcesses()
            throw error
        }
        if !once {
            play.printAddresses()
            await stage.untilServerEnds()
        }
        stage.strike()
    }
}

/// The processes and files of a demo, all below one temporary directory.
final class DemoStage: Sendable {
    /// Bytes of the demo's images: 4 MiB.
    static let imageBytes = 4 << 20

    let directory: String
    let linkSpeed: Int
    private let binaries: String
    private let processes = ProcessList()

    init(linkSpeed: Int) throws {
        self.linkSpeed = linkSpeed
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        binaries = (own as NSString).deletingLastPathComponent
        directory = NSTemporaryDirectory() + "/apus-demo-\(getpid())"
        for program in ["apus-agent", "apus-stock-device", "demo-lamp"]
        where !FileManager.default.isExecutableFile(atPath: "\(binaries)/\(program)") {
            throw CommandFailure(
                "cannot start the demo", "\(binaries)/\(program) is missing",
                "Build all programs: swift build -c release")
        }
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// Starts a program of this package; its output goes to `NAME.log` in the demo's directory, or comes back line by line.
    func start(_ program: String, _ arguments: [String], log: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(binaries)/\(program)")
        process.arguments = arguments
        let path = "\(directory)/\(log).log"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let file = FileHandle(forWritingAtPath: path)
        process.standardError = file
        process.standardOutput = file
        process.standardInput = FileHandle.nullDevice
        try process.run()
        processes.add(process)
        return process
    }

    /// What a program has printed so far.
    func output(_ log: String) -> String {
        (try? String(contentsOfFile: "\(directory)/\(log).log", encoding: .utf8)) ?? ""
    }

    /// Writes an image: a program, filled up with random bytes, its version at the very end.
    func image(_ version: String, program: String?) throws -> String {
        var bytes = Data()
        if let program { bytes = try Data(contentsOf: URL(fileURLWithPath: "\(binaries)/\(program)")) }
        let trailer = "APUS-FIRMWARE \(version)".padding(toLength: 63, withPad: " ", startingAt: 0) + "\n"
        let filling = max(64, Self.imageBytes - bytes.count - trailer.utf8.count)
        if let random = FileHandle(forReadingAtPath: "/dev/urandom"), let data = try random.read(upToCount: filling) {
            bytes.append(data)
        }
        bytes.append(Data(trailer.utf8))
        let path = "\(directory)/\(program ?? "stock")-\(version).bin"
        try bytes.write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Ends all processes; their logs stay.
    func endProcesses() {
        processes.endAll()
    }

    /// Ends all processes and removes the directory.
    func strike() {
        endProcesses()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Waits until the server, the first process, has ended.
    func untilServerEnds() async {
        await processes.untilFirstEnds()
    }
}

/// Processes that end together.
///
/// Unchecked: `list` is guarded by `lock`.
private final class ProcessList: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [Process] = []

    func add(_ process: Process) {
        lock.withLock { list.append(process) }
    }

    func endAll() {
        let all = lock.withLock { list }
        for process in all.reversed() where process.isRunning {
            process.terminate()
        }
        all.forEach { $0.waitUntilExit() }
    }

    func untilFirstEnds() async {
        guard let first = lock.withLock({ list.first }) else { return }
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                first.waitUntilExit()
                continuation.resume()
            }
        }
    }
}
