@testable import Broker
import ByteKit
import MQTTWire

/// One broker with its disk, its clock and its clients; does what the input says, as a shell would.
struct Arena: ~Copyable {
    private var input: Input
    private var core: BrokerCore
    private let limits: BrokerLimits
    private let clock: Int64 = 1_000_000
    private var now: Int64
    private var disk = Disk()
    /// The commit under way.
    private var commit: (ticket: UInt64, changes: [DurableChange])?
    private var mustRestore = false
    /// Reads of queues that are not answered.
    private var reads: [QueueRead] = []
    /// Hostile clients.
    private var seats: [Watch?] = Array(repeating: nil, count: 4)
    /// Clients whose credentials are being judged.
    private var judged: [(connection: Connection, name: [UInt8])] = []
    /// Requests to shadows that are not answered.
    private var requests: [AnswerTicket] = []
    private var honest: [Honest]
    private var published: [QoS] = []

    init(_ bytes: Input) {
        input = bytes
        let choice = input.byte()
        limits = Self.limits(choice)
        now = clock
        core = BrokerCore(policy: TopicPolicy(), longestKeepAlive: choice & 8 == 0 ? nil : 30, limits: limits)
        honest = [
            Honest("hs", choice & 16 == 0 ? .v5 : .v311), Honest("hl", choice & 32 == 0 ? .v5 : .v311),
        ]
        for role in honest.indices { connect(role, window: 5) }
        subscribe("h/#", .exactlyOnce, Role.listener)
        subscribe("$share/w/h/#", .atLeastOnce, Role.speaker)
    }

    private mutating func subscribe(_ filter: String, _ qos: QoS, _ role: Int) {
        let name = Array(filter.utf8)
        var request: [UInt8] = []
        try? PacketEncoder(version: honest[role].memory.version).subscribe(
            1, filter: name.span, options: SubscriptionOptions(qos: qos), to: &request)
        say(request, as: role)
        settle()
    }

    private static func limits(_ choice: UInt8) -> BrokerLimits {
        var limits = choice & 7 == 7 ? BrokerLimits.aws : BrokerLimits()
        if choice & 1 != 0 {
            (limits.sessionQueueBytes, limits.queueBytes, limits.sessionShareBytes) = (2000, 5000, 300)
        }
        if choice & 2 != 0 { (limits.retainedBytes, limits.sessions, limits.filterBytesPerClient) = (700, 5, 20) }
        if choice & 4 != 0 { (limits.sendWindow, limits.headCount, limits.headBytes) = (3, 2, 500) }
        if choice & 64 != 0 { limits.memoryBytes = 4000 }
        if choice & 128 != 0 { (limits.publishesPerSecond, limits.bytesPerSecond) = (2, 400) }
        return limits
    }

    var isOn: Bool { !input.isEmpty }

    // MARK: Steps

    mutating func step() {
        let choice = input.byte()
        switch choice & 31 {
        case 0, 1: enter()
        case 2, 3: judge()
        case 4, 5, 6: raid { arena, version, _ in arena.input.publish(version) }
        case 7, 8: raid { arena, version, _ in arena.input.subscribe(version) }
        case 9: raid { arena, version, _ in arena.input.unsubscribe(version) }
        case 10, 11, 12: raid { arena, version, open in arena.input.acknowledgement(version, open: open) }
        case 13: raid { arena, _, _ in arena.input.anything() }
        case 14: raid { arena, version, _ in arena.input.disconnect(version) }
        case 15: leave()
        case 16, 17: finishCommit()
        case 18: answerRead()
        case 19: failCommit()
        case 20: restore()
        case 21: crash()
        case 22: answerRequest()
        case 23: pass()
        case 24: serve()
        case 25, 26: speak()
        case 27: _ = look(Role.speaker)
        case 28, 29: _ = look(Role.listener)
        case 30: connect(Role.listener, window: UInt16(input.roll(5) + 1))
        default: connect(Role.speaker, window: 5)
        }
        turn(choice)
        core.audit()
        if choice & 0x60 == 0 { core.auditTrees() }
    }

    /// A hostile client connects; one byte says whether it speaks at once.
    private mutating func enter() {
        let place = input.roll(seats.count)
        if let old = seats[place] { core.closed(old.connection, now: now) }
        let connection = Connection(address: "127.0.0.1:9", certificateThing: nil, now: now)
        seats[place] = Watch(connection)
        core.opened(connection, now: now)
        hurl(input.connect(), from: place)
        turn()
        judge()
    }

    /// Lets a client in or not; nobody else gets the names of the honest ones.
    private mutating func judge() {
        guard let (connection, name) = judged.popLast() else { return }
        let choice = input.byte()
        let isStolen = name.first == UInt8(ascii: "h")
        switch choice & 7 {
        case 0: judged.insert((connection, name), at: 0)
        case 1: core.refuse(connection, .badUserNameOrPassword, "no such user")
        case _ where isStolen: core.refuse(connection, .notAuthorized, "a stolen name")
        case 2: core.authenticated(connection, as: .device(thing: Array("lamp".utf8)), now: now)
        default: core.authenticated(connection, as: .administrator, now: now)
        }
    }

    private mutating func raid(_ make: (inout Arena, MQTTVersion, [UInt16]) -> [UInt8]) {
        let place = input.roll(seats.count)
        guard let watch = seats[place] else { return }
        hurl(make(&self, watch.version, watch.openIDs), from: place)
    }

    private mutating func hurl(_ bytes: [UInt8], from place: Int) {
        guard var watch = seats[place], !bytes.isEmpty else { return }
        deliver(bytes, &watch)
        seats[place] = watch
    }

    /// Hands the core a packet as the shell does: whole, not too large, and not while the client has to wait.
    private mutating func deliver(_ bytes: [UInt8], _ watch: inout Watch) {
        let connection = watch.connection
        guard !connection.mustWait, !connection.isClosing else { return }
        do throws(MQTTFault) {
            guard let header = try FrameHeader.peek(bytes.span) else { return }
            guard header.totalBytes <= connection.inputLimit else { throw .packetTooLarge }
            guard header.totalBytes == bytes.count else { return }
            watch.sends(bytes)
            core.received(bytes.span, from: connection, now: now)
        } catch {
            core.protocolFault(connection, error)
        }
    }

    private mutating func leave() {
        let place = input.roll(seats.count)
        guard let watch = seats[place] else { return }
        core.closed(watch.connection, now: now)
        seats[place] = nil
    }

    private mutating func answerRequest() {
        guard !requests.isEmpty else { return }
        let choice = input.byte()
        let ticket = requests.remove(at: Int(choice >> 1) % requests.count)
        if choice & 1 == 0 { core.complete(ticket, now: now) } else { core.fail(ticket, now: now) }
    }

    /// Time passes, never so much that an honest session ends.
    private mutating func pass() {
        let seconds = input.pick([0, 1, 3, 11, 100, 4000, 100_000])
        guard now + Int64(seconds) * 1000 < clock + 600_000_000 else { return }
        now += Int64(seconds) * 1000
        if seconds & 1 == 0 { core.timeUp(now: now) }
        core.tick(now: now)
    }

    /// What the server itself does.
    private mutating func serve() {
        switch input.roll(8) {
        case 0: stop()
        case 1: core.disconnect(thing: Array("lamp".utf8), now: now)
        case 2: core.reportSystem(version: "1", uptimeSeconds: 1, now: now)
        default:
            let topic = input.topic()
            core.publish(topic: topic, payload: [0x73], qos: .atLeastOnce, expires: now + 5000, now: now)
        }
    }

    /// The server stops in good order and starts again.
    private mutating func stop() {
        core.shutDown(now: now)
        settle()
        crash()
    }

    // MARK: The honest ones

    /// Speaker and listener by their place in `honest`.
    private enum Role {
        static let speaker = 0
        static let listener = 1
    }

    private mutating func speak() {
        guard honest[Role.speaker].isIn, honest[Role.speaker].memory.outgoing.count < 6 else { return }
        let qos = min(QoS(rawValue: input.byte() % 3) ?? .atMostOnce, limits.maximumQoS)
        published.append(qos)
        let number = Honest.firstNumber + published.count - 1
        say(honest[Role.speaker].memory.publish(number, to: Honest.topic, qos: qos), as: Role.speaker)
    }

    private mutating func say(_ bytes: [UInt8], as role: Int) {
        honest[role].outbox.append(bytes)
        sendOn(role)
    }

    /// Sends what waited in the socket while the client was not read from.
    private mutating func sendOn(_ role: Int) {
        while var watch = honest[role].watch, !watch.connection.mustWait, !honest[role].outbox.isEmpty {
            deliver(honest[role].outbox.removeFirst(), &watch)
            honest[role].watch = watch
        }
    }

    private mutating func connect(_ role: Int, window: UInt16) {
        let old = honest[role].watch
        let bytes = honest[role].connect(window: window, now: now)
        if let new = honest[role].watch { core.opened(new.connection, now: now) }
        say(bytes, as: role)
        turn()
        if let old { core.closed(old.connection, now: now) }
    }

    /// Takes one packet that has arrived and answers it.
    ///
    /// - Returns: false where there was none.
    private mutating func look(_ role: Int) -> Bool {
        let answers = honest[role].look()
        if let connection = honest[role].watch?.connection { core.drained(connection) }
        guard let answers else { return !honest[role].outbox.isEmpty }
        for answer in answers { say(answer, as: role) }
        if let connection = honest[role].watch?.connection, connection.hasMore { core.fill(connection, now: now) }
        return true
    }

    // MARK: The shell

    /// Does what the core asks for; `choice` lets the slow client read.
    private mutating func turn(_ choice: UInt8 = 0) {
        if core.mustSearch { core.search(now: now) }
        var steps = core.takeSteps()
        while !steps.isEmpty {
            for step in steps { carryOut(step) }
            steps = core.takeSteps()
        }
        let next = core.takeChanges()
        require(next == nil || commit == nil, "two commits under way")
        if let next { commit = next }
        _ = core.takeDirty()
        for place in seats.indices where place < seats.count - 1 || choice >= 0xC0 { read(place) }
        for role in honest.indices { sendOn(role) }
    }

    private mutating func read(_ place: Int) {
        guard var watch = seats[place] else { return }
        _ = watch.read()
        core.drained(watch.connection)
        seats[place] = watch.connection.isClosing ? nil : watch
        if watch.connection.isClosing {
            core.closed(watch.connection, now: now)
        } else if watch.connection.hasMore {
            core.fill(watch.connection, now: now)
        }
    }

    private mutating func carryOut(_ step: BrokerStep) {
        switch step {
        case .authenticate(let connection, let credentials):
            if honest.contains(where: { $0.watch?.connection === connection }) {
                core.authenticated(connection, as: .administrator, now: now)
            } else {
                judged.append((connection, credentials.clientID))
            }
        case .request(_, let answer): requests.append(answer)
        case .lifecycle(let event): core.publish(event, now: now)
        case .read(let read): reads.append(read)
        case .restore: mustRestore = true
        case .refused(let connection, _):
            if honest[Role.speaker].watch?.connection === connection { honest[Role.speaker].wasRefused = true }
        case .deviceLog: break
        }
    }

    private mutating func finishCommit() {
        guard let (ticket, changes) = commit else { return }
        commit = nil
        for change in changes {
            require(disk.holds(change), "a change of a session that is not on disk: \(change)")
            disk.apply(change)
        }
        core.committed(ticket, now: now)
    }

    /// Answers a read, also one that a failed commit has made void.
    private mutating func answerRead() {
        guard !reads.isEmpty else { return }
        let read = reads.removeFirst()
        core.read(read.number, disk.page(read), now: now)
    }

    private mutating func failCommit() {
        guard let (ticket, _) = commit else { return }
        commit = nil
        core.commitFailed(ticket, now: now)
        turn()
        require(mustRestore && core.connectionCount == 0, "a failed commit leaves somebody connected")
    }

    private mutating func restore() {
        guard mustRestore else { return }
        mustRestore = false
        core.restore(disk.state(limits), now: now)
    }

    private mutating func crash() {
        core.letGo()
        core = BrokerCore(policy: TopicPolicy(), limits: limits)
        core.restore(disk.state(limits), now: now)
        (commit, mustRestore, judged, requests, reads) = (nil, false, [], [], [])
        for place in seats.indices { seats[place] = nil }
        for role in honest.indices { honest[role].leave() }
    }

    private mutating func settle() {
        turn()
        while commit != nil || !reads.isEmpty {
            finishCommit()
            answerRead()
            turn()
        }
    }

    // MARK: The end

    /// All come back and have their say, then what was promised must have been kept.
    mutating func end() {
        restore()
        for seat in seats { if let seat { core.closed(seat.connection, now: now) } }
        for place in seats.indices { seats[place] = nil }
        for _ in 0..<3 {
            for role in honest.indices { connect(role, window: 5) }
            var isBusy = true
            while isBusy {
                now += 1000
                core.timeUp(now: now)
                core.tick(now: now)
                settle()
                isBusy = false
                for role in honest.indices { isBusy = look(role) || isBusy }
            }
        }
        core.audit()
        core.auditTrees()
        core.compare(disk)
        let left = disk.sessions[Array("a//hl".utf8)]?.queue.count
        require(left == 0, "\(left ?? -1) messages are left for a client that takes all")
        // The speaker may be refused again and again, before it can acknowledge what waits for it.
        let echoes = disk.sessions[Array("a//hs".utf8)]?.queue.map { String(decoding: $0.payload, as: UTF8.self) } ?? []
        Honest.check(honest[Role.speaker], honest[Role.listener].memory, published, waiting: echoes)
        core.letGo()
    }
}

extension Disk {
    /// Whether the row is there that a change belongs to: a database refuses one without it.
    func holds(_ change: DurableChange) -> Bool {
        switch change {
        case .will(let key, _), .subscribe(let key, _, _, _), .enqueue(let key, _), .receive(let key, _):
            sessions[key] != nil
        case .bequeath(let key, _, _): sessions[key] != nil
        default: true
        }
    }
}
