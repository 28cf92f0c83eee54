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
        var watchers: [UInt64: Watcher] = [:]
        var next: UInt64 = 0
        var isClosed = false

        var all:
            (
                owners: [AsyncStream<Signal>.Continuation], logs: [AsyncStream<LogSignal>.Continuation],
                watchers: [Watcher]
            )
        {
            (owners.values.flatMap(\.values), logs.values.flatMap(\.values), Array(watchers.values))
        }
    }

    /// What a follower of a log hears.
    package enum LogSignal: Sendable {
        case line(LogLine)
        case tick
    }

    /// A page of the console that is looked at.
    private struct Watcher {
        /// The device that it shows; nil for all of them.
        var thing: String?
        var continuation: AsyncStream<ChangeSignal>.Continuation
    }

    /// What a watcher hears; changes that it has no time for become one.
    package enum ChangeSignal: Sendable {
        case changed
        case tick
    }

    private let state = Mutex(State())
    /// Changes come with every shadow update: with nobody watching they must cost nothing.
    private let watcherCount = Atomic<Int>(0)

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

    /// Changes of one device (nil: of any) from now on, and of what is no device's.
    package func watch(_ thing: String?) -> AsyncStream<ChangeSignal> {
        let (stream, continuation) = AsyncStream.makeStream(of: ChangeSignal.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.next += 1
            state.watchers[state.next] = Watcher(thing: thing, continuation: continuation)
            if state.isClosed { continuation.finish() }
            return state.next
        }
        watcherCount.add(1, ordering: .relaxed)
        continuation.onTermination = { [weak self] _ in
            guard let self else { return }
            state.withLock { $0.watchers[number] = nil }
            watcherCount.subtract(1, ordering: .relaxed)
        }
        return stream
    }

    /// Tells the console that something of a device (nil: something else) is different now.
    package func changed(_ thing: String?) {
        guard watcherCount.load(ordering: .relaxed) > 0 else { return }
        let watchers = state.withLock { state in
            state.watchers.values.filter { thing == nil || $0.thing == nil || $0.thing == thing }
        }
        for watcher in watchers { watcher.continuation.yield(.changed) }
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
        let (owners, logs, watchers) = state.withLock { $0.all }
        for watcher in watchers { watcher.continuation.yield(.tick) }
        for listener in owners { listener.yield(.tick) }
        for follower in logs { follower.yield(.tick) }
    }

    /// Ends all streams, so that the server can stop.
    package func close() {
        let (owners, logs, watchers) = state.withLock { state in
            state.isClosed = true
            return state.all
        }
        watchers.forEach { $0.continuation.finish() }
        owners.forEach { $0.finish() }
        logs.forEach { $0.finish() }
    }
}
