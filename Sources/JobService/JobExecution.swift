//  One job on one thing (11.2).
//
//      QUEUED ──> IN_PROGRESS ──> SUCCEEDED, FAILED, REJECTED      the device
//        │             └────────> TIMED_OUT                        a timer
//        ├──────────────────────> SUCCEEDED, FAILED, REJECTED      the device, without a start
//        └── both ──────────────> CANCELED, REMOVED                the service
//
//  Nothing leaves a terminal state; a retry is another execution with the next number. Each change adds 1 to the version.

/// Where an execution stands.
package enum ExecutionStatus: String, CaseIterable, Sendable {
    /// Waits for the device.
    case queued = "QUEUED"
    /// The device works on it.
    case inProgress = "IN_PROGRESS"
    /// The device has done it.
    case succeeded = "SUCCEEDED"
    /// The device could not do it.
    case failed = "FAILED"
    /// A timer ran out.
    case timedOut = "TIMED_OUT"
    /// The device will not do it.
    case rejected = "REJECTED"
    /// The thing is no target any more.
    case removed = "REMOVED"
    /// The job, or this execution, was cancelled.
    case canceled = "CANCELED"

    /// Whether nothing follows.
    package var isTerminal: Bool { self != .queued && self != .inProgress }

    /// Whether a device may set it (12.1).
    var isForDevices: Bool {
        switch self {
        case .inProgress, .succeeded, .failed, .rejected: true
        case .queued, .timedOut, .removed, .canceled: false
        }
    }
}

/// Names one execution: an execution number counts within a job and a thing.
package struct ExecutionKey: Hashable, Sendable {
    /// The job.
    package let jobID: String
    /// 1 for the first execution of the job on the thing.
    package let number: UInt64

    /// Names an execution.
    package init(jobID: String, number: UInt64) {
        self.jobID = jobID
        self.number = number
    }
}

/// How a request changes the step timer (15.3).
enum StepTimeout: Equatable {
    /// A new one from now.
    case minutes(UInt64)
    /// None any more.
    case off
}

/// Executions that went before this one because they failed and were tried again (15.4).
package struct RetryCount: Equatable, Sendable {
    /// After FAILED.
    package var failed: UInt64
    /// After TIMED_OUT.
    package var timedOut: UInt64

    /// Counts by kind of failure.
    package init(failed: UInt64 = 0, timedOut: UInt64 = 0) {
        self.failed = failed
        self.timedOut = timedOut
    }

    /// Both kinds.
    package var total: UInt64 { failed &+ timedOut }
}

/// One job on one thing.
///
/// Times are seconds since 1970.
package struct JobExecution: Equatable, Sendable {
    /// Job and execution number.
    package let key: ExecutionKey
    /// The thing's name.
    package let thing: String
    /// Place in the thing's queue: grows with each execution that joins it.
    package let order: UInt64
    /// When it was queued.
    package let queuedAt: UInt64
    /// Tries before this one.
    package let retries: RetryCount
    /// Where it stands.
    package private(set) var status: ExecutionStatus
    /// The device's words.
    package private(set) var details: StatusDetails
    /// When it became IN_PROGRESS, if it did.
    package private(set) var startedAt: UInt64?
    /// When it last changed.
    package private(set) var lastUpdatedAt: UInt64
    /// `versionNumber`: 1 when queued, 1 more with each change.
    package private(set) var version: UInt64
    /// Whether it was cancelled while IN_PROGRESS.
    package private(set) var forceCanceled: Bool
    /// When the in-progress timer ends, while it runs.
    package private(set) var inProgressEnd: UInt64?
    /// When the step timer ends, while it runs.
    package private(set) var stepEnd: UInt64?

    /// Takes the parts as they were stored.
    package init(
        key: ExecutionKey, thing: String, order: UInt64, queuedAt: UInt64, retries: RetryCount,
        status: ExecutionStatus, details: StatusDetails, startedAt: UInt64?, lastUpdatedAt: UInt64, version: UInt64,
        forceCanceled: Bool, inProgressEnd: UInt64?, stepEnd: UInt64?
    ) {
        self.key = key
        self.thing = thing
        self.order = order
        self.queuedAt = queuedAt
        self.retries = retries
        self.status = status
        self.details = details
        self.startedAt = startedAt
        self.lastUpdatedAt = lastUpdatedAt
        self.version = version
        self.forceCanceled = forceCanceled
        self.inProgressEnd = inProgressEnd
        self.stepEnd = stepEnd
    }

    /// A new one at the end of a thing's queue.
    init(queued key: ExecutionKey, on thing: String, order: UInt64, retries: RetryCount, at seconds: UInt64) {
        self.init(
            key: key, thing: thing, order: order, queuedAt: seconds, retries: retries, status: .queued,
            details: .none, startedAt: nil, lastUpdatedAt: seconds, version: 1, forceCanceled: false,
            inProgressEnd: nil, stepEnd: nil)
    }

    /// When the next timer ends (15.3); nil while none runs.
    package var deadline: UInt64? {
        guard let stepEnd else { return inProgressEnd }
        return inProgressEnd.map { min($0, stepEnd) } ?? stepEnd
    }

    /// `approximateSecondsBeforeTimedOut`.
    func secondsLeft(at seconds: UInt64) -> UInt64? {
        deadline.map { $0 > seconds ? $0 - seconds : 0 }
    }

    /// The execution after a change; nil where it is terminal, or where it would be queued again.
    ///
    /// - Parameters:
    ///   - details: replace the old ones; nil keeps them.
    ///   - step: what becomes of the step timer; nil leaves it running.
    ///   - timeoutMinutes: the job's in-progress timer, which starts with IN_PROGRESS.
    func moved(
        to status: ExecutionStatus, details: StatusDetails? = nil, step: StepTimeout? = nil,
        timeoutMinutes: UInt64? = nil, at seconds: UInt64
    ) -> JobExecution? {
        guard !self.status.isTerminal, status != .queued else { return nil }
        var next = self
        next.status = status
        next.details = details ?? self.details
        next.lastUpdatedAt = seconds
        next.version = version &+ 1
        if status == .inProgress {
            next.startOrGoOn(step, timeoutMinutes, at: seconds)
        } else {
            next.forceCanceled = status == .canceled && self.status == .inProgress
            next.inProgressEnd = nil
            next.stepEnd = nil
        }
        return next
    }

    private mutating func startOrGoOn(_ step: StepTimeout?, _ timeoutMinutes: UInt64?, at seconds: UInt64) {
        if startedAt == nil {
            startedAt = seconds
            inProgressEnd = timeoutMinutes.map { seconds.adding(minutes: $0) }
        }
        switch step {
        case .minutes(let minutes): stepEnd = seconds.adding(minutes: minutes)
        case .off: stepEnd = nil
        case nil: break
        }
    }
}

extension UInt64 {
    /// A time some minutes later; the end of time where it lies beyond.
    func adding(minutes: UInt64) -> UInt64 {
        let seconds = minutes.multipliedReportingOverflow(by: 60)
        let sum = addingReportingOverflow(seconds.partialValue)
        return seconds.overflow || sum.overflow ? .max : sum.partialValue
    }

    /// Seconds as milliseconds.
    var milliseconds: UInt64 {
        let product = multipliedReportingOverflow(by: 1000)
        return product.overflow ? .max : product.partialValue
    }
}
