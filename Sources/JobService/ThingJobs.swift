//  The executions of one thing, as one transaction sees and changes them.
//
//  The shell loads the thing's pending executions, all executions of a job that is asked for, and the jobs of both. Each
//  change tells the execution's job, which may then retry, complete or abort. At the end `changes()` says what to store
//  and what to publish after the commit; the notifications follow from comparing the pending list before and after.

/// All that follows from what was done to one thing's executions.
package struct JobChanges: Equatable, Sendable {
    /// Executions to store: new or changed.
    package var executions: [JobExecution] = []
    /// Executions to delete.
    package var deleted: [ExecutionKey] = []
    /// Jobs to store.
    package var jobs: [Job] = []
    /// What is published after the commit, in this order.
    package var publications: [JobPublication] = []
}

/// One thing's executions and their jobs.
package struct ThingJobs: Sendable {
    /// The thing's name.
    package let thing: String
    /// Executions that are not terminal: IN_PROGRESS ones, then QUEUED ones, each by queue time (11.3).
    package private(set) var pending: [JobExecution]
    /// When and where.
    var context: JobContext

    private var ended: [JobExecution]
    private var jobs: [String: Job]
    private let before: [ExecutionKey]
    private var changed: [ExecutionKey] = []
    private var deleted: [ExecutionKey] = []
    private var changedJobs: [String] = []
    private var events: [JobPublication] = []

    /// Takes what was loaded, in any order.
    package init(thing: String, executions: [JobExecution], jobs: [Job], context: JobContext) {
        self.thing = thing
        self.context = context
        pending = executions.filter { !$0.status.isTerminal }.sorted(by: Self.comesFirst)
        ended = executions.filter(\.status.isTerminal)
        self.jobs = Dictionary(jobs.map { ($0.id, $0) }) { $1 }
        before = pending.map(\.key)
    }

    private static func comesFirst(_ left: JobExecution, _ right: JobExecution) -> Bool {
        if left.status != right.status { return left.status == .inProgress }
        return left.order < right.order
    }

    /// The next execution: the first that is pending (11.3).
    package var next: JobExecution? { pending.first }

    /// A job that was loaded.
    package func job(_ id: String) -> Job? { jobs[id] }

    /// The execution with this number, or the latest one.
    package func execution(of job: String, number: UInt64?) -> JobExecution? {
        let all = (pending + ended).filter { $0.key.jobID == job }
        guard let number else { return all.max { $0.key.number < $1.key.number } }
        return all.first { $0.key.number == number }
    }

    /// What is to be stored and published.
    package func changes() -> JobChanges {
        let all = pending + ended
        var changes = JobChanges()
        changes.executions = changed.compactMap { key in all.first { $0.key == key } }
        changes.deleted = deleted
        changes.jobs = changedJobs.compactMap { jobs[$0] }
        let now = pending.map(\.key)
        if Set(now) != Set(before) { changes.publications.append(notify) }
        if now.first != before.first { changes.publications.append(notifyNext) }
        changes.publications += events
        return changes
    }

    // MARK: - Changing

    /// Changes a job and keeps what it publishes.
    mutating func withJob(_ id: String, _ change: (inout Job, inout JobContext) -> [JobPublication]) {
        guard var job = jobs[id] else { return }
        events += change(&job, &context)
        jobs[id] = job
        if !changedJobs.contains(id) { changedJobs.append(id) }
    }

    private mutating func note(_ key: ExecutionKey) {
        if !changed.contains(key) { changed.append(key) }
    }

    /// Puts an execution in the place of the same one before its change, and tells its job.
    mutating func replace(_ old: JobExecution, with new: JobExecution) {
        pending.removeAll { $0.key == old.key }
        if new.status.isTerminal { ended.append(new) } else { pending.append(new) }
        pending.sort(by: Self.comesFirst)
        note(new.key)
        guard new.status != old.status else { return }
        let isEnd = new.status.isTerminal
        if isEnd { events.append(new.event(isDeletion: false, &context)) }
        withJob(new.key.jobID) { job, context in
            job.moved(from: old.status, to: new.status)
            return isEnd ? job.abortIfDue(&context) : []
        }
        if isEnd, let job = jobs[new.key.jobID], job.retries(new) { retry(new) }
        withJob(new.key.jobID) { job, context in job.settle(&context) }
    }

    private mutating func retry(_ old: JobExecution) {
        var count = old.retries
        if old.status == .failed { count.failed &+= 1 } else { count.timedOut &+= 1 }
        append(old.key.jobID, count, .retry)
    }

    /// Queues a new execution behind the others.
    private mutating func append(_ job: String, _ count: RetryCount, _ reason: QueueReason) {
        let latest = execution(of: job, number: nil)
        let new = JobExecution(
            queued: ExecutionKey(jobID: job, number: (latest?.key.number ?? 0) &+ 1), on: thing,
            order: (pending.map(\.order).max() ?? 0) &+ 1, retries: count, at: context.seconds)
        pending.append(new)
        note(new.key)
        withJob(job) { job, context in
            job.queued(reason, replacing: latest?.status, at: context.seconds)
            return []
        }
    }

    /// The rollout reaches the thing, or the thing joins (11.1): one pending execution of a job is enough.
    package mutating func queue(_ job: String, _ reason: QueueReason) {
        guard let state = jobs[job], state.status == .inProgress else { return }
        guard reason != .rollout || state.mayRollOut(at: context.seconds) else { return }
        if pending.contains(where: { $0.key.jobID == job }) {
            if reason == .rollout {
                withJob(job) { job, context in
                    job.skipped()
                    return job.settle(&context)
                }
            }
        } else {
            append(job, RetryCount(), reason)
        }
    }

    /// Cancels what the job's cancellation covers (14): QUEUED, with force also IN_PROGRESS.
    package mutating func cancel(_ job: String) {
        guard let state = jobs[job], state.status == .canceled else { return }
        for old in pending where old.key.jobID == job {
            guard old.status == .queued || state.progress.forceCanceled else { continue }
            end(old, as: .canceled)
        }
    }

    /// Ends what a cancellation or deletion of its job covers, where the job's work has not come to this thing yet (14).
    mutating func sweep() {
        for old in pending {
            cancel(old.key.jobID)
            delete(old.key.jobID)
        }
    }

    /// The thing left the target groups of a continuous job (11.2).
    package mutating func remove(_ job: String) {
        for old in pending where old.key.jobID == job {
            end(old, as: .removed)
        }
    }

    /// The thing was deleted (11.2).
    package mutating func removeAll() {
        for old in pending {
            end(old, as: .removed)
        }
    }

    /// Ends what has run out of time (15.3); harmless at any time.
    package mutating func clock() {
        for old in pending {
            guard let deadline = old.deadline, deadline <= context.seconds else { continue }
            end(old, as: .timedOut)
        }
    }

    private mutating func end(_ old: JobExecution, as status: ExecutionStatus) {
        guard let new = old.moved(to: status, at: context.seconds) else { return }
        replace(old, with: new)
    }

    /// Deletes the executions of a job that is being deleted.
    package mutating func delete(_ job: String) {
        guard jobs[job]?.status == .deletionInProgress else { return }
        for old in pending + ended where old.key.jobID == job {
            delete(old)
        }
    }

    /// Deletes one execution.
    mutating func delete(_ old: JobExecution) {
        let id = old.key.jobID
        let latest = execution(of: id, number: nil)?.status
        pending.removeAll { $0.key == old.key }
        ended.removeAll { $0.key == old.key }
        changed.removeAll { $0 == old.key }
        deleted.append(old.key)
        events.append(old.event(isDeletion: true, &context))
        let now = execution(of: id, number: nil)?.status
        withJob(id) { job, context in
            job.deletedExecution(latest, now: now)
            return job.settle(&context)
        }
    }

    /// When the next timer of the thing's executions ends.
    package var deadline: UInt64? { pending.compactMap(\.deadline).min() }
}
