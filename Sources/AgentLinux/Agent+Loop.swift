import ByteKit
import CAgent
import DeviceCore
import Glibc
import MQTTWire
import NIOCore
import NIOPosix

extension Agent {
    /// Works until SIGTERM or SIGINT, then ends the program and returns.
    public func run() async throws {
        watchSignals()
        let connecting = Task { [mqtt] in await mqtt.run() }
        defer {
            connecting.cancel()
            post.finish()
        }
        do {
            try await loop()
        } catch {
            await close()
            throw error
        }
        await close()
    }

    private func close() async {
        timer?.cancel()
        await endEverything()
        await supervisor.shutdown()
    }

    private nonisolated func watchSignals() {
        let signals = apus_agent_catch_signals()
        guard signals >= 0 else { return }
        let post = post
        NIOThreadPool.singleton.submit { _ in
            var byte: UInt8 = 0
            while read(signals, &byte, 1) < 0, errno == EINTR {}
            post.yield(.shutdown)
        }
    }

    private func loop() async throws {
        try await carryOutSteps()
        for await input in inputs {
            if case .shutdown = input { return }
            hand(over: input)
            try await carryOutSteps()
        }
    }

    // MARK: In

    private func hand(over input: Input) {
        let now = Clock.now()
        switch input {
        case .link(let number, let event) where number > oldLink: hand(over: event, now)
        case .download(let number, let event) where number == download?.number: core.handle(event, now: now)
        case .program(let number, let event) where number == program: core.handle(event, now: now)
        case .local(let number, let event) where number == life: core.handle(event, now: now)
        case .timer: core.handle(.timeUp, now: now)
        default: break
        }
    }

    private func hand(over event: MQTTClient.Event, _ now: UInt64) {
        switch event {
        case .up:
            isLinked = true
            let topic = Array("\(options.logPrefix)/things/\(options.thing)/logs".utf8)
            log.connect { [mqtt] line in mqtt.publish(line, to: topic, qos: .atMostOnce) }
            core.handle(.linkUp, now: now)
        case .down:
            isLinked = false
            log.connect(nil)
            core.handle(.linkDown, now: now)
        case .message(let topic, let payload):
            core.received(topic: topic.span, payload: payload.span, now: now)
        case .trouble(let words):
            log.warning("broker: \(words)")
        }
    }

    // MARK: Out

    private func carryOutSteps() async throws {
        var payload: [UInt8] = []
        while let step = core.nextStep(now: Clock.now(), into: &payload) {
            try await carryOut(step, payload)
            payload.removeAll(keepingCapacity: true)
        }
        setTimer()
    }

    private func carryOut(_ step: DeviceCore.Step, _ payload: [UInt8]) async throws {
        switch step {
        case .save: save(payload)
        case .log(let level, let code): log.write(level, code, payload)
        case .stopProgram: await stopProgram()
        case .cancelDownload: await cancelDownload()
        case .subscribe(let topic): mqtt.subscribe(name(of: topic))
        case .publish(let topic): mqtt.publish(payload, to: name(of: topic), qos: .atLeastOnce)
        case .apply: apply(payload)
        case .download(let offset): fetch(payload, from: offset)
        case .verify: verify()
        case .install(let slot): install(slot)
        case .restart: try await restart()
        case .startProgram(let slot, _): startProgram(slot)
        }
    }

    private func name(of topic: ShadowTopic) -> [UInt8] {
        var name: [UInt8] = []
        topic.write(for: thing, into: &name)
        return name
    }

    private func save(_ payload: [UInt8]) {
        do {
            try record.save(payload)
        } catch {
            log.error("\(error)", .storageFailed)
            core.handle(.saveFailed, now: Clock.now())
        }
    }

    private func apply(_ payload: [UInt8]) {
        do {
            try Files.replace(settingsPath, with: payload)
            core.handle(.applied, now: Clock.now())
        } catch {
            log.error("\(error)", .storageFailed)
            core.handle(.applyFailed, now: Clock.now())
        }
    }

    private var settingsPath: String { directory + "/settings.json" }

    // MARK: Download and image

    private func fetch(_ version: [UInt8], from offset: UInt64) {
        downloads += 1
        let number = downloads
        let order = Downloader.Order(
            version: String(decoding: version, as: UTF8.self),
            slot: core.state.slots.passive,
            offset: offset
        )
        let task = Task { [downloader, post] in
            await downloader.fetch(order) { event in post.yield(.download(number, event)) }
        }
        download = (number, task)
    }

    func cancelDownload() async {
        guard let (_, task) = download else { return }
        download = nil
        task.cancel()
        await task.value
    }

    private func verify() {
        let version = String(decoding: core.state.targetVersion.bytes, as: UTF8.self)
        let slot = core.state.slots.passive
        inBackground { [slots] in
            try slots.check(slot, version: version).map { .verifyFailed($0) } ?? .verified
        }
    }

    private func install(_ slot: Slot) {
        inBackground { [slots] in
            try slots.install(slot)
            return .installed
        }
    }

    /// Does something with files off the loop; its outcome comes back as an event.
    private func inBackground(_ work: @escaping @Sendable () throws -> DeviceCore.Event) {
        let (life, post, log) = (life, post, log)
        NIOThreadPool.singleton.submit { _ in
            do {
                post.yield(.local(life, try work()))
            } catch {
                log.error("\(error)", .storageFailed)
                post.yield(.local(life, .ioFailed))
            }
        }
    }

    // MARK: Program and time

    private func startProgram(_ slot: Slot) {
        program = supervisor.start(
            Supervisor.Program(
                path: slots.program(of: slot),
                slot: slot,
                thing: options.thing,
                settings: settingsPath,
                notifyPath: directory + "/notify.sock"
            )
        )
    }

    private func stopProgram() async {
        program = 0
        await supervisor.stop()
    }

    private func setTimer() {
        timer?.cancel()
        timer = nil
        guard let deadline = core.deadline else { return }
        let wait = Int64(clamping: deadline - min(deadline, Clock.now()))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        timer = loop.scheduleTask(in: .milliseconds(max(1, wait))) { [post] in
            post.yield(.timer)
        }
    }
}
