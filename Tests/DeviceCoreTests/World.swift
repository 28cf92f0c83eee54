import ApusTestKit
import ByteKit
import DeviceCore
import Foundation

/// Chances of a rough world, the same for the same seed.
struct Dice {
    private var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed) }

    mutating func roll(_ sides: UInt64) -> UInt64 { random.next() % sides }

    mutating func chance(percent: UInt64) -> Bool { roll(100) < percent }
}

/// What a firmware image does when it runs, and how it travels.
struct Image: Equatable {
    enum Manner { case good, exits, silent, diesYoung, corrupt }
    var version: String
    var manner = Manner.good
    var bytes: UInt64 = 1_000_000
}

/// How rough the world is, in percent per occasion.
struct Roughness {
    var breaks: UInt64 = 0
    var linkDrops: UInt64 = 0
    var kills: UInt64 = 0
    var saveFailures: UInt64 = 0
    static let calm = Roughness()
}

/// One device with its flash, a server and time between them; nothing in it is random but the dice.
final class World {
    enum Happening {
        case event(DeviceCore.Event)
        case message(ShadowTopic, String)
        case linkUp
        case boot
    }
    private struct Entry {
        var at: UInt64
        var life: Int
        var download: Int?
        var link: Int?
        var program: Int?
        var happening: Happening
    }

    var now: UInt64 = 1_000
    var server = ShadowServer()
    var images: [String: Image] = [:]
    var roughness = Roughness.calm
    var isServerReachable = true
    var allowsDowngrade = DeviceCore.Configuration.Downgrades.refused
    private(set) var core: DeviceCore
    private(set) var record: [UInt8] = []
    private(set) var flash: [Slot: Image]
    private(set) var running: Image?
    private(set) var log: [String] = []
    private(set) var steps: [DeviceCore.Step] = []
    private(set) var broken: [String] = []
    private(set) var kills = 0
    private(set) var offsets: [UInt64] = []
    var settings = "{}"
    private var partial: (version: String, received: UInt64)?
    private var dice: Dice
    private var queue: [Entry] = []
    private var life = 0
    private var downloads = 0
    private var links = 0
    private var programs = 0
    private var isLinked = false
    private var isPowered = true

    init(factory: Image, seed: UInt64 = 1) {
        dice = Dice(seed: seed)
        flash = [.a: factory]
        images[factory.version] = factory
        let state = DeviceState(factoryVersion: Array(factory.version.utf8).span)
        guard let state else { fatalError("factory version") }
        core = DeviceCore(World.configuration(.refused), state: state, partialBytes: 0, now: 1_000)
        state.encode(into: &record)
        queue.append(Entry(at: now, life: 0, happening: .boot))
    }

    private static func configuration(
        _ downgrades: DeviceCore.Configuration.Downgrades
    ) -> DeviceCore.Configuration {
        var configuration = DeviceCore.Configuration(thing: ThingName("press-17"))
        configuration.downgrades = downgrades
        return configuration
    }

    /// Version that the device says it runs.
    var version: String { text(core.state.version.span) }

    func text(_ span: Span<UInt8>) -> String {
        var bytes: [UInt8] = []
        bytes.append(span)
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Time

    func run(seconds: UInt64) {
        let end = now + seconds * 1_000
        while true {
            let timer = (isPowered ? core.deadline : nil).map { max($0, now + 1) }
            let next = queue.map(\.at).min()
            let time = min(timer ?? .max, next ?? .max)
            guard time <= end else { break }
            now = max(now, time)
            if let next, next <= now {
                deliver()
            } else {
                core.handle(.timeUp, now: now)
                drain()
            }
        }
        now = end
    }

    private func deliver() {
        guard let index = queue.indices.min(by: { queue[$0].at < queue[$1].at }) else { return }
        let entry = queue.remove(at: index)
        guard entry.life == life, entry.download ?? downloads == downloads, entry.link ?? links == links,
            entry.program ?? programs == programs
        else { return }
        switch entry.happening {
        case .boot: boot()
        case .linkUp:
            guard isServerReachable else { return later(1_000, .linkUp) }
            isLinked = true
            core.handle(.linkUp, now: now)
        case .event(let event):
            note(event)
            core.handle(event, now: now)
        case .message(let topic, let payload):
            guard isLinked else { return }
            var name = FixedBytes<200>()
            topic.write(for: ThingName("press-17"), into: &name)
            core.received(topic: name.span, payload: Array(payload.utf8).span, now: now)
        }
        drain()
        if isLinked, dice.chance(percent: roughness.linkDrops) { dropLink() }
    }

    private func note(_ event: DeviceCore.Event) {
        switch event {
        case .downloadProgress(let received): partial?.received = received
        case .downloadStarted(_, let offset): partial?.received = offset
        case .programExited: running = nil
        default: break
        }
    }

    private func later(_ milliseconds: UInt64, _ happening: Happening) {
        queue.append(Entry(at: now + milliseconds, life: life, happening: happening))
    }

    func dropLink() {
        guard isLinked else { return }
        isLinked = false
        links += 1
        core.handle(.linkDown, now: now)
        drain()
        if isPowered { later(700, .linkUp) }
    }

    // MARK: Power

    private func boot() {
        isPowered = true
        guard let state = try? DeviceState.decode(record.span) else {
            broken.append("record unreadable")
            return
        }
        let target = text(state.target.span)
        let isSame = partial.map { "\"\($0.version)\"" == target } ?? false
        core = DeviceCore(
            World.configuration(allowsDowngrade),
            state: state,
            partialBytes: isSame ? partial?.received ?? 0 : 0,
            now: now
        )
        later(300, .linkUp)
    }

    func cutPower() {
        life += 1
        links += 1
        downloads += 1
        kills += 1
        isLinked = false
        isPowered = false
        running = nil
        later(500, .boot)
    }

    // MARK: Steps

    private func drain() {
        var payload = FixedBytes<4096>()
        while let step = core.nextStep(now: now, into: &payload) {
            if payload.overflowed { broken.append("payload too long") }
            let words = text(payload.span)
            payload.removeAll()
            steps.append(step)
            let isKilled = dice.chance(percent: roughness.kills)
            let isBefore = dice.chance(percent: 50)
            if isKilled, isBefore { return cutPower() }
            carryOut(step, words)
            if isKilled { return cutPower() }
        }
    }

    private func carryOut(_ step: DeviceCore.Step, _ payload: String) {
        switch step {
        case .save:
            if dice.chance(percent: roughness.saveFailures) {
                core.handle(.saveFailed, now: now)
            } else {
                record = Array(payload.utf8)
            }
        case .log(_, let code): log.append(payload + (code.map { " [\($0.word)]" } ?? ""))
        case .stopProgram: stop()
        case .cancelDownload: downloads += 1
        case .subscribe: break
        case .publish(let topic): publish(topic, payload)
        case .apply:
            settings = payload
            core.handle(.applied, now: now)
        case .download(let offset): download(payload, from: offset)
        case .verify: verify()
        case .install(let slot): install(slot)
        case .restart:
            stop()
            life += 1
            links += 1
            isLinked = false
            later(200, .boot)
        case .startProgram(let slot, let run): start(slot, run)
        }
    }

    private func publish(_ topic: ShadowTopic, _ payload: String) {
        guard isLinked else { return }
        for answer in server.take(topic, payload) {
            send(answer.topic, answer.payload)
        }
    }

    /// Hands a message of the server to the device, if it is linked then.
    func send(_ topic: ShadowTopic, _ payload: String) {
        queue.append(
            Entry(at: now + 20, life: life, link: links, happening: .message(topic, payload))
        )
    }

    /// The owner or the operator wants these settings; raw JSON values, nil removes.
    func desire(_ changes: [String: String?]) {
        for answer in server.desire(changes) {
            send(answer.topic, answer.payload)
        }
    }

    private func download(_ version: String, from offset: UInt64) {
        downloads += 1
        offsets.append(offset)
        if partial?.version != version { partial = (version, 0) }
        guard let image = images[version] else { return ahead(50, .downloadRefused(httpStatus: 404)) }
        ahead(50, .downloadStarted(totalBytes: image.bytes, offset: offset))
        var received = offset
        var time: UInt64 = 50
        while received < image.bytes {
            time += 150
            if dice.chance(percent: roughness.breaks) { return ahead(time, .downloadBroken) }
            received = min(image.bytes, received + 40_000)
            ahead(time, .downloadProgress(receivedBytes: received))
        }
        ahead(time + 1, .downloadFinished)
    }

    private func ahead(_ milliseconds: UInt64, _ event: DeviceCore.Event) {
        queue.append(
            Entry(at: now + milliseconds, life: life, download: downloads, happening: .event(event))
        )
    }

    private func verify() {
        let image = partial.flatMap { images[$0.version] }
        later(30, .event(image?.manner == .corrupt ? .verifyFailed(.wrongDigest) : .verified))
    }

    private func install(_ slot: Slot) {
        if slot == core.state.slots.confirmed { broken.append("confirmed slot overwritten") }
        flash[slot] = partial.flatMap { images[$0.version] }
        partial = nil
        later(30, .event(.installed))
    }

    private func stop() {
        running = nil
        programs += 1
    }

    private func soon(_ milliseconds: UInt64, _ event: DeviceCore.Event) {
        queue.append(
            Entry(at: now + milliseconds, life: life, program: programs, happening: .event(event))
        )
    }

    private func start(_ slot: Slot, _ run: Run) {
        guard let image = flash[slot] else { return broken.append("empty slot started") }
        if running != nil { broken.append("started twice") }
        if run == .confirmed, image.version != version { broken.append("reported is not what runs") }
        if image.manner == .corrupt { broken.append("unverified image ran") }
        if run == .confirmed, image.manner != .good { broken.append("bad image stayed") }
        running = image
        switch image.manner {
        case .good: soon(100, .programReady)
        case .exits: soon(200, .programExited(code: 3))
        case .diesYoung:
            soon(100, .programReady)
            soon(2_000, .programExited(code: 139))
        case .silent, .corrupt: break
        }
    }
}
