import ByteKit
import GRDB
package import JobService
import Logging
import Store

//  AWS IoT's jobs and registry: what devices ask, what a maker's programs ask, and what time brings.

extension Operations {
    /// Portions of work that a request waits for; the rest follows within seconds.
    private static let portionsAtOnce = 20
    /// Seconds after which what failed is tried again.
    private static let pauseAfterFailure: Int64 = 60

    /// Answers a device's request that came over MQTT; `completion` hears topic and payload of the answer.
    package func jobRequest(
        topic: [UInt8], payload: [UInt8],
        completion: @escaping @Sendable (Result<(topic: [UInt8], payload: [UInt8])?, any Error>) -> Void
    ) {
        guard let request = JobRequest.parse(topic: topic.span) else { return completion(.success(nil)) }
        store.submit(isolation: .savepoint) { transaction in
            switch try Self.answer(request, payload, from: .mqtt, transaction) {
            case .success(let body): (Array(request.answerTopic(isAccepted: true).utf8), body)
            case .refusal(_, let body): (Array(request.answerTopic(isAccepted: false).utf8), body)
            }
        } completion: { (result: Result<(topic: [UInt8], payload: [UInt8]), any Error>) in
            completion(result.map { $0 })
        }
    }

    /// Carries out a device's request that came over HTTP as a message to its topic: nobody hears its answer.
    package func jobRequest(topic: [UInt8], payload: [UInt8]) async throws {
        try await withCheckedThrowingContinuation { continuation in
            jobRequest(topic: topic, payload: payload) { continuation.resume(with: $0.map { _ in () }) }
        }
    }

    /// Answers a device's request that came over HTTP.
    package func jobRequest(_ request: JobRequest, payload: [UInt8]) async throws -> JobAnswer {
        try await store.perform { try Self.answer(request, payload, from: .http, $0) }
    }

    private static func answer(
        _ request: JobRequest, _ payload: [UInt8], from origin: JobOrigin, _ transaction: Transaction
    ) throws -> JobAnswer {
        let desk = JobDesk(transaction)
        let things = try desk.load(request.thing, with: request.operation.jobID)
        let outcome = JobService.answer(request, payload: payload.span, things, from: origin)
        try desk.store(outcome.changes, request.thing)
        return outcome.answer
    }

    /// Carries out a request of the control plane and answers its body; empty where there is nothing to say.
    ///
    /// - Throws: `IoTRefusal`; nothing was changed then.
    package func iot(_ request: IoTRequest) async throws -> [UInt8] {
        if request.isRead {
            return try await store.read { transaction in
                let desk = JobDesk(transaction)
                return try desk.answer(request)
            }
        }
        if case .createJob(let job) = request, UpdateJob.isOne(job.id) {
            throw IoTRefusal(.invalidRequest, "Job ids that begin with '\(UpdateJob.prefix)' are the server's own")
        }
        let body = try await store.perform { transaction in
            var desk = JobDesk(transaction)
            return try desk.carryOut(request)
        }
        _ = try await lookAfterJobs(portions: Self.portionsAtOnce)
        return body
    }

    /// Carries out what is due: rollouts, ends of schedules and timers, what follows from cancelling and deleting.
    ///
    /// - Parameter portions: transactions at most.
    /// - Returns: false where more is due.
    @discardableResult
    package func lookAfterJobs(portions: Int = .max) async throws -> Bool {
        var left = portions
        while left > 0 {
            let now = Self.now() / 1000
            let due = try await store.read { transaction in
                (
                    jobs: try String.fetchAll(
                        transaction.db, sql: "SELECT id FROM jobs WHERE deadline <= ? ORDER BY deadline LIMIT 20",
                        arguments: [now]),
                    things: try String.fetchAll(
                        transaction.db,
                        sql: "SELECT DISTINCT thing FROM job_executions WHERE deadline <= ? LIMIT 100", arguments: [now]
                    )
                )
            }
            if due.jobs.isEmpty, due.things.isEmpty { return true }
            for id in due.jobs {
                try await lookAfter("job", id) { transaction in
                    var desk = JobDesk(transaction)
                    try desk.lookAfter(job: id)
                }
            }
            for thing in due.things {
                try await lookAfter("thing", thing) { try JobDesk($0).lookAfter(thing: thing) }
            }
            left -= due.jobs.count + 1
        }
        return false
    }
}

extension Operations {
    /// Carries out one piece of what is due; a mistake in it must not keep the others from their turn for ever.
    private func lookAfter(
        _ kind: String, _ name: String, _ work: @escaping @Sendable (Transaction) throws -> Void
    ) async throws {
        do {
            try await store.perform(work)
        } catch let error as StoreError {
            throw error
        } catch {
            logger.error("what a job asks for failed", metadata: ["\(kind)": "\(name)", "error": "\(error)"])
            let table =
                kind == "job"
                ? "jobs SET deadline = ?2 WHERE id = ?1"
                : "job_executions SET deadline = ?2 WHERE thing = ?1 AND deadline IS NOT NULL"
            let later = Self.now() / 1000 + Self.pauseAfterFailure
            try await store.perform { try $0.db.execute(sql: "UPDATE \(table)", arguments: [name, later]) }
        }
    }
}

extension JobOperation {
    /// The job that it names.
    fileprivate var jobID: String? {
        switch self {
        case .update(let id), .describe(.job(let id)): id
        case .getPending, .startNext, .describe(.next), .unknown: nil
        }
    }
}

extension IoTRequest {
    /// Whether it changes nothing.
    fileprivate var isRead: Bool {
        switch self {
        case .describeJob, .getJobDocument, .listJobs, .listExecutionsForJob, .listExecutionsForThing,
            .describeExecution, .describeThing, .listThings, .describeGroup, .listGroups, .listThingsInGroup,
            .listGroupsForThing:
            true
        case .createJob, .updateJob, .cancelJob, .deleteJob, .associateTargets, .cancelExecution, .deleteExecution,
            .createThing, .updateThing, .deleteThing, .createGroup, .updateGroup, .deleteGroup, .addToGroup,
            .removeFromGroup, .updateGroups:
            false
        }
    }
}
