//  The data types of 11.4, with their members in the order of the examples (17).

/// How a job document travels.
enum DocumentForm {
    /// MQTT: the JSON object itself, byte for byte.
    case object
    /// HTTP: a string that holds it.
    case string
}

extension JSONObject {
    /// The member `jobDocument`.
    mutating func document(_ document: [UInt8]?, as form: DocumentForm) {
        switch form {
        case .object: raw("jobDocument", document)
        case .string: string("jobDocument", utf8: document)
        }
    }
}

extension JobExecution {
    /// JobExecution; the document is left out where it is nil, and the thing's name over MQTT (18).
    func shape(document: [UInt8]?, as form: DocumentForm, at seconds: UInt64) -> [UInt8] {
        .object {
            $0.string("jobId", key.jobID)
            $0.string("thingName", form == .string ? thing : nil)
            $0.string("status", status.rawValue)
            $0.raw("statusDetails", details.isEmpty ? nil : details.text)
            $0.number("queuedAt", queuedAt)
            $0.number("startedAt", startedAt)
            $0.number("lastUpdatedAt", lastUpdatedAt)
            $0.number("versionNumber", version)
            $0.number("executionNumber", key.number)
            $0.number("approximateSecondsBeforeTimedOut", secondsLeft(at: seconds))
            $0.document(document, as: form)
        }
    }

    /// JobExecutionSummary.
    var summary: [UInt8] {
        .object {
            $0.string("jobId", key.jobID)
            $0.number("queuedAt", queuedAt)
            $0.number("startedAt", startedAt)
            $0.number("lastUpdatedAt", lastUpdatedAt)
            $0.number("executionNumber", key.number)
            $0.number("versionNumber", version)
        }
    }

    /// JobExecutionState.
    var state: [UInt8] {
        .object {
            $0.string("status", status.rawValue)
            $0.raw("statusDetails", details.isEmpty ? nil : details.text)
            $0.number("versionNumber", version)
        }
    }
}

// MARK: - Notifications

extension ThingJobs {
    /// Executions in one `notify` (1.2).
    static let notifiedExecutions = 10

    /// `…/notify`: what is pending now (12.3).
    var notify: JobPublication {
        let shown = pending.prefix(Self.notifiedExecutions)
        let (running, queued) = (shown.filter { $0.status == .inProgress }, shown.filter { $0.status == .queued })
        let payload = [UInt8].object {
            $0.number("timestamp", context.seconds)
            $0.raw(
                "jobs",
                .object {
                    $0.list("IN_PROGRESS", running.isEmpty ? nil : running.map(\.summary))
                    $0.list("QUEUED", queued.isEmpty ? nil : queued.map(\.summary))
                })
        }
        return JobPublication(topic: "$aws/things/\(thing)/jobs/notify", payload: payload)
    }

    /// `…/notify-next`: what comes next now (12.3).
    var notifyNext: JobPublication {
        let payload = [UInt8].object {
            $0.number("timestamp", context.seconds)
            $0.raw(
                "execution",
                next.map { $0.shape(document: job($0.key.jobID)?.document, as: .object, at: context.seconds) })
        }
        return JobPublication(topic: "$aws/things/\(thing)/jobs/notify-next", payload: payload)
    }
}
