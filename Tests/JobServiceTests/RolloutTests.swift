//  Section 15: rollout, abort, timeouts, retries.
import JobService
import Testing

private func reached(_ desk: Desk) -> Int { desk.executions.values.count { !$0.isEmpty } }

@Test("15.1: the first batch goes out at once, then so many a minute [AWS-15.1-1] [AWS-1.2-13] [AWS-11.2-1]")
func constantRate() {
    var desk = Desk(at: 100, things: fleet(7))
    _ = desk.create(for: fleet(7), rollout(#""maximumPerMinute":3"#))
    var counts = [reached(desk)]
    for _ in 0..<3 {
        desk.wait(seconds: 59)
        counts.append(reached(desk))
        desk.wait(seconds: 1)
        counts.append(reached(desk))
    }
    #expect(counts == [3, 3, 6, 6, 7, 7, 7])
    #expect(desk.jobs["J"]?.deadline(at: desk.now) == nil)
}

@Test("15.1: the usual rate is 1000 a minute, in portions [AWS-1.2-13]")
func usualRate() {
    var desk = Desk(things: fleet(1001))
    _ = desk.iot("POST", "/thing-groups/G")
    for thing in fleet(1001) {
        desk.memberships[thing] = ["G"]
    }
    _ = desk.iot("PUT", "/jobs/J", #"{"targets":["arn:aws:iot:r:1:thinggroup/G"],"document":"{}"}"#)
    #expect(reached(desk) == 1000)
    #expect(desk.jobs["J"]?.deadline(at: desk.now) == desk.now + 60)
    desk.wait(seconds: 60)
    #expect(reached(desk) == 1001)
}

private let growths: [(members: String, notified: UInt64, succeeded: UInt64, rate: UInt64)] = [
    // The example of 15.1: 50 a minute until 1000 things, 100 until 2000, 200 until 3000.
    (#"50,"2","numberOfNotifiedThings":1000"#, 0, 0, 50), (#"50,"2","numberOfNotifiedThings":1000"#, 999, 999, 50),
    (#"50,"2","numberOfNotifiedThings":1000"#, 1000, 0, 100), (#"50,"2","numberOfNotifiedThings":1000"#, 2000, 0, 200),
    (#"50,"2","numberOfNotifiedThings":1000"#, 4999, 0, 800), (#"50,"2","numberOfNotifiedThings":1000"#, 5000, 0, 1000),
    (#"50,"2","numberOfNotifiedThings":1000"#, .max, .max, 1000),
    (#"10,"1.1","numberOfSucceededThings":5"#, 100, 4, 10), (#"10,"1.1","numberOfSucceededThings":5"#, 100, 5, 11),
    (#"10,"1.1","numberOfSucceededThings":5"#, 100, 10, 12),
    (#"10,"5.0","numberOfNotifiedThings":10,"numberOfSucceededThings":10"#, 10, 10, 250),
    (#"1000,"5","numberOfNotifiedThings":1"#, 1, 0, 1000),
]

@Test(
    "15.1: an exponential rate grows each time a criterion is met again, up to the maximum [AWS-15.1-2] [AWS-15.1-3]",
    arguments: growths)
func growth(_ row: (members: String, notified: UInt64, succeeded: UInt64, rate: UInt64)) throws {
    let parts = row.members.split(separator: ",", maxSplits: 2).map(String.init)
    let factor = parts[1].replacing("\"", with: "")
    let text =
        #"{"jobExecutionsRolloutConfig":{"exponentialRate":{"baseRatePerMinute":\#(parts[0]),"incrementFactor":\#(factor),"#
        + #""rateIncreaseCriteria":{\#(parts[2])}}}}"#
    let configuration = try #require(JobConfiguration(stored: Array(text.utf8)))
    #expect(configuration.rollout?.rate(notified: row.notified, succeeded: row.succeeded) == row.rate)
}

@Test("15.1: a rollout whose rate doubles with every two things [AWS-15.1-2]")
func exponentialRollout() {
    var desk = Desk(things: fleet(20))
    _ = desk.create(
        for: fleet(20),
        rollout(
            #""maximumPerMinute":6,"exponentialRate":{"baseRatePerMinute":2,"incrementFactor":2,"#
                + #""rateIncreaseCriteria":{"numberOfNotifiedThings":2}}"#))
    var counts = [reached(desk)]
    for _ in 0..<4 {
        desk.wait(seconds: 60)
        counts.append(reached(desk))
    }
    #expect(counts == [2, 6, 12, 18, 20])
}

@Test("15.1: things that join the group of a continuous job are served at once, outside the rate [AWS-15.1-5]")
func joinersAreServed() {
    var desk = Desk(things: fleet(4))
    _ = desk.iot("POST", "/thing-groups/G")
    func join(_ thing: String) {
        _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"G"}"#)
    }
    join("T1000")
    join("T1001")
    _ = desk.iot(
        "PUT", "/jobs/J",
        #"{"targets":["arn:aws:iot:r:1:thinggroup/G"],"document":"{}","targetSelection":"CONTINUOUS","#
            + rollout(#""maximumPerMinute":1"#) + "}")
    join("T1002")
    join("T1003")
    #expect(fleet(4).map { desk.statuses(on: $0) } == ["1:QUEUED", "", "1:QUEUED", "1:QUEUED"])
    _ = desk.iot("PUT", "/thing-groups/removeThingFromThingGroup", #"{"thingName":"T1001","thingGroupName":"G"}"#)
    desk.wait(seconds: 61)
    #expect(desk.statuses(on: "T1001") == "", "left before the rollout reached it")
    #expect(desk.jobs["J"]?.progress.waiting == 0)
}

// MARK: - Abort

/// A criterion, what ten things say in turn, and after how many the job is cancelled.
private struct Abort: Sendable {
    var type: String
    var least: Int
    var percent: String
    var ends: [String]
    var after: Int?
}

private let aborts = [
    Abort(type: "FAILED", least: 4, percent: "50", ends: ["FAILED", "FAILED", "FAILED", "SUCCEEDED"], after: 4),
    Abort(type: "FAILED", least: 1, percent: "50", ends: ["SUCCEEDED", "FAILED"], after: 2),
    Abort(type: "FAILED", least: 2, percent: "50.01", ends: ["SUCCEEDED", "FAILED", "SUCCEEDED"], after: nil),
    Abort(type: "FAILED", least: 3, percent: "33.33", ends: ["SUCCEEDED", "FAILED", "SUCCEEDED"], after: 3),
    Abort(type: "FAILED", least: 1, percent: "1", ends: ["REJECTED", "SUCCEEDED"], after: nil),
    Abort(type: "REJECTED", least: 1, percent: "100", ends: ["REJECTED"], after: 1),
    Abort(type: "TIMED_OUT", least: 1, percent: "1", ends: ["FAILED", "REJECTED"], after: nil),
    Abort(type: "ALL", least: 2, percent: "100", ends: ["FAILED", "REJECTED"], after: 2),
]

@Test(
    "15.2: abort criteria are checked after each execution that ends [AWS-15.2-2] [AWS-15.2-3] [AWS-15.2-4] [AWS-15.2-5] [AWS-11.2-5]",
    arguments: aborts)
private func abort(_ row: Abort) {
    var desk = Desk(at: 3, things: fleet(10))
    _ = desk.create(
        for: fleet(10),
        #""abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"\#(row.type)","#
            + #""minNumberOfExecutedThings":\#(row.least),"thresholdPercentage":\#(row.percent)}]}"#)
    _ = desk.mqtt("start-next", thing: "T1009")
    var after: Int?
    for (index, end) in row.ends.enumerated() where after == nil {
        _ = desk.mqtt("J/update", #"{"status":"\#(end)"}"#, thing: fleet(10)[index])
        if desk.jobs["J"]?.status == .canceled { after = index + 1 }
    }
    #expect(after == row.after)
    guard after != nil else { return }
    desk.clock()
    #expect(desk.statuses(on: "T1008") == "1:CANCELED")
    #expect(desk.statuses(on: "T1009") == "1:IN_PROGRESS", "goes on")
    #expect(desk.jobs["J"]?.progress.reasonCode == "ABORT_CRITERIA_MET")
    #expect(desk.jobs["J"]?.progress.forceCanceled == false)
    let events = desk.heard("$aws/events/job/J/").map { $0.prefix { $0 != " " } }
    #expect(events == ["cancellation_in_progress", "canceled"])
}

@Test("15.2: criteria are checked in order, and the service says which was met [AWS-15.2-5]")
func abortInOrder() {
    func criterion(_ type: String, _ percent: String) -> String {
        #"{"action":"CANCEL","failureType":"\#(type)","minNumberOfExecutedThings":2,"thresholdPercentage":\#(percent)}"#
    }
    let lists = [("FAILED 50", "ALL 1"), ("ALL 1", "FAILED 50"), ("REJECTED 50", "ALL 1")]
    for (lists, word) in zip(
        lists,
        [
            "50.00 % of 2 finished executions: FAILED", "1.00 % of 2 finished executions: ALL",
            "1.00 % of 2 finished executions: ALL",
        ])
    {
        let criteria = [lists.0, lists.1].map { $0.split(separator: " ") }.map { criterion("\($0[0])", "\($0[1])") }
        var desk = Desk(things: fleet(3))
        _ = desk.create(for: fleet(3), #""abortConfig":{"criteriaList":[\#(criteria.joined(separator: ","))]}"#)
        _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#, thing: "T1000")
        #expect(desk.jobs["J"]?.status == .inProgress, "one is fewer than two")
        _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#, thing: "T1001")
        #expect(desk.jobs["J"]?.progress.reasonCode == "ABORT_CRITERIA_MET")
        #expect(desk.jobs["J"]?.progress.comment == "At least \(word)")
    }
}

@Test("15.2: an abort ends the rest of the rollout [AWS-15.2-4]")
func abortRollout() {
    var desk = Desk(things: fleet(5))
    _ = desk.create(
        for: fleet(5),
        rollout(#""maximumPerMinute":2"#) + #","abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"ALL","#
            + #""minNumberOfExecutedThings":1,"thresholdPercentage":100}]}"#)
    _ = desk.mqtt("start-next", thing: "T1001")
    _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#, thing: "T1000")
    desk.wait(seconds: 300)
    #expect(fleet(5).map { desk.statuses(on: $0) } == ["1:FAILED", "1:IN_PROGRESS", "", "", ""])
    #expect(desk.jobs["J"]?.status == .canceled)
}

@Test("15.2: a job that aborts does not try again [AWS-15.2-2]")
func abortBeforeRetry() {
    var desk = Desk(things: ["T"])
    _ = desk.create(
        "J", for: ["T"],
        #""abortConfig":{"criteriaList":[{"action":"CANCEL","failureType":"FAILED","minNumberOfExecutedThings":1,"#
            + #""thresholdPercentage":1}]},"#
            + #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":3}]}"#)
    _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
    desk.clock()
    #expect(desk.statuses() == "1:FAILED")
}

// MARK: - Timeouts

@Test(
    "15.3: the in-progress timer starts with IN_PROGRESS and nothing changes it [AWS-15.3-1] [AWS-15.3-5] [AWS-11.2-3] [AWS-11.2-12]"
)
func inProgressTimer() {
    var desk = Desk(at: 10, things: ["T"])
    _ = desk.create("J", for: ["T"], #""timeoutConfig":{"inProgressTimeoutInMinutes":2}"#)
    desk.wait(seconds: 500)
    #expect(desk.mqtt("J/get").contains(#""status":"QUEUED""#))
    #expect(!desk.mqtt("J/get").contains("approximateSecondsBeforeTimedOut"))
    #expect(desk.mqtt("start-next").contains(#""approximateSecondsBeforeTimedOut":120,"#))
    desk.wait(seconds: 100)
    _ = desk.mqtt("J/update", #"{"status":"IN_PROGRESS"}"#)
    #expect(desk.mqtt("J/get").contains(#""approximateSecondsBeforeTimedOut":20,"#))
    _ = desk.heard()
    desk.wait(seconds: 19)
    #expect(desk.statuses() == "1:IN_PROGRESS")
    desk.wait(seconds: 1)
    #expect(desk.statuses() == "1:TIMED_OUT")
    #expect(desk.executions["T"]?.first?.version == 4)
    #expect(
        desk.heard().map { $0.prefix { $0 != " " } } == [
            "$aws/things/T/jobs/notify", "$aws/things/T/jobs/notify-next", "$aws/events/jobExecution/J/timed_out",
            "$aws/events/job/J/completed",
        ])
}

/// Steps at seconds, and when the execution times out.
private struct Step: Sendable {
    var rule: String
    var steps: [(at: UInt64, minutes: String)]
    var end: UInt64?
}

private let steps = [
    Step(rule: "alone", steps: [(0, "1")], end: 60),
    Step(rule: "a new value replaces the old timer from now", steps: [(0, "1"), (30, "2")], end: 150),
    Step(rule: "an update without the member leaves it running", steps: [(0, "1"), (30, "")], end: 60),
    Step(rule: "-1 removes it", steps: [(0, "1"), (30, "-1")], end: 300),
    Step(rule: "it cannot reach beyond the in-progress timer", steps: [(0, "1"), (30, "9")], end: 300),
    Step(rule: "removed and set again", steps: [(0, "1"), (30, "-1"), (40, "1")], end: 100),
]

@Test("15.3: the step timer [AWS-15.3-2] [AWS-15.3-3] [AWS-15.3-4]", arguments: steps)
private func stepTimer(_ row: Step) {
    var desk = Desk(at: 1000, things: ["T"])
    _ = desk.create("J", for: ["T"], #""timeoutConfig":{"inProgressTimeoutInMinutes":5}"#)
    for step in row.steps {
        desk.now = 1000 + step.at
        let member = step.minutes.isEmpty ? "" : #","stepTimeoutInMinutes":\#(step.minutes)"#
        #expect(desk.mqtt("J/update", #"{"status":"IN_PROGRESS"\#(member)}"#).hasPrefix("accepted"))
    }
    #expect(desk.executions["T"]?.first?.deadline == row.end.map { 1000 + $0 }, "\(row.rule)")
}

@Test("15.3: a step timer without an in-progress timer, and none at all [AWS-15.3-3]")
func loneStepTimer() {
    var desk = Desk(at: 1000, things: ["T"])
    _ = desk.create()
    _ = desk.mqtt("start-next", #"{"stepTimeoutInMinutes":"1"}"#)
    desk.now = 1030
    _ = desk.mqtt("J/update", #"{"status":"IN_PROGRESS","stepTimeoutInMinutes":-1}"#)
    desk.wait(seconds: 100)
    #expect(desk.statuses() == "1:IN_PROGRESS")
}

// MARK: - Retries

/// Criteria, what the device says in turn (`t`: it says nothing until the timer ends), and the executions.
private let retries: [(criteria: String, ends: String, statuses: String)] = [
    ("", "f", "1:FAILED"), ("FAILED 0", "f", "1:FAILED"), ("FAILED 2", "f", "1:FAILED 2:QUEUED"),
    ("FAILED 2", "fff", "1:FAILED 2:FAILED 3:FAILED"), ("FAILED 2", "fs", "1:FAILED 2:SUCCEEDED"),
    ("FAILED 2", "t", "1:TIMED_OUT"), ("TIMED_OUT 1", "tt", "1:TIMED_OUT 2:TIMED_OUT"),
    ("FAILED 1,TIMED_OUT 1", "ftf", "1:FAILED 2:TIMED_OUT 3:FAILED"),
    ("ALL 2", "ftf", "1:FAILED 2:TIMED_OUT 3:FAILED"), ("ALL 1", "r", "1:REJECTED"), ("ALL 1", "c", "1:CANCELED"),
    ("ALL 10", "fffffffffff", (1...11).map { "\($0):FAILED" }.joined(separator: " ")),
]

@Test(
    "15.4: what is tried again, and how often [AWS-15.4-1] [AWS-15.4-3] [AWS-15.4-4] [AWS-1.2-15] [AWS-11.2-3]",
    arguments: retries)
func retry(_ row: (criteria: String, ends: String, statuses: String)) {
    var desk = Desk(things: ["T"])
    let criteria = row.criteria.split(separator: ",").map { criterion in
        let words = criterion.split(separator: " ")
        return #"{"failureType":"\#(words[0])","numberOfRetries":\#(words[1])}"#
    }
    let config = #""jobExecutionsRetryConfig":{"criteriaList":[\#(criteria.joined(separator: ","))]},"#
    _ = desk.create(
        "J", for: ["T"],
        (criteria.isEmpty ? "" : config) + #""timeoutConfig":{"inProgressTimeoutInMinutes":1}"#)
    for end in row.ends {
        _ = desk.mqtt("start-next")
        switch end {
        case "t": desk.wait(seconds: 60)
        case "c": _ = desk.iot("PUT", "/things/T/jobs/J/cancel?force=true")
        case "f": _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
        case "r": _ = desk.mqtt("J/update", #"{"status":"REJECTED"}"#)
        default: _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#)
        }
    }
    #expect(desk.statuses() == row.statuses)
    #expect((desk.jobs["J"]?.status == .inProgress) == row.statuses.hasSuffix("QUEUED"))
}

@Test(
    "15.4: a retry goes to the end of the queue, with notifications, and counts its attempts [AWS-15.4-2] [AWS-11.2-7]")
func retryQueue() {
    var desk = Desk(at: 2, things: ["T"])
    _ = desk.create(
        "J", for: ["T"], #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":1}]}"#)
    _ = desk.create("K")
    _ = desk.heard()
    _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
    let heard = desk.heard("$aws/things/T/jobs/")
    #expect(heard.count == 2)
    #expect(
        heard.first?.hasSuffix(
            #""executionNumber":1,"versionNumber":1},{"jobId":"J","queuedAt":2,"lastUpdatedAt":2,"executionNumber":2,"#
                + #""versionNumber":1}]}}"#) == true)
    #expect(heard.last?.contains(#""execution":{"jobId":"K""#) == true)
    #expect(
        desk.iot("GET", "/jobs/J/things")
            == #"200 {"executionSummaries":["#
            + [(1, "FAILED", 0), (2, "QUEUED", 1)].map { number, status, attempt in
                #"{"thingArn":"arn:aws:iot:us-east-1:000000000000:thing/T","jobExecutionSummary":{"status":"\#(status)","#
                    + #""queuedAt":2,"lastUpdatedAt":2,"executionNumber":\#(number),"retryAttempt":\#(attempt)}}"#
            }.joined(separator: ",") + "]}")
    #expect(desk.jobs["J"]?.progress.things[.failed] == 0)
    #expect(desk.jobs["J"]?.progress.things[.queued] == 1)
    #expect(desk.jobs["J"]?.progress.notified == 1, "things, not executions")
}

@Test("15.4: rejoining the group of a continuous job begins anew [AWS-15.4-5]")
func rejoining() {
    var desk = Desk(things: ["T"])
    _ = desk.iot("POST", "/thing-groups/G")
    let member = #"{"thingName":"T","thingGroupName":"G"}"#
    _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", member)
    _ = desk.iot(
        "PUT", "/jobs/J",
        #"{"targets":["arn:aws:iot:r:1:thinggroup/G"],"document":"{}","targetSelection":"CONTINUOUS","#
            + #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":1}]}}"#)
    for expected in ["1:FAILED 2:FAILED", "1:FAILED 2:FAILED 3:FAILED 4:FAILED"] {
        _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
        _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
        #expect(desk.statuses() == expected)
        _ = desk.iot("PUT", "/thing-groups/removeThingFromThingGroup", member)
        _ = desk.iot("PUT", "/thing-groups/addThingToThingGroup", member)
    }
    #expect(desk.statuses().hasSuffix("5:QUEUED"))
}
