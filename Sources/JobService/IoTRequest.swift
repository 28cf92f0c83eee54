//  Requests to the control plane, the service `iot` (10, 14): which operation, and its members checked.
import ByteKit

/// What an operator's client asks.
package enum IoTRequest: Equatable, Sendable {
    // Jobs.
    /// CreateJob
    case createJob(CreateJob)
    /// DescribeJob
    case describeJob(String)
    /// UpdateJob
    case updateJob(String, JobUpdate)
    /// CancelJob
    case cancelJob(String, JobCancellation, force: Bool)
    /// DeleteJob
    case deleteJob(String, force: Bool)
    /// GetJobDocument
    case getJobDocument(String)
    /// AssociateTargetsWithJob
    case associateTargets(String, [JobTarget], comment: String?)
    /// ListJobs
    case listJobs(JobFilter, Page)
    // Executions.
    /// ListJobExecutionsForJob
    case listExecutionsForJob(String, status: ExecutionStatus?, Page)
    /// ListJobExecutionsForThing
    case listExecutionsForThing(String, status: ExecutionStatus?, jobID: String?, Page)
    /// DescribeJobExecution
    case describeExecution(thing: String, jobID: String, number: UInt64?)
    /// CancelJobExecution
    case cancelExecution(thing: String, jobID: String, ExecutionCancellation)
    /// DeleteJobExecution
    case deleteExecution(thing: String, ExecutionKey, force: Bool)
    // Things.
    /// CreateThing
    case createThing(String, ThingChange)
    /// DescribeThing
    case describeThing(String)
    /// UpdateThing
    case updateThing(String, ThingChange)
    /// DeleteThing
    case deleteThing(String, expectedVersion: UInt64?)
    /// ListThings
    case listThings(ThingFilter, Page)
    // Groups.
    /// CreateThingGroup
    case createGroup(String, parent: String?, GroupChange)
    /// DescribeThingGroup
    case describeGroup(String)
    /// UpdateThingGroup
    case updateGroup(String, GroupChange)
    /// DeleteThingGroup
    case deleteGroup(String, expectedVersion: UInt64?)
    /// ListThingGroups
    case listGroups(GroupFilter, Page)
    /// AddThingToThingGroup
    case addToGroup(thing: String, group: String)
    /// RemoveThingFromThingGroup
    case removeFromGroup(thing: String, group: String)
    /// UpdateThingGroupsForThing
    case updateGroups(thing: String, add: [String], remove: [String])
    /// ListThingsInThingGroup
    case listThingsInGroup(String, recursive: Bool, Page)
    /// ListThingGroupsForThing
    case listGroupsForThing(String, Page)

    /// Bytes of a body: a document of 32 KB with every byte escaped, and the rest.
    package static let maximumBodyBytes = 262_144

    /// Reads a request; nil for an operation that is none of these.
    ///
    /// - Parameter seconds: now; a schedule must lie ahead.
    /// - Throws: InvalidRequestException for the first member that breaks its rule.
    package static func parse(
        method: String, _ target: HTTPTarget, body: Span<UInt8>, seconds: UInt64
    ) throws(IoTRefusal) -> IoTRequest? {
        guard body.count <= maximumBodyBytes else { throw IoTRefusal(.invalidRequest, "The body is too large") }
        let call = IoTCall(method: method, path: target.segments, query: target.query)
        switch call.path.first {
        case "jobs": return try call.jobs(body, seconds)
        case "things":
            return try call.path.count > 2 && call.path[2] == "jobs" ? call.executions(body) : call.things(body)
        case "thing-groups": return try call.groups(body)
        default: return nil
        }
    }
}

/// Method, path and query on their way to becoming a request.
struct IoTCall {
    let method: String
    let path: [String]
    let query: [HTTPTarget.Parameter]

    func jobID(_ text: String) throws(IoTRefusal) -> String {
        guard IoTNames.isJob(text) else { throw .invalid("jobId", "1 to 64 of a-z A-Z 0-9 _ -") }
        return text
    }

    func name(_ text: String, _ member: String) throws(IoTRefusal) -> String {
        guard IoTNames.isThing(text) else { throw .invalid(member, "1 to 128 of a-z A-Z 0-9 : _ -") }
        return text
    }

    func queryName(_ member: String) throws(IoTRefusal) -> String? {
        try query.text(member, "1 to 128 of a-z A-Z 0-9 : _ -", IoTNames.isThing)
    }

    var force: Bool {
        get throws(IoTRefusal) { try query.flag("force") ?? false }
    }
}

// MARK: - Jobs

extension IoTCall {
    func jobs(_ body: Span<UInt8>, _ seconds: UInt64) throws(IoTRefusal) -> IoTRequest? {
        switch path.count {
        case 1: return method == "GET" ? .listJobs(try JobFilter(query), try Page(query)) : nil
        case 2: return try job(body, seconds)
        case 3: return try jobPart(body)
        default: return nil
        }
    }

    private func job(_ body: Span<UInt8>, _ seconds: UInt64) throws(IoTRefusal) -> IoTRequest? {
        switch method {
        case "PUT": .createJob(try CreateJob(id: try jobID(path[1]), try Fields(body), seconds))
        case "GET": .describeJob(try jobID(path[1]))
        case "PATCH": .updateJob(try jobID(path[1]), try JobUpdate(try Fields(body)))
        case "DELETE": .deleteJob(try jobID(path[1]), force: try force)
        default: nil
        }
    }

    private func jobPart(_ body: Span<UInt8>) throws(IoTRefusal) -> IoTRequest? {
        switch (method, path[2]) {
        case ("PUT", "cancel"):
            return .cancelJob(try jobID(path[1]), try JobCancellation(try Fields(body)), force: try force)
        case ("GET", "job-document"):
            return .getJobDocument(try jobID(path[1]))
        case ("POST", "targets"):
            let fields = try Fields(body)
            return .associateTargets(
                try jobID(path[1]), try CreateJob.targets(fields), comment: try JobCancellation.comment(fields))
        case ("GET", "things"):
            return .listExecutionsForJob(
                try jobID(path[1]), status: try query.word("status", ExecutionStatus.self), try Page(query))
        default:
            return nil
        }
    }

    func executions(_ body: Span<UInt8>) throws(IoTRefusal) -> IoTRequest? {
        switch (method, path.count) {
        case ("GET", 3):
            return .listExecutionsForThing(
                try name(path[1], "thingName"), status: try query.word("status", ExecutionStatus.self),
                jobID: try query.text("jobId", "1 to 64 of a-z A-Z 0-9 _ -", IoTNames.isJob), try Page(query))
        case ("GET", 4):
            return .describeExecution(
                thing: try name(path[1], "thingName"), jobID: try jobID(path[3]),
                number: try query.integer("executionNumber", 0...UInt64(Int64.max)))
        case ("PUT", 5) where path[4] == "cancel":
            return .cancelExecution(
                thing: try name(path[1], "thingName"), jobID: try jobID(path[3]),
                try ExecutionCancellation(try Fields(body), force: try force))
        case ("DELETE", 6) where path[4] == "executionNumber":
            guard path[5].utf8.allSatisfy({ $0 &- 0x30 <= 9 }), let number = UInt64(path[5]) else {
                throw .invalid("executionNumber", "an integer")
            }
            let key = ExecutionKey(jobID: try jobID(path[3]), number: number)
            return .deleteExecution(thing: try name(path[1], "thingName"), key, force: try force)
        default:
            return nil
        }
    }
}

// MARK: - Things and groups

extension IoTCall {
    func things(_ body: Span<UInt8>) throws(IoTRefusal) -> IoTRequest? {
        switch (method, path.count) {
        case ("GET", 1):
            return .listThings(try ThingFilter(query), try Page(query))
        case ("POST", 2):
            return .createThing(try name(path[1], "thingName"), try ThingChange(try Fields(body)))
        case ("GET", 2):
            return .describeThing(try name(path[1], "thingName"))
        case ("PATCH", 2):
            return .updateThing(try name(path[1], "thingName"), try ThingChange(try Fields(body)))
        case ("DELETE", 2):
            return .deleteThing(try name(path[1], "thingName"), expectedVersion: try expectedVersion)
        case ("GET", 3) where path[2] == "thing-groups":
            return .listGroupsForThing(try name(path[1], "thingName"), try Page(query))
        default:
            return nil
        }
    }

    private var expectedVersion: UInt64? {
        get throws(IoTRefusal) { try query.integer("expectedVersion", 0...UInt64(Int64.max)) }
    }

    func groups(_ body: Span<UInt8>) throws(IoTRefusal) -> IoTRequest? {
        switch (method, path.count) {
        case ("GET", 1):
            return .listGroups(try GroupFilter(query), try Page(query))
        case ("PUT", 2):
            return try membership(try Fields(body))
        case ("POST", 2):
            let fields = try Fields(body)
            return .createGroup(
                try name(path[1], "thingGroupName"), parent: try fields.name("parentGroupName"),
                try GroupChange(fields))
        case ("GET", 2):
            return .describeGroup(try name(path[1], "thingGroupName"))
        case ("PATCH", 2):
            return .updateGroup(try name(path[1], "thingGroupName"), try GroupChange(try Fields(body)))
        case ("DELETE", 2):
            return .deleteGroup(try name(path[1], "thingGroupName"), expectedVersion: try expectedVersion)
        case ("GET", 3) where path[2] == "things":
            return .listThingsInGroup(
                try name(path[1], "thingGroupName"), recursive: try query.flag("recursive") ?? false, try Page(query))
        default:
            return nil
        }
    }

    /// The operations whose fixed word stands where a group's name could.
    private func membership(_ fields: Fields) throws(IoTRefusal) -> IoTRequest? {
        switch path[1] {
        case "addThingToThingGroup":
            return .addToGroup(thing: try Self.thing(fields), group: try Self.group(fields))
        case "removeThingFromThingGroup":
            return .removeFromGroup(thing: try Self.thing(fields), group: try Self.group(fields))
        case "updateThingGroupsForThing":
            return .updateGroups(
                thing: try Self.thing(fields),
                add: try fields.texts("thingGroupsToAdd", 0...ThingGroup.groupsOfThing, IoTNames.isGroup) ?? [],
                remove: try fields.texts("thingGroupsToRemove", 0...ThingGroup.groupsOfThing, IoTNames.isGroup) ?? [])
        default:
            return nil
        }
    }

    private static func thing(_ fields: Fields) throws(IoTRefusal) -> String {
        if let name = try fields.name("thingName") { return name }
        let arn = try fields.text("thingArn", "the ARN of a thing") { JobTarget(arn: $0)?.thing != nil }
        guard let name = arn.flatMap({ JobTarget(arn: $0)?.thing }) else { throw fields.missing("thingName") }
        return name
    }

    private static func group(_ fields: Fields) throws(IoTRefusal) -> String {
        if let name = try fields.name("thingGroupName") { return name }
        let arn = try fields.text("thingGroupArn", "the ARN of a thing group") { JobTarget(arn: $0)?.group != nil }
        guard let name = arn.flatMap({ JobTarget(arn: $0)?.group }) else { throw fields.missing("thingGroupName") }
        return name
    }
}

extension JobTarget {
    var thing: String? { if case .thing(let name) = self { name } else { nil } }
    var group: String? { if case .group(let name) = self { name } else { nil } }
}
