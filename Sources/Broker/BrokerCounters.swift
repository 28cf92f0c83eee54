/// What the broker has counted since the start.
package struct BrokerCounters: Sendable {
    package var packetsReceived = 0
    package var packetsSent = 0
    package var bytesReceived = 0
    package var bytesSent = 0
    /// PUBLISH packets of clients that were taken.
    package var published = 0
    package var publishesSent = 0
    /// Messages that somebody missed, or that were turned down for want of room.
    package var dropped = 0
    /// Those of them that were dropped because the subscriber was slow.
    package var droppedToSlow = 0
    /// Connections that were closed because too much waited for them.
    package var closedAsSlow = 0
    /// Times that a publisher was held back because memory was short.
    package var heldBack = 0
    /// Times that reading from a client paused because it sent faster than it may.
    package var throttled = 0
    package var protocolFaults = 0
    package var refused = 0
    /// Connections that were closed because their clients let too much wait.
    package var slowClosed = 0
    /// Commits that failed; after each of them the broker went back to what was on disk.
    package var failedCommits = 0
}
