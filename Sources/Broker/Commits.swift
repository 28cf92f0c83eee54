/// Changes on their way to the disk, and who waits for them.
///
/// One commit is under way at a time; what happens meanwhile gathers for the next one. So nothing behind a commit that
/// fails is ever stored: the disk holds what the broker was at some moment, as after a crash.
struct Commits {
    /// Gathered for the next commit.
    private var changes: [DurableChange] = []
    private var owed = Owed()
    private var underWay: (ticket: UInt64, owed: Owed, bytes: Int)?
    private var gatheredBytes = 0
    /// The ticket of the commit that changes are gathered for.
    private(set) var nextTicket: UInt64 = 1
    /// The newest ticket whose commit is done.
    private(set) var settled: UInt64 = 0

    /// What waits for one commit.
    struct Owed {
        var answers: [AnswerTicket] = []
        var sessions: [Session] = []
        /// Messages that only their way to the disk keeps in memory.
        var messages: [Message] = []
    }

    /// Grows with every change; where it grew while a packet was worked off, that packet waits for the commit.
    var mark: Int { changes.count }

    /// Memory that all changes hold which are not on disk yet, in bytes.
    var bytes: Int { gatheredBytes + (underWay?.bytes ?? 0) }

    mutating func add(_ change: DurableChange) {
        gatheredBytes += change.cost
        changes.append(change)
    }

    /// The answer leaves once all changes so far are on disk.
    mutating func hold(_ answer: AnswerTicket) {
        owed.answers.append(answer)
    }

    /// The session is fed once all changes so far are on disk.
    ///
    /// - Returns: the ticket of that commit.
    mutating func hold(_ session: Session) -> UInt64 {
        if owed.sessions.last !== session { owed.sessions.append(session) }
        return nextTicket
    }

    /// Has the session fed once the newest commit is done that is gathered for or under way.
    mutating func holdLatest(_ session: Session) {
        if changes.isEmpty { underWay?.owed.sessions.append(session) } else { _ = hold(session) }
    }

    /// The ticket after whose commit all changes so far are on disk.
    var latest: UInt64 { changes.isEmpty ? underWay?.ticket ?? settled : nextTicket }

    /// The message is in memory until all changes so far are on disk.
    mutating func hold(_ message: Message) {
        owed.messages.append(message)
    }

    /// The messages that changes hold which are not on disk yet.
    var messages: [Message] { owed.messages + (underWay?.owed.messages ?? []) }

    /// The next changes to be committed together; nil where there are none or others are under way.
    mutating func take() -> (ticket: UInt64, changes: [DurableChange])? {
        guard underWay == nil, !changes.isEmpty else { return nil }
        defer {
            changes.removeAll(keepingCapacity: true)
            (owed, gatheredBytes) = (Owed(), 0)
            nextTicket += 1
        }
        underWay = (nextTicket, owed, gatheredBytes)
        return (nextTicket, changes)
    }

    /// The commit under way is done; answers who waited for it, nil for any other ticket.
    mutating func finish(_ ticket: UInt64) -> Owed? {
        guard let (current, owed, _) = underWay, current == ticket else { return nil }
        underWay = nil
        settled = ticket
        return owed
    }

    /// Whether `ticket` is under way.
    func isUnderWay(_ ticket: UInt64) -> Bool {
        underWay?.ticket == ticket
    }

    /// Nothing of what was to be stored counts any more; tickets go on, so that no old one is taken for a new one.
    mutating func forget() {
        (changes, owed, underWay, gatheredBytes) = ([], Owed(), nil, 0)
    }
}

extension DurableChange {
    /// Memory that it holds, in bytes; the message of a queue's entry is counted there.
    fileprivate var cost: Int {
        switch self {
        case .retain(let topic, let payload, _, let properties, _, _):
            200 + topic.count + payload.count + properties.count
        case .will(_, let will): 200 + will.topic.count + will.payload.count + will.properties.count
        default: 200
        }
    }
}
