//  What happens to a job: it is created, cancelled, deleted, and hears of its executions.

/// Words that go with a cancellation.
package struct JobCancellation: Equatable, Sendable {
    /// 1 to 128 of `A-Z 0-9 _`.
    package var reasonCode: String?
    /// 1 to 2028 characters.
    package var comment: String?

    /// Takes both.
    package init(reasonCode: String?, comment: String?) {
        self.reasonCode = reasonCode
        self.comment = comment
    }
}

extension Job {
    /// Cancels a job that is scheduled or in progress: executions follow as work (14).
    mutating func cancel(
        _ cancellation: JobCancellation, force: Bool, _ context: inout JobContext
    ) -> [JobPublication] {
        progress.status = .canceled
        progress.forceCanceled = force
        progress.reasonCode = cancellation.reasonCode
        progress.comment = cancellation.comment
        progress.waiting = 0
        progress.lastUpdatedAt = context.seconds
        return [event(.cancellationInProgress, &context)] + settle(&context)
    }

    /// Begins its deletion: executions follow as work, and then the job itself.
    mutating func delete(_ context: inout JobContext) -> [JobPublication] {
        guard status != .deletionInProgress else { return [] }
        progress.status = .deletionInProgress
        progress.waiting = 0
        progress.lastUpdatedAt = context.seconds
        return [event(.deletionInProgress, &context)]
    }

    /// The event that goes with `JobWork.forget`.
    package func deleted(_ context: inout JobContext) -> JobPublication {
        event(.deleted, &context)
    }

    /// Whether it is over now: tells it once.
    mutating func settle(_ context: inout JobContext) -> [JobPublication] {
        guard progress.completedAt == nil else { return [] }
        let operation: JobEvent
        switch status {
        case .inProgress:
            let isOpen = progress.things[.queued] > 0 || progress.things[.inProgress] > 0 || isRollingOut
            guard selection == .snapshot, !isOpen else { return [] }
            progress.status = .completed
            progress.waiting = 0
            operation = .completed
        case .canceled:
            guard !isCancelling else { return [] }
            operation = .canceled
        case .scheduled, .completed, .deletionInProgress:
            return []
        }
        progress.completedAt = context.seconds
        progress.lastUpdatedAt = context.seconds
        return [event(operation, &context)]
    }
}

// MARK: - Targets

/// What follows for a job where a thing changed its groups (11.1, 11.2, 15.1).
package enum TargetChange: Equatable, Sendable {
    /// Nothing.
    case none
    /// The thing gets the job at once, outside the rate: `ThingJobs.queue`.
    case queue
    /// The thing gets it with the rollout: it was counted, and belongs on the list of waiting targets.
    case wait
    /// The thing loses it: `ThingJobs.remove`, or `Job.forgetWaiting` where it is on that list.
    case remove
}

extension Job {
    /// Whether a thing is a target.
    ///
    /// - Parameter groups: the groups that it is in, and the groups around them.
    package func reaches(_ thing: String, groups: Set<String>) -> Bool {
        targets.contains { target in
            switch target {
            case .thing(let name): name == thing
            case .group(let name): groups.contains(name)
            }
        }
    }

    /// A thing was in `old` groups and is in `new` ones, the groups around them included.
    package mutating func regroup(_ thing: String, from old: Set<String>, to new: Set<String>) -> TargetChange {
        guard selection == .continuous, status == .inProgress || status == .scheduled else { return .none }
        switch (reaches(thing, groups: old), reaches(thing, groups: new)) {
        case (true, false): return .remove
        case (false, true): return welcome()
        case (true, true), (false, false): return .none
        }
    }

    private mutating func welcome() -> TargetChange {
        guard !progress.isRolloutStopped else { return .none }
        if status == .inProgress { return .queue }
        progress.waiting &+= 1
        return .wait
    }

    /// A waiting target is none any more, because it was deleted or has left its group.
    package mutating func forgetWaiting(_ context: inout JobContext) -> [JobPublication] {
        guard progress.waiting > 0 else { return [] }
        progress.waiting -= 1
        return settle(&context)
    }
}

// MARK: - Executions

/// How an execution came onto a thing's queue.
package enum QueueReason: Sendable {
    /// With the rollout, at its rate.
    case rollout
    /// The thing joined: outside the rate.
    case joined
    /// Tried again.
    case retry
}

extension Job {
    /// A new execution was queued.
    mutating func queued(_ reason: QueueReason, replacing old: ExecutionStatus?, at seconds: UInt64) {
        progress.executions &+= 1
        if reason == .rollout {
            progress.window.note(at: seconds, rate: rate)
            if progress.waiting > 0 { progress.waiting -= 1 }
        }
        if reason != .retry { progress.notified &+= 1 }
        progress.things.move(from: old, to: .queued)
    }

    /// The rollout reached a thing that has the job already.
    mutating func skipped() {
        if progress.waiting > 0 { progress.waiting -= 1 }
    }

    /// The latest execution of a thing changed.
    mutating func moved(from old: ExecutionStatus, to new: ExecutionStatus) {
        progress.things.move(from: old, to: new)
        if new.isTerminal { progress.finished[new] &+= 1 }
    }

    /// An execution was deleted; the thing's latest one had and has these statuses.
    mutating func deletedExecution(_ latest: ExecutionStatus?, now: ExecutionStatus?) {
        if progress.executions > 0 { progress.executions -= 1 }
        progress.things.move(from: latest, to: now)
    }

    /// Cancels the job where an execution that became terminal meets a criterion (15.2).
    mutating func abortIfDue(_ context: inout JobContext) -> [JobPublication] {
        guard status == .inProgress, let criterion = configuration.abort.first(where: isMet) else { return [] }
        let percent = String(decoding: [UInt8].decimal(criterion.thresholdHundredths, digits: 2), as: UTF8.self)
        let share = "\(percent) % of \(progress.finished.total) finished executions"
        let cancellation = JobCancellation(
            reasonCode: "ABORT_CRITERIA_MET", comment: "At least \(share): \(criterion.failureType.rawValue)")
        return cancel(cancellation, force: false, &context)
    }

    private func isMet(_ criterion: AbortCriterion) -> Bool {
        let finished = progress.finished
        let failures =
            switch criterion.failureType {
            case .failed: finished[.failed]
            case .rejected: finished[.rejected]
            case .timedOut: finished[.timedOut]
            case .all: finished[.failed] &+ finished[.rejected] &+ finished[.timedOut]
            }
        guard failures > 0, finished.total >= criterion.minimumExecuted else { return false }
        return failures &* 10_000 >= finished.total &* criterion.thresholdHundredths
    }

    /// Whether an execution that ended so is tried again; after the end time nothing is queued any more (15.5).
    func retries(_ execution: JobExecution) -> Bool {
        status == .inProgress && !progress.isRolloutStopped
            && configuration.retries(execution.status, after: execution.retries)
    }
}
