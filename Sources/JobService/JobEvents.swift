//  Job and execution events (16). Their own times are seconds; those of the job in them are milliseconds.

/// What happened to a job: the last level of the topic.
enum JobEvent: String {
    case completed, canceled, deleted
    case cancellationInProgress = "cancellation_in_progress"
    case deletionInProgress = "deletion_in_progress"

    var status: String {
        switch self {
        case .completed: "COMPLETED"
        case .canceled: "CANCELED"
        case .deleted: "DELETED"
        case .cancellationInProgress: "CANCELLATION_IN_PROGRESS"
        case .deletionInProgress: "DELETION_IN_PROGRESS"
        }
    }
}

extension Job {
    /// An event on `$aws/events/job/JOB/…`.
    func event(_ event: JobEvent, _ context: inout JobContext) -> JobPublication {
        let identifier = context.identifier()
        let payload = [UInt8].object {
            $0.string("eventType", "JOB")
            $0.string("eventId", identifier)
            $0.number("timestamp", context.seconds)
            $0.string("operation", event.rawValue)
            $0.string("jobId", id)
            $0.string("status", event.status)
            $0.string("targetSelection", selection.rawValue)
            $0.texts("targets", targets.map { $0.arn(context.arns) })
            $0.string("description", configuration.description)
            $0.number("createdAt", createdAt.milliseconds)
            $0.number("lastUpdatedAt", progress.lastUpdatedAt.milliseconds)
            $0.number("completedAt", progress.completedAt?.milliseconds)
            $0.string("comment", progress.comment)
            if event == .completed { $0.raw("jobProcessDetails", processDetails(context.arns)) }
        }
        return JobPublication(topic: "$aws/events/job/\(id)/\(event.rawValue)", payload: payload)
    }

    /// `jobProcessDetails` of DescribeJob and of the completed event (14).
    func processDetails(_ arns: ARNs) -> [UInt8] {
        let things = progress.things
        return .object {
            $0.texts("processingTargets", isRollingOut ? targets.map { $0.arn(arns) } : [])
            $0.number("numberOfCanceledThings", things[.canceled])
            $0.number("numberOfSucceededThings", things[.succeeded])
            $0.number("numberOfFailedThings", things[.failed])
            $0.number("numberOfRejectedThings", things[.rejected])
            $0.number("numberOfQueuedThings", things[.queued])
            $0.number("numberOfInProgressThings", things[.inProgress])
            $0.number("numberOfRemovedThings", things[.removed])
            $0.number("numberOfTimedOutThings", things[.timedOut])
        }
    }
}

extension JobExecution {
    /// `$aws/events/jobExecution/JOB/…` for an execution that became terminal or was deleted.
    func event(isDeletion: Bool, _ context: inout JobContext) -> JobPublication {
        let name = isDeletion ? "deleted" : status.rawValue.lowercased()
        let identifier = context.identifier()
        let payload = [UInt8].object {
            $0.string("eventType", "JOB_EXECUTION")
            $0.string("eventId", identifier)
            $0.number("timestamp", context.seconds)
            $0.string("operation", name)
            $0.string("jobId", key.jobID)
            $0.string("thingArn", context.arns.thing(thing))
            $0.string("status", isDeletion ? "DELETED" : status.rawValue)
            $0.raw("statusDetails", details.isEmpty ? nil : details.text)
        }
        return JobPublication(topic: "$aws/events/jobExecution/\(key.jobID)/\(name)", payload: payload)
    }
}
