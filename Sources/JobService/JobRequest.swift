import ByteKit

/// One execution, as a device names it.
package enum JobSelector: Equatable, Sendable {
    /// `$next`
    case next
    /// By the job's id.
    case job(String)
}

/// What a device asks (12.1, 13).
package enum JobOperation: Equatable, Sendable {
    /// All that is pending.
    case getPending
    /// Start the next execution, or see the one that runs.
    case startNext
    /// See one.
    case describe(JobSelector)
    /// Say how one stands.
    case update(jobID: String)
    /// A topic under `…/jobs/` that is none of these.
    case unknown
}

/// A device's request about its jobs.
package struct JobRequest: Equatable, Sendable {
    /// Bytes of a topic that is answered (the limit of AWS IoT).
    package static let maximumTopicBytes = 256

    /// Which thing: 1 to 128 of `a-z A-Z 0-9 : _ -`.
    package let thing: String
    /// What of it.
    package let operation: JobOperation
    /// The topic that it came on; empty for HTTP.
    package let topic: String
    /// Members that came in the query string of an HTTP request.
    let query: [HTTPTarget.Parameter]

    private init(
        _ thing: String, _ operation: JobOperation, topic: String = "", query: [HTTPTarget.Parameter] = []
    ) {
        self.thing = thing
        self.operation = operation
        self.topic = topic
        self.query = query
    }

    /// Reads a topic; nil for those outside `$aws/things/THING/jobs/` and for those on which the server speaks.
    package static func parse(topic: Span<UInt8>) -> JobRequest? {
        guard topic.starts(with: "$aws/things/"), topic.count <= maximumTopicBytes,
            let text = String(validating: topic.copy(), as: UTF8.self)
        else { return nil }
        let levels = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard levels.count >= 5, levels[3] == "jobs", IoTNames.isThing(levels[2]) else { return nil }
        let words = Array(levels[4...])
        guard !isAnswer(words) else { return nil }
        return JobRequest(levels[2], operation(words), topic: text)
    }

    private static func isAnswer(_ words: [String]) -> Bool {
        switch words.last {
        case "accepted", "rejected": true
        case let last?: words.count == 1 && (last == "notify" || last.hasPrefix("notify-"))
        case nil: true
        }
    }

    private static func operation(_ words: [String]) -> JobOperation {
        switch (words.count, words[0], words.last) {
        case (1, "get", _): .getPending
        case (1, "start-next", _): .startNext
        case (2, "$next", "get"): .describe(.next)
        case (2, let id, "get") where IoTNames.isJob(id): .describe(.job(id))
        case (2, let id, "update") where IoTNames.isJob(id): .update(jobID: id)
        default: .unknown
        }
    }

    /// Reads an HTTP request of the service `iot-jobs-data`; nil for a path that it does not have.
    ///
    /// - Throws: InvalidRequest for a name that breaks its rule.
    package static func parse(method: String, _ target: HTTPTarget) throws(JobRefusal) -> JobRequest? {
        let path = target.segments
        guard (3...4).contains(path.count), path[0] == "things", path[2] == "jobs" else { return nil }
        let operation: JobOperation
        switch (method, path.count > 3 ? path[3] : nil) {
        case ("GET", nil): operation = .getPending
        case ("PUT", "$next"): operation = .startNext
        case ("GET", "$next"): operation = .describe(.next)
        case ("GET", let id?): operation = .describe(.job(id))
        case ("POST", let id?): operation = .update(jobID: id)
        default: return nil
        }
        guard IoTNames.isThing(path[1]) else {
            throw .invalid("thingName", "1 to 128 of a-z A-Z 0-9 : _ -")
        }
        if path.count > 3, path[3] != "$next" || method == "POST", !IoTNames.isJob(path[3]) {
            throw .invalid("jobId", "1 to 64 of a-z A-Z 0-9 _ -")
        }
        return JobRequest(path[1], operation, query: target.query)
    }

    /// Where the answer goes; only to the connection that asked (12.1).
    package func answerTopic(isAccepted: Bool) -> String {
        topic + (isAccepted ? "/accepted" : "/rejected")
    }
}
