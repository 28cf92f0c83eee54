import ByteKit
import DeviceCore
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// A Linux device: one core, and the hands that do what it says.
///
/// One loop takes what happened, hands it to the core and carries out the steps in order. All judgement is
/// the core's.
public actor Agent {
    /// Something that happened, with the number of the link, download, program or life it belongs to.
    enum Input: Sendable {
        case link(Int, MQTTClient.Event)
        case download(Int, DeviceCore.Event)
        case program(Int, DeviceCore.Event)
        case local(Int, DeviceCore.Event)
        case timer
        case shutdown
    }

    let options: AgentOptions
    let log: AgentLog
    let slots: SlotDirectory
    let record: RecordFile
    let downloader: Downloader
    let supervisor: Supervisor
    let mqtt: MQTTClient
    let inputs: AsyncStream<Input>
    let post: AsyncStream<Input>.Continuation
    let thing: ThingName
    /// Directory of the device, absolute.
    let directory: String
    var core: DeviceCore
    /// Number of the present core; each restart makes the next.
    var life = 0
    /// Number of the last link that belonged to a former core.
    var oldLink = 0
    var isLinked = false
    var download: (number: Int, task: Task<Void, Never>)?
    var downloads = 0
    var program = 0
    var timer: Scheduled<Void>?
    private let lock: Int32

    /// Prepares a device; its directory is made where it is missing, and locked.
    ///
    /// - Throws: `AgentFault` for options that cannot work, and faults of the file system.
    public init(_ options: AgentOptions) throws {
        self.options = options
        thing = try Self.name(options.thing)
        try Files.makeDirectory(options.directory)
        directory = try Files.absolute(options.directory)
        lock = try Self.lock(directory)
        let log = AgentLog(thing: options.thing)
        self.log = log
        slots = try SlotDirectory(directory: directory)
        record = RecordFile(directory: directory)
        let (inputs, post) = AsyncStream<Input>.makeStream()
        self.inputs = inputs
        self.post = post
        let tls = try options.credentials.map { try NIOSSLContext(configuration: TLSFiles.configuration($0)) }
        downloader = try Downloader(options, tls: tls, slots: slots, log: log)
        supervisor = Supervisor { number, event in post.yield(.program(number, event)) }
        let target = MQTTClient.Target(broker: options.broker, clientID: options.thing, tls: tls)
        mqtt = MQTTClient(target) { number, event in post.yield(.link(number, event)) }
        let state = try Self.state(options, record, slots, log)
        core = Self.core(options, thing, state, slots)
    }

    private static func name(_ thing: String) throws -> ThingName {
        let bytes = Array(thing.utf8)
        let isValid = bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x3A, 0x5F: true
            default: false
            }
        }
        guard isValid, (1...128).contains(bytes.count) else {
            throw AgentFault("--thing \"\(thing)\": expected 1 to 128 of a-z A-Z 0-9 : _ -")
        }
        return ThingName(bytes.span)
    }

    private static func lock(_ directory: String) throws -> Int32 {
        let path = directory + "/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileFault("open", path) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            throw AgentFault("\(directory) is in use by another agent. Stop it, or choose another --dir.")
        }
        return file
    }

    // MARK: State

    /// The record, or a factory state where there is none.
    private static func state(
        _ options: AgentOptions,
        _ record: RecordFile,
        _ slots: SlotDirectory,
        _ log: AgentLog
    ) throws -> DeviceState {
        let finding = try record.load()
        for fault in finding.faults {
            log.error(fault, .storageFailed)
        }
        if let state = finding.state {
            if !finding.faults.isEmpty { try record.save(state) }
            return state
        }
        guard let factory = options.factory else {
            throw AgentFault(
                "no record in \(options.directory). Give --initial-image and --initial-version once."
            )
        }
        guard let state = DeviceState(factoryVersion: Array(factory.version.utf8).span) else {
            throw AgentFault(
                "--initial-version \"\(factory.version)\" is no version; expected one like 1.0.4"
            )
        }
        try slots.install(.a, copying: factory.image)
        try record.save(state)
        return state
    }

    private static func core(
        _ options: AgentOptions,
        _ thing: ThingName,
        _ state: DeviceState,
        _ slots: SlotDirectory
    ) -> DeviceCore {
        var configuration = DeviceCore.Configuration(thing: thing)
        configuration.downgrades = options.allowsDowngrade ? .allowed : .refused
        configuration.update.retryMilliseconds = options.retrySeconds * 1_000
        configuration.readyMilliseconds = options.trialSeconds * 1_000
        configuration.healthMilliseconds = options.healthSeconds * 1_000
        configuration.reachMilliseconds = options.reachSeconds * 1_000
        let target = String(decoding: state.targetVersion.bytes, as: UTF8.self)
        let partial = slots.partBytes(of: state.slots.passive, version: target)
        return DeviceCore(configuration, state: state, partialBytes: partial, now: Clock.now())
    }

    /// Begins anew with the saved record, as after a power cut.
    func restart() async throws {
        await endEverything()
        life += 1
        core = Self.core(options, thing, try Self.state(options, record, slots, log), slots)
    }

    /// Ends what the present core began.
    func endEverything() async {
        await cancelDownload()
        await supervisor.stop()
        program = 0
        log.connect(nil)
        isLinked = false
        oldLink = await mqtt.drop()
    }
}

extension FixedBytes {
    /// A copy of the bytes.
    var bytes: [UInt8] {
        var copy: [UInt8] = []
        copy.append(span)
        return copy
    }
}
