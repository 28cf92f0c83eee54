//  The control plane's operations on jobs and executions (14): values in, values and answers out.
import ByteKit

extension Job {
    /// CreateJob.
    ///
    /// - Parameters:
    ///   - existing: the job that has the id.
    ///   - unknown: a target that does not exist.
    ///   - things: how many things the targets hold, each counted once; the shell keeps their list.
    ///   - fetched: what lies at `documentSource`.
    package static func create(
        _ request: CreateJob, existing: Job?, unknown: JobTarget?, things: UInt64, fetched: [UInt8]? = nil,
        _ context: inout JobContext
    ) throws(IoTRefusal) -> (job: Job, publications: [JobPublication]) {
        if let existing {
            let resource = IoTRefusal.Resource(id: existing.id, arn: context.arns.job(existing.id))
            throw IoTRefusal(.resourceAlreadyExists, "Job '\(existing.id)' already exists", resource: resource)
        }
        if let unknown { throw .notFound("Target", unknown.arn(context.arns)) }
        guard let document = request.document ?? fetched, CreateJob.isDocument(document) else {
            throw .invalid("documentSource", "a place with a JSON object of at most 32768 bytes")
        }
        var progress = Progress()
        progress.status = request.configuration.schedule?.start == nil ? .inProgress : .scheduled
        progress.lastUpdatedAt = context.seconds
        progress.waiting = things
        var job = Job(
            id: request.id, document: document, documentSource: request.documentSource, selection: request.selection,
            createdAt: context.seconds, targets: request.targets, configuration: request.configuration,
            progress: progress)
        let publications = job.settle(&context)
        return (job, publications)
    }

    /// UpdateJob; new timeouts apply to executions that start later.
    package mutating func update(_ request: JobUpdate, _ context: JobContext) throws(IoTRefusal) {
        guard isOpen else { throw notOpen }
        let new = request.configuration
        if let description = new.description { configuration.description = description }
        if let presigned = new.presignedURL { configuration.presignedURL = presigned }
        if let rollout = new.rollout { configuration.rollout = rollout }
        if !new.abort.isEmpty { configuration.abort = new.abort }
        if let timeout = new.timeoutMinutes { configuration.timeoutMinutes = timeout }
        if !new.retry.isEmpty { configuration.retry = new.retry }
        progress.lastUpdatedAt = context.seconds
    }

    /// CancelJob; executions follow as work.
    package mutating func cancel(
        _ request: JobCancellation, force: Bool, by context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        guard isOpen else { throw notOpen }
        return cancel(request, force: force, &context)
    }

    /// DeleteJob; executions follow as work, and then the job itself.
    package mutating func delete(
        force: Bool, by context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        guard force || status != .inProgress else {
            throw IoTRefusal(.invalidStateTransition, "Job '\(id)' is IN_PROGRESS; cancel it first, or use force")
        }
        return delete(&context)
    }

    /// AssociateTargetsWithJob; the rollout reaches the things of the new targets.
    ///
    /// - Parameters:
    ///   - unknown: a target that does not exist.
    ///   - things: how many things the new targets hold that were no targets; the shell adds them to its list.
    package mutating func associate(
        _ new: [JobTarget], comment: String?, unknown: JobTarget?, things: UInt64, _ context: JobContext
    ) throws(IoTRefusal) {
        guard selection == .continuous, status == .inProgress else {
            throw IoTRefusal(.invalidRequest, "Job '\(id)' is not CONTINUOUS and IN_PROGRESS")
        }
        if let unknown { throw .notFound("Target", unknown.arn(context.arns)) }
        let added = new.filter { !targets.contains($0) }
        guard targets.count + added.count <= CreateJob.maximumTargets else {
            throw .invalid("targets", "at most \(CreateJob.maximumTargets) together")
        }
        targets += added
        progress.waiting &+= things
        if let comment { progress.comment = comment }
        progress.lastUpdatedAt = context.seconds
    }

    private var isOpen: Bool { status == .inProgress || status == .scheduled }

    private var notOpen: IoTRefusal { IoTRefusal(.invalidRequest, "Job '\(id)' is \(status.rawValue)") }

    /// The refusal for a job that does not exist.
    package static func notFound(_ id: String) -> IoTRefusal { .notFound("Job", id) }
}

// MARK: - Executions

extension ThingJobs {
    /// CancelJobExecution.
    package mutating func cancel(_ job: String, _ request: ExecutionCancellation) throws(IoTRefusal) {
        let old = try find(job, nil)
        guard !old.status.isTerminal, old.status == .queued || request.force else { throw stuck(old) }
        guard request.expectedVersion ?? old.version == old.version else { throw .versionConflict }
        let new = old.moved(to: .canceled, details: request.details, at: context.seconds)
        if let new { replace(old, with: new) }
    }

    /// DeleteJobExecution.
    package mutating func delete(_ key: ExecutionKey, force: Bool) throws(IoTRefusal) {
        let old = try find(key.jobID, key.number)
        guard old.status != .inProgress || force else { throw stuck(old) }
        delete(old)
    }

    /// The execution that a request names: by number, or the latest one.
    package func find(_ job: String, _ number: UInt64?) throws(IoTRefusal) -> JobExecution {
        guard let execution = execution(of: job, number: number) else {
            throw .notFound("Execution of job '\(job)' for thing", thing)
        }
        return execution
    }

    private func stuck(_ execution: JobExecution) -> IoTRefusal {
        IoTRefusal(
            .invalidStateTransition, "The execution of job '\(execution.key.jobID)' is \(execution.status.rawValue)")
    }
}

// MARK: - Answers

extension Job {
    /// The answer to CreateJob, CancelJob and AssociateTargetsWithJob.
    package func named(_ arns: ARNs) -> [UInt8] {
        .object {
            $0.string("jobArn", arns.job(id))
            $0.string("jobId", id)
            $0.string("description", configuration.description)
        }
    }

    /// The answer to GetJobDocument.
    package var documentAnswer: [UInt8] { .object { $0.string("document", utf8: document) } }

    /// The answer to DescribeJob.
    package func description(_ arns: ARNs) -> [UInt8] {
        .object {
            $0.string("documentSource", documentSource)
            $0.raw("job", shape(arns))
        }
    }

    private func shape(_ arns: ARNs) -> [UInt8] {
        .object {
            $0.string("jobArn", arns.job(id))
            $0.string("jobId", id)
            $0.string("targetSelection", selection.rawValue)
            $0.string("status", status.rawValue)
            if status == .canceled { $0.flag("forceCanceled", progress.forceCanceled) }
            $0.string("reasonCode", progress.reasonCode)
            $0.string("comment", progress.comment)
            $0.texts("targets", targets.map { $0.arn(arns) })
            configuration.write(to: &$0)
            times(&$0)
            $0.flag("isConcurrent", isConcurrent)
            $0.raw("jobProcessDetails", processDetails(arns))
        }
    }

    private func times(_ object: inout JSONObject) {
        object.number("createdAt", createdAt)
        object.number("lastUpdatedAt", progress.lastUpdatedAt)
        object.number("completedAt", progress.completedAt)
    }

    /// The answer to ListJobs: jobs that the filter shows, in the order of their ids.
    package static func list(_ jobs: some Sequence<Job>, _ page: Page, group: ThingGroup?, _ arns: ARNs) -> [UInt8] {
        page.body("jobs", jobs, key: \.id) { job in
            .object {
                $0.string("jobArn", arns.job(job.id))
                $0.string("jobId", job.id)
                $0.string("thingGroupId", group?.id)
                $0.string("targetSelection", job.selection.rawValue)
                $0.string("status", job.status.rawValue)
                job.times(&$0)
                $0.flag("isConcurrent", job.isConcurrent)
            }
        }
    }
}

extension JobExecution {
    /// The answer to DescribeJobExecution of the control plane.
    package func description(_ context: JobContext) -> [UInt8] {
        let shape = [UInt8].object {
            $0.string("jobId", key.jobID)
            $0.string("status", status.rawValue)
            if status == .canceled { $0.flag("forceCanceled", forceCanceled) }
            $0.raw("statusDetails", .object { $0.raw("detailsMap", details.text) })
            $0.string("thingArn", context.arns.thing(thing))
            $0.number("queuedAt", queuedAt)
            $0.number("startedAt", startedAt)
            $0.number("lastUpdatedAt", lastUpdatedAt)
            $0.number("executionNumber", key.number)
            $0.number("versionNumber", version)
            $0.number("approximateSecondsBeforeTimedOut", secondsLeft(at: context.seconds))
        }
        return .object { $0.raw("execution", shape) }
    }

    private var controlSummary: [UInt8] {
        .object {
            $0.string("status", status.rawValue)
            $0.number("queuedAt", queuedAt)
            $0.number("startedAt", startedAt)
            $0.number("lastUpdatedAt", lastUpdatedAt)
            $0.number("executionNumber", key.number)
            $0.number("retryAttempt", retries.total)
        }
    }

    /// The key of a row of ListJobExecutionsForJob: the list is in the order of these.
    package var keyInJob: String { "\(thing)/\(Self.padded(key.number))" }
    /// The key of a row of ListJobExecutionsForThing: the list is in the order of these.
    package var keyOnThing: String { "\(key.jobID)/\(Self.padded(key.number))" }

    private static func padded(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 20 - text.utf8.count)) + text
    }

    /// The answer to ListJobExecutionsForJob.
    package static func listForJob(_ executions: some Sequence<JobExecution>, _ page: Page, _ arns: ARNs) -> [UInt8] {
        page.body("executionSummaries", executions, key: \.keyInJob) { execution in
            .object {
                $0.string("thingArn", arns.thing(execution.thing))
                $0.raw("jobExecutionSummary", execution.controlSummary)
            }
        }
    }

    /// The answer to ListJobExecutionsForThing.
    package static func listForThing(_ executions: some Sequence<JobExecution>, _ page: Page) -> [UInt8] {
        page.body("executionSummaries", executions, key: \.keyOnThing) { execution in
            .object {
                $0.string("jobId", execution.key.jobID)
                $0.raw("jobExecutionSummary", execution.controlSummary)
            }
        }
    }
}
