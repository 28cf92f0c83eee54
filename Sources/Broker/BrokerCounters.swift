/// What the broker has counted since the start.
package struct BrokerCounters: Sendable {
    package var packetsReceived = 0
    package var packetsSent = 0
    package var bytesReceived = 0
    package var bytesSent = 0
    /// PUBLISH packets of clients that were taken.
    package var published = 0
    package var publishesSent = 0
    package var dropped = 0
    package var protocolFaults = 0
    package var refused = 0
    /// Connections that were closed because their clients let too much wait.
    package var slowClosed = 0
    /// Commits that failed; after each of them the broker went back to what was on disk.
    package var failedCommits = 0
}
