import ByteKit

/// What is to be done and was not drawn yet.
struct Needs: Sendable {
    /// The one thing an update does next.
    enum Action: Equatable, Sendable {
        case none
        case download(offset: UInt64)
        case verify
        case install
        case restart
    }

    /// Where the settings stand.
    enum Applying: Equatable, Sendable {
        case no
        /// Drawn, not answered.
        case running
        /// Drawn, and others are desired meanwhile.
        case stale
    }

    var save = false
    var saveAt: UInt64 = 0
    var stopProgram = false
    var cancelDownload = false
    var start: Run?
    var action = Action.none
    var applying = Applying.no
    var apply = false
    var applyAt: UInt64?
    /// Whether a download was drawn and has not ended.
    var isDownloadRunning = false
    /// After `.restart` nothing more happens here.
    var isOver = false
}

/// What is known about the session with the broker.
struct LinkState: Sendable {
    /// How long the answer to `get` may take, in milliseconds.
    static let answerMilliseconds: UInt64 = 10_000

    var isUp = false
    /// Number of the next topic to subscribe.
    var nextSubscription: UInt8 = 0
    /// Whether `get` is to be published.
    var needsGet = false
    /// When to ask again.
    var answerBy: UInt64?
    /// Whether the shadow answered since the device was started.
    var isShadowKnown = false
    /// Highest version of the shadow seen in this session; older news are ignored.
    var shadowVersion: UInt64 = 0
    /// Whether an unusable setting was logged in this session.
    var didLogRefusal = false

    mutating func up() {
        let known = isShadowKnown
        self = LinkState()
        isShadowKnown = known
        isUp = true
        needsGet = true
    }

    mutating func down() {
        isUp = false
        needsGet = false
        answerBy = nil
    }

    mutating func timeUp(_ now: UInt64) {
        guard let time = answerBy, now >= time else { return }
        answerBy = nil
        needsGet = isUp
    }
}

/// How often the confirmed program had to be started again.
struct ProgramWatch: Sendable {
    /// Longest pause before another start, in milliseconds.
    static let longestPause: UInt64 = 30_000
    /// A program that lived that long is started again at once, in milliseconds.
    static let steadyMilliseconds: UInt64 = 60_000

    var restartAt: UInt64?
    private var startedAt: UInt64 = 0
    private var pause: UInt64 = 1_000

    mutating func started(_ now: UInt64) {
        startedAt = now
        restartAt = nil
    }

    mutating func exited(_ now: UInt64) {
        if now - min(now, startedAt) >= Self.steadyMilliseconds {
            pause = 1_000
        }
        restartAt = now + pause
        pause = min(pause * 2, Self.longestPause)
    }
}
