import GRDB
import JobService

//  The control plane's operations on jobs and executions: each loads values, asks the core, and stores.

extension JobDesk {
    /// Carries out a request that changes something.
    mutating func carryOut(_ request: IoTRequest) throws -> [UInt8] {
        switch request {
        case .createJob(let create): return try self.create(create)
        case .updateJob(let id, let update):
            var job = try job(id)
            try job.update(update, context)
            try job.save(transaction, context)
        case .cancelJob(let id, let cancellation, let force):
            var job = try job(id)
            try publish(job.cancel(cancellation, force: force, by: &context))
            try forgetWaiting(of: id)
            try job.save(transaction, context)
            return job.named(context.arns)
        case .deleteJob(let id, let force):
            var job = try job(id)
            try publish(job.delete(force: force, by: &context))
            try forgetWaiting(of: id)
            try job.save(transaction, context)
        case .associateTargets(let id, let targets, let comment):
            return try associate(id, targets, comment)
        case .cancelExecution(let thing, let id, let cancellation):
            try change(thing, with: id) { try $0.cancel(id, cancellation) }
        case .deleteExecution(let thing, let key, let force):
            try change(thing, with: key.jobID) { try $0.delete(key, force: force) }
        default: return try changeRegistry(request)
        }
        return []
    }

    /// Answers a request that changes nothing.
    func answer(_ request: IoTRequest) throws -> [UInt8] {
        switch request {
        case .describeJob(let id): return try job(id).description(context.arns)
        case .getJobDocument(let id): return try job(id).documentAnswer
        case .listJobs(let filter, let page): return try list(filter, page)
        case .listExecutionsForJob(let id, let status, let page): return try listExecutions(of: id, status, page)
        case .listExecutionsForThing(let thing, let status, let id, let page):
            return try listExecutions(on: thing, status, id, page)
        case .describeExecution(let thing, let id, let number):
            return try load(thing, with: id).find(id, number).description(context)
        default: return try answerRegistry(request)
        }
    }

    // MARK: Jobs

    private mutating func create(_ request: CreateJob) throws -> [UInt8] {
        let existing = try Job.find(request.id, transaction)
        let unknown = try unknown(request.targets)
        let things = existing == nil && unknown == nil ? try members(of: request.targets) : []
        let (job, publications) = try Job.create(
            request, existing: existing, unknown: unknown, things: UInt64(things.count), &context)
        try job.insert(transaction, context)
        try wait(job.id, things)
        try publish(publications)
        return job.named(context.arns)
    }

    private func associate(_ id: String, _ targets: [JobTarget], _ comment: String?) throws -> [UInt8] {
        var job = try job(id)
        let new = try members(of: targets).subtracting(members(of: job.targets))
        try job.associate(
            targets, comment: comment, unknown: try unknown(targets), things: UInt64(new.count), context)
        try wait(id, new)
        try job.save(transaction, context)
        return job.named(context.arns)
    }

    private func list(_ filter: JobFilter, _ page: Page) throws -> [UInt8] {
        var group: ThingGroup?
        if filter.groupName != nil || filter.groupID != nil {
            group = try Row.fetchOne(
                db, sql: "SELECT * FROM thing_groups WHERE name = ?1 OR (?1 IS NULL AND id = ?2)",
                arguments: [filter.groupName, filter.groupID]
            ).map(ThingGroup.init)
        }
        let columns = """
            id, NULL AS document, document_source, selection, targets, configuration, created, status, updated, completed,
            force_canceled, reason_code, comment, things, finished, executions, waiting, notified, rollout_stopped,
            window_last, window_queued, window_rate
            """
        let jobs = try rows(
            "SELECT \(columns) FROM jobs WHERE id > ? ORDER BY id", [page.after ?? ""], page, Job.init
        ) { filter.shows($0, group: group) }
        return Job.list(jobs, page, group: group, context.arns)
    }

    /// Cancels the job of one thing with force, if it is there and not over; its execution follows within the transaction.
    mutating func cancel(_ id: String, of thing: String, _ why: String) throws {
        guard var job = try Job.find(id, transaction) else { return }
        guard job.status == .inProgress else {
            // It was cancelled without force, and the device still works on it.
            let force = ExecutionCancellation(force: true)
            guard let execution = try load(thing, with: id).execution(of: id, number: nil),
                !execution.status.isTerminal
            else { return }
            return try change(thing, with: id) { try $0.cancel(id, force) }
        }
        let cancellation = JobCancellation(reasonCode: "UPDATE_ENDED", comment: String(why.prefix(500)))
        try publish(job.cancel(cancellation, force: true, by: &context))
        try forgetWaiting(of: id)
        try job.save(transaction, context)
        try lookAfter(job: id)
    }

    // MARK: Executions

    private func listExecutions(of id: String, _ status: ExecutionStatus?, _ page: Page) throws -> [UInt8] {
        _ = try job(id)
        let (thing, number) = Self.parts(of: page.after)
        let found = try rows(
            """
            SELECT * FROM job_executions
            WHERE job = ?1 AND (?2 IS NULL OR status = ?2) AND (thing > ?3 OR (thing = ?3 AND number > ?4))
            ORDER BY thing, number
            """, [id, status?.rawValue, thing, number], page, JobExecution.init)
        return JobExecution.listForJob(found, page, context.arns)
    }

    private func listExecutions(
        on thing: String, _ status: ExecutionStatus?, _ id: String?, _ page: Page
    ) throws -> [UInt8] {
        let (job, number) = Self.parts(of: page.after)
        let found = try rows(
            """
            SELECT * FROM job_executions
            WHERE thing = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR job = ?3)
                AND (job > ?4 OR (job = ?4 AND number > ?5))
            ORDER BY job, number
            """, [thing, status?.rawValue, id, job, number], page, JobExecution.init)
        return JobExecution.listForThing(found, page)
    }

    /// A row's key, `NAME/NUMBER`, taken apart.
    private static func parts(of key: String?) -> (name: String, number: Int64) {
        let parts = (key ?? "").split(separator: "/")
        return (parts.first.map { String($0) } ?? "", parts.count > 1 ? Int64(parts[1]) ?? 0 : 0)
    }

    /// As many of the rows of a statement as a page needs.
    func rows<Value>(
        _ sql: String, _ arguments: StatementArguments, _ page: Page, _ make: (Row) -> Value,
        where isShown: (Value) -> Bool = { _ in true }
    ) throws -> [Value] {
        var found: [Value] = []
        let cursor = try Row.fetchCursor(db, sql: sql, arguments: arguments)
        while found.count < page.rows, let row = try cursor.next() {
            let value = make(row)
            if isShown(value) { found.append(value) }
        }
        return found
    }

    // MARK: Targets

    /// The first target that does not exist.
    private func unknown(_ targets: [JobTarget]) throws -> JobTarget? {
        try targets.first { target in
            switch target {
            case .thing(let name): try find(thing: name) == nil
            case .group(let name): try find(group: name) == nil
            }
        }
    }

    /// The things that targets hold, those in child groups included.
    private func members(of targets: [JobTarget]) throws -> Set<String> {
        var found: Set<String> = []
        for target in targets {
            switch target {
            case .thing(let name): found.insert(name)
            case .group(let name): found.formUnion(try things(in: name, recursive: true, after: "", limit: .max))
            }
        }
        return found
    }

    private func wait(_ id: String, _ things: Set<String>) throws {
        let statement = try db.cachedStatement(sql: "INSERT OR IGNORE INTO job_waiting (job, thing) VALUES (?, ?)")
        for thing in things {
            try statement.execute(arguments: [id, thing])
        }
    }

    private func forgetWaiting(of id: String) throws {
        try db.execute(sql: "DELETE FROM job_waiting WHERE job = ?", arguments: [id])
    }

    /// A thing is no target of a job any more, if the rollout has not reached it.
    mutating func forget(_ thing: String, of id: String) throws {
        try db.execute(sql: "DELETE FROM job_waiting WHERE job = ? AND thing = ?", arguments: [id, thing])
        guard db.changesCount > 0, var job = try Job.find(id, transaction) else { return }
        try publish(job.forgetWaiting(&context))
        try job.save(transaction, context)
    }

    /// Tells the continuous jobs that a thing was in other groups.
    mutating func regroup(_ thing: String, from old: Set<String>) throws {
        let new = try surroundings(of: thing)
        guard new != old else { return }
        let ids = try String.fetchAll(
            db,
            sql: """
                SELECT id FROM jobs WHERE selection = 'CONTINUOUS' AND status IN ('IN_PROGRESS', 'SCHEDULED') ORDER BY id
                """)
        for id in ids {
            var job = try job(id)
            switch job.regroup(thing, from: old, to: new) {
            case .queue: try change(thing, with: id) { $0.queue(id, .joined) }
            case .wait:
                try wait(id, [thing])
                try job.save(transaction, context)
            case .remove:
                try forget(thing, of: id)
                try change(thing, with: id) { $0.remove(id) }
            case .none: break
            }
        }
    }
}
