//  What the maker of a job asks for beside its document and targets (14, 15), as CreateJob gives it and DescribeJob
//  shows it.

/// Whom a job reaches (11.1).
package enum TargetSelection: String, CaseIterable, Sendable {
    /// The things that are targets when the job is created.
    case snapshot = "SNAPSHOT"
    /// And those that join a target group later.
    case continuous = "CONTINUOUS"
}

/// How fast executions are queued (15.1).
package struct RolloutConfiguration: Equatable, Sendable {
    /// Executions a minute that no rate may exceed.
    package static let fastest: UInt64 = 1000

    /// Growth of the rate: multiplied each time a criterion is met again.
    package struct Exponential: Equatable, Sendable {
        /// Executions a minute at first: 1 to 1000.
        package var basePerMinute: UInt64
        /// 11 to 50: ten times the factor.
        package var factorTenths: UInt64
        /// So many more things notified raise the rate.
        package var notifiedThings: UInt64?
        /// So many more things succeeded raise the rate.
        package var succeededThings: UInt64?
    }

    /// 1 to 1000 where it is given.
    package var maximumPerMinute: UInt64?
    /// Where the rate grows.
    package var exponential: Exponential?

    /// Executions a minute once so many things were notified and have succeeded.
    package func rate(notified: UInt64, succeeded: UInt64) -> UInt64 {
        let maximum = maximumPerMinute ?? Self.fastest
        guard let growth = exponential else { return maximum }
        var steps = growth.notifiedThings.map { notified / max(1, $0) } ?? 0
        steps = steps.addingReportingOverflow(growth.succeededThings.map { succeeded / max(1, $0) } ?? 0).partialValue
        var thousandths = growth.basePerMinute * 1000
        while steps > 0, thousandths < maximum * 1000 {
            thousandths = thousandths * growth.factorTenths / 10
            steps -= 1
        }
        return min(maximum, thousandths / 1000)
    }
}

/// Which failures count for a criterion (15.2, 15.4).
package enum FailureType: String, CaseIterable, Sendable {
    /// FAILED.
    case failed = "FAILED"
    /// REJECTED.
    case rejected = "REJECTED"
    /// TIMED_OUT.
    case timedOut = "TIMED_OUT"
    /// Any of them.
    case all = "ALL"
}

/// When a job is aborted (15.2).
package struct AbortCriterion: Equatable, Sendable {
    /// What is counted.
    package var failureType: FailureType
    /// Executions that must have finished: 1 or more.
    package var minimumExecuted: UInt64
    /// 1 to 10 000: hundredths of a percent.
    package var thresholdHundredths: UInt64
}

/// What is tried again (15.4).
package struct RetryCriterion: Equatable, Sendable {
    /// FAILED, TIMED_OUT or ALL.
    package var failureType: FailureType
    /// 0 to 10.
    package var retries: UInt64
}

/// What happens when a job's time is over (15.5).
package enum EndBehavior: String, CaseIterable, Sendable {
    /// Nothing more is queued.
    case stopRollout = "STOP_ROLLOUT"
    /// As CancelJob.
    case cancel = "CANCEL"
    /// As CancelJob with force.
    case forceCancel = "FORCE_CANCEL"
}

/// When a job begins and ends (15.5).
package struct Schedule: Equatable, Sendable {
    /// Nothing is queued before.
    package var start: UTCMinute?
    /// Nothing is queued after.
    package var end: UTCMinute?
    /// What happens at the end.
    package var endBehavior: EndBehavior?
}

/// All of it.
package struct JobConfiguration: Equatable, Sendable {
    /// Words for people: 1 to 2028 characters.
    package var description: String?
    /// Kept and shown.
    package var presignedURL: [UInt8]?
    /// How fast.
    package var rollout: RolloutConfiguration?
    /// When to stop; in order.
    package var abort: [AbortCriterion] = []
    /// `inProgressTimeoutInMinutes`: 1 to 10 080.
    package var timeoutMinutes: UInt64?
    /// What to try again.
    package var retry: [RetryCriterion] = []
    /// When.
    package var schedule: Schedule?
    /// Kept and shown.
    package var documentParameters: [UInt8]?
    /// Kept and shown.
    package var packageVersions: [String]?

    /// Nothing asked for.
    package init() {}

    /// Whether an execution that ended so after these tries is tried again.
    func retries(_ status: ExecutionStatus, after count: RetryCount) -> Bool {
        retry.contains { criterion in
            switch (criterion.failureType, status) {
            case (.failed, .failed): count.failed < criterion.retries
            case (.timedOut, .timedOut): count.timedOut < criterion.retries
            case (.all, .failed), (.all, .timedOut): count.total < criterion.retries
            default: false
            }
        }
    }
}
