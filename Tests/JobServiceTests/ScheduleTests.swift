//  Section 15.5: schedules.
import JobService
import Testing

/// 2026-01-01 00:00 UTC.
private let newYear: UInt64 = 1_767_225_600

private func scheduled(_ members: String) -> Desk {
    var desk = Desk(at: newYear, things: fleet(3))
    _ = desk.create(
        for: fleet(3), rollout(#""maximumPerMinute":1"#) + #","schedulingConfig":{\#(members)}"#)
    return desk
}

private func states(_ desk: Desk) -> [String] { fleet(3).map { desk.statuses(on: $0) } }

@Test("15.5: a job is SCHEDULED until its start time, and nothing is queued [AWS-15.5-1]")
func start() {
    var desk = scheduled(#""startTime":"2026-01-01 01:00""#)
    #expect(desk.jobs["J"]?.status == .scheduled)
    #expect(desk.jobs["J"]?.deadline(at: desk.now) == newYear + 3600)
    desk.now = newYear + 3599
    desk.clock()
    #expect(states(desk) == ["", "", ""])
    desk.wait(seconds: 1)
    #expect(desk.jobs["J"]?.status == .inProgress)
    #expect(states(desk) == ["1:QUEUED", "", ""])
}

@Test("15.5: a scheduled job can be cancelled and deleted")
func cancelScheduled() {
    var desk = scheduled(#""startTime":"2026-01-01 01:00""#)
    #expect(desk.iot("PUT", "/jobs/J/cancel").hasPrefix("200"))
    #expect(desk.jobs["J"]?.status == .canceled)
    desk.now = newYear + 3600
    desk.clock()
    #expect(states(desk) == ["", "", ""])
    #expect(desk.iot("DELETE", "/jobs/J") == "200")
    #expect(desk.jobs["J"] == nil)
}

private let ends: [(behavior: String, states: [String], status: JobStatus)] = [
    (#","endBehavior":"STOP_ROLLOUT""#, ["1:IN_PROGRESS", "1:QUEUED", ""], .inProgress),
    ("", ["1:IN_PROGRESS", "1:QUEUED", ""], .inProgress),
    (#","endBehavior":"CANCEL""#, ["1:IN_PROGRESS", "1:CANCELED", ""], .canceled),
    (#","endBehavior":"FORCE_CANCEL""#, ["1:CANCELED", "1:CANCELED", ""], .canceled),
]

@Test("15.5: what happens at the end time [AWS-15.5-4]", arguments: ends)
func end(_ row: (behavior: String, states: [String], status: JobStatus)) {
    var desk = scheduled(#""endTime":"2026-01-01 00:30"\#(row.behavior)"#)
    desk.wait(seconds: 60)
    _ = desk.mqtt("start-next", thing: "T1000")
    // The third one waits for the next minute: time jumps to the end.
    desk.now = newYear + 1800
    desk.clock()
    #expect(states(desk) == row.states)
    #expect(desk.jobs["J"]?.status == row.status)
    #expect(desk.jobs["J"]?.deadline(at: desk.now) == nil)
    desk.now += 600
    desk.clock()
    #expect(states(desk) == row.states)
    for thing in fleet(2) {
        _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#, thing: thing)
    }
    #expect(desk.jobs["J"]?.status == (row.status == .inProgress ? .completed : .canceled))
}

@Test("15.5: after the end time nothing is tried again [AWS-15.5-4]")
func noRetryAfterEnd() {
    for (wait, statuses) in [(0, "1:FAILED 2:QUEUED"), (1800, "1:FAILED")] as [(UInt64, String)] {
        var desk = Desk(at: newYear, things: ["T"])
        _ = desk.create(
            "J", for: ["T"],
            #""schedulingConfig":{"endTime":"2026-01-01 00:30","endBehavior":"STOP_ROLLOUT"},"#
                + #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":2}]}"#)
        desk.now = newYear + wait
        desk.clock()
        _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
        #expect(desk.statuses() == statuses)
        #expect(desk.jobs["J"]?.status == (wait == 0 ? .inProgress : .completed))
    }
}

@Test("15.5: a continuous job whose rollout has stopped takes nobody in, but lets go")
func stoppedContinuous() {
    var desk = Desk(at: newYear, things: ["A", "B"])
    _ = desk.iot("POST", "/thing-groups/G")
    func change(_ word: String, _ thing: String) {
        _ = desk.iot("PUT", "/thing-groups/\(word)ThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"G"}"#)
    }
    change("addThingTo", "A")
    _ = desk.iot(
        "PUT", "/jobs/J",
        #"{"targets":["arn:aws:iot:r:1:thinggroup/G"],"document":"{}","targetSelection":"CONTINUOUS","#
            + #""schedulingConfig":{"endTime":"2026-01-01 01:00"}}"#)
    desk.now = newYear + 3600
    desk.clock()
    change("addThingTo", "B")
    change("removeThingFrom", "A")
    #expect(["A", "B"].map { desk.statuses(on: $0) } == ["1:REMOVED", ""])
}

@Test("15.5: a scheduled continuous job counts those who join before it starts")
func scheduledContinuous() {
    var desk = Desk(at: newYear, things: ["A", "B"])
    _ = desk.iot("POST", "/thing-groups/G")
    func change(_ word: String, _ thing: String) {
        _ = desk.iot("PUT", "/thing-groups/\(word)ThingGroup", #"{"thingName":"\#(thing)","thingGroupName":"G"}"#)
    }
    change("addThingTo", "A")
    _ = desk.iot(
        "PUT", "/jobs/J",
        #"{"targets":["arn:aws:iot:r:1:thinggroup/G"],"document":"{}","targetSelection":"CONTINUOUS","#
            + #""schedulingConfig":{"startTime":"2026-01-01 01:00"}}"#)
    change("addThingTo", "B")
    change("removeThingFrom", "A")
    #expect(desk.jobs["J"]?.progress.waiting == 1)
    desk.now = newYear + 3600
    desk.clock()
    #expect(["A", "B"].map { desk.statuses(on: $0) } == ["", "1:QUEUED"])
}

private let minutes: [(text: String, seconds: UInt64?)] = [
    ("1970-01-01 00:00", 0), ("2000-02-29 00:00", 951_782_400), ("2026-01-01 00:01", newYear + 60),
    ("2024-12-31 23:59", 1_735_689_540), ("2100-03-01 00:00", 4_107_542_400), ("2100-02-29 00:00", nil),
    ("2023-02-29 00:00", nil), ("1969-12-31 23:59", nil), ("2026-04-31 00:00", nil), ("2026-00-01 00:00", nil),
    ("2026-01-00 00:00", nil), ("2026-1-01 000:00", nil), ("2026-01-01 00:0x", nil), ("2026/01/01 00:00", nil),
]

@Test("15.5: minutes of the calendar in UTC [AWS-15.5-2]", arguments: minutes)
func calendar(_ row: (text: String, seconds: UInt64?)) {
    #expect(UTCMinute(row.text)?.seconds == row.seconds)
}

private let schedules: [(members: String, refusal: String?)] = [
    (#""startTime":"2026-01-01 00:30""#, nil), (#""startTime":"2026-01-01 00:28""#, "schedulingConfig.startTime"),
    (#""startTime":"2027-01-01 00:00""#, nil), (#""startTime":"2027-01-03 00:00""#, "schedulingConfig.startTime"),
    (#""startTime":"2026-01-01T00:30""#, "schedulingConfig.startTime"),
    (#""startTime":"2026-02-29 00:30""#, "schedulingConfig.startTime"),
    (#""startTime":"2026-13-01 00:30""#, "schedulingConfig.startTime"),
    (#""startTime":"2026-01-01 24:00""#, "schedulingConfig.startTime"),
    (#""startTime":"2026-01-01 01:60""#, "schedulingConfig.startTime"),
    (#""startTime":1"#, "schedulingConfig.startTime"),
    (#""endTime":"2026-01-01 00:28""#, "schedulingConfig.endTime"),
    (#""startTime":"2026-01-01 01:00","endTime":"2026-01-01 01:28""#, "schedulingConfig.endTime"),
    (#""startTime":"2026-01-01 01:00","endTime":"2026-01-01 01:30","endBehavior":"CANCEL""#, nil),
    (#""endTime":"2028-01-01 00:00""#, nil), (#""endTime":"2028-01-04 00:00""#, "schedulingConfig.endTime"),
    (#""endBehavior":"CANCEL""#, "schedulingConfig.endTime"),
    (#""endTime":"2026-06-01 00:00","endBehavior":"STOP""#, "schedulingConfig.endBehavior"),
    (#""maintenanceWindows":[]"#, nil),
    (
        #""maintenanceWindows":[{"startTime":"cron(0 1 * * ? *)","durationInMinutes":60}]"#,
        "schedulingConfig.maintenanceWindows"
    ),
]

@Test("15.5: bounds of a schedule [AWS-15.5-2] [AWS-15.5-3]", arguments: schedules)
func scheduleBounds(_ row: (members: String, refusal: String?)) {
    var desk = Desk(at: newYear, things: ["T"])
    let answer = desk.create("J", for: ["T"], #""schedulingConfig":{\#(row.members)}"#)
    if let refusal = row.refusal {
        #expect(answer.hasPrefix("400 InvalidRequestException "))
        #expect(answer.contains("'\(refusal)'"), "\(answer)")
    } else {
        #expect(answer.hasPrefix("200"), "\(answer)")
    }
}
