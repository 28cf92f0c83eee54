//  The broker's rules: MQTT 3.1.1 and 5 as one value that does no I/O.
//
//  The shell hands in packets, passing time and finished commits. The core appends what clients are to receive to their
//  `output`, lists what else is to be done as `BrokerStep`s, and lists changes of what must survive a crash as
//  `DurableChange`s. Whoever waits for such a change gets the acknowledgement only after `committed`.
//
//  Exactly once: what a crash could forget is on disk before a packet relies on it. PUBREC, PUBREL and PUBCOMP wait for
//  the commit that remembers them, and a QoS 2 message goes to a kept session only when it stands in its queue on disk.

import ByteKit
package import MQTTWire

/// The broker as a pure state machine; lives on one event loop.
package struct BrokerCore: ~Copyable {
    /// Largest packet of a connected client, bytes: 128 KiB of payload as on AWS IoT, and its header.
    package static let packetLimit = 128 * 1024 + 4096
    /// Largest packet before CONNECT is accepted, bytes.
    package static let connectLimit = 16 * 1024
    /// Milliseconds from opening to an accepted CONNECT.
    static let connectPatience: Int64 = 10_000
    /// Seconds that a session may outlive its connection; also for 3.1.1, which names no limit.
    static let longestExpiry: UInt32 = 7 * 24 * 3600
    /// Messages of QoS 1 and 2 from a client that may be unacknowledged (AWS IoT: 100).
    static let receiveMaximum: UInt16 = 100
    /// Topic aliases that a client may set on its connection: what it can make us remember is 1 MiB.
    static let topicAliasMaximum: UInt16 = 16
    /// Topic aliases that we set on a connection, where the client takes as many.
    static let outboundAliases: UInt16 = 64

    let policy: TopicPolicy
    let longestKeepAlive: UInt16?
    let limits: BrokerLimits
    private(set) var sessions: [[UInt8]: Session] = [:]
    /// Sessions of each device.
    private var deviceSessions: [Principal: Int] = [:]
    var connections: [ObjectIdentifier: Connection] = [:]
    var subscribers = TopicTree<FilterPlace>()
    var retained = TopicTree<Message>()
    var audiences = Audiences()
    var deadlines = Deadlines()
    var connectionCounts = ConnectionCounts()
    var packetCache = PacketCache()
    /// Connections that end at the end of this turn.
    var condemned: [(Connection, ReasonCode)] = []
    /// Bytes of all messages that wait for sessions, in memory or not, those for several counted as often.
    var queuedBytes = 0
    /// Those that wait in memory, those in several places counted once.
    var heldBytes = 0
    /// What ended sessions were to get for their groups, by key.
    var estates: [[UInt8]: Estate] = [:]
    /// Reads of queues that are under way, and what they may bring into memory, in bytes.
    private var reads: [UInt64: (reader: Reader, bytes: Int)] = [:]
    private(set) var readingBytes = 0
    private var nextRead: UInt64 = 1
    /// Unwritten bytes to all connections, as far as they are booked.
    var outputBytes = 0
    /// Whether memory is short, and who waits for that.
    var isStrained = false
    var heldBack: [Connection] = []
    /// Memory of all retained messages.
    var retainedBytes = 0
    /// What is retained on the log topics of each thing.
    var retainedOfThings: [[UInt8]: (bytes: Int, topics: Int)] = [:]
    /// Nodes of `retained` that may still be looked at in this turn of the loop, and who waits for the next one.
    var stepsLeft = BrokerCore.stepsPerTurn
    var searching: [Session] = []
    var now: Int64 = 0
    private var nextToken: UInt64 = 1
    private var dirty: [Connection] = []
    private var steps: [BrokerStep] = []
    var commits = Commits()
    /// Whether a commit failed: nobody is let in until what is on disk is taken up again.
    private(set) var isForgetful = false
    /// The newest ticket whose commit is done.
    var settled: UInt64 { commits.settled }
    /// Open connections, authenticated or not.
    package var connectionCount: Int { connections.count }
    /// Messages and packets counted since the start.
    package var counters = BrokerCounters()

    /// A broker without clients.
    ///
    /// - Parameter longestKeepAlive: seconds; larger and zero intervals of clients become this.
    package init(policy: TopicPolicy, longestKeepAlive: UInt16? = nil, limits: BrokerLimits = BrokerLimits()) {
        self.policy = policy
        self.limits = limits
        self.longestKeepAlive = longestKeepAlive
    }

    // MARK: What the shell calls

    /// A client has connected.
    package mutating func opened(_ connection: Connection, now: Int64) {
        self.now = now
        connections[ObjectIdentifier(connection)] = connection
        watchSilence(of: connection)
    }

    /// One whole packet has arrived.
    package mutating func received(_ frame: Span<UInt8>, from connection: Connection, now: Int64) {
        self.now = now
        guard connection.stage != .ended else { return }
        connection.heardOf = now
        counters.packetsReceived += 1
        counters.bytesReceived += frame.count
        do throws(MQTTFault) {
            try dispatch(Packet.decode(frame, version: connection.version, from: .client), frame, connection)
        } catch {
            protocolFault(connection, error)
        }
        meter(frame, connection)
    }

    /// The peer broke the rules of the wire before a packet could be cut out.
    package mutating func protocolFault(_ connection: Connection, _ fault: MQTTFault) {
        counters.protocolFaults += 1
        step(.refused(connection, reason: "\(fault.explanation)"))
        // Also MQTT 5 allows the old form; who speaks another protocol is told nothing [MQTT-3.1.2-2 of 3.1.1].
        if connection.stage == .opened, case .unsupportedVersion = fault {
            send(Reply.refused(.unsupportedProtocolVersion, version: .v311), to: connection)
        }
        // A second CONNECT breaks the protocol whatever it says [MQTT-3.1.0-2]; DISCONNECT has no code for its version.
        let isSecond = connection.stage == .connected && fault.reasonCode == .unsupportedProtocolVersion
        let reason = isSecond ? .protocolError : fault.reasonCode
        end(connection, reason: reason, telling: fault.explanation, will: .send)
    }

    /// The network connection is gone; the client said no goodbye.
    package mutating func closed(_ connection: Connection, now: Int64) {
        self.now = now
        finish(connection, .connectionLost, will: .send)
    }

    /// Time has passed: what is due is done, and who was held back may send one more packet.
    ///
    /// Call about once a second.
    package mutating func tick(now: Int64) {
        self.now = now
        goOn()
        meetDeadlines()
        if !estates.isEmpty { readEstates() }
    }

    /// When something is due next, milliseconds since 1970: a will, the end of a session, of a retained message or of a
    /// client's silence.
    package var deadline: Int64? { deadlines.first }

    /// `deadline` has come.
    package mutating func timeUp(now: Int64) {
        self.now = now
        meetDeadlines()
    }

    /// Whoever holds this thing's credential loses its connections, and what is kept for it: whoever has the name next is
    /// somebody else.
    package mutating func disconnect(thing: [UInt8], now: Int64) {
        self.now = now
        judgeAgain()
        for connection in Array(connections.values) where connection.session?.principal == .device(thing: thing) {
            end(connection, reason: .notAuthorized, will: .send)
        }
        guard deviceSessions[.device(thing: thing)] != nil else { return }
        for session in Array(sessions.values) where session.principal == .device(thing: thing) {
            cancelWill(of: session)
            drop(session)
        }
    }

    /// An operator's token or access key was taken back: whoever came in with it has to go.
    ///
    /// Sessions stay, those of operators belong to all of them.
    package mutating func disconnect(credential: String, now: Int64) {
        self.now = now
        judgeAgain()
        for connection in Array(connections.values) where connection.credential == credential {
            end(connection, reason: .notAuthorized, will: .send)
        }
    }

    /// The server stops: clients are told, sessions stay.
    package mutating func shutDown(now: Int64) {
        self.now = now
        for connection in Array(connections.values) {
            end(connection, reason: .serverShuttingDown, will: .keep)
        }
    }

    // MARK: What the shell drains

    /// Connections with something to write or to close.
    package mutating func takeDirty() -> [Connection] {
        defer { dirty.removeAll(keepingCapacity: true) }
        for connection in dirty {
            connection.isDirty = false
        }
        return dirty
    }

    /// What is to be done, oldest first.
    package mutating func takeSteps() -> [BrokerStep] {
        endCondemned()
        relieve()
        defer { steps.removeAll(keepingCapacity: true) }
        return steps
    }

    /// Changes to be committed together, and the ticket to come back with; nil if there are none, or a commit is under way.
    package mutating func takeChanges() -> (ticket: UInt64, changes: [DurableChange])? {
        commits.take()
    }

    /// The changes of `ticket` are on disk.
    package mutating func committed(_ ticket: UInt64, now: Int64) {
        self.now = now
        guard let owed = commits.finish(ticket) else { return }
        for answer in owed.answers { release(answer) }
        for message in owed.messages { letGo(message) }
        for session in owed.sessions { feed(session) }
        if !estates.isEmpty { readEstates() }
    }

    /// The changes of `ticket` could not be stored: the broker goes back to what is on disk, as after a crash.
    ///
    /// What is in memory has gone beyond that, and nobody can tell whose part of it is safe. All clients are disconnected
    /// without the acknowledgements that they wait for, and send again what they have not heard of. Nobody is let in until
    /// the shell has carried out the step `restore`.
    package mutating func commitFailed(_ ticket: UInt64, now: Int64) {
        self.now = now
        guard commits.isUnderWay(ticket) else { return }
        counters.failedCommits += 1
        for connection in Array(connections.values) {
            end(
                connection, reason: .implementationSpecificError, telling: "the server could not write to its disk",
                will: .keep)
        }
        forget()
        step(.restore)
    }

    private mutating func forget() {
        isForgetful = true
        (sessions, deviceSessions, audiences) = ([:], [:], Audiences())
        (subscribers, retained) = (TopicTree(), TopicTree())
        (queuedBytes, heldBytes, retainedBytes, retainedOfThings) = (0, 0, 0, [:])
        (estates, reads, readingBytes) = ([:], [:], 0)
        deadlines.removeAll()
        condemned.removeAll()
        searching.removeAll()
        commits.forget()
    }

    // MARK: For the other files of the core

    mutating func add(_ session: Session) {
        guard sessions.updateValue(session, forKey: session.key) == nil else { return }
        if session.principal != .administrator { deviceSessions[session.principal, default: 0] += 1 }
    }

    mutating func remove(_ session: Session) {
        guard sessions.removeValue(forKey: session.key) != nil, let count = deviceSessions[session.principal] else {
            return
        }
        deviceSessions[session.principal] = count > 1 ? count - 1 : nil
    }

    /// Whether one more session may begin.
    func mayAddSession(of principal: Principal) -> Bool {
        sessions.count < limits.sessions && deviceSessions[principal, default: 0] < limits.sessionsPerDevice
    }

    mutating func step(_ step: BrokerStep) {
        steps.append(step)
    }

    mutating func record(_ change: DurableChange) {
        commits.add(change)
    }

    /// Has the session fed again once all changes so far are on disk.
    ///
    /// - Returns: the ticket of that commit.
    mutating func feedLater(_ session: Session) -> UInt64 {
        commits.hold(session)
    }

    /// The ticket of the commit that changes are gathered for.
    var nextTicket: UInt64 { commits.nextTicket }

    /// What is on disk is taken up.
    mutating func remember() {
        isForgetful = false
    }

    mutating func touch(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection)
    }

    /// Keeps an answer back until `complete` is called with the ticket.
    mutating func hold(_ answer: Answer, for connection: Connection) -> AnswerTicket {
        let ticket = AnswerTicket(connection: connection, token: nextToken, receives: answer.receives)
        nextToken += 1
        connection.answers.append(PendingAnswer(token: ticket.token, answer: answer))
        return ticket
    }

    /// Answers at once, or behind the commit where this packet changed what is kept.
    mutating func answer(_ answer: Answer, to connection: Connection, changedSince mark: Int) {
        release(hold(answer, for: connection), changedSince: mark)
    }

    mutating func release(_ ticket: AnswerTicket, changedSince mark: Int) {
        if commits.mark > mark {
            commits.hold(ticket)
        } else {
            release(ticket)
        }
    }

    var changeMark: Int { commits.mark }

    /// Has the shell read from a queue on disk.
    ///
    /// - Parameter bytes: what there is at most, as far as is known.
    /// - Returns: the number of the read.
    mutating func startRead(
        _ kind: QueueRead.Kind, key: [UInt8], after sequence: Int64, for reader: Reader, bytes: Int
    ) -> UInt64 {
        defer { nextRead += 1 }
        var expected = 0
        if case .next(_, let most) = kind { expected = min(bytes, most) }
        reads[nextRead] = (reader, expected)
        readingBytes += expected
        step(.read(QueueRead(number: nextRead, key: key, after: sequence, kind: kind)))
        return nextRead
    }

    /// A read is done; nil where it belongs to what was before a failed commit.
    mutating func finishRead(_ number: UInt64) -> Reader? {
        guard let (reader, bytes) = reads.removeValue(forKey: number) else { return nil }
        readingBytes -= bytes
        return reader
    }

    /// Sends one packet; a client that cannot take an answer that it waits for has to go [MQTT-3.1.2-24].
    mutating func send(_ bytes: [UInt8], to connection: Connection) {
        touch(connection)
        guard !bytes.isEmpty else { return }
        guard bytes.count <= connection.packetLimit else { return finish(connection, .clientError, will: .send) }
        counters.packetsSent += 1
        counters.bytesSent += bytes.count
        connection.output.append(contentsOf: bytes)
        book(connection)
        if connection.output.count > Connection.closeAbove { condemn(connection, .quotaExceeded) }
    }
}
