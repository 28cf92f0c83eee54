import ByteKit
import MQTTWire

//  When memory runs short and when clients send too fast: what publishers send is left in their sockets for a while.
//
//  What is unwritten to connections, what waits in memory for sessions and what is not on disk yet is counted together
//  (`memoryBytes`), a message that waits for several sessions once. From the limit until it has fallen below 7/8 of it, each publisher is held back after every PUBLISH, QoS 0 to slow subscribers is dropped sooner,
//  and queues move on in smaller pieces. A publisher that is held back may send one packet a second all the same: an
//  acknowledgement that would make room could stand behind it. An eighth above the limit nothing is taken that would have
//  to wait: QoS 0 is dropped, and the publishers of other messages are refused.

extension BrokerCore {
    /// Bytes that wait in memory: unwritten to connections, for sessions, for the disk; and what is just read from there.
    package var memoryBytes: Int { outputBytes + heldBytes + commits.bytes + readingBytes }

    /// Whether nothing more may be made to wait.
    var isOverfull: Bool { memoryBytes >= limits.memoryBytes + limits.memoryBytes / 8 }
    /// Unwritten bytes to a client from which QoS 0 is dropped.
    var dropAbove: Int { isOverfull ? 0 : isStrained ? Connection.dropAboveStrained : Connection.dropAbove }

    /// Whether queued and retained messages may go to the connection.
    func hasRoom(_ connection: Connection) -> Bool {
        let most = isStrained ? Connection.waitAboveStrained : Connection.waitAbove
        return connection.isOpen && connection.output.count < most
    }

    /// Counts a message that waits in memory in one more place.
    mutating func hold(_ message: Message) {
        heldBytes += message.holders == 0 ? message.cost : QueueEntry.cost
        message.holders += 1
    }

    /// Counts a message that has left a place in memory.
    mutating func letGo(_ message: Message) {
        message.holders -= 1
        heldBytes -= message.holders == 0 ? message.cost : QueueEntry.cost
    }

    /// Counts what is unwritten to a connection.
    mutating func book(_ connection: Connection) {
        let count = connection.stage == .ended ? 0 : connection.output.count
        outputBytes += count - connection.bookedBytes
        connection.bookedBytes = count
    }

    /// The shell has taken what was in `output`.
    ///
    /// - Returns: whether others may be read from again: then steps and dirty connections are to be drained.
    @discardableResult
    package mutating func drained(_ connection: Connection) -> Bool {
        book(connection)
        return relieve()
    }

    /// Sees whether memory is short.
    mutating func noteStrain() {
        if memoryBytes >= limits.memoryBytes { isStrained = true }
    }

    /// A PUBLISH was worked off: while memory is short, its sender waits.
    mutating func holdBack(_ connection: Connection) {
        noteStrain()
        guard isStrained, connection.stage == .connected, !connection.isHeldBack else { return }
        connection.isHeldBack = true
        heldBack.append(connection)
        counters.heldBack += 1
    }

    /// Goes on with all publishers once memory has fallen far enough.
    @discardableResult
    mutating func relieve() -> Bool {
        guard isStrained, memoryBytes < limits.memoryBytes - limits.memoryBytes / 8 else { return false }
        isStrained = false
        return goOn()
    }

    /// Lets everybody who was held back send on, while memory is short one PUBLISH each.
    @discardableResult
    mutating func goOn() -> Bool {
        defer { heldBack.removeAll() }
        for connection in heldBack {
            connection.isHeldBack = false
            connection.heardOf = now
            touch(connection)
        }
        return !heldBack.isEmpty
    }

    /// Counts a packet against the client's rate; above it, reading pauses.
    mutating func meter(_ frame: Span<UInt8>, _ connection: Connection) {
        guard connection.rate != nil, connection.stage == .connected else { return }
        let isPublish = PacketType(of: frame) == .publish
        let pause = connection.rate?.take(bytes: frame.count, isPublish: isPublish, now: now) ?? 0
        guard pause > 0 else { return }
        counters.throttled += 1
        connection.isPaused = true
        arm(.reading(connection), due: now + pause)
    }

    /// The pause is over.
    mutating func resume(_ connection: Connection) {
        connection.isPaused = false
        connection.heardOf = now
        touch(connection)
    }
}
