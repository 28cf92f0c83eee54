//  One job: what is sent, how far it has come, and what has to be done for it next.
//
//      SCHEDULED ──start──> IN_PROGRESS ──> COMPLETED      all executions terminal, rollout done (SNAPSHOT only)
//          └───────┬─────────────┴────────> CANCELED       CancelJob, abort criteria, end time
//                  └── any state ─────────> DELETION_IN_PROGRESS ──> gone
//
//  The value counts; it does not hold executions, of which there may be a hundred thousand. What follows from a change
//  for executions is work (`work(at:)`) that the shell does in portions, and that is derived from state and counts alone:
//  whatever was cut off by a crash is offered again. Executions change through `ThingJobs`, which tells their job.

/// Where a job stands.
package enum JobStatus: String, CaseIterable, Sendable {
    /// Before its start time.
    case scheduled = "SCHEDULED"
    /// From creation, or from its start time.
    case inProgress = "IN_PROGRESS"
    /// All is done.
    case completed = "COMPLETED"
    /// It was cancelled.
    case canceled = "CANCELED"
    /// It is being deleted.
    case deletionInProgress = "DELETION_IN_PROGRESS"
}

/// Numbers of things, or of executions, by status.
package struct StatusCounts: Equatable, Sendable {
    private var counts = [UInt64](repeating: 0, count: ExecutionStatus.allCases.count)

    /// Nothing counted.
    package init() {}

    /// How many there are with a status.
    package subscript(status: ExecutionStatus) -> UInt64 {
        get { counts[Self.place(status)] }
        set { counts[Self.place(status)] = newValue }
    }

    /// How many there are.
    package var total: UInt64 { counts.reduce(0, &+) }

    private static func place(_ status: ExecutionStatus) -> Int {
        switch status {
        case .queued: 0
        case .inProgress: 1
        case .succeeded: 2
        case .failed: 3
        case .timedOut: 4
        case .rejected: 5
        case .removed: 6
        case .canceled: 7
        }
    }

    /// One leaves a status, one enters another.
    mutating func move(from old: ExecutionStatus?, to new: ExecutionStatus?) {
        if let old, self[old] > 0 { self[old] -= 1 }
        if let new { self[new] &+= 1 }
    }
}

/// A job and how far it has come.
///
/// Times are seconds since 1970.
package struct Job: Equatable, Sendable {
    /// Unique among the jobs that exist.
    package let id: String
    /// JSON, byte for byte as it was given.
    package let document: [UInt8]
    /// Where the document came from, if the request named a place.
    package let documentSource: String?
    /// Whom it reaches.
    package let selection: TargetSelection
    /// When it was created.
    package let createdAt: UInt64
    /// What it is sent to: 1 to 100.
    package internal(set) var targets: [JobTarget]
    /// What else was asked for.
    package internal(set) var configuration: JobConfiguration
    /// How far it has come.
    package internal(set) var progress: Progress

    /// The part of a job that changes by itself.
    package struct Progress: Equatable, Sendable {
        /// Where it stands.
        package var status = JobStatus.inProgress
        /// When it last changed.
        package var lastUpdatedAt: UInt64 = 0
        /// When it was completed or its cancellation was.
        package var completedAt: UInt64?
        /// Whether it was cancelled with force.
        package var forceCanceled = false
        /// Why it was cancelled: `A-Z 0-9 _`.
        package var reasonCode: String?
        /// Words about it.
        package var comment: String?
        /// Things by the status of their latest execution.
        package var things = StatusCounts()
        /// Executions that became terminal, those that were tried again included.
        package var finished = StatusCounts()
        /// Executions that exist.
        package var executions: UInt64 = 0
        /// Targets that the rollout has not reached; at 0 the shell may forget their list.
        package var waiting: UInt64 = 0
        /// Things that the rollout has reached.
        package var notified: UInt64 = 0
        /// Whether its end time has stopped the rollout.
        package var isRolloutStopped = false
        /// What was queued lately.
        package var window = RolloutWindow()

        /// Of a job that has just been created.
        package init() {}
    }

    /// Takes the parts as they were stored.
    package init(
        id: String, document: [UInt8], documentSource: String?, selection: TargetSelection, createdAt: UInt64,
        targets: [JobTarget], configuration: JobConfiguration, progress: Progress
    ) {
        self.id = id
        self.document = document
        self.documentSource = documentSource
        self.selection = selection
        self.createdAt = createdAt
        self.targets = targets
        self.configuration = configuration
        self.progress = progress
    }

    /// Where it stands.
    package var status: JobStatus { progress.status }

    /// Whether it rolls out new executions or cancels old ones (14).
    var isConcurrent: Bool { isRollingOut || isCancelling }

    /// Whether there are targets left that will be reached.
    var isRollingOut: Bool { status == .inProgress && progress.waiting > 0 && !progress.isRolloutStopped }

    /// Whether a cancellation has executions left.
    var isCancelling: Bool {
        status == .canceled
            && (progress.things[.queued] > 0 || (progress.forceCanceled && progress.things[.inProgress] > 0))
    }
}
