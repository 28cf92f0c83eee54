//  Sections 11, 14 and 16: a job from its creation to its end, and what is told of it.
import JobService
import Testing

private let arn = "arn:aws:iot:us-east-1:000000000000:"

/// Operations of job and execution events, in their order: `completed`, `jobExecution/failed`.
private func operations(_ heard: [String]) -> String {
    heard.compactMap { line -> String? in
        let levels = line.prefix { $0 != " " }.split(separator: "/")
        guard levels[0] == "$aws", levels[1] == "events", levels[2].hasPrefix("job") else { return nil }
        return levels[2] == "job" ? String(levels[4]) : "\(levels[2])/\(levels[4])"
    }.joined(separator: " ")
}

/// One member of what DescribeJob answers.
private func job(_ member: String, _ desk: inout Desk, _ id: String = "J") -> String? {
    let text = desk.iot("GET", "/jobs/\(id)")
    guard let start = text.firstRange(of: "\"\(member)\":")?.upperBound else { return nil }
    return String(text[start...].prefix { $0 != "," && $0 != "}" })
}

@Test("11.1: a SNAPSHOT is COMPLETED when all executions are terminal, once [AWS-11.1-2] [AWS-11.1-3]")
func completion() {
    var desk = Desk(at: 9, things: ["A", "B"])
    _ = desk.create(for: ["A", "B"])
    #expect(job("status", &desk) == #""IN_PROGRESS""#)
    _ = desk.heard()
    _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#, thing: "A")
    #expect(operations(desk.heard()) == "jobExecution/succeeded")
    desk.now = 11
    _ = desk.mqtt("J/update", #"{"status":"REJECTED"}"#, thing: "B")
    #expect(operations(desk.heard()) == "jobExecution/rejected completed")
    #expect(job("status", &desk) == #""COMPLETED""#)
    #expect(job("completedAt", &desk) == "11")
}

@Test("11.1: a SNAPSHOT for nobody is over at once, a CONTINUOUS job never is [AWS-11.1-3] [AWS-11.1-4]")
func nobody() {
    var desk = Desk(things: ["T"])
    _ = desk.iot("POST", "/thing-groups/G")
    _ = desk.heard()
    let target = #"{"targets":["\#(arn)thinggroup/G"],"document":"{}""#
    _ = desk.iot("PUT", "/jobs/S", target + "}")
    #expect(job("status", &desk, "S") == #""COMPLETED""#)
    #expect(operations(desk.heard()) == "completed")
    _ = desk.iot("PUT", "/jobs/C", target + #","targetSelection":"CONTINUOUS"}"#)
    _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", #"{"thingName":"T","thingGroupName":"G"}"#)
    _ = desk.mqtt("C/update", #"{"status":"SUCCEEDED"}"#)
    #expect(job("status", &desk, "C") == #""IN_PROGRESS""#)
    #expect(operations(desk.heard()) == "jobExecution/succeeded")
}

@Test(
    "11.1: a thing reached through several targets gets one execution; groups in groups are included [AWS-11.1-5] [AWS-11.1-6]"
)
func targets() {
    var desk = Desk(things: ["A", "B", "C"])
    _ = desk.iot("POST", "/thing-groups/P")
    _ = desk.iot("POST", "/thing-groups/C", #"{"parentGroupName":"P"}"#)
    for (thing, group) in [("A", "P"), ("A", "C"), ("B", "C")] {
        _ = desk.iot(
            "PUT", "/thing-groups/addThingToThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"\#(group)"}"#)
    }
    let targets = ["thing/A", "thinggroup/P", "thinggroup/C", "thing/A"].map { "\"\(arn)\($0)\"" }
    _ = desk.iot("PUT", "/jobs/J", #"{"targets":[\#(targets.joined(separator: ","))],"document":"{}"}"#)
    #expect(["A", "B", "C"].map { desk.statuses(on: $0) } == ["1:QUEUED", "1:QUEUED", ""])
    #expect(desk.jobs["J"]?.targets == [.thing("A"), .group("P"), .group("C")])
}

@Test(
    "11.1, 11.2: things that join or leave the groups of a job [AWS-11.1-4] [AWS-11.2-4] [AWS-11.2-7]",
    arguments: ["SNAPSHOT", "CONTINUOUS"])
func joining(selection: String) {
    var desk = Desk(things: ["A", "B"])
    for group in ["G", "H"] {
        _ = desk.iot("POST", "/thing-groups/\(group)")
    }
    func change(_ word: String, _ thing: String, _ group: String) {
        _ = desk.iot(
            "PUT", "/thing-groups/\(word)ThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"\#(group)"}"#)
    }
    change("addThingTo", "A", "G")
    _ = desk.iot(
        "PUT", "/jobs/J",
        #"{"targets":["\#(arn)thinggroup/G","\#(arn)thinggroup/H"],"document":"{}","targetSelection":"\#(selection)"}"#)
    let isContinuous = selection == "CONTINUOUS"
    change("addThingTo", "B", "G")
    #expect(desk.statuses(on: "B") == (isContinuous ? "1:QUEUED" : ""))
    change("addThingTo", "A", "H")
    change("removeThingFrom", "A", "G")
    #expect(desk.statuses(on: "A") == "1:QUEUED", "still a target")
    _ = desk.heard()
    change("removeThingFrom", "A", "H")
    #expect(desk.statuses(on: "A") == (isContinuous ? "1:REMOVED" : "1:QUEUED"))
    #expect(operations(desk.heard()) == (isContinuous ? "jobExecution/removed" : ""))
    change("addThingTo", "A", "H")
    #expect(desk.statuses(on: "A") == (isContinuous ? "1:REMOVED 2:QUEUED" : "1:QUEUED"))
    _ = desk.iot("DELETE", "/thing-groups/H")
    #expect(desk.statuses(on: "A") == (isContinuous ? "1:REMOVED 2:REMOVED" : "1:QUEUED"))
}

@Test("11.2: the executions of a thing that is deleted are REMOVED [AWS-11.2-4]")
func deletedThing() {
    var desk = Desk(things: ["A", "B"])
    _ = desk.create(for: ["A", "B"])
    _ = desk.mqtt("start-next", thing: "A")
    _ = desk.heard()
    _ = desk.iot("DELETE", "/things/A")
    #expect(desk.statuses(on: "A") == "1:REMOVED")
    #expect(operations(desk.heard()) == "jobExecution/removed")
    _ = desk.iot("DELETE", "/things/B")
    #expect(operations(desk.heard()) == "jobExecution/removed completed")
}

@Test(
    "14: CancelJob ends QUEUED executions, IN_PROGRESS ones only with force [AWS-14-4] [AWS-14-5] [AWS-11.2-5] [AWS-14-16]",
    arguments: [false, true])
func cancel(force: Bool) {
    var desk = Desk(at: 4, things: ["A", "B", "C"])
    _ = desk.create(for: ["A", "B", "C"])
    _ = desk.mqtt("start-next", thing: "A")
    _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#, thing: "B")
    _ = desk.heard()
    desk.now = 6
    #expect(
        desk.iot("PUT", "/jobs/J/cancel?force=\(force)", #"{"reasonCode":"BAD_1","comment":"why"}"#)
            == #"200 {"jobArn":"\#(arn)job/J","jobId":"J"}"#)
    let all = desk.heard()
    let inProgress = force ? "jobExecution/canceled " : ""
    #expect(operations(all) == "cancellation_in_progress \(inProgress)jobExecution/canceled canceled")
    #expect(desk.statuses(on: "A") == (force ? "1:CANCELED" : "1:IN_PROGRESS"))
    #expect(desk.statuses(on: "B") == "1:SUCCEEDED")
    #expect(desk.statuses(on: "C") == "1:CANCELED")
    #expect(
        ["status", "forceCanceled", "reasonCode", "comment", "completedAt", "isConcurrent"].map { job($0, &desk) }
            == [#""CANCELED""#, "\(force)", #""BAD_1""#, #""why""#, "6", "false"])
    #expect(desk.iot("PUT", "/jobs/J/cancel") == "400 InvalidRequestException Job 'J' is CANCELED")
    if !force {
        #expect(desk.mqtt("J/update", #"{"status":"FAILED"}"#, thing: "A").hasPrefix("accepted"))
        #expect(operations(desk.heard()) == "jobExecution/failed")
    }
}

@Test("14: CancelJob stops the rollout [AWS-14-4]")
func cancelRollout() {
    var desk = Desk(things: ["A", "B"])
    _ = desk.create(for: ["A", "B"], #""jobExecutionsRolloutConfig":{"maximumPerMinute":1}"#)
    _ = desk.iot("PUT", "/jobs/J/cancel")
    desk.wait(seconds: 130)
    #expect(["A", "B"].map { desk.statuses(on: $0) } == ["1:CANCELED", ""])
}

@Test("14: DeleteJob needs force while IN_PROGRESS; executions go too and the id becomes free [AWS-14-6] [AWS-14-16]")
func deleteJob() {
    var desk = Desk(things: ["A", "B"])
    _ = desk.create(for: ["A", "B"])
    #expect(
        desk.iot("DELETE", "/jobs/J")
            == "409 InvalidStateTransitionException Job 'J' is IN_PROGRESS; cancel it first, or use force")
    _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#, thing: "A")
    _ = desk.heard()
    #expect(desk.iot("DELETE", "/jobs/J?force=true") == "200")
    #expect(operations(desk.heard()) == "deletion_in_progress jobExecution/deleted jobExecution/deleted deleted")
    #expect(desk.iot("GET", "/jobs/J") == "404 ResourceNotFoundException Job 'J' does not exist")
    #expect(desk.iot("DELETE", "/jobs/J") == "404 ResourceNotFoundException Job 'J' does not exist")
    #expect(
        desk.mqtt("J/update", #"{"status":"FAILED"}"#, thing: "B").hasPrefix(#"rejected {"code":"ResourceNotFound""#))
    #expect(desk.create(for: ["A"]).hasPrefix("200"))
    #expect(desk.statuses(on: "A") == "1:QUEUED")
}

@Test("14: while a job is being deleted its id is taken and nothing can be done with it [AWS-11.1-1] [AWS-11.1-2]")
func deletionInProgress() throws {
    var desk = Desk(things: ["T"])
    _ = desk.create()
    var context = desk.context()
    _ = try desk.jobs["J"]?.delete(force: true, by: &context)
    #expect(desk.jobs["J"]?.status == .deletionInProgress)
    #expect(desk.create() == "409 ResourceAlreadyExistsException Job 'J' already exists \(arn)job/J")
    #expect(desk.iot("PUT", "/jobs/J/cancel") == "400 InvalidRequestException Job 'J' is DELETION_IN_PROGRESS")
    #expect(desk.iot("PATCH", "/jobs/J") == "400 InvalidRequestException Job 'J' is DELETION_IN_PROGRESS")
    #expect(try desk.jobs["J"]?.delete(force: false, by: &context) == [], "asking again begins nothing anew")
    desk.clock()
    #expect(desk.jobs.isEmpty && desk.statuses() == "")
}

@Test("14: a cancelled job starts nowhere, also where its work has not come to the thing yet [AWS-14-4]")
func startOfCancelled() throws {
    for force in [false, true] {
        var desk = Desk(at: 5, things: ["T"])
        for id in ["J", "K", "L"] { _ = desk.create(id) }
        var context = desk.context()
        let (path, body) = (Array("/jobs/J/cancel".utf8), [UInt8]())
        let parsed = HTTPTarget(path.span)
        let target = try #require(parsed)
        let request = try IoTRequest.parse(method: "PUT", target, body: body.span, seconds: 5)
        guard case .cancelJob(_, let cancellation, _) = request else { throw NoCancellation() }
        _ = try desk.jobs["J"]?.cancel(cancellation, force: force, by: &context)
        _ = try desk.jobs["K"]?.delete(force: true, by: &context)
        #expect(
            desk.mqtt("J/update", #"{"status":"IN_PROGRESS"}"#)
                == #"rejected {"code":"InvalidStateTransition","message":"The execution of job 'J' is CANCELED","timestamp":5,"#
                + #""executionState":{"status":"CANCELED","versionNumber":2}}"#)
        #expect(desk.mqtt("K/update", #"{"status":"IN_PROGRESS"}"#).hasPrefix(#"rejected {"code":"ResourceNotFound""#))
        #expect(desk.mqtt("start-next").hasPrefix(#"accepted {"execution":{"jobId":"L","status":"IN_PROGRESS""#))
        #expect(["J", "K", "L"].map { desk.statuses($0) } == ["1:CANCELED", "", "1:IN_PROGRESS"])
        desk.clock()
        #expect(desk.jobs["J"]?.progress.completedAt == 5 && desk.jobs["K"] == nil)
    }
}

private struct NoCancellation: Error {}

@Test(
    "14: AssociateTargetsWithJob needs a CONTINUOUS job that is IN_PROGRESS; new targets wait for the rollout [AWS-14-8]"
)
func associate() {
    var desk = Desk(things: ["A", "B", "C", "D"])
    let body = #"{"targets":["\#(arn)thing/A","\#(arn)thing/B","\#(arn)thing/C"],"comment":"more"}"#
    _ = desk.create("S", for: ["A"])
    #expect(
        desk.iot("POST", "/jobs/S/targets", body)
            == "400 InvalidRequestException Job 'S' is not CONTINUOUS and IN_PROGRESS")
    _ = desk.create(
        for: ["A"], #""targetSelection":"CONTINUOUS","jobExecutionsRolloutConfig":{"maximumPerMinute":2}"#)
    #expect(
        desk.iot("POST", "/jobs/J/targets", #"{"targets":["\#(arn)thing/X"]}"#)
            == "404 ResourceNotFoundException Target '\(arn)thing/X' does not exist")
    #expect(desk.iot("POST", "/jobs/J/targets", body) == #"200 {"jobArn":"\#(arn)job/J","jobId":"J"}"#)
    #expect(["A", "B", "C"].map { desk.statuses(on: $0) } == ["1:QUEUED", "1:QUEUED", ""])
    #expect(job("comment", &desk) == #""more""#)
    desk.wait(seconds: 61)
    #expect(["A", "B", "C"].map { desk.statuses(on: $0) } == ["1:QUEUED", "1:QUEUED", "1:QUEUED"])
    _ = desk.iot("PUT", "/jobs/J/cancel")
    #expect(desk.iot("POST", "/jobs/J/targets", body).hasPrefix("400 InvalidRequestException"))
}

@Test(
    "14: UpdateJob changes what it names of a job that runs; new timeouts apply to executions that start later [AWS-14-3]"
)
func updateJob() {
    var desk = Desk(at: 60, things: ["A", "B"])
    _ = desk.create(for: ["A", "B"], #""timeoutConfig":{"inProgressTimeoutInMinutes":1},"description":"old""#)
    _ = desk.mqtt("start-next", thing: "A")
    desk.now = 70
    #expect(desk.iot("PATCH", "/jobs/J", #"{"timeoutConfig":{"inProgressTimeoutInMinutes":10}}"#) == "200")
    #expect([job("description", &desk), job("lastUpdatedAt", &desk)] == [#""old""#, "70"])
    #expect(desk.iot("PATCH", "/jobs/J", #"{"description":"new"}"#) == "200")
    #expect([job("description", &desk), job("inProgressTimeoutInMinutes", &desk)] == [#""new""#, "10"])
    _ = desk.mqtt("start-next", thing: "B")
    #expect(desk.executions["A"]?.first?.deadline == 120)
    #expect(desk.executions["B"]?.first?.deadline == 670)
    #expect(
        desk.iot(
            "PATCH", "/jobs/J",
            #"{"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":1}]}}"#)
            == "400 InvalidRequestException Invalid value at 'jobExecutionsRetryConfig': retries can only be set to 0")
    _ = desk.iot("PUT", "/jobs/J/cancel")
    #expect(desk.iot("PATCH", "/jobs/J", "{}") == "400 InvalidRequestException Job 'J' is CANCELED")
    #expect(desk.iot("PATCH", "/jobs/K", "{}") == "404 ResourceNotFoundException Job 'K' does not exist")
}

@Test(
    "14: CancelJobExecution: QUEUED, IN_PROGRESS with force, nothing that is over [AWS-14-13] [AWS-14-14] [AWS-14-16] [AWS-11.2-5]"
)
func cancelExecution() {
    var desk = Desk(things: ["T"])
    let path = "/things/T/jobs/J/cancel"
    #expect(
        desk.iot("PUT", path) == "404 ResourceNotFoundException Execution of job 'J' for thing 'T' does not exist")
    _ = desk.create()
    #expect(desk.iot("PUT", path, #"{"expectedVersion":2}"#) == "409 VersionConflictException Version conflict")
    _ = desk.mqtt("start-next")
    let stuck = "409 InvalidStateTransitionException The execution of job 'J' is"
    #expect(desk.iot("PUT", path) == "\(stuck) IN_PROGRESS")
    #expect(desk.iot("PUT", path + "?force=false", #"{"expectedVersion":2}"#) == "\(stuck) IN_PROGRESS")
    #expect(
        desk.iot("PUT", path + "?force=true", #"{"expectedVersion":2,"statusDetails":{"by":"me"}}"#) == "200")
    #expect(desk.iot("PUT", path + "?force=true") == "\(stuck) CANCELED")
    #expect(
        desk.iot("GET", "/things/T/jobs/J")
            == #"200 {"execution":{"jobId":"J","status":"CANCELED","forceCanceled":true,"#
            + #""statusDetails":{"detailsMap":{"by":"me"}},"thingArn":"\#(arn)thing/T","queuedAt":1,"startedAt":1,"#
            + #""lastUpdatedAt":1,"executionNumber":1,"versionNumber":3}}"#)
    #expect(job("status", &desk) == #""COMPLETED""#)
}

@Test("14: DeleteJobExecution: IN_PROGRESS needs force [AWS-14-15] [AWS-14-16]")
func deleteExecution() {
    var desk = Desk(things: ["T"])
    _ = desk.create()
    _ = desk.mqtt("start-next")
    let path = "/things/T/jobs/J/executionNumber/1"
    #expect(
        desk.iot("DELETE", path) == "409 InvalidStateTransitionException The execution of job 'J' is IN_PROGRESS")
    #expect(desk.iot("DELETE", "/things/T/jobs/J/executionNumber/2").hasPrefix("404"))
    _ = desk.heard()
    #expect(desk.iot("DELETE", path + "?force=true") == "200")
    #expect(operations(desk.heard()) == "jobExecution/deleted completed")
    #expect(desk.statuses() == "")
    #expect(desk.iot("DELETE", "/things/T/jobs/J/executionNumber/x").hasPrefix("400 InvalidRequestException"))
}

@Test("16: events of jobs and executions, byte by byte [AWS-16-2] [AWS-16-3] [AWS-16-4] [AWS-1.3-2]")
func events() {
    var desk = Desk(at: 7, things: ["T"])
    _ = desk.create("J", for: ["T"], #""description":"d""#)
    _ = desk.heard()
    desk.now = 8
    _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED","statusDetails":{"a":"b"}}"#)
    #expect(
        desk.heard("$aws/events/") == [
            #"jobExecution/J/succeeded {"eventType":"JOB_EXECUTION","eventId":"E","timestamp":8,"operation":"succeeded","#
                + #""jobId":"J","thingArn":"\#(arn)thing/T","status":"SUCCEEDED","statusDetails":{"a":"b"}}"#,
            #"job/J/completed {"eventType":"JOB","eventId":"E","timestamp":8,"operation":"completed","jobId":"J","#
                + #""status":"COMPLETED","targetSelection":"SNAPSHOT","targets":["\#(arn)thing/T"],"description":"d","#
                + #""createdAt":7000,"lastUpdatedAt":8000,"completedAt":8000,"jobProcessDetails":{"processingTargets":[],"#
                + #""numberOfCanceledThings":0,"numberOfSucceededThings":1,"numberOfFailedThings":0,"#
                + #""numberOfRejectedThings":0,"numberOfQueuedThings":0,"numberOfInProgressThings":0,"#
                + #""numberOfRemovedThings":0,"numberOfTimedOutThings":0}}"#,
        ])
    desk.now = 9
    _ = desk.iot("DELETE", "/jobs/J")
    let common =
        #""targetSelection":"SNAPSHOT","targets":["\#(arn)thing/T"],"description":"d","createdAt":7000,"#
        + #""lastUpdatedAt":9000,"completedAt":8000}"#
    #expect(
        desk.heard("$aws/events/") == [
            #"job/J/deletion_in_progress {"eventType":"JOB","eventId":"E","timestamp":9,"operation":"deletion_in_progress","#
                + #""jobId":"J","status":"DELETION_IN_PROGRESS",\#(common)"#,
            #"jobExecution/J/deleted {"eventType":"JOB_EXECUTION","eventId":"E","timestamp":9,"operation":"deleted","#
                + #""jobId":"J","thingArn":"\#(arn)thing/T","status":"DELETED","statusDetails":{"a":"b"}}"#,
            #"job/J/deleted {"eventType":"JOB","eventId":"E","timestamp":9,"operation":"deleted","jobId":"J","#
                + #""status":"DELETED",\#(common)"#,
        ])
}

/// What UpdateJob may change.
private let changes: [(before: String, after: String)] = [
    (#""description":"a""#, #""description":"b""#),
    (#""presignedUrlConfig":{"expiresInSec":60}"#, #""presignedUrlConfig":{"expiresInSec":90}"#),
    (
        #""jobExecutionsRolloutConfig":{"maximumPerMinute":9}"#,
        #""jobExecutionsRolloutConfig":{"maximumPerMinute":8,"exponentialRate":{"baseRatePerMinute":1,"#
            + #""incrementFactor":1.5,"rateIncreaseCriteria":{"numberOfNotifiedThings":7}}}"#
    ),
    (
        #""abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL","thresholdPercentage":1.00,"#
            + #""minNumberOfExecutedThings":1}]}"#,
        #""abortConfig":{"criteriaList":[{"failureType":"FAILED","action":"CANCEL","thresholdPercentage":2.00,"#
            + #""minNumberOfExecutedThings":2}]}"#
    ),
    (#""timeoutConfig":{"inProgressTimeoutInMinutes":1}"#, #""timeoutConfig":{"inProgressTimeoutInMinutes":2}"#),
    (
        #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":3}]}"#,
        #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":0}]}"#
    ),
]

@Test("14: UpdateJob changes each of its members and leaves the others [AWS-14-3]", arguments: changes.indices)
func updateEach(index: Int) {
    var desk = Desk(at: 60, things: ["T"])
    _ = desk.create("J", for: ["T"], changes.map(\.before).joined(separator: ","))
    #expect(desk.iot("PATCH", "/jobs/J", "{\(changes[index].after)}") == "200")
    let text = desk.iot("GET", "/jobs/J")
    for (place, change) in changes.enumerated() {
        #expect(text.contains(place == index ? change.after : change.before), "\(text)")
    }
}
