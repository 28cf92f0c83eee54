//  A device's requests about its jobs and their answers, over MQTT and HTTP alike (12, 13).
//
//  A pure function: request, payload and the thing's executions in; changed executions and jobs, publications and answer
//  out. Whoever calls it loads and stores them in one transaction, and publishes after the commit.
import ByteKit

/// Where a request comes from: shapes differ.
package enum JobOrigin: Sendable {
    /// A PUBLISH to a request topic.
    case mqtt
    /// The HTTP data plane.
    case http
}

/// The answer to the one who asked, and to nobody else (12.1).
package enum JobAnswer: Equatable, Sendable {
    /// The payload of `…/accepted`, or the body of status 200.
    case success([UInt8])
    /// Why not, and the payload of `…/rejected`, or the body of the error.
    case refusal(JobRefusal, [UInt8])
}

/// All that follows from one request.
package struct JobOutcome: Sendable {
    /// What must be stored, and what is published after the commit.
    package var changes: JobChanges
    /// What the one who asked gets.
    package var answer: JobAnswer
}

/// The rules of sections 11 to 16.
package enum JobService {
    /// Executions that a `get` lists, IN_PROGRESS first: keeps the answer below 128 KB (1.2).
    package static let listedExecutions = 500

    /// Carries out a request.
    ///
    /// - Parameter things: the thing's pending executions, all executions of the job that is named, and their jobs.
    package static func answer(
        _ request: JobRequest, payload: Span<UInt8>, _ things: ThingJobs, from origin: JobOrigin
    ) -> JobOutcome {
        var things = things
        var token: [UInt8]?
        do throws(JobRequestBody.Rejected) {
            let body = try JobRequestBody(payload, query: request.query)
            token = body.clientToken
            do throws(JobRefusal) {
                let members = try carryOut(request.operation, body, &things, origin)
                let text = success(members, token, things.context.seconds, origin)
                return JobOutcome(changes: things.changes(), answer: .success(text))
            } catch {
                throw JobRequestBody.Rejected(refusal: error, clientToken: token)
            }
        } catch {
            let refusal = request.operation == .unknown ? .noRequest : error.refusal
            let text = rejected(refusal, error.clientToken, things.context.seconds, origin)
            return JobOutcome(changes: JobChanges(), answer: .refusal(refusal, text))
        }
    }

    private static func carryOut(
        _ operation: JobOperation, _ body: JobRequestBody, _ things: inout ThingJobs, _ origin: JobOrigin
    ) throws(JobRefusal) -> JSONObject {
        switch operation {
        case .getPending: return pending(things)
        case .startNext:
            things.sweep()
            return try startNext(body, &things, origin)
        case .describe(let selector): return try describe(selector, body, things, origin)
        case .update(let id):
            things.sweep()
            return try update(id, body, &things, origin)
        case .unknown: throw .noRequest
        }
    }

    private static func pending(_ things: ThingJobs) -> JSONObject {
        let listed = things.pending.prefix(listedExecutions)
        var members = JSONObject()
        members.list("inProgressJobs", listed.filter { $0.status == .inProgress }.map(\.summary))
        members.list("queuedJobs", listed.filter { $0.status == .queued }.map(\.summary))
        return members
    }

    private static func startNext(
        _ body: JobRequestBody, _ things: inout ThingJobs, _ origin: JobOrigin
    ) throws(JobRefusal) -> JSONObject {
        let details = try body.details()
        let step = try body.stepTimeout(mayEnd: false)
        if let next = things.next, next.status == .queued {
            change(next, to: .inProgress, details, step, &things)
        }
        return shown(things.next, withDocument: true, things, origin)
    }

    private static func describe(
        _ selector: JobSelector, _ body: JobRequestBody, _ things: ThingJobs, _ origin: JobOrigin
    ) throws(JobRefusal) -> JSONObject {
        let number = try body.number("executionNumber")
        let withDocument = try body.flag("includeJobDocument") ?? true
        guard case .job(let id) = selector else {
            return shown(things.next, withDocument: withDocument, things, origin)
        }
        let execution = try find(id, number, things)
        guard !execution.status.isTerminal else {
            let state = execution.status.rawValue
            throw JobRefusal(.terminalStateReached, "The execution of job '\(id)' is \(state)")
        }
        return shown(execution, withDocument: withDocument, things, origin)
    }

    private static func update(
        _ id: String, _ body: JobRequestBody, _ things: inout ThingJobs, _ origin: JobOrigin
    ) throws(JobRefusal) -> JSONObject {
        let status = try body.status()
        let details = try body.details()
        let expected = try body.number("expectedVersion")
        let number = try body.number("executionNumber")
        let step = try body.stepTimeout(mayEnd: true)
        let withState = try body.flag("includeJobExecutionState") ?? false
        let withDocument = try body.flag("includeJobDocument") ?? false

        let execution = try find(id, number, things)
        guard !execution.status.isTerminal else { throw .over(execution) }
        guard expected ?? execution.version == execution.version else { throw .otherVersion(execution) }
        change(execution, to: status, details, step, &things)

        var members = JSONObject()
        let changed = things.execution(of: id, number: execution.key.number)
        members.raw("executionState", withState ? changed?.state : nil)
        members.document(withDocument ? things.job(id)?.document : nil, as: origin.documentForm)
        return members
    }

    private static func change(
        _ old: JobExecution, to status: ExecutionStatus, _ details: StatusDetails?, _ step: StepTimeout?,
        _ things: inout ThingJobs
    ) {
        let timeout = things.job(old.key.jobID)?.configuration.timeoutMinutes
        let new = old.moved(
            to: status, details: details, step: step, timeoutMinutes: timeout, at: things.context.seconds)
        if let new { things.replace(old, with: new) }
    }

    private static func find(_ id: String, _ number: UInt64?, _ things: ThingJobs) throws(JobRefusal) -> JobExecution {
        guard let execution = things.execution(of: id, number: number) else {
            throw JobRefusal(.resourceNotFound, "There is no execution of job '\(id)' for thing '\(things.thing)'")
        }
        return execution
    }
}

// MARK: - Answers

extension JobOrigin {
    var documentForm: DocumentForm { self == .mqtt ? .object : .string }
}

extension JobService {
    private static func shown(
        _ execution: JobExecution?, withDocument: Bool, _ things: ThingJobs, _ origin: JobOrigin
    ) -> JSONObject {
        var members = JSONObject()
        guard let execution else { return members }
        let document = withDocument ? things.job(execution.key.jobID)?.document : nil
        members.raw(
            "execution", execution.shape(document: document, as: origin.documentForm, at: things.context.seconds))
        return members
    }

    private static func success(
        _ members: JSONObject, _ token: [UInt8]?, _ seconds: UInt64, _ origin: JobOrigin
    ) -> [UInt8] {
        var members = members
        if origin == .mqtt {
            members.raw("clientToken", token)
            members.number("timestamp", seconds)
        }
        return members.text
    }

    /// `…/rejected` (12.2), or the body of an HTTP error (6.3, 13).
    private static func rejected(
        _ refusal: JobRefusal, _ token: [UInt8]?, _ seconds: UInt64, _ origin: JobOrigin
    ) -> [UInt8] {
        .object {
            if origin == .mqtt { $0.string("code", refusal.code.rawValue) }
            $0.string("message", refusal.message)
            if origin == .mqtt {
                $0.raw("clientToken", token)
                $0.number("timestamp", seconds)
            }
            $0.raw("executionState", refusal.execution?.state)
        }
    }

    /// The body of an HTTP error that was found before the request could be read.
    package static func body(of refusal: JobRefusal) -> [UInt8] { rejected(refusal, nil, 0, .http) }
}
