import Foundation
import GRDB
import JobService
import Store

//  Jobs and their executions as rows.

extension Job {
    /// The job in a row of `jobs`; lists leave its document out.
    init(_ row: Row) {
        var progress = Progress()
        progress.status = JobStatus(rawValue: row["status"]) ?? .canceled
        progress.lastUpdatedAt = row.seconds("updated")
        progress.completedAt = row.optionalSeconds("completed")
        progress.forceCanceled = row["force_canceled"]
        progress.reasonCode = row["reason_code"]
        progress.comment = row["comment"]
        progress.things = StatusCounts(stored: row["things"])
        progress.finished = StatusCounts(stored: row["finished"])
        progress.executions = row.seconds("executions")
        progress.waiting = row.seconds("waiting")
        progress.notified = row.seconds("notified")
        progress.isRolloutStopped = row["rollout_stopped"]
        progress.window.lastAt = row.optionalSeconds("window_last")
        progress.window.queued = row.seconds("window_queued")
        progress.window.rate = row.seconds("window_rate")
        let targets: String = row["targets"]
        let document: Data? = row["document"]
        self.init(
            id: row["id"], document: [UInt8](document ?? Data()), documentSource: row["document_source"],
            selection: TargetSelection(rawValue: row["selection"]) ?? .snapshot, createdAt: row.seconds("created"),
            targets: targets.split(separator: " ").compactMap { JobTarget(arn: String($0)) },
            configuration: JobConfiguration(stored: [UInt8](row["configuration"] as Data)) ?? JobConfiguration(),
            progress: progress)
    }

    /// The job as it was stored, or nil.
    static func find(_ id: String, _ transaction: Transaction) throws -> Job? {
        try transaction.db.cachedStatement(sql: "SELECT * FROM jobs WHERE id = ?")
            .fetchOne([id], Job.init)
    }

    /// Stores a new job.
    func insert(_ transaction: Transaction, _ context: JobContext) throws {
        try transaction.db.execute(
            sql: """
                INSERT INTO jobs (id, document, document_source, selection, targets, configuration, created, status, updated,
                    force_canceled, things, finished, executions, waiting, notified, rollout_stopped, window_queued,
                    window_rate)
                VALUES (?, ?, ?, ?, '', '', ?, '', 0, 0, '', '', 0, 0, 0, 0, 0, 0)
                """, arguments: [id, Data(document), documentSource, selection.rawValue, Int64(clamping: createdAt)])
        try save(transaction, context)
    }

    /// Stores what changes of a job, and when it is to be looked at again.
    ///
    /// - Parameter isStuck: its list of targets or executions holds less than it counts: nothing to come back for.
    func save(_ transaction: Transaction, _ context: JobContext, isStuck: Bool = false) throws {
        let due = isStuck ? nil : deadline(at: context.seconds)
        let window = progress.window
        let arguments: StatementArguments = [
            id, targets.map { $0.arn(context.arns) }.joined(separator: " "), Data(configuration.stored),
            status.rawValue,
            Int64(clamping: progress.lastUpdatedAt), progress.completedAt.map { Int64(clamping: $0) },
            progress.forceCanceled, progress.reasonCode, progress.comment, progress.things.stored,
            progress.finished.stored, Int64(clamping: progress.executions), Int64(clamping: progress.waiting),
            Int64(clamping: progress.notified), progress.isRolloutStopped, window.lastAt.map { Int64(clamping: $0) },
            Int64(clamping: window.queued), Int64(clamping: window.rate), due.map { Int64(clamping: $0) },
        ]
        try transaction.db.cachedStatement(
            sql: """
                UPDATE jobs SET targets = ?2, configuration = ?3, status = ?4, updated = ?5, completed = ?6,
                    force_canceled = ?7, reason_code = ?8, comment = ?9, things = ?10, finished = ?11, executions = ?12,
                    waiting = ?13, notified = ?14, rollout_stopped = ?15, window_last = ?16, window_queued = ?17,
                    window_rate = ?18, deadline = ?19
                WHERE id = ?1
                """
        ).execute(arguments: arguments)
    }
}

extension StatusCounts {
    /// Reads eight numbers with commas.
    init(stored text: String) {
        self.init()
        for (status, number) in zip(ExecutionStatus.allCases, text.split(separator: ",")) {
            self[status] = UInt64(number) ?? 0
        }
    }

    var stored: String { ExecutionStatus.allCases.map { String(self[$0]) }.joined(separator: ",") }
}

extension JobExecution {
    /// The execution in a row of `job_executions`.
    init(_ row: Row) {
        self.init(
            key: ExecutionKey(jobID: row["job"], number: row.seconds("number")), thing: row["thing"],
            order: row.seconds("place"), queuedAt: row.seconds("queued"),
            retries: RetryCount(failed: row.seconds("retries_failed"), timedOut: row.seconds("retries_timed_out")),
            status: ExecutionStatus(rawValue: row["status"]) ?? .canceled,
            details: StatusDetails(stored: [UInt8](row["details"] as Data)), startedAt: row.optionalSeconds("started"),
            lastUpdatedAt: row.seconds("updated"), version: row.seconds("version"),
            forceCanceled: row["force_canceled"], inProgressEnd: row.optionalSeconds("in_progress_end"),
            stepEnd: row.optionalSeconds("step_end"))
    }

    func save(_ transaction: Transaction) throws {
        let arguments: StatementArguments = [
            thing, key.jobID, Int64(clamping: key.number), Int64(clamping: order), Int64(clamping: queuedAt),
            Int64(clamping: retries.failed), Int64(clamping: retries.timedOut), status.rawValue, Data(details.text),
            startedAt.map { Int64(clamping: $0) }, Int64(clamping: lastUpdatedAt), Int64(clamping: version),
            forceCanceled, inProgressEnd.map { Int64(clamping: $0) }, stepEnd.map { Int64(clamping: $0) },
            deadline.map { Int64(clamping: $0) },
        ]
        try transaction.db.cachedStatement(
            sql: "INSERT OR REPLACE INTO job_executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ).execute(arguments: arguments)
    }
}

extension Statement {
    /// The first row's value, or nil.
    func fetchOne<Value>(_ arguments: StatementArguments, _ make: (Row) -> Value) throws -> Value? {
        try Row.fetchOne(self, arguments: arguments).map(make)
    }
}

extension Row {
    /// A number that is never negative.
    func seconds(_ column: String) -> UInt64 { UInt64(clamping: self[column] as Int64) }

    func optionalSeconds(_ column: String) -> UInt64? { (self[column] as Int64?).map { UInt64(clamping: $0) } }
}
