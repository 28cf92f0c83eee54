/// Slows down who guesses passwords: after ten wrong ones for an account from one address, none counts for 15 minutes.
package struct SignInGuard: Sendable {
    /// Wrong passwords before a pause.
    package static let tries = 10
    /// Milliseconds that tries are remembered, and that a pause lasts.
    package static let memory: Int64 = 15 * 60 * 1000
    /// Pairs of account and address that are remembered; the oldest give way.
    package static let limit = 10_000

    private struct Record {
        var wrong: Int
        var last: Int64
    }

    private var records: [String: Record] = [:]

    package init() {}

    /// Milliseconds until `key` may try again; nil where it may now.
    package func pause(_ key: String, now: Int64) -> Int64? {
        guard let record = records[key], record.wrong >= Self.tries else { return nil }
        let left = record.last + Self.memory - now
        return left > 0 ? left : nil
    }

    /// Notes a wrong password.
    package mutating func failed(_ key: String, now: Int64) {
        if records[key] == nil, records.count >= Self.limit { forgetOldest(now: now) }
        let known = records[key].flatMap { now - $0.last < Self.memory ? $0.wrong : nil } ?? 0
        records[key] = Record(wrong: known + 1, last: now)
    }

    /// Forgets what `key` did wrong.
    package mutating func succeeded(_ key: String) {
        records[key] = nil
    }

    /// Makes room: what is too old, and if that is nothing, the older half.
    private mutating func forgetOldest(now: Int64) {
        records = records.filter { now - $0.value.last < Self.memory }
        guard records.count >= Self.limit else { return }
        let middle = records.values.map(\.last).sorted()[records.count / 2]
        records = records.filter { $0.value.last > middle }
    }
}
