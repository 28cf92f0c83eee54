//  One version on its way to one device.
//
//      idle ── begin ──> downloading ──> verifying ──> installing ──> restarting ═══> confirming
//                         │      ^                                    (device starts)    │
//                       break    │ time up                                               │
//                         └─> pausing                 any failure ──> waiting ── time up ──> downloading
//                                                                └──> given up
//
//  Rules:
//  - A break is not a failure while bytes get through: the download resumes where it stopped, after 1 s, 2
//    s, 4 s … 30 s. `maximumBreaks` breaks in a row without a new byte, while the link is up, end the
//    attempt.
//  - While the link is down nothing counts; the download goes on as soon as it is up, and no attempt begins.
//  - A failed attempt leaves the old firmware running and is repeated after 1, 6 and 30 times
//    `retryMilliseconds`, up to `maximumAttempts` attempts at one version. A reason that cannot change ends
//    it at once.
//
//  Not handled here: which version, the bytes, the slots, the judgement over a trial, what is told to whom.

/// The phases of an update; takes what happened and answers what to do.
public struct UpdateMachine: Equatable, Sendable {
    /// Limits of an update.
    public struct Configuration: Equatable, Sendable {
        /// Largest image, in bytes; the size of a slot.
        public var maximumImageBytes: UInt64 = 1 << 30
        /// Pause after the first break.
        public var firstPauseMilliseconds: UInt64 = 1_000
        /// Longest pause after a break.
        public var longestPauseMilliseconds: UInt64 = 30_000
        /// Breaks in a row without a new byte that end an attempt.
        public var maximumBreaks: UInt8 = 5
        /// Pause after the first failed attempt.
        public var retryMilliseconds: UInt64 = 10_000
        /// Attempts at one desired version.
        public var maximumAttempts: UInt8 = 3

        /// The limits described above.
        public init() {}
    }

    /// Where the update stands.
    public enum Phase: Equatable, Sendable {
        /// Nothing to do.
        case idle
        /// Bytes are asked for or coming.
        case downloading
        /// The download broke; it resumes at this time, in milliseconds.
        case pausing(until: UInt64)
        /// The digest is being computed.
        case verifying
        /// The image is being put into its slot.
        case installing
        /// The device is about to start again.
        case restarting
        /// The new firmware runs on trial.
        case confirming
        /// An attempt failed; the next begins at this time, in milliseconds.
        case waiting(until: UInt64)
        /// Attempts are used up, or useless.
        case givenUp
    }

    /// What to do next.
    public enum Order: Equatable, Sendable {
        /// Nothing.
        case rest
        /// Ask for the image from this byte on.
        case download(offset: UInt64)
        /// Compute the digest.
        case verify
        /// Put the image into its slot.
        case install
        /// Start the device again.
        case restart
        /// Tell that the attempt failed; a download still running must end.
        case failed(Reason)
    }

    /// Whether the server can be heard at present.
    public enum Link: Equatable, Sendable {
        /// It can.
        case up
        /// It cannot.
        case down
    }

    /// Where the update stands.
    public private(set) var phase: Phase
    /// Bytes that have arrived, counted from the start of the image.
    public private(set) var received: UInt64 = 0
    /// Size of the image in bytes; 0 while unknown.
    public private(set) var total: UInt64 = 0
    /// Attempts at the present version that failed.
    public private(set) var failures: UInt8
    /// Whether the server can be heard.
    public private(set) var link = Link.down
    /// Most bytes that had arrived at any time; a server that always begins at 0 makes no progress by that
    /// alone.
    private var highest: UInt64 = 0
    private var breaks: UInt8 = 0
    private let configuration: Configuration

    /// Largest total with which a percentage can be computed in 64 bits.
    private static let countableBytes: UInt64 = 1 << 56

    /// A machine at rest; `failures` attempts at its version failed before the device was started.
    public init(_ configuration: Configuration, failures: UInt8) {
        self.configuration = configuration
        self.failures = failures
        phase = failures >= configuration.maximumAttempts ? .givenUp : .idle
    }

    /// Share of the image that has arrived, 0 to 100.
    public var percent: UInt8 {
        total > 0 ? UInt8(min(received, total) * 100 / total) : 0
    }

    /// When the phase changes by itself, in milliseconds.
    public var deadline: UInt64? {
        switch phase {
        case .pausing(let until): until
        case .waiting(let until): link == .up ? until : nil
        default: nil
        }
    }

    // MARK: Coming and going

    /// Forgets everything about the version it was at.
    public mutating func reset() {
        phase = .idle
        received = 0
        total = 0
        failures = 0
        breaks = 0
    }

    /// An attempt begins; `received` bytes of the same image are there from before.
    public mutating func begin(from received: UInt64) -> Order {
        phase = .downloading
        self.received = received
        highest = received
        total = 0
        breaks = 0
        return .download(offset: received)
    }

    /// The device was started with a new firmware on trial.
    public mutating func trialStarted() {
        phase = .confirming
    }

    /// The device was started between two attempts.
    public mutating func wait(_ now: UInt64) {
        phase = failures >= configuration.maximumAttempts ? .givenUp : .waiting(until: now + retryPause)
    }

    /// The link changed; a pausing download goes on at once when it is up.
    public mutating func link(is link: Link, now: UInt64) {
        self.link = link
        breaks = 0
        if link == .up, case .pausing = phase {
            phase = .pausing(until: now)
        }
    }

    /// Time went on.
    public mutating func timeUp(now: UInt64) -> Order {
        switch phase {
        case .pausing(let until) where now >= until:
            phase = .downloading
            return .download(offset: received)
        case .waiting(let until) where now >= until && link == .up:
            return begin(from: 0)
        default:
            return .rest
        }
    }

    // MARK: Download

    /// The server answered: the image has `total` bytes, and those from `offset` on are coming.
    public mutating func downloadStarted(total: UInt64, from offset: UInt64, now: UInt64) -> Order {
        guard phase == .downloading else { return .rest }
        guard total > 0 else { return fail(.imageEmpty, now: now) }
        guard total <= min(configuration.maximumImageBytes, Self.countableBytes) else {
            return fail(.imageTooLarge, now: now)
        }
        guard offset <= min(received, total) else { return downloadBroken(now: now) }
        if self.total != total {
            highest = offset
        }
        self.total = total
        received = offset
        return .rest
    }

    /// `received` bytes are stored, counted from the start of the image.
    public mutating func progress(received count: UInt64) {
        guard phase == .downloading, count > received, count <= total else { return }
        received = count
        guard count > highest else { return }
        highest = count
        breaks = 0
    }

    /// The connection broke, or the server cannot serve at present.
    public mutating func downloadBroken(now: UInt64) -> Order {
        guard phase == .downloading else { return .rest }
        guard link == .up else {
            phase = .pausing(until: now + configuration.longestPauseMilliseconds)
            return .rest
        }
        breaks += 1
        guard breaks < configuration.maximumBreaks else { return fail(.noProgress, now: now) }
        phase = .pausing(until: now + pause)
        return .rest
    }

    private var pause: UInt64 {
        let doubled = configuration.firstPauseMilliseconds << UInt64(min(breaks, 16) - 1)
        return min(doubled, configuration.longestPauseMilliseconds)
    }

    /// The server answered with another status than 200 and 206.
    ///
    /// 4xx ends the attempt; 408, 425, 429 and all others are a break.
    public mutating func downloadRefused(httpStatus: UInt16, now: UInt64) -> Order {
        guard phase == .downloading else { return .rest }
        switch httpStatus {
        case 408, 425, 429: return downloadBroken(now: now)
        case 400...499: return fail(.refused(httpStatus: httpStatus), now: now)
        default: return downloadBroken(now: now)
        }
    }

    /// The last byte is stored.
    public mutating func downloadFinished(now: UInt64) -> Order {
        guard phase == .downloading else { return .rest }
        guard total > 0, received == total else { return downloadBroken(now: now) }
        phase = .verifying
        return .verify
    }

    // MARK: Behind the download

    /// The image has the digest the server named.
    public mutating func verified() -> Order {
        guard phase == .verifying else { return .rest }
        phase = .installing
        return .install
    }

    /// The image is safely in its slot.
    public mutating func installed() -> Order {
        guard phase == .installing else { return .rest }
        phase = .restarting
        return .restart
    }

    /// The attempt is over; the next comes after a pause, if there may be one.
    public mutating func fail(_ reason: Reason, now: UInt64) -> Order {
        failures = reason.isPermanent ? configuration.maximumAttempts : failures &+ 1
        received = 0
        total = 0
        breaks = 0
        wait(now)
        return .failed(reason)
    }

    private var retryPause: UInt64 {
        switch failures {
        case 0, 1: configuration.retryMilliseconds
        case 2: configuration.retryMilliseconds * 6
        default: configuration.retryMilliseconds * 30
        }
    }
}
