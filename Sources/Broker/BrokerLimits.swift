import ByteKit
package import MQTTWire

/// Limits beyond those of the protocol; nil = none.
package struct BrokerLimits: Sendable {
    /// Slashes in a topic or filter; reserved topics do not count.
    package var topicSlashes: Int?
    /// Filters in one SUBSCRIBE.
    package var filtersPerSubscribe: Int?
    /// Subscriptions that one client may hold.
    package var subscriptionsPerClient = 10_000
    /// Bytes of all their filters together; each level beyond the eighth counts as 128.
    package var filterBytesPerClient = 4 << 20
    /// The highest QoS of publications, wills and subscriptions.
    package var maximumQoS = QoS.exactlyOnce

    /// Requests to shadows that one connection may have open; more are refused with 429 (AWS IoT: 10).
    package var shadowRequests = 10

    /// Messages of QoS 1 and 2 that may be open towards a client that takes as many.
    package var sendWindow = 1000
    /// Entries of a queue that an earlier run may have sent, which may have had other limits.
    package var restoredWindow: Int { max(sendWindow, BrokerLimits().sendWindow) }

    /// Entries of a kept session's queue that wait in memory while its client is there, and their bytes (one entry may be
    /// larger than all of these); the others are on disk alone.
    package var headCount = 256
    package var headBytes = 256 << 10

    /// Bytes that may wait on disk for one kept session; then publishers to it are refused.
    package var sessionQueueBytes = 256 << 20
    /// Bytes that may wait on disk for all kept sessions together.
    package var queueBytes = 8 << 30
    /// Bytes that may wait for a kept session even where all together have reached their bound: others cannot take its place.
    package var sessionShareBytes = 1 << 20
    /// Bytes that may wait in memory, for sessions and unwritten to connections; above it, publishers are held back.
    package var memoryBytes = 1 << 30
    /// Bytes of all retained messages; then publishers of more are refused.
    package var retainedBytes = 256 << 20
    /// Bytes of the retained messages on the log topics of one thing, the only ones that a device may retain on.
    package var retainedBytesPerThing = 1 << 20
    /// Such topics of one thing: their prefix is the device's to choose.
    package var retainedTopicsPerThing = 1000
    /// Sessions, connected or kept.
    package var sessions = 1_000_000
    /// Sessions of one device, under different client identifiers.
    package var sessionsPerDevice = 16

    /// PUBLISH packets that one client may send in a second; what comes faster is read later.
    package var publishesPerSecond: Int?
    /// Bytes that one client may send in a second; what comes faster is read later.
    package var bytesPerSecond: Int?

    /// The limits of this broker alone.
    package init() {}

    /// Those of AWS IoT Core, so that what runs here runs there (quotas page: 7, 8, 50, 100; no QoS 2; 100 publications and
    /// 512 KiB a second of one connection).
    package static var aws: BrokerLimits {
        var limits = BrokerLimits()
        limits.topicSlashes = 7
        limits.filtersPerSubscribe = 8
        limits.subscriptionsPerClient = 50
        limits.sendWindow = 100
        limits.maximumQoS = .atLeastOnce
        limits.publishesPerSecond = 100
        limits.bytesPerSecond = 512 << 10
        return limits
    }

    /// What may wait on disk also where it is full at the start: room may come, and a commit that fails is not lost.
    private static let leastQueueBytes = 64 << 20

    /// Holds what waits to a part of what there is: in memory to a quarter, on disk to a half.
    ///
    /// - Parameters:
    ///   - memory: bytes of memory that the server may use.
    ///   - disk: bytes that are free on the disk, or taken by queues already.
    package mutating func fit(memory: UInt64, disk: UInt64) {
        memoryBytes = min(memoryBytes, Int(clamping: memory / 4))
        retainedBytes = min(retainedBytes, memoryBytes / 4)
        queueBytes = min(queueBytes, max(Int(clamping: disk / 2), Self.leastQueueBytes))
        sessionQueueBytes = min(sessionQueueBytes, queueBytes / 2)
        sessionShareBytes = min(sessionShareBytes, queueBytes / 1024)
    }

    /// Whether a topic or filter is as flat as it has to be.
    func allow(topic: Span<UInt8>) -> Bool {
        guard let topicSlashes, !topic.starts(with: "$aws/") else { return true }
        var slashes = 0
        for index in topic.indices where topic[index] == UInt8(ascii: "/") { slashes += 1 }
        return slashes <= topicSlashes
    }
}
