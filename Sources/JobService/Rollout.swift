//  What has to be done for a job next, and when (15.1, 15.5).

/// Executions queued lately (15.1).
///
/// A window takes as many as the rate was when it opened. The next one opens a minute after the last execution of the
/// one before: no 60 seconds, wherever they begin, ever see more than one window.
package struct RolloutWindow: Equatable, Sendable {
    /// When its last execution was queued; nil before the first one.
    package var lastAt: UInt64?
    /// How many it has.
    package var queued: UInt64 = 0
    /// How many it takes.
    package var rate: UInt64 = 0

    /// Nothing queued yet.
    package init() {}

    /// When the next window opens.
    var reopensAt: UInt64? { lastAt.map { $0.adding(minutes: 1) } }

    /// How many may be queued now, where a new window would have this rate.
    func room(at seconds: UInt64, rate: UInt64) -> UInt64 {
        guard let reopensAt, seconds < reopensAt else { return rate }
        return self.rate > queued ? self.rate - queued : 0
    }

    /// One was queued.
    mutating func note(at seconds: UInt64, rate: UInt64) {
        if reopensAt.map({ seconds >= $0 }) ?? true { (queued, self.rate) = (0, rate) }
        queued &+= 1
        lastAt = max(lastAt ?? 0, seconds)
    }
}

/// A portion of what has to be done for a job: the shell does it and asks again, unless the portion found nothing.
package enum JobWork: Equatable, Sendable {
    /// Queue executions on at most so many waiting targets: `ThingJobs.queue`, for each.
    case queue(atMost: Int)
    /// Cancel at most so many executions with this status: `ThingJobs.cancel`, for each.
    case cancel(ExecutionStatus, atMost: Int)
    /// Delete at most so many executions: `ThingJobs.delete`, for each.
    case delete(atMost: Int)
    /// Forget the job itself and the list of its targets, and publish `Job.deleted`.
    case forget
}

extension Job {
    /// Executions in one portion of work: keeps transactions short.
    package static let portion = 100

    /// What has to be done now; nil when nothing has.
    package func work(at seconds: UInt64) -> JobWork? {
        switch status {
        case .deletionInProgress:
            return progress.executions > 0 ? .delete(atMost: Self.portion) : .forget
        case .canceled:
            guard isCancelling else { return nil }
            return .cancel(progress.things[.queued] > 0 ? .queued : .inProgress, atMost: Self.portion)
        case .inProgress:
            guard mayRollOut(at: seconds) else { return nil }
            let room = min(progress.window.room(at: seconds, rate: rate), progress.waiting, UInt64(Self.portion))
            return .queue(atMost: Int(room))
        case .scheduled, .completed:
            return nil
        }
    }

    /// Whether a waiting target may be reached now.
    func mayRollOut(at seconds: UInt64) -> Bool {
        isRollingOut && progress.window.room(at: seconds, rate: rate) > 0
    }

    /// When `clock` and `work` should be asked again; nil when only an event can make them say more.
    package func deadline(at seconds: UInt64) -> UInt64? {
        if work(at: seconds) != nil { return seconds }
        let schedule = configuration.schedule
        switch status {
        case .scheduled: return [schedule?.start?.seconds, schedule?.end?.seconds].compactMap { $0 }.min()
        case .inProgress:
            let end = progress.isRolloutStopped ? nil : schedule?.end?.seconds
            return [isRollingOut ? progress.window.reopensAt : nil, end].compactMap { $0 }.min()
        case .completed, .canceled, .deletionInProgress: return nil
        }
    }

    /// Executions a minute, as things stand.
    var rate: UInt64 {
        (configuration.rollout ?? RolloutConfiguration())
            .rate(notified: progress.notified, succeeded: progress.things[.succeeded])
    }

    /// Starts the job, stops its rollout or cancels it when the time has come (15.5); harmless at any time.
    package mutating func clock(_ context: inout JobContext) -> [JobPublication] {
        guard status == .scheduled || status == .inProgress else { return [] }
        let schedule = configuration.schedule
        if status == .scheduled, context.seconds >= schedule?.start?.seconds ?? 0 {
            progress.status = .inProgress
            progress.lastUpdatedAt = context.seconds
        }
        guard let end = schedule?.end?.seconds, context.seconds >= end, !progress.isRolloutStopped else {
            return settle(&context)
        }
        switch schedule?.endBehavior ?? .stopRollout {
        case .stopRollout:
            progress.isRolloutStopped = true
            progress.lastUpdatedAt = context.seconds
            return settle(&context)
        case .cancel, .forceCancel:
            let cancellation = JobCancellation(
                reasonCode: "END_TIME_REACHED", comment: "The end time of the job was reached")
            return cancel(cancellation, force: schedule?.endBehavior == .forceCancel, &context)
        }
    }
}
