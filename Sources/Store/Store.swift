//  The durable store: one SQLite file, one connection, one thread.
//
//  Everything that must survive is written by jobs. A job runs inside the transaction of its batch; while one batch is
//  being committed the next one gathers, so a single caller waits for one commit and a crowd shares it. What a job wants
//  to happen outside (messages, events) is an `Effect`: it leaves after the commit, in the order of the jobs, before any
//  job is told that it is done. The same connection runs the checkpoints: with SQLite before 3.51.3 a checkpoint from a
//  second connection can lose committed rows.

import GRDB
import GRDBSQLite
package import Logging
import Foundation
import Synchronization

/// Fault of the store itself, not of a rule.
package enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The batch could not be committed; nothing of it is stored.
    case commitFailed(String)
    /// The store was closed before the job ran.
    case closed
    /// A pragma did not take: acknowledged rows could be lost in a power cut.
    case unsafeSettings(String)

    /// What happened, for the log and for the answer.
    package var description: String {
        switch self {
        case .commitFailed(let cause): "the change could not be written to disk (\(cause)); nothing was changed"
        case .closed: "the server is stopping; nothing was changed"
        case .unsafeSettings(let cause): "the database cannot be opened safely: \(cause)"
        }
    }
}

/// The database file with its writer thread.
package final class Store: Sendable {
    /// Pages of the log after which the writer copies it back into the database file: 4 MiB.
    private static let checkpointPages: CInt = 1000
    /// Jobs that share one commit at most: larger batches only make the slowest answer slower.
    private static let batchLimit = 200

    private let mailbox = Mailbox()
    private let database: DatabaseQueue
    /// Sees what is committed and never writes: pages and lists do not wait behind the writer, nor it behind them.
    private let reader: DatabaseQueue
    private let logger: Logger
    private let sink = Mutex(EffectSink(deliver: { _ in }))

    /// Opens or creates the file at `path`, migrates it and starts the writer.
    ///
    /// - Throws: `StoreError.unsafeSettings`, or what SQLite says.
    package init(path: String, logger: Logger) throws {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(5)
        database = try DatabaseQueue(path: path, configuration: configuration)
        self.logger = logger
        try database.writeWithoutTransaction(Self.makeDurable)
        try Schema.migrator.migrate(database)
        var readOnly = Configuration()
        readOnly.readonly = true
        readOnly.busyMode = .timeout(5)
        reader = try DatabaseQueue(path: path, configuration: readOnly)
        let thread = Thread { [self] in work() }
        thread.name = "store"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Names the place that effects go to after each commit; called on the writer thread.
    package func deliverEffects(to place: @escaping @Sendable ([Effect]) -> Void) {
        sink.withLock { $0 = EffectSink(deliver: place) }
    }

    /// Runs `body` in the next group commit and answers its value once that commit is on disk.
    ///
    /// A body that throws leaves no trace; its neighbours in the batch are not touched.
    package func perform<T: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            submit(isolation: .savepoint, body) { continuation.resume(with: $0) }
        }
    }

    /// Answers `body` from what is committed, in one snapshot, beside the writer; `body` must not write.
    package func read<T: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await reader.read { db in
            let transaction = Transaction(db: db)
            defer { transaction.close() }
            return try body(transaction)
        }
    }

    /// The same for callers that do not wait; `completion` runs on the reader's thread.
    package func read<T: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> T,
        completion: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        reader.asyncRead { db in
            completion(
                Result {
                    let transaction = Transaction(db: try db.get())
                    defer { transaction.close() }
                    return try body(transaction)
                })
        }
    }

    /// How far a failing job is kept apart from its batch.
    package enum Isolation: Sendable {
        /// The job may write several rows: a savepoint takes them back together.
        case savepoint
        /// The job writes one row at most, as its last act: nothing to take back.
        case singleWrite
    }

    /// Queues `body` for the next group commit; `completion` runs on the writer thread after it.
    package func submit<T: Sendable>(
        isolation: Isolation,
        _ body: @escaping @Sendable (Transaction) throws -> T,
        completion: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        let job = Job(isolation: isolation, body: body, completion: completion)
        if !mailbox.post(job) {
            job.finish(failure: StoreError.closed)
        }
    }

    /// Commits what is queued, copies the log back and stops the writer.
    package func close() {
        try? reader.close()
        mailbox.close()
        try? database.close()
    }

    private static func makeDurable(_ db: Database) throws {
        try db.execute(sql: "PRAGMA synchronous=FULL")
        try db.execute(sql: "PRAGMA wal_autocheckpoint=0")
        try db.execute(sql: "PRAGMA cache_size=-16000")
        let level = try Int.fetchOne(db, sql: "PRAGMA synchronous")
        let journal = try String.fetchOne(db, sql: "PRAGMA journal_mode")
        guard level == 2, journal == "wal" else {
            throw StoreError.unsafeSettings(
                "synchronous is \(level ?? -1), journal \(journal ?? "-"); expected 2 (FULL) and wal")
        }
    }
}

// MARK: - The writer thread

extension Store {
    private func work() {
        database.writeWithoutTransaction { db in
            let transaction = Transaction(db: db)
            let log = LogSize(of: db)
            while let batch = mailbox.take(atMost: Self.batchLimit) {
                run(batch, in: transaction)
                if log.pages >= Self.checkpointPages {
                    log.pages = 0
                    sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
                }
            }
            log.close(db)
            sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
            transaction.close()
        }
        mailbox.finished()
    }

    private func run(_ batch: [any StoreJob], in transaction: Transaction) {
        do {
            try transaction.db.beginTransaction(.immediate)
            for job in batch {
                job.execute(in: transaction)
            }
            try transaction.db.commit()
        } catch {
            try? transaction.db.rollback()
            transaction.forget()
            logger.error("a commit failed", metadata: ["error": "\(error)", "jobs": "\(batch.count)"])
            let failure = StoreError.commitFailed("\(error)")
            batch.forEach { $0.finish(failure: failure) }
            return
        }
        let effects = transaction.takeEffects()
        if !effects.isEmpty {
            sink.withLock { $0 }.deliver(effects)
        }
        batch.forEach { $0.finish(failure: nil) }
    }
}

/// The size of the write-ahead log after the last commit; lives on the writer thread.
private final class LogSize {
    var pages: CInt = 0

    /// Has SQLite tell it, in the place of checkpoints of SQLite's own.
    init(of db: Database) {
        let noteSize: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafePointer<CChar>?, CInt) -> CInt = {
            context, _, _, pages in
            if let context { Unmanaged<LogSize>.fromOpaque(context).takeUnretainedValue().pages = pages }
            return SQLITE_OK
        }
        sqlite3_wal_hook(db.sqliteConnection, noteSize, Unmanaged.passUnretained(self).toOpaque())
    }

    func close(_ db: Database) {
        sqlite3_wal_hook(db.sqliteConnection, nil, nil)
    }
}

/// Where effects go.
///
/// A struct around the function: one that lies bare in a `Mutex` is wrapped once more each time it is taken out, until the
/// stack ends.
private struct EffectSink: Sendable {
    let deliver: @Sendable ([Effect]) -> Void
}

/// A job as the writer sees it, whatever it answers.
private protocol StoreJob: AnyObject, Sendable {
    func execute(in transaction: Transaction)
    func finish(failure: (any Error)?)
}

/// Unchecked: `outcome` is touched on the writer thread only.
private final class Job<T: Sendable>: StoreJob, @unchecked Sendable {
    private let isolation: Store.Isolation
    private let body: @Sendable (Transaction) throws -> T
    private let completion: @Sendable (Result<T, any Error>) -> Void
    private var outcome: Result<T, any Error>?

    init(
        isolation: Store.Isolation,
        body: @escaping @Sendable (Transaction) throws -> T,
        completion: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        self.isolation = isolation
        self.body = body
        self.completion = completion
    }

    func execute(in transaction: Transaction) {
        let mark = transaction.mark()
        do {
            switch isolation {
            case .singleWrite: outcome = .success(try body(transaction))
            case .savepoint: outcome = .success(try transaction.inSavepoint { try body(transaction) })
            }
        } catch {
            transaction.takeBack(to: mark)
            outcome = .failure(error)
        }
    }

    func finish(failure: (any Error)?) {
        if let failure {
            completion(.failure(failure))
        } else if let outcome {
            completion(outcome)
        }
    }
}

/// Hands jobs from any thread to the writer.
///
/// Unchecked: every member is guarded by `condition`.
private final class Mailbox: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [any StoreJob] = []
    private var isClosed = false
    private var isFinished = false

    /// Queues a job; false once the mailbox is closed.
    func post(_ job: any StoreJob) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { return false }
        jobs.append(job)
        if jobs.count == 1 {
            condition.signal()
        }
        return true
    }

    /// Waits for jobs and takes the oldest; nil when closed and empty.
    func take(atMost limit: Int) -> [any StoreJob]? {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty, !isClosed {
            condition.wait()
        }
        guard !jobs.isEmpty else { return nil }
        if jobs.count <= limit {
            defer { jobs.removeAll(keepingCapacity: true) }
            return jobs
        }
        defer { jobs.removeFirst(limit) }
        return Array(jobs.prefix(limit))
    }

    /// Takes no further job and waits until the writer has ended.
    func close() {
        condition.lock()
        defer { condition.unlock() }
        isClosed = true
        condition.broadcast()
        while !isFinished {
            condition.wait()
        }
    }

    func finished() {
        condition.lock()
        isClosed = true
        isFinished = true
        condition.broadcast()
        condition.unlock()
    }
}
