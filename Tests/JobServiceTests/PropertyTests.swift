//  What is true whatever happens: seeded runs over random fleets, and bytes of any kind.
import ApusTestKit
import ByteKit
import JobService
import Testing

private let things = ["A", "B", "C", "D", "E"]
private let statuses = ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"]

/// A desk with two jobs that roll out slowly, abort, time out and retry.
private func busyDesk(_ random: inout SeededRandom) -> Desk {
    var desk = Desk(at: 100, things: things)
    for id in ["J", "K"] {
        let rate = Int.random(in: 1...3, using: &random)
        _ = desk.create(
            id, for: things,
            #""jobExecutionsRolloutConfig":{"maximumPerMinute":\#(rate)},"timeoutConfig":{"inProgressTimeoutInMinutes":2},"#
                + #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":2}]},"#
                + #""abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":6,"#
                + #""thresholdPercentage":75}]}"#)
    }
    return desk
}

/// Does one thing that may happen.
private func step(_ desk: inout Desk, _ random: inout SeededRandom) {
    let thing = things.randomElement(using: &random) ?? "A"
    let job = Bool.random(using: &random) ? "J" : "K"
    switch Int.random(in: 0..<24, using: &random) {
    case 0..<10:
        let status = statuses.randomElement(using: &random) ?? ""
        _ = desk.mqtt(
            "\(job)/update", #"{"status":"\#(status)","expectedVersion":\#(Int.random(in: 1...3, using: &random))}"#,
            thing: thing)
    case 10..<13:
        _ = desk.mqtt("\(job)/update", #"{"status":"\#(statuses[0])","stepTimeoutInMinutes":1}"#, thing: thing)
    case 13..<17: _ = desk.mqtt("start-next", thing: thing)
    case 17..<20: desk.wait(seconds: UInt64.random(in: 1...40, using: &random))
    case 20: _ = desk.iot("PUT", "/things/\(thing)/jobs/\(job)/cancel?force=\(Bool.random(using: &random))")
    case 21: _ = desk.iot("DELETE", "/things/\(thing)/jobs/\(job)/executionNumber/1")
    case 22: _ = desk.mqtt("\(job)/get", thing: thing)
    default:
        guard Int.random(in: 0..<8, using: &random) == 0 else { return }
        _ = desk.iot("PUT", "/jobs/\(job)/cancel?force=\(Bool.random(using: &random))")
    }
}

/// The executions of a desk by thing and key.
private func byKey(_ desk: Desk) -> [String: JobExecution] {
    let all = desk.executions.values.joined().map { ("\($0.thing)/\($0.keyOnThing)", $0) }
    return Dictionary(uniqueKeysWithValues: all)
}

@Test(
    "11.2: nothing leaves a terminal state, and each change adds one to the version [AWS-11.2-6] [AWS-11.2-11]",
    arguments: UInt64(0)..<50)
func versions(seed: UInt64) {
    var random = SeededRandom(seed)
    var desk = busyDesk(&random)
    for _ in 0..<60 {
        let before = byKey(desk)
        step(&desk, &random)
        for (key, new) in byKey(desk) {
            guard let old = before[key] else {
                #expect(new.status == .queued || new.version > 1)
                continue
            }
            if old == new { continue }
            #expect(!old.status.isTerminal, "\(key)")
            #expect(new.status != .queued, "\(key)")
            #expect(new.version == old.version + 1, "\(key)")
            #expect(new.lastUpdatedAt >= old.lastUpdatedAt && new.queuedAt == old.queuedAt)
        }
    }
}

@Test("14: the counts of a job agree with its executions [AWS-14-20] [AWS-11.1-3]", arguments: UInt64(0)..<50)
func counts(seed: UInt64) {
    var random = SeededRandom(seed)
    var desk = busyDesk(&random)
    for _ in 0..<60 {
        step(&desk, &random)
        for (id, job) in desk.jobs {
            let mine = desk.executions.values.joined().filter { $0.key.jobID == id }
            let latest = Dictionary(grouping: mine, by: \.thing).values.compactMap { executions in
                executions.max { $0.key.number < $1.key.number }
            }
            for status in ExecutionStatus.allCases {
                #expect(job.progress.things[status] == latest.count { $0.status == status }, "\(status)")
            }
            #expect(job.progress.executions == mine.count)
            #expect(job.progress.waiting == desk.waiting[id]?.count ?? 0 || job.status != .inProgress)
            let isOver = !mine.contains { !$0.status.isTerminal } && job.progress.waiting == 0
            #expect((job.status == .completed || job.status == .canceled) || !isOver)
        }
    }
}

@Test(
    "12.3: one who only hears notifications knows the pending list and the next execution [AWS-12.3-2] [AWS-12.3-4]",
    arguments: UInt64(0)..<50)
func notifications(seed: UInt64) {
    var random = SeededRandom(seed)
    var desk = busyDesk(&random)
    var pending: [String: Set<String>] = [:]
    var next: [String: String] = [:]
    for _ in 0..<60 {
        for line in desk.heard("$aws/things/") {
            let topic = line.prefix { $0 != " " }.split(separator: "/")
            let names = line.matches(of: #/"jobId":"([JK])"/#).map { String($0.output.1) }
            if topic[2] == "notify" { pending[String(topic[0])] = Set(names) }
            if topic[2] == "notify-next" { next[String(topic[0])] = names.first }
        }
        for thing in things {
            let now = desk.load(thing)
            #expect(pending[thing, default: []] == Set(now.pending.map(\.key.jobID)))
            #expect(next[thing] == now.next?.key.jobID)
        }
        step(&desk, &random)
    }
}

@Test(
    "15.1: no minute, wherever it begins, sees more executions queued than the rate [AWS-15.1-1]",
    arguments: UInt64(0)..<60)
func rates(seed: UInt64) {
    var random = SeededRandom(seed)
    let fleet = (0..<60).map { "T\(100 + $0)" }
    var desk = Desk(at: 1000, things: fleet)
    let maximum = Int.random(in: 1...12, using: &random)
    let base = Int.random(in: 1...maximum, using: &random)
    let growth =
        #""exponentialRate":{"baseRatePerMinute":\#(base),"incrementFactor":\#(Int.random(in: 2...5, using: &random)),"#
        + #""rateIncreaseCriteria":{"numberOfNotifiedThings":\#(Int.random(in: 1...20, using: &random)),"#
        + #""numberOfSucceededThings":\#(Int.random(in: 1...20, using: &random))}}"#
    let isConstant = Bool.random(using: &random)
    _ = desk.create(
        for: fleet,
        #""jobExecutionsRolloutConfig":{"maximumPerMinute":\#(maximum)\#(isConstant ? "" : ",\(growth)")}"#)
    #expect(desk.executions.values.joined().count == min(isConstant ? maximum : base, 60), "the first batch at once")
    for _ in 0..<40 {
        // The shell may come late, or ask for nothing.
        desk.now += UInt64.random(in: 0...50, using: &random)
        desk.clock()
        let thing = fleet.randomElement(using: &random) ?? ""
        _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#, thing: thing)
    }
    let times = desk.executions.values.joined().map(\.queuedAt).sorted()
    for start in times {
        #expect(times.count { $0 >= start && $0 < start + 60 } <= maximum)
    }
    for _ in 0..<60 {
        desk.now += 60
        desk.clock()
    }
    #expect(desk.executions.values.joined().count == 60, "all are reached in the end")
}

// MARK: - Bytes of any kind

private let update =
    #"{"status":"IN_PROGRESS","statusDetails":{"a":"x\u00e9","b":"2"},"expectedVersion":"1","executionNumber":1,"#
    + #""includeJobExecutionState":true,"includeJobDocument":true,"stepTimeoutInMinutes":-1,"clientToken":"t\""}"#

private let creation =
    #"{"targets":["arn:aws:iot:r:1:thing/T"],"document":"{\"a\":[1]}","abortConfig":{"criteriaList":[{"action":"CANCEL","#
    + #""failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":99.99}]},"schedulingConfig":{"startTime":"#
    + #""1970-01-01 01:00"},"jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":9,"incrementFactor":1.1,"#
    + #""rateIncreaseCriteria":{"numberOfNotifiedThings":5}}}}"#

private func mutated(_ text: String, _ random: inout SeededRandom) -> [UInt8] {
    let alphabet = Array("{}[],:\"\\u0e-.tn19 /%?=&$".utf8) + [0x00, 0x80, 0xC3, 0xFF]
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let byte = alphabet.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = byte
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(byte, at: place)
        case 3: bytes = Array(bytes[..<place])
        default: bytes.append(contentsOf: bytes[place...])
        }
    }
    return bytes
}

@Test(
    "12.2: whatever bytes arrive, the answer has a shape and a refusal changes nothing [AWS-12.2-1]",
    arguments: UInt64(0)..<200)
func anyPayload(seed: UInt64) {
    var random = SeededRandom(seed)
    for _ in 0..<20 {
        var desk = Desk(at: 5, things: ["T"])
        _ = desk.create()
        _ = desk.heard()
        let before = desk.executions
        let bytes = mutated(update, &random)
        let suffix = ["J/update", "start-next", "get", "J/get", "$next/get", "x"].randomElement(using: &random) ?? ""
        let answer = desk.mqtt(suffix, bytes: bytes)
        if answer.hasPrefix("accepted {") {
            let isChange = suffix == "J/update" || suffix == "start-next"
            #expect((desk.executions == before) == !isChange)
        } else {
            #expect(answer.hasPrefix(#"rejected {"code":""#))
            #expect(desk.executions == before && desk.heard() == [])
        }
    }
}

@Test("12.1: a payload cut anywhere is refused [AWS-12.2-3]", arguments: 1..<update.utf8.count)
func cut(at index: Int) {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let answer = desk.mqtt("J/update", bytes: Array(update.utf8.prefix(index)))
    #expect(
        answer
            == #"rejected {"code":"InvalidJson","message":"The payload is not a JSON object in UTF-8","timestamp":5}"#)
    #expect(desk.statuses() == "1:QUEUED")
}

@Test(
    "14: whatever bytes arrive, a job is created or refused, and what is created comes back", arguments: UInt64(0)..<200
)
func anyCreation(seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<20 {
        var desk = Desk(at: 60, things: ["T"])
        let bytes = mutated(creation, &random)
        let answer = desk.iot("PUT", "/jobs/J", bytes: bytes)
        let job = desk.jobs["J"]
        #expect(answer.hasPrefix("200 ") == (job != nil))
        guard let job else {
            #expect(["400 Inv", "404 Res"].contains(answer.prefix(7)), "\(answer)")
            continue
        }
        #expect(JobConfiguration(stored: job.configuration.stored) == job.configuration)
    }
}

/// Requests of the control plane with bodies.
private let calls: [(method: String, path: String, body: String)] = [
    ("PATCH", "/jobs/J", #"{"description":"d","timeoutConfig":{"inProgressTimeoutInMinutes":5}}"#),
    ("PUT", "/jobs/J/cancel?force=true", #"{"reasonCode":"A_1","comment":"c"}"#),
    ("POST", "/jobs/J/targets", #"{"targets":["arn:aws:iot:r:1:thing/T"],"comment":"c"}"#),
    ("PUT", "/things/T/jobs/J/cancel", #"{"expectedVersion":1,"statusDetails":{"a":"b"}}"#),
    ("POST", "/things/N", #"{"thingTypeName":"t","attributePayload":{"attributes":{"a":"b"},"merge":true}}"#),
    ("PATCH", "/things/T", #"{"attributePayload":{"attributes":{"a":""},"merge":true},"expectedVersion":1}"#),
    ("POST", "/thing-groups/H", #"{"parentGroupName":"G","thingGroupProperties":{"thingGroupDescription":"d"}}"#),
    ("PUT", "/thing-groups/addThingToThingGroup", #"{"thingName":"T","thingGroupArn":"arn:aws:iot:r:1:thinggroup/G"}"#),
    ("PUT", "/thing-groups/updateThingGroupsForThing", #"{"thingName":"T","thingGroupsToAdd":["G"]}"#),
]

@Test(
    "10, 14: whatever bytes arrive, an operation is done or refused, and a refusal changes nothing",
    arguments: UInt64(0)..<100)
func anyCall(seed: UInt64) {
    var random = SeededRandom(seed)
    var desk = Desk(at: 60, things: ["T"])
    _ = desk.iot("POST", "/thing-groups/G")
    _ = desk.create()
    for call in calls {
        var other = desk
        _ = other.heard()
        let path = Int.random(in: 0..<4, using: &random) == 0 ? mutated(call.path, &random) : Array(call.path.utf8)
        let answer = other.iot(call.method, String(decoding: path, as: UTF8.self), bytes: mutated(call.body, &random))
        if answer.hasPrefix("200") || answer.hasPrefix("no ") { continue }
        #expect(["400 Inv", "404 Res", "409 Inv", "409 Res", "409 Ver"].contains(answer.prefix(7)), "\(answer)")
        #expect(other.jobs == desk.jobs && other.things == desk.things && other.groups == desk.groups)
        #expect(other.executions == desk.executions && other.heard() == [])
    }
}

@Test("topics and targets of any bytes are read or refused", arguments: UInt64(0)..<200)
func anyAddress(seed: UInt64) {
    var random = SeededRandom(seed)
    var desk = Desk(at: 60, things: ["T"])
    for _ in 0..<20 {
        let topic = mutated("$aws/things/T/jobs/$next/get", &random)
        if let request = JobRequest.parse(topic: topic.span) {
            #expect(!request.thing.isEmpty && request.topic.utf8.count <= JobRequest.maximumTopicBytes)
        }
        let paths = [
            "/things/T/jobs/J?executionNumber=1&includeJobDocument=true", "/jobs?maxResults=5&nextToken=n4142",
            "/jobs/J/things?status=QUEUED", "/thing-groups?recursive=true", "/things/T/jobs/J/executionNumber/12",
        ]
        let path = String(decoding: mutated(paths.randomElement(using: &random) ?? "", &random), as: UTF8.self)
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
            _ = desk.http(method, path)
            _ = desk.iot(method, path)
        }
    }
    #expect(desk.jobs.isEmpty)
}

@Test("16: identifiers are UUIDs of version 4 and differ")
func identifiers() {
    let desk = Desk(things: (0..<200).map { "T\($0)" })
    let ids = desk.things.values.map(\.id)
    let form = #/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/#
    #expect(ids.allSatisfy { $0.wholeMatch(of: form) != nil })
    #expect(Set(ids).count == 200)
}
