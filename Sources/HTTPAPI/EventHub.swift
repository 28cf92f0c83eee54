import Foundation
package import Store
import Synchronization

/// Brings committed events to the open pages of their owners, and log lines to who follows a device.
package final class EventHub: Sendable {
    /// What a listener hears.
    package enum Signal: Sendable {
        case event(OwnerEvent)
        /// Nothing happened for a while; a comment keeps proxies from closing the stream.
        case tick
    }

    private struct State {
        var owners: [String: [UInt64: AsyncStream<Signal>.Continuation]] = [:]
        var logs: [String: [UInt64: AsyncStream<LogSignal>.Continuation]] = [:]
        var next: UInt64 = 0
        var isClosed = false
    }

    /// What a follower of a log hears.
    package enum LogSignal: Sendable {
        case line(LogLine)
        case tick
    }

    private let state = Mutex(State())

    package init() {}

    /// Events of one owner from now on; ends when the listener goes or the server stops.
    package func listen(to uid: String) -> AsyncStream<Signal> {
        let (stream, continuation) = AsyncStream.makeStream(of: Signal.self, bufferingPolicy: .bufferingNewest(1024))
        let number = state.withLock { state in
            state.next += 1
            state.owners[uid, default: [:]][state.next] = continuation
            if state.isClosed { continuation.finish() }
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in
                state.owners[uid]?[number] = nil
                if state.owners[uid]?.isEmpty == true { state.owners[uid] = nil }
            }
        }
        return stream
    }

    /// Lines of one device's log from now on.
    package func follow(thing: String) -> AsyncStream<LogSignal> {
        let (stream, continuation) = AsyncStream.makeStream(of: LogSignal.self, bufferingPolicy: .bufferingNewest(4096))
        let number = state.withLock { state in
            state.next += 1
            state.logs[thing, default: [:]][state.next] = continuation
            if state.isClosed { continuation.finish() }
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in
                state.logs[thing]?[number] = nil
                if state.logs[thing]?.isEmpty == true { state.logs[thing] = nil }
            }
        }
        return stream
    }

    /// Hands out one event.
    package func publish(_ event: OwnerEvent) {
        let listeners = state.withLock { Array($0.owners[event.uid, default: [:]].values) }
        for listener in listeners { listener.yield(.event(event)) }
    }

    /// Hands out stored log lines.
    package func publish(_ lines: [LogLine]) {
        for line in lines {
            let followers = state.withLock { Array($0.logs[line.thing, default: [:]].values) }
            for follower in followers { follower.yield(.line(line)) }
        }
    }

    /// Lets every stream write a comment; to be called every ten seconds.
    package func tick() {
        let (owners, logs) = state.withLock { state in
            (state.owners.values.flatMap(\.values), state.logs.values.flatMap(\.values))
        }
        for listener in owners { listener.yield(.tick) }
        for follower in logs { follower.yield(.tick) }
    }

    /// Ends all streams, so that the server can stop.
    package func close() {
        let (owners, logs) = state.withLock { state in
            state.isClosed = true
            return (state.owners.values.flatMap(\.values), state.logs.values.flatMap(\.values))
        }
        owners.forEach { $0.finish() }
        logs.forEach { $0.finish() }
    }
}
