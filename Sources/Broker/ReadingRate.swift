/// How fast a client may send: PUBLISH packets and bytes in a second, each a token bucket.
///
/// A full bucket holds what one second allows. A packet is always taken whole, on credit where it must be; then nothing more
/// is read until the credit is paid back and a tenth of a second is saved up, so that few packets cost few pauses.
struct ReadingRate {
    private var publishes: TokenBucket?
    private var bytes: TokenBucket?

    /// nil where nothing is limited.
    init?(_ limits: BrokerLimits, now: Int64) {
        guard limits.publishesPerSecond != nil || limits.bytesPerSecond != nil else { return nil }
        publishes = limits.publishesPerSecond.map { TokenBucket(perSecond: $0, now: now) }
        bytes = limits.bytesPerSecond.map { TokenBucket(perSecond: $0, now: now) }
    }

    /// Takes one packet into account.
    ///
    /// - Returns: milliseconds until the next one may be read, 0 = at once.
    mutating func take(bytes count: Int, isPublish: Bool, now: Int64) -> Int64 {
        let pause = bytes?.take(count, now: now) ?? 0
        guard isPublish else { return pause }
        return max(pause, publishes?.take(1, now: now) ?? 0)
    }
}

/// Fills at a steady rate up to what one second brings.
struct TokenBucket {
    /// Tokens a second, 1 or more.
    private let perSecond: Int
    /// Thousandths of a token; below 0 = taken on credit.
    private var level: Int
    private var filledAt: Int64

    /// Milliseconds worth of tokens that are saved up after a credit.
    private static let savings = 100

    init(perSecond: Int, now: Int64) {
        self.perSecond = max(1, perSecond)
        level = self.perSecond * 1000
        filledAt = now
    }

    /// Takes `count` tokens, which may be more than there are.
    ///
    /// - Returns: milliseconds until there are some again; 0 while there are.
    mutating func take(_ count: Int, now: Int64) -> Int64 {
        // A clock that was set back brings nothing, one that jumped ahead no more than a second.
        let elapsed = Int(min(max(now - filledAt, 0), 1000))
        filledAt = now
        level = min(level + elapsed * perSecond, perSecond * 1000) - count * 1000
        guard level < 0 else { return 0 }
        return Int64((-level + perSecond - 1) / perSecond + Self.savings)
    }
}
