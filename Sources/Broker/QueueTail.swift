//  The part of a kept session's queue that needs no memory: it is on disk, behind what is in flight and what waits.
//
//  While the client is away that is the whole queue. While it is there, a part waits in memory (`BrokerLimits.headCount`), and
//  more is read when half of that is sent; as long as there is a tail, everything new goes to its end, so that the order stays.

import MQTTWire

/// What is known of the entries of one session that are on disk alone.
struct QueueTail {
    /// Entries that are read at once while memory is short.
    static let strainedCount = 8
    /// The part of their bytes that is then read at once.
    static let strainedPart = 32

    /// Entries, and their bytes as `Message.cost` counts.
    private(set) var count = 0
    private(set) var bytes = 0
    /// Those of them that came by a shared subscription.
    private(set) var shared = 0
    /// The sequence behind which it begins.
    private(set) var start: Int64 = 0
    /// The newest entry that is known to have been sent, and the newest that may have been.
    private(set) var sentUpTo: Int64 = 0
    private(set) var maybeSentUpTo: Int64 = 0
    /// When the first of its messages expires, as far as is known, milliseconds since 1970; nil where it is empty: a search
    /// would find what is in memory.
    private(set) var firstExpiry: Int64?
    /// The same as it was when the search for what has expired began.
    private var searchedFor: Int64?
    /// The ticket of the commit that must be done before it is read.
    var readyAfter: UInt64 = 0
    /// The number of the read that is under way.
    var reading: UInt64?

    var isEmpty: Bool { count == 0 }
    /// The newest entry that may have been sent: up to there they are sent again whatever their age [MQTT-4.4.0-1].
    var begunUpTo: Int64 { max(sentUpTo, maybeSentUpTo) }

    /// An entry goes to its end, once the commit of `ticket` is done.
    mutating func append(_ message: Message, isShared: Bool, from previous: Int64, ticket: UInt64) {
        if isEmpty { (start, readyAfter) = (previous, ticket) }
        add(message, isShared: isShared)
    }

    /// Entries that were in memory now are on disk alone, in front of those that are.
    mutating func prepend(_ entries: [QueueEntry], sent: Int, readyAfter ticket: UInt64) {
        guard let first = entries.first else { return }
        start = first.sequence - 1
        readyAfter = max(readyAfter, ticket)
        for entry in entries { add(entry.message, isShared: !entry.share.isEmpty) }
        if sent > 0 { sentUpTo = max(sentUpTo, entries[sent - 1].sequence) }
    }

    private mutating func add(_ message: Message, isShared: Bool) {
        count += 1
        bytes += message.cost
        shared += isShared ? 1 : 0
        expect(message.expires)
    }

    private mutating func expect(_ expires: Int64?) {
        if let expires { firstExpiry = min(firstExpiry ?? expires, expires) }
    }

    /// What has expired is looked for; entries that come meanwhile are not seen by that.
    mutating func beginSearch(_ number: UInt64) {
        reading = number
        (searchedFor, firstExpiry) = (firstExpiry, nil)
    }

    /// The search is over; the first of the others expires at `next`.
    mutating func endSearch(next: Int64?) {
        searchedFor = nil
        if !isEmpty { expect(next) }
    }

    /// What is being read is not wanted any more.
    mutating func cancelRead() {
        reading = nil
        endSearch(next: searchedFor)
    }

    /// What an earlier run left.
    mutating func restore(_ stored: StoredQueue) {
        (count, bytes, shared) = (stored.count, stored.bytes + stored.count * Message.overhead, stored.shared)
        (start, maybeSentUpTo, firstExpiry) = (stored.first - 1, stored.sentUpTo, stored.firstExpiry)
    }

    /// An entry has been read into memory.
    mutating func remove(_ entry: StoredEntry) {
        start = entry.sequence
        forget(bytes: entry.bytes, isShared: !entry.share.isEmpty)
    }

    /// An entry has expired on disk.
    mutating func remove(_ expired: QueuePage.Expired) {
        forget(bytes: expired.bytes, isShared: expired.isShared)
    }

    private mutating func forget(bytes: Int, isShared: Bool) {
        count -= 1
        self.bytes -= bytes + Message.overhead
        shared -= isShared ? 1 : 0
        if isEmpty { firstExpiry = nil }
    }

    /// The disk has no more than was read: nothing of what was counted is there.
    mutating func removeAll() {
        (count, bytes, shared, firstExpiry) = (0, 0, 0, nil)
    }
}

/// Whom a read of a queue on disk is for.
enum Reader {
    /// `settled`: the newest commit that it sees for certain.
    case session(Session, settled: UInt64)
    case estate([UInt8])
}

extension BrokerCore {
    /// The client is gone: what was in memory of its queue is on disk, or on its way there.
    mutating func putAway(_ session: Session) {
        for entry in session.putAway(readyAfter: commits.latest) { letGo(entry.message) }
        watchExpiry(session)
    }

    /// Reads on when little of the queue is left in memory.
    mutating func refill(_ session: Session) {
        guard !session.tail.isEmpty, session.tail.reading == nil else { return }
        noteStrain()
        guard isStrained ? session.headCount == 0 : isHeadLow(session) else { return }
        guard session.tail.readyAfter <= settled else { return commits.holdLatest(session) }
        let count = isOverfull ? 1 : isStrained ? QueueTail.strainedCount : limits.headCount
        let bytes = isStrained ? limits.headBytes / QueueTail.strainedPart : limits.headBytes
        session.tail.reading = read(.next(count: count, bytes: bytes), session.tail.start, for: session)
    }

    /// Whether more is to be read before the client has taken all that waits.
    private func isHeadLow(_ session: Session) -> Bool {
        session.waiting.count <= limits.headCount / 2 && session.waitingBytes <= limits.headBytes / 2
    }

    /// Whether the next entry needs no memory: it comes behind others that are on disk alone, or the client is away.
    func isHeadFull(_ session: Session) -> Bool {
        guard session.isStored else { return false }
        return session.connection == nil || !session.tail.isEmpty || session.waiting.count >= limits.headCount
            || session.waitingBytes >= limits.headBytes
    }

    /// Looks for what has expired on disk; not again before what was found is off it.
    mutating func sweep(_ session: Session) {
        guard let first = session.tail.firstExpiry, first < now, session.tail.reading == nil,
            session.tail.readyAfter <= settled
        else { return }
        session.tail.beginSearch(
            read(.expired(before: now), max(session.tail.start, session.tail.begunUpTo), for: session))
    }

    private mutating func read(_ kind: QueueRead.Kind, _ start: Int64, for session: Session) -> UInt64 {
        startRead(
            kind, key: session.key, after: start, for: .session(session, settled: settled), bytes: session.tail.bytes)
    }

    /// The shell has carried out the step `read` with this number.
    package mutating func read(_ number: UInt64, _ page: QueuePage, now: Int64) {
        self.now = now
        switch finishRead(number) {
        case .session(let session, let settled) where session.tail.reading == number:
            session.tail.reading = nil
            take(page, for: session, readAt: settled)
        case .estate(let key): share(page, of: key)
        default: break
        }
    }

    private mutating func take(_ page: QueuePage, for session: Session, readAt ticket: UInt64) {
        switch page {
        case .next(let entries, let isEnd):
            for entry in entries {
                guard let message = session.take(entry) else { continue }
                hold(message)
                watchExpiry(of: message, in: session)
            }
            if isEnd, !session.tail.isEmpty { missed(session, readAt: ticket) }
        case .expired(let expired, let next):
            for entry in expired { drop(entry, of: session) }
            session.tail.readyAfter = commits.latest
            session.tail.endSearch(next: next)
            watchExpiry(session)
        }
        feed(session)
    }

    /// The rest of the tail was not on disk yet when it was read.
    private mutating func missed(_ session: Session, readAt ticket: UInt64) {
        session.tail.readyAfter = commits.latest
        // Nothing was on its way: then there is no rest, whatever was counted.
        guard commits.latest == ticket else { return }
        queuedBytes -= session.loseTail()
    }

    private mutating func drop(_ entry: QueuePage.Expired, of session: Session) {
        queuedBytes -= session.remove(entry)
        record(.dequeue(key: session.key, sequence: entry.sequence))
    }
}
