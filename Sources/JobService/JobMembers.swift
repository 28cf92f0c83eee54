//  The members of requests about jobs (14), checked.
import ByteKit
import JSONText

/// What CreateJob asks for.
package struct CreateJob: Equatable, Sendable {
    /// Targets of one job (1.2).
    package static let maximumTargets = 100
    /// Bytes of a document (1.2).
    package static let maximumDocumentBytes = 32_768
    /// Seconds that a start or an end must lie ahead; a minute less is taken, because the minute is cut off (15.5).
    private static let leadSeconds: UInt64 = 30 * 60 - 60
    private static let yearSeconds: UInt64 = 366 * 24 * 3600

    /// The job's id.
    package let id: String
    /// Without repetitions.
    package let targets: [JobTarget]
    /// The document, if it came along.
    package let document: [UInt8]?
    /// Where the document is, if it did not.
    package let documentSource: String?
    /// SNAPSHOT where it is not said.
    package let selection: TargetSelection
    /// All else.
    package let configuration: JobConfiguration

    init(id: String, _ fields: Fields, _ seconds: UInt64) throws(IoTRefusal) {
        self.id = id
        targets = try Self.targets(fields)
        document = try fields.text("document", "at most 32768 bytes holding a JSON object") {
            Self.isDocument(Array($0.utf8))
        }.map { Array($0.utf8) }
        documentSource = try fields.text("documentSource", "1 to 1350 characters") { IoTNames.isText($0, 1...1350) }
        selection = try fields.word("targetSelection", TargetSelection.self) ?? .snapshot
        configuration = try JobConfiguration(fields)
        guard (document == nil) != (documentSource == nil) else {
            throw IoTRefusal(.invalidRequest, "One of document and documentSource is required")
        }
        // Other topics than a device listens to, and documents that are not here.
        for name in ["namespaceId", "jobTemplateArn"] as [StaticString] {
            guard try fields.text(name, "a text", { _ in true }) == nil else {
                throw fields.invalid(name, "not supported")
            }
        }
        try Self.check(configuration.schedule, fields, seconds)
    }

    /// Whether bytes may be a job's document: a JSON object of at most 32 768 bytes.
    package static func isDocument(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= maximumDocumentBytes,
            let place = try? JSONScanner.validate(bytes.span, maximumDepth: JSONBody.depth)
        else { return false }
        return JSONScanner.kind(of: place, in: bytes.span) == .object
    }

    /// The member `targets`.
    static func targets(_ fields: Fields) throws(IoTRefusal) -> [JobTarget] {
        let texts = try fields.texts("targets", 1...maximumTargets) { JobTarget(arn: $0) != nil }
        guard let texts else { throw fields.missing("targets") }
        return texts.compactMap { JobTarget(arn: $0) }.reduce(into: []) { found, target in
            if !found.contains(target) { found.append(target) }
        }
    }

    private static func check(_ schedule: Schedule?, _ fields: Fields, _ now: UInt64) throws(IoTRefusal) {
        guard let schedule else { return }
        let start = schedule.start?.seconds
        if let start, start < now &+ leadSeconds || start > now &+ yearSeconds {
            throw fields.invalid("schedulingConfig.startTime", "30 minutes to one year ahead")
        }
        if let end = schedule.end?.seconds {
            guard end >= (start ?? now) &+ leadSeconds, end <= now &+ 2 * yearSeconds else {
                throw fields.invalid("schedulingConfig.endTime", "30 minutes after the start to two years ahead")
            }
        } else if schedule.endBehavior != nil {
            throw fields.missing("schedulingConfig.endTime")
        }
    }
}

/// What UpdateJob changes: members that are nil stay.
package struct JobUpdate: Equatable, Sendable {
    /// The new values.
    package let configuration: JobConfiguration

    init(_ fields: Fields) throws(IoTRefusal) {
        configuration = try JobConfiguration(fields)
        guard configuration.retry.allSatisfy({ $0.retries == 0 }) else {
            throw fields.invalid("jobExecutionsRetryConfig", "retries can only be set to 0")
        }
    }
}

extension JobCancellation {
    init(_ fields: Fields) throws(IoTRefusal) {
        reasonCode = try fields.text("reasonCode", "1 to 128 of A-Z 0-9 _", IoTNames.isReasonCode)
        comment = try Self.comment(fields)
    }

    static func comment(_ fields: Fields) throws(IoTRefusal) -> String? {
        try fields.text("comment", "1 to 2028 characters without controls") {
            IoTNames.isText($0, JobConfiguration.textLengths)
        }
    }
}

/// What CancelJobExecution asks for.
package struct ExecutionCancellation: Equatable, Sendable {
    /// The version that the execution must have.
    package let expectedVersion: UInt64?
    /// Replaces the device's words.
    package let details: StatusDetails?
    /// Whether an execution that is IN_PROGRESS is cancelled.
    package let force: Bool

    /// Without conditions.
    package init(force: Bool) {
        (expectedVersion, details, self.force) = (nil, nil, force)
    }

    init(_ fields: Fields, force: Bool) throws(IoTRefusal) {
        expectedVersion = try fields.integer("expectedVersion", 0...UInt64(Int64.max))
        details = try fields.details("statusDetails")
        self.force = force
    }
}

/// Which jobs ListJobs shows.
package struct JobFilter: Equatable, Sendable {
    /// With this status.
    package let status: JobStatus?
    /// With this selection.
    package let selection: TargetSelection?
    /// Sent to the group with this name.
    package let groupName: String?
    /// Sent to the group with this identifier.
    package let groupID: String?

    init(_ query: [HTTPTarget.Parameter]) throws(IoTRefusal) {
        status = try query.word("status", JobStatus.self)
        selection = try query.word("targetSelection", TargetSelection.self)
        groupName = try query.text("thingGroupName", "1 to 128 of a-z A-Z 0-9 : _ -", IoTNames.isGroup)
        groupID = try query.text("thingGroupId", "1 to 128 of a-z A-Z 0-9 -") {
            IoTNames.isThing($0) && !$0.utf8.contains(UInt8(ascii: ":"))
        }
    }

    /// Whether it shows a job; `group` is the group that the filter names.
    package func shows(_ job: Job, group: ThingGroup?) -> Bool {
        if groupName != nil || groupID != nil {
            guard let group, job.targets.contains(.group(group.name)), groupName ?? group.name == group.name,
                groupID ?? group.id == group.id
            else { return false }
        }
        return status ?? job.status == job.status && selection ?? job.selection == job.selection
    }
}
