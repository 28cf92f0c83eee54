/// One thing the server has to hear, until `update/accepted` says that it did.
struct Delivery: Equatable, Sendable {
    /// How long an answer may take, in milliseconds.
    static let answerMilliseconds: UInt64 = 10_000
    /// How long a refused report rests, in milliseconds.
    static let refusalMilliseconds: UInt64 = 60_000

    private var isWanted = false
    private var notBefore: UInt64 = 0
    private var token: UInt64?
    private var answerBy: UInt64 = 0

    /// Whether it is to be sent now.
    func isDue(_ now: UInt64) -> Bool { isWanted && now >= notBefore }

    /// When it is due, or when its answer is; `nil` where nothing is open.
    var deadline: UInt64? {
        if isWanted { return notBefore }
        return token == nil ? nil : answerBy
    }

    /// Whether it was sent and not answered yet.
    var isOpen: Bool { isWanted || token != nil }

    /// It is to be sent, not before `time`.
    mutating func want(notBefore time: UInt64) {
        notBefore = isWanted ? min(notBefore, time) : time
        isWanted = true
    }

    /// It was published with `token`.
    mutating func sent(_ token: UInt64, now: UInt64) {
        isWanted = false
        self.token = token
        answerBy = now + Self.answerMilliseconds
    }

    /// An answer came; whether it was the one to the latest publication.
    mutating func accepted(_ answer: UInt64) -> Bool {
        guard token == answer else { return false }
        token = nil
        return true
    }

    /// A refusal came; it is tried again later.
    mutating func rejected(_ answer: UInt64, now: UInt64) -> Bool {
        guard token == answer else { return false }
        token = nil
        want(notBefore: now + Self.refusalMilliseconds)
        return true
    }

    /// The link is gone: what was not answered is sent again when it is back.
    mutating func linkDown() {
        guard token != nil else { return }
        token = nil
        want(notBefore: 0)
    }

    /// Time went on.
    mutating func timeUp(_ now: UInt64) {
        guard !isWanted, token != nil, now >= answerBy else { return }
        linkDown()
    }

    /// Nothing of it is to be told any more.
    mutating func drop() {
        self = Delivery()
    }
}
