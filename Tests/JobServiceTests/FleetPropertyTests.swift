//  Fleets that change while jobs roll out: things join, leave, come and are deleted; jobs are extended, stopped, deleted.
import ApusTestKit
import JobService
import Testing

private let things = ["A", "B", "C", "D", "E", "F"]
private let groupNames = ["P", "Q", "R"]
private let jobs = ["J", "K"]

extension SeededRandom {
    fileprivate mutating func pick(_ list: [String]) -> String { list.randomElement(using: &self) ?? "" }
    fileprivate mutating func once(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// Groups P and Q, which has R in it, and things in some of them.
private func fleet(_ random: inout SeededRandom) -> Desk {
    var desk = Desk(at: 1000, things: things)
    for group in groupNames {
        _ = desk.iot("POST", "/thing-groups/\(group)", group == "R" ? #"{"parentGroupName":"Q"}"# : "")
    }
    for thing in things where !random.once(in: 3) { join(thing, random.pick(groupNames), &desk) }
    return desk
}

private func join(_ thing: String, _ group: String, _ desk: inout Desk) {
    _ = desk.iot(
        "PUT", "/thing-groups/addThingToThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"\#(group)"}"#)
}

private func leave(_ thing: String, _ group: String, _ desk: inout Desk) {
    _ = desk.iot(
        "PUT", "/thing-groups/removeThingFromThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"\#(group)"}"#
    )
}

private func targets(_ random: inout SeededRandom) -> String {
    let names =
        [random.pick(groupNames), random.pick(groupNames)].map { "thinggroup/\($0)" } + ["thing/\(random.pick(things))"]
    return names.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
        .map { #""arn:aws:iot:us-east-1:000000000000:\#($0)""# }.joined(separator: ",")
}

private func create(_ id: String, _ desk: inout Desk, _ random: inout SeededRandom) {
    let selection = random.once(in: 4) ? "SNAPSHOT" : "CONTINUOUS"
    let retry =
        random.once(in: 2)
        ? #","jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":1}]}"# : ""
    _ = desk.iot(
        "PUT", "/jobs/\(id)",
        #"{"targets":[\#(targets(&random))],"document":"{}","targetSelection":"\#(selection)","#
            + rollout(#""maximumPerMinute":\#(Int.random(in: 1...3, using: &random))"#) + retry + "}")
}

/// Does one thing that may happen.
private func step(_ desk: inout Desk, _ random: inout SeededRandom) {
    let (thing, group, job) = (random.pick(things), random.pick(groupNames), random.pick(jobs))
    switch Int.random(in: 0..<30, using: &random) {
    case 0..<6: join(thing, group, &desk)
    case 6..<11: leave(thing, group, &desk)
    case 11..<17:
        let status = random.pick(["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"])
        _ = desk.mqtt("\(job)/update", #"{"status":"\#(status)"}"#, thing: thing)
    case 17..<20: _ = desk.mqtt("start-next", thing: thing)
    case 20..<24: desk.wait(seconds: UInt64.random(in: 1...70, using: &random))
    case 24: _ = desk.iot("POST", "/jobs/\(job)/targets", #"{"targets":[\#(targets(&random))]}"#)
    case 25: _ = desk.iot("DELETE", "/things/\(thing)")
    case 26: _ = desk.iot("POST", "/things/\(thing)")
    case 27: create(job, &desk, &random)
    case 28 where random.once(in: 3): _ = desk.iot("PUT", "/jobs/\(job)/cancel?force=\(Bool.random(using: &random))")
    case 29 where random.once(in: 3): _ = desk.iot("DELETE", "/jobs/\(job)?force=true")
    default: break
    }
}

/// What is true of a job at any time.
private func check(_ id: String, _ job: Job, _ desk: Desk) {
    let mine = desk.executions.values.joined().filter { $0.key.jobID == id }
    let latest = Dictionary(grouping: mine, by: \.thing).mapValues { executions in
        executions.max { $0.key.number < $1.key.number }
    }
    for status in ExecutionStatus.allCases {
        #expect(job.progress.things[status] == latest.values.count { $0?.status == status }, "\(id) \(status)")
    }
    #expect(job.progress.executions == mine.count)
    for (thing, executions) in Dictionary(grouping: mine, by: \.thing) {
        let pending = executions.filter { !$0.status.isTerminal }
        #expect(pending.count <= 1, "one execution of a job on a thing at a time")
        #expect(pending.allSatisfy { $0.key == latest[thing]??.key }, "and it is the latest one")
        #expect(Set(executions.map(\.key.number)).count == executions.count)
        guard job.selection == .continuous, job.status == .inProgress else { continue }
        let isTarget = desk.things[thing] != nil && job.reaches(thing, groups: desk.surroundings(thing))
        #expect(isTarget || pending.isEmpty, "\(thing) is no target of \(id) any more")
    }
    if job.status == .inProgress {
        let waiting = desk.waiting[id, default: []]
        #expect(job.progress.waiting == waiting.count && Set(waiting).count == waiting.count)
    }
}

@Test(
    "11.1, 11.2: whoever joins and leaves, counts agree and nobody has a job that is not for it [AWS-11.1-5] [AWS-11.2-4]",
    arguments: UInt64(0)..<50)
func changingFleet(seed: UInt64) {
    var random = SeededRandom(seed)
    var desk = fleet(&random)
    for id in jobs { create(id, &desk, &random) }
    var strangers: Set<String> = []
    for _ in 0..<80 {
        step(&desk, &random)
        for (id, job) in desk.jobs { check(id, job, desk) }
        strangers.formUnion(things.filter { desk.things[$0] == nil })
    }
    // In the end a job reaches all its targets; a thing that was deleted and made again is another one.
    desk.wait(seconds: 900)
    for (id, job) in desk.jobs where job.status == .inProgress && job.selection == .continuous {
        #expect(job.progress.waiting == 0)
        for thing in desk.things.keys where job.reaches(thing, groups: desk.surroundings(thing)) {
            if strangers.contains(thing) { continue }
            let last = desk.executions[thing, default: []].filter { $0.key.jobID == id }.max {
                $0.key.number < $1.key.number
            }
            #expect(last != nil && last?.status != .removed, "\(thing) has no \(id)")
        }
    }
    for id in desk.jobs.keys { _ = desk.iot("DELETE", "/jobs/\(id)?force=true") }
    #expect(desk.jobs.isEmpty && desk.executions.values.allSatisfy(\.isEmpty), "nothing is left behind")
}
