/// The judgement over a new firmware: it has to say that it works, live on, and see the server reached.
struct TrialWatch: Equatable, Sendable {
    /// What is known so far.
    enum Verdict: Equatable {
        case open
        case confirmed
        case failed(Reason)
    }

    private let readyBy: UInt64
    private let reachBy: UInt64
    private let healthMilliseconds: UInt64
    private var provenAt: UInt64?
    private var isProven = false
    private var isReached = false

    /// A trial that began at `now`.
    init(now: UInt64, ready: UInt64, health: UInt64, reach: UInt64) {
        readyBy = now + ready
        reachBy = now + reach
        healthMilliseconds = health
    }

    /// When the verdict may change by itself.
    var deadline: UInt64? {
        let life = isProven ? nil : provenAt ?? readyBy
        let reach = isReached ? nil : reachBy
        guard let life else { return reach }
        return min(life, reach ?? life)
    }

    /// The program says that it works; only the first word counts.
    mutating func ready(now: UInt64) {
        guard provenAt == nil, now < readyBy else { return }
        provenAt = now + healthMilliseconds
    }

    /// The server was reached.
    mutating func reached() {
        isReached = true
    }

    /// What is known at `now`, the program being alive.
    mutating func verdict(now: UInt64) -> Verdict {
        if let provenAt, now >= provenAt {
            isProven = true
        }
        if provenAt == nil, now >= readyBy { return .failed(.notReady) }
        if isProven, isReached { return .confirmed }
        if !isReached, now >= reachBy { return .failed(.notReached) }
        return .open
    }
}
