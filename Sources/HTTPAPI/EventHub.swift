import Foundation
package import Store
import Synchronization

/// Brings what was committed to those who look: events to the pages of owners, log lines to who follows a device, and to the
/// console that something is different.
package final class EventHub: Sendable {
    /// What somebody hears who listens to a stream.
    package enum Signal<News: Sendable>: Sendable {
        case news(News)
        /// Nothing happened for a while; a comment keeps proxies from closing the stream.
        case tick
    }

    private struct State {
        var owners = Streams<OwnerEvent>()
        var logs = Streams<LogLine>()
        /// By device; those of the whole fleet under "", which is no thing's name.
        var changes = Streams<Void>()
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Changes come with every shadow update: with nobody watching they must cost nothing.
    private let watchers = Atomic<Int>(0)

    package init() {}

    /// Events of one owner from now on; ends when the listener goes or the server stops.
    package func listen(to uid: String) -> AsyncStream<Signal<OwnerEvent>> {
        open(\.owners, uid, keeping: 1024)
    }

    /// Lines of one device's log from now on.
    package func follow(thing: String) -> AsyncStream<Signal<LogLine>> {
        open(\.logs, thing, keeping: 4096)
    }

    /// Changes of one device (nil: of any) from now on, and of what is no device's; those nobody has time for become one.
    package func watch(_ thing: String?) -> AsyncStream<Signal<Void>> {
        // One change and one tick, so that a tick does not take the place of a change.
        open(\.changes, thing ?? "", keeping: 2)
    }

    private func open<News>(
        _ place: any WritableKeyPath<State, Streams<News>> & Sendable, _ key: String, keeping limit: Int
    ) -> AsyncStream<Signal<News>> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Signal<News>.self, bufferingPolicy: .bufferingNewest(limit))
        let number = change { state in
            if state.isClosed { continuation.finish() }
            return state[keyPath: place].add(continuation, key)
        }
        continuation.onTermination = { [weak self] _ in
            self?.change { $0[keyPath: place].remove(number, key) }
        }
        return stream
    }

    private func change<Result>(_ body: (inout State) -> sending Result) -> sending Result {
        state.withLock { state in
            let result = body(&state)
            watchers.store(state.changes.count, ordering: .relaxed)
            return result
        }
    }

    /// Hands out one event.
    package func publish(_ event: OwnerEvent) {
        for listener in state.withLock({ $0.owners[event.uid] }) { listener.yield(.news(event)) }
    }

    /// Hands out stored log lines.
    package func publish(_ lines: [LogLine]) {
        for line in lines {
            for follower in state.withLock({ $0.logs[line.thing] }) { follower.yield(.news(line)) }
        }
    }

    /// Tells the console that something of a device (nil: something else) is different now.
    package func changed(_ thing: String?) {
        guard watchers.load(ordering: .relaxed) > 0 else { return }
        let concerned = state.withLock { state in
            thing.map { state.changes[$0] + state.changes[""] } ?? state.changes.all
        }
        for watcher in concerned { watcher.yield(.news(())) }
    }

    /// Lets every stream write a comment; to be called every ten seconds.
    package func tick() {
        let (owners, logs, changes) = state.withLock { ($0.owners.all, $0.logs.all, $0.changes.all) }
        for listener in owners { listener.yield(.tick) }
        for follower in logs { follower.yield(.tick) }
        for watcher in changes { watcher.yield(.tick) }
    }

    /// Ends all streams, so that the server can stop.
    package func close() {
        let (owners, logs, changes) = state.withLock { state in
            state.isClosed = true
            return (state.owners.all, state.logs.all, state.changes.all)
        }
        owners.forEach { $0.finish() }
        logs.forEach { $0.finish() }
        changes.forEach { $0.finish() }
    }
}

/// The open streams of one kind, found by what they are about.
private struct Streams<News: Sendable> {
    typealias Stream = AsyncStream<EventHub.Signal<News>>.Continuation

    private var open: [String: [UInt64: Stream]] = [:]
    private var last: UInt64 = 0
    private(set) var count = 0

    subscript(key: String) -> [Stream] { open[key].map { Array($0.values) } ?? [] }
    var all: [Stream] { open.values.flatMap(\.values) }

    mutating func add(_ stream: Stream, _ key: String) -> UInt64 {
        last += 1
        count += 1
        open[key, default: [:]][last] = stream
        return last
    }

    mutating func remove(_ number: UInt64, _ key: String) {
        guard open[key]?.removeValue(forKey: number) != nil else { return }
        count -= 1
        if open[key]?.isEmpty == true { open[key] = nil }
    }
}
