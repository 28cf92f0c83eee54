import Foundation
import GRDB
import JobService
import Store

//  The jobs service within one transaction: rows in, the core, rows and messages out.

/// What the core of the jobs needs: the open transaction, and when and where it runs.
struct JobDesk {
    let transaction: Transaction
    var context: JobContext

    init(_ transaction: Transaction) {
        self.transaction = transaction
        context = JobContext(seconds: UInt64(Operations.now() / 1000), seed: .random(in: .min ... .max))
    }

    var db: Database { transaction.db }

    /// Publishes after the commit what is not switched off.
    func publish(_ publications: [JobPublication]) throws {
        guard !publications.isEmpty else { return }
        let events = try EventConfigurations(transaction)
        for publication in publications where events.allows(topic: publication.topic) {
            transaction.afterCommit(.publish(topic: Array(publication.topic.utf8), payload: publication.payload))
        }
    }

    func job(_ id: String) throws -> Job {
        guard let job = try Job.find(id, transaction) else { throw Job.notFound(id) }
        return job
    }

    // MARK: One thing

    /// What is pending on a thing, all its executions of one job, and the jobs of both.
    func load(_ thing: String, with job: String? = nil) throws -> ThingJobs {
        let pending = try db.cachedStatement(
            sql: "SELECT * FROM job_executions WHERE thing = ?1 AND status IN ('QUEUED', 'IN_PROGRESS')")
        var executions = try Row.fetchAll(pending, arguments: [thing]).map(JobExecution.init)
        if let job {
            let named = try db.cachedStatement(sql: "SELECT * FROM job_executions WHERE thing = ? AND job = ?")
            executions.removeAll { $0.key.jobID == job }
            executions += try Row.fetchAll(named, arguments: [thing, job]).map(JobExecution.init)
        }
        let ids = Set(executions.map(\.key.jobID) + [job].compactMap { $0 })
        let jobs = try ids.compactMap { try Job.find($0, transaction) }
        return ThingJobs(thing: thing, executions: executions, jobs: jobs, context: context)
    }

    /// Stores what followed for a thing, and publishes it after the commit.
    func store(_ changes: JobChanges, _ thing: String) throws {
        for execution in changes.executions {
            try execution.save(transaction)
        }
        for key in changes.deleted {
            try db.execute(
                sql: "DELETE FROM job_executions WHERE thing = ? AND job = ? AND number = ?",
                arguments: [thing, key.jobID, Int64(clamping: key.number)])
        }
        for job in changes.jobs {
            try job.save(transaction, context)
        }
        try publish(changes.publications)
        for execution in changes.executions {
            try Operations.follow(execution, transaction)
        }
        for key in changes.deleted {
            try Operations.followDeletion(of: key.jobID, on: thing, transaction)
        }
        if !changes.executions.isEmpty || !changes.deleted.isEmpty { transaction.afterCommit(.changed(thing: thing)) }
    }

    /// Loads a thing, changes it, and stores what followed.
    func change(_ thing: String, with job: String? = nil, _ change: (inout ThingJobs) throws -> Void) throws {
        var things = try load(thing, with: job)
        try change(&things)
        try store(things.changes(), thing)
    }

    // MARK: Work

    /// Ends what has run out of time on a thing.
    func lookAfter(thing: String) throws {
        try change(thing) { $0.clock() }
    }

    /// Does one portion of what a job asks for now.
    mutating func lookAfter(job id: String) throws {
        guard var job = try Job.find(id, transaction) else { return }
        try publish(job.clock(&context))
        try job.save(transaction, context)
        guard let work = job.work(at: context.seconds) else { return }
        let found: Bool
        switch work {
        case .queue(let count): found = try queue(id, count)
        case .cancel(let status, let count): found = try cancel(id, status, count)
        case .delete(let count): found = try delete(id, count)
        case .forget: return try forget(&job)
        }
        if !found { try job.save(transaction, context, isStuck: true) }
    }

    private func queue(_ id: String, _ count: Int) throws -> Bool {
        let things = try String.fetchAll(
            db, sql: "SELECT thing FROM job_waiting WHERE job = ? ORDER BY thing LIMIT ?", arguments: [id, count])
        for thing in things {
            try db.execute(sql: "DELETE FROM job_waiting WHERE job = ? AND thing = ?", arguments: [id, thing])
            try change(thing, with: id) { $0.queue(id, .rollout) }
        }
        return !things.isEmpty
    }

    private func cancel(_ id: String, _ status: ExecutionStatus, _ count: Int) throws -> Bool {
        let things = try String.fetchAll(
            db, sql: "SELECT DISTINCT thing FROM job_executions WHERE job = ? AND status = ? LIMIT ?",
            arguments: [id, status.rawValue, count])
        for thing in things {
            try change(thing, with: id) { $0.cancel(id) }
        }
        return !things.isEmpty
    }

    private func delete(_ id: String, _ count: Int) throws -> Bool {
        let things = try String.fetchAll(
            db, sql: "SELECT DISTINCT thing FROM job_executions WHERE job = ? LIMIT ?", arguments: [id, count])
        for thing in things {
            try change(thing, with: id) { $0.delete(id) }
        }
        return !things.isEmpty
    }

    private mutating func forget(_ job: inout Job) throws {
        try publish([job.deleted(&context)])
        try db.execute(sql: "DELETE FROM job_waiting WHERE job = ?", arguments: [job.id])
        try db.execute(sql: "DELETE FROM jobs WHERE id = ?", arguments: [job.id])
    }
}
