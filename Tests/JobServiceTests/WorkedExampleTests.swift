//  The wire payloads of the specification's section 17, byte by byte.
import JobService
import Testing

private let jobs = "$aws/things/T/jobs/"

@Test(
    "17: two jobs created, the first started and finished, the second failed [AWS-1.3-1] [AWS-12.3-2] [AWS-12.3-4] [AWS-12.1-1]"
)
func twoJobs() {
    var desk = Desk(at: 1, things: ["T"])
    _ = desk.create("J1")
    let first =
        #"{"jobId":"J1","queuedAt":1,"lastUpdatedAt":1,"executionNumber":1,"versionNumber":1}"#
    #expect(
        desk.heard(jobs) == [
            #"notify {"timestamp":1,"jobs":{"QUEUED":[\#(first)]}}"#,
            #"notify-next {"timestamp":1,"execution":{"jobId":"J1","status":"QUEUED","queuedAt":1,"lastUpdatedAt":1,"#
                + #""versionNumber":1,"executionNumber":1,"jobDocument":{"op":"x"}}}"#,
        ])

    desk.now = 2
    _ = desk.create("J2")
    let second = #"{"jobId":"J2","queuedAt":2,"lastUpdatedAt":2,"executionNumber":1,"versionNumber":1}"#
    #expect(desk.heard(jobs) == [#"notify {"timestamp":2,"jobs":{"QUEUED":[\#(first),\#(second)]}}"#])

    desk.now = 3
    #expect(
        desk.mqtt("start-next", #"{"clientToken":"a"}"#)
            == #"accepted {"execution":{"jobId":"J1","status":"IN_PROGRESS","queuedAt":1,"startedAt":3,"lastUpdatedAt":3,"#
            + #""versionNumber":2,"executionNumber":1,"jobDocument":{"op":"x"}},"clientToken":"a","timestamp":3}"#)
    #expect(desk.heard() == [])

    desk.now = 4
    #expect(
        desk.mqtt("J1/update", #"{"status":"SUCCEEDED","clientToken":"b"}"#)
            == #"accepted {"clientToken":"b","timestamp":4}"#)
    #expect(
        desk.heard(jobs) == [
            #"notify {"timestamp":4,"jobs":{"QUEUED":[\#(second)]}}"#,
            #"notify-next {"timestamp":4,"execution":{"jobId":"J2","status":"QUEUED","queuedAt":2,"lastUpdatedAt":2,"#
                + #""versionNumber":1,"executionNumber":1,"jobDocument":{"op":"x"}}}"#,
        ])

    desk.now = 6
    _ = desk.mqtt("start-next")
    _ = desk.mqtt("J2/update", #"{"status":"FAILED"}"#)
    #expect(desk.heard(jobs) == [#"notify {"timestamp":6,"jobs":{}}"#, #"notify-next {"timestamp":6}"#])

    desk.now = 7
    #expect(desk.mqtt("start-next", #"{"clientToken":"c"}"#) == #"accepted {"clientToken":"c","timestamp":7}"#)
    desk.now = 8
    #expect(
        desk.mqtt("J1/get")
            == #"rejected {"code":"TerminalStateReached","message":"The execution of job 'J1' is SUCCEEDED","timestamp":8}"#
    )
    #expect(desk.heard() == [])
}
