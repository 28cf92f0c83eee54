import Broker
import Glibc
import Logging
import MQTTWire
import NIOCore
import Synchronization

/// The broker's core on its event loop: takes what arrives, and once per turn of the loop hands out what it caused.
///
/// Unchecked: everything but `inbox` and `isServing` is touched on `loop` only.
final class BrokerLoop: @unchecked Sendable {
    let loop: any EventLoop
    var core: BrokerCore
    private let hooks: BrokerHooks
    private let logger: Logger
    private let inbox = Mutex<[Delivery]>([])
    /// Whether clients are let in: not between a commit that failed and the reading of what is on disk.
    let isServing = Mutex(true)
    private var drainIsScheduled = false
    private var readSinceDrain = 0
    private var searchIsScheduled = false
    /// Sockets that are read before what they caused is handed out: a compromise between waiting and repeated work.
    private static let socketsAtOnce = 8
    private var openAnswers: [UInt64: AnswerTicket] = [:]
    private var openConnects: [UInt64: Connection] = [:]
    private var nextConnect: UInt64 = 1
    private var refusals = RefusalLog()
    private var alarm: (due: Int64, task: Scheduled<Void>)?
    /// Who waits for a commit, by its ticket.
    private var waiters: [UInt64: [@Sendable (Completion) -> Void]] = [:]

    /// What other threads bring.
    enum Delivery: Sendable {
        case publish(topic: [UInt8], payload: [UInt8])
        case judged(UInt64, Verdict)
        case answered(UInt64, RequestOutcome)
        case committed(UInt64, Completion)
        case disconnect(thing: [UInt8])
        case disconnectCredential(String)
        case read(QueueRead, QueuePage?)
        case restored(RestoredState?)
    }

    init(loop: any EventLoop, core: consuming BrokerCore, hooks: BrokerHooks, logger: Logger) {
        self.loop = loop
        self.core = core
        self.hooks = hooks
        self.logger = logger
    }

    /// Milliseconds since 1970.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Brings deliveries from any thread; a crowd of them costs one hop.
    func post(_ deliveries: some Sequence<Delivery>) {
        let isFirst = inbox.withLock { waiting in
            let wasEmpty = waiting.isEmpty
            waiting.append(contentsOf: deliveries)
            return wasEmpty
        }
        if isFirst { loop.execute { self.receiveInbox() } }
    }

    private func receiveInbox() {
        let deliveries = inbox.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        let now = Self.now
        for delivery in deliveries {
            take(delivery, now)
        }
        drain()
    }

    private func take(_ delivery: Delivery, _ now: Int64) {
        switch delivery {
        case .publish(let topic, let payload):
            core.publish(topic: topic, payload: payload, now: now)
        case .judged(let number, let verdict):
            guard let connection = openConnects.removeValue(forKey: number) else { return }
            switch verdict {
            case .accepted(let principal, let credential):
                core.authenticated(connection, as: principal, credential: credential, now: now)
            case .refused(let reason, let why): core.refuse(connection, reason, why)
            }
        case .answered(let token, let outcome):
            guard let ticket = openAnswers.removeValue(forKey: token) else { return }
            switch outcome {
            case .done: core.complete(ticket, now: now)
            case .answered(let topic, let payload): core.answer(ticket, topic: topic, payload: payload, now: now)
            case .failed: core.fail(ticket, now: now)
            }
        case .committed(let ticket, let completion):
            completion == .done ? core.committed(ticket, now: now) : core.commitFailed(ticket, now: now)
            tell(ticket, completion)
        case .disconnect(let thing):
            core.disconnect(thing: thing, now: now)
        case .disconnectCredential(let credential):
            core.disconnect(credential: credential, now: now)
        case .read(let read, let page):
            guard let page else { return readLater(read) }
            core.read(read.number, page, now: now)
        case .restored(let state):
            guard let state else { return restore() }
            core.restore(state, now: now)
            isServing.withLock { $0 = true }
        }
    }

    /// A socket has been read: where many are read in one turn, the first do not wait for the last.
    func socketWasRead() {
        readSinceDrain += 1
        if readSinceDrain >= Self.socketsAtOnce { drain() }
    }

    /// Hands out at the end of this turn of the loop, after all sockets were read.
    func scheduleDrain() {
        guard !drainIsScheduled else { return }
        drainIsScheduled = true
        loop.execute {
            self.drainIsScheduled = false
            self.drain()
        }
    }

    /// Hands out steps, changes and bytes until nothing is left.
    func drain() {
        readSinceDrain = 0
        var steps = core.takeSteps()
        while !steps.isEmpty {
            for step in steps { carryOut(step) }
            steps = core.takeSteps()
        }
        if let (ticket, changes) = core.takeChanges() {
            hooks.commit(changes) { self.post(CollectionOfOne(.committed(ticket, $0))) }
        }
        for connection in core.takeDirty() {
            (connection.handle as? MQTTHandler)?.advance()
        }
        scheduleSearch()
        setAlarm()
    }

    /// Rest between two turns of a search.
    private static let searchPause = TimeAmount.milliseconds(1)

    /// Has the core go on with its search once the sockets were looked at.
    ///
    /// Not by `execute`, nor with a timer that is set before the work is done: the loop looks at its sockets only when no
    /// task is due, and a task that makes the next one due would keep it from that. One timer for all connections.
    private func scheduleSearch() {
        guard core.mustSearch, !searchIsScheduled else { return }
        searchIsScheduled = true
        loop.scheduleTask(in: Self.searchPause) {
            self.core.search(now: Self.now)
            self.searchIsScheduled = false
            self.drain()
        }
    }

    /// Has the core called when something is due; an alarm that is too early does no harm.
    private func setAlarm() {
        guard let due = core.deadline, alarm.map({ due < $0.due }) ?? true else { return }
        alarm?.task.cancel()
        // Never at once: what is left of much that is due must not keep the loop from its sockets (`scheduleSearch`).
        let task = loop.scheduleTask(in: .milliseconds(max(1, due - Self.now))) {
            self.alarm = nil
            self.core.timeUp(now: Self.now)
            self.drain()
        }
        alarm = (due, task)
    }

    /// Has `answer` called once the commit with this ticket is done, well or badly.
    func await(_ ticket: UInt64, _ answer: @escaping @Sendable (Completion) -> Void) {
        waiters[ticket, default: []].append(answer)
    }

    /// Tells who waits for a commit; one that failed takes all later ones with it.
    private func tell(_ ticket: UInt64, _ completion: Completion) {
        let told = completion == .done ? waiters.removeValue(forKey: ticket) ?? [] : waiters.values.flatMap { $0 }
        if completion == .failed { waiters = [:] }
        told.forEach { $0(completion) }
    }

    private func note(_ event: LifecycleEvent) {
        switch event.kind {
        case .connected: hooks.presence(event.thing, true, event.address, nil)
        case .disconnected(let reason): hooks.presence(event.thing, false, event.address, reason.rawValue)
        case .subscribed, .unsubscribed: break
        }
        core.publish(event, now: Self.now)
    }

    private func carryOut(_ step: BrokerStep) {
        switch step {
        case .authenticate(let connection, let credentials):
            let number = nextConnect
            nextConnect += 1
            openConnects[number] = connection
            hooks.authenticate(credentials) { self.post(CollectionOfOne(.judged(number, $0))) }
        case .request(let request, let ticket):
            let token = ticket.token
            openAnswers[token] = ticket
            hooks.request(request) { self.post(CollectionOfOne(.answered(token, $0))) }
        case .deviceLog(let thing, let payload):
            hooks.deviceLog(thing, payload)
        case .lifecycle(let event):
            note(event)
        case .refused(let connection, let reason):
            refusals.note(reason, from: connection.address, now: Self.now, in: logger)
        case .read(let read):
            self.read(read)
        case .restore:
            isServing.withLock { $0 = false }
            logger.error("a commit of the MQTT broker failed: clients are let in again when its state is read")
            restore()
        }
    }

    private func read(_ read: QueueRead) {
        hooks.read(read) { self.post(CollectionOfOne(.read(read, $0))) }
    }

    /// A queue that cannot be read is tried again: it was promised.
    private func readLater(_ read: QueueRead) {
        logger.error("a queue of the MQTT broker could not be read; it is tried again in two seconds")
        loop.scheduleTask(in: .seconds(2)) { self.read(read) }
    }

    /// Reads what is stored; with some rest for a disk that is full or sick.
    private func restore() {
        loop.scheduleTask(in: .seconds(2)) {
            self.hooks.restore { self.post(CollectionOfOne(.restored($0))) }
        }
    }
}

/// Says once per address and minute why a client was refused.
private struct RefusalLog {
    private var minute: Int64 = 0
    private var seen: Set<String> = []

    mutating func note(_ reason: String, from address: String, now: Int64, in logger: Logger) {
        if now / 60_000 != minute {
            minute = now / 60_000
            seen.removeAll()
        }
        let host = address.split(separator: ":").dropLast().joined(separator: ":")
        guard seen.count < 10_000, seen.insert(host).inserted else { return }
        logger.warning(
            "an MQTT client was refused; further refusals of this address are not logged for a minute",
            metadata: ["address": "\(address)", "reason": "\(reason)"])
    }
}
