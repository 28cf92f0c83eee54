//  Sections 11 to 13: what a device sees of its executions, and what it can do with them.
import JobService
import Testing

private let jobs = "$aws/things/T/jobs/"

private func desk(_ ids: String...) -> Desk {
    var desk = Desk(at: 1, things: ["T"])
    for id in ids {
        _ = desk.create(id)
    }
    _ = desk.heard()
    desk.now = 5
    return desk
}

/// Names and statuses of what is pending, as `get` lists it.
private func listed(_ desk: inout Desk) -> String {
    let answer = desk.mqtt("get")
    let parts = answer.split(separator: #""queuedJobs""#, maxSplits: 1)
    return parts.map { part in
        part.matches(of: #/"jobId":"([^"]+)"/#).map { String($0.output.1) }.joined(separator: " ")
    }.joined(separator: " | ")
}

@Test(
    "12.1: get lists what is pending, with empty arrays when nothing is [AWS-12.1-2] [AWS-13-1] [AWS-11.4-3] [AWS-12.1-10]"
)
func pending() {
    var desk = desk()
    #expect(
        desk.mqtt("get", #"{"clientToken":"c"}"#)
            == #"accepted {"inProgressJobs":[],"queuedJobs":[],"clientToken":"c","timestamp":5}"#)
    #expect(desk.http("GET", "/things/T/jobs") == #"200 {"inProgressJobs":[],"queuedJobs":[]}"#)
    _ = desk.create("J")
    desk.now = 6
    _ = desk.create("K")
    _ = desk.mqtt("K/update", #"{"status":"IN_PROGRESS"}"#)
    #expect(
        desk.mqtt("get")
            == #"accepted {"inProgressJobs":[{"jobId":"K","queuedAt":6,"startedAt":6,"lastUpdatedAt":6,"#
            + #""executionNumber":1,"versionNumber":2}],"queuedJobs":[{"jobId":"J","queuedAt":5,"lastUpdatedAt":5,"#
            + #""executionNumber":1,"versionNumber":1}],"timestamp":6}"#)
}

@Test("11.3: IN_PROGRESS ones come first, each by queue time [AWS-11.3-1] [AWS-11.3-2]")
func order() {
    var desk = desk("A", "B", "C", "D")
    #expect(listed(&desk) == " | A B C D")
    _ = desk.mqtt("D/update", #"{"status":"IN_PROGRESS"}"#)
    _ = desk.mqtt("B/update", #"{"status":"IN_PROGRESS"}"#)
    #expect(listed(&desk) == "B D | A C")
    #expect(desk.mqtt("$next/get").contains(#""jobId":"B""#))
}

@Test(
    "12.1: describe, with and without its document, over MQTT and HTTP [AWS-12.1-4] [AWS-11.4-1] [AWS-11.4-2] [AWS-18-9] [AWS-1.3-4]"
)
func describe() {
    var desk = desk()
    let document = #"{ "op" : [1.50, "é", "\\u00e9"],\n"op":{} }"#
    _ = desk.iot(
        "PUT", "/jobs/J",
        #"{"targets":["arn:aws:iot:eu-west-1:1:thing/T"],"document":"\#(document.replacing("\"", with: "\\\""))"}"#)
    let shape = #""status":"QUEUED","queuedAt":5,"lastUpdatedAt":5,"versionNumber":1,"executionNumber":1"#
    let object = document.replacing(#"\\u"#, with: #"\u"#).replacing(#"\n"#, with: "\n")
    let execution = #"{"jobId":"J",\#(shape),"jobDocument":\#(object)}"#
    #expect(desk.mqtt("J/get") == #"accepted {"execution":\#(execution),"timestamp":5}"#)
    #expect(desk.mqtt("$next/get", #"{"executionNumber":9}"#) == #"accepted {"execution":\#(execution),"timestamp":5}"#)
    #expect(
        desk.mqtt("J/get", #"{"includeJobDocument":false,"executionNumber":1}"#)
            == #"accepted {"execution":{"jobId":"J",\#(shape)},"timestamp":5}"#)
    let string = object.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    #expect(
        desk.http("GET", "/things/T/jobs/%24next")
            == #"200 {"execution":{"jobId":"J","thingName":"T",\#(shape),"jobDocument":"\#(string)"}}"#)
    #expect(
        desk.http("GET", "/things/T/jobs/J?includeJobDocument=false&executionNumber=1")
            == #"200 {"execution":{"jobId":"J","thingName":"T",\#(shape)}}"#)
}

@Test("12.1, 13: the next execution when there is none [AWS-12.1-5] [AWS-13-2]")
func noNext() {
    var desk = desk()
    #expect(desk.mqtt("$next/get", #"{"clientToken":"c"}"#) == #"accepted {"clientToken":"c","timestamp":5}"#)
    #expect(desk.http("GET", "/things/T/jobs/$next") == "200 {}")
    #expect(desk.http("PUT", "/things/T/jobs/$next") == "200 {}")
}

@Test(
    "12.1: start-next starts the next one once; what runs comes back unchanged, the given details ignored [AWS-12.1-3] [AWS-12.1-7] [AWS-12.1-8] [AWS-11.2-8]"
)
func startNext() {
    var desk = desk("J", "K")
    let start = #"{"statusDetails":{"step":"a"},"stepTimeoutInMinutes":2}"#
    let execution =
        #""execution":{"jobId":"J","status":"IN_PROGRESS","statusDetails":{"step":"a"},"queuedAt":1,"startedAt":5,"#
        + #""lastUpdatedAt":5,"versionNumber":2,"executionNumber":1,"approximateSecondsBeforeTimedOut":"#
    #expect(desk.mqtt("start-next", start) == #"accepted {\#(execution)120,"jobDocument":{"op":"x"}},"timestamp":5}"#)
    desk.now = 15
    #expect(
        desk.mqtt("start-next", #"{"statusDetails":{"step":"b"},"stepTimeoutInMinutes":9}"#)
            == #"accepted {\#(execution)110,"jobDocument":{"op":"x"}},"timestamp":15}"#)
    #expect(desk.heard() == [])
}

@Test("12.1: an update answers what it is asked for [AWS-12.1-6] [AWS-13-4] [AWS-13-5] [AWS-11.4-4]")
func updateAnswers() {
    var desk = desk("J")
    let state = #""executionState":{"status":"IN_PROGRESS","statusDetails":{"p":"1"},"versionNumber":2}"#
    #expect(
        desk.mqtt(
            "J/update",
            #"{"status":"IN_PROGRESS","statusDetails":{"p":"1"},"includeJobExecutionState":true,"#
                + #""includeJobDocument":true,"clientToken":"c"}"#)
            == #"accepted {\#(state),"jobDocument":{"op":"x"},"clientToken":"c","timestamp":5}"#)
    #expect(
        desk.http("POST", "/things/T/jobs/J", #"{"status":"IN_PROGRESS","includeJobDocument":true}"#)
            == #"200 {"jobDocument":"{\"op\":\"x\"}"}"#)
    #expect(desk.http("POST", "/things/T/jobs/J", #"{"status":"SUCCEEDED"}"#) == "200 {}")
}

@Test(
    "11.2: details stay where an update has none, and are replaced as a whole where it has (18) [AWS-11.2-9] [AWS-18-12]"
)
func details() {
    var desk = desk("J")
    func update(_ more: String) -> String {
        let answer = desk.mqtt("J/update", #"{"status":"IN_PROGRESS","includeJobExecutionState":true\#(more)}"#)
        return String(answer.split(separator: #"{"status":"IN_PROGRESS""#)[1].dropLast(15))
    }
    #expect(update("") == #","versionNumber":2}"#)
    #expect(
        update(#","statusDetails":{"b":"2","a":"1"}"#) == #","statusDetails":{"b":"2","a":"1"},"versionNumber":3}"#)
    #expect(update("") == #","statusDetails":{"b":"2","a":"1"},"versionNumber":4}"#)
    #expect(
        update(#","statusDetails":{"c":"x","c":"\u00e9\/"}"#) == #","statusDetails":{"c":"é/"},"versionNumber":5}"#)
    #expect(update(#","statusDetails":{}"#) == #","versionNumber":6}"#)
    let longest = #"{"\#(String(repeating: "k", count: 128))":"\#(String(repeating: "é", count: 1024))"}"#
    #expect(update(#","statusDetails":\#(longest)"#) == #","statusDetails":\#(longest),"versionNumber":7}"#)
    let many = (0..<32).map { "\"k\($0)\":\"\(String(repeating: "x", count: 1024))\"" }.joined(separator: ",")
    for bad in ["{\(many)}", longest.replacing("kk\"", with: "kkk\""), longest.replacing("éé\"", with: "ééé\"")] {
        #expect(desk.mqtt("J/update", #"{"status":"IN_PROGRESS","statusDetails":\#(bad)}"#).hasPrefix("rejected"))
    }
}

private let transitions: [(from: String, to: String, isLegal: Bool)] =
    [
        ("", "IN_PROGRESS", true), ("", "SUCCEEDED", true), ("", "FAILED", true), ("", "REJECTED", true),
        ("IN_PROGRESS", "IN_PROGRESS", true), ("IN_PROGRESS", "SUCCEEDED", true), ("IN_PROGRESS", "FAILED", true),
        ("IN_PROGRESS", "REJECTED", true),
    ]
    + ["SUCCEEDED", "FAILED", "REJECTED"].flatMap { from in
        ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"].map { (from, $0, false) }
    }

@Test(
    "11.2, 18: transitions by the device [AWS-11.2-2] [AWS-11.2-10] [AWS-11.2-11] [AWS-18-13]", arguments: transitions)
func transition(_ row: (from: String, to: String, isLegal: Bool)) {
    var desk = desk("J")
    if !row.from.isEmpty { _ = desk.mqtt("J/update", #"{"status":"\#(row.from)"}"#) }
    let before = desk.executions["T"]?.first
    let answer = desk.mqtt("J/update", #"{"status":"\#(row.to)"}"#)
    let after = desk.executions["T"]?.first
    #expect(answer.hasPrefix(row.isLegal ? "accepted" : "rejected"))
    #expect(after?.status.rawValue == (row.isLegal ? row.to : row.from))
    #expect(after?.version == (before?.version ?? 0) + (row.isLegal ? 1 : 0))
}

/// A row of the table of 12.3: two jobs are queued, then come steps, the last of which is watched.
private struct Notified: Sendable {
    var event: String
    var steps: [String]
    var topics: String
}

private let queued = [
    Notified(event: "queued, list was empty", steps: ["create X"], topics: "notify notify-next"),
    Notified(event: "queued behind others", steps: ["create A", "create B"], topics: "notify"),
    Notified(event: "next goes IN_PROGRESS", steps: ["create A", "create B", "A IN_PROGRESS"], topics: ""),
    Notified(
        event: "another goes IN_PROGRESS and so becomes next", steps: ["create A", "create B", "B IN_PROGRESS"],
        topics: "notify-next"),
    Notified(
        event: "another goes IN_PROGRESS behind one that is",
        steps: ["create A", "create B", "A IN_PROGRESS", "B IN_PROGRESS"],
        topics: ""),
    Notified(event: "progress report", steps: ["create A", "A IN_PROGRESS", "A IN_PROGRESS"], topics: ""),
]

private let ended = [
    Notified(
        event: "terminal, was next", steps: ["create A", "create B", "A IN_PROGRESS", "A SUCCEEDED"],
        topics: "notify notify-next"),
    Notified(event: "terminal, was the only one", steps: ["create A", "A FAILED"], topics: "notify notify-next"),
    Notified(event: "terminal, was not next", steps: ["create A", "create B", "B REJECTED"], topics: "notify"),
    Notified(
        event: "deleted with its job, was next", steps: ["create A", "create B", "delete A"],
        topics: "notify notify-next"),
    Notified(
        event: "deleted with its job, was not next", steps: ["create A", "create B", "delete B"], topics: "notify"),
    Notified(
        event: "deleted with its job, was over", steps: ["create A", "create B", "A FAILED", "delete A"], topics: ""),
    Notified(
        event: "job cancelled, was next", steps: ["create A", "create B", "cancel A"], topics: "notify notify-next"),
]

@Test(
    "12.3: who is told of what is queued and started [AWS-12.3-5] [AWS-12.3-6] [AWS-12.3-7] [AWS-12.3-8] [AWS-12.3-9]",
    arguments: queued)
private func toldOfQueued(_ row: Notified) { check(row) }

@Test("12.3: who is told of what ends [AWS-12.3-10] [AWS-12.3-11] [AWS-12.3-12]", arguments: ended)
private func toldOfEnded(_ row: Notified) { check(row) }

private func check(_ row: Notified) {
    var desk = desk()
    for step in row.steps {
        _ = desk.heard()
        let words = step.split(separator: " ").map(String.init)
        switch words[0] {
        case "create": _ = desk.create(words[1])
        case "delete": _ = desk.iot("DELETE", "/jobs/\(words[1])?force=true")
        case "cancel": _ = desk.iot("PUT", "/jobs/\(words[1])/cancel")
        default: _ = desk.mqtt("\(words[0])/update", #"{"status":"\#(words[1])"}"#)
        }
    }
    let topics = desk.heard(jobs).map { String($0.prefix { $0 != " " }) }
    #expect(topics.joined(separator: " ") == row.topics, "\(row.event)")
}

@Test("1.2, 12.3: notify holds at most 10 executions, IN_PROGRESS first [AWS-1.2-16] [AWS-12.3-3]")
func manyPending() {
    var desk = desk()
    for index in 10..<22 {
        _ = desk.create("J\(index)")
    }
    _ = desk.mqtt("J21/update", #"{"status":"IN_PROGRESS"}"#)
    _ = desk.heard()
    _ = desk.mqtt("J10/update", #"{"status":"FAILED"}"#)
    let payload = desk.heard(jobs).first ?? ""
    let names = payload.matches(of: #/J\d+/#).map { String($0.output) }
    #expect(names == ["J21"] + (11..<20).map { "J\($0)" })
    #expect(payload.hasPrefix(#"notify {"timestamp":5,"jobs":{"IN_PROGRESS":[{"jobId":"J21""#))
}

@Test("13: changes over HTTP are told like those over MQTT; a refusal tells nothing [AWS-13-9]")
func httpNotifications() {
    var desk = desk("J")
    #expect(desk.http("PUT", "/things/T/jobs/$next").hasPrefix("200"))
    #expect(desk.heard() == [])
    #expect(desk.http("POST", "/things/T/jobs/J", #"{"status":"SUCCEEDED"}"#) == "200 {}")
    #expect(
        desk.heard(jobs) == [#"notify {"timestamp":5,"jobs":{}}"#, #"notify-next {"timestamp":5}"#])
    #expect(desk.http("POST", "/things/T/jobs/J", #"{"status":"FAILED"}"#).hasPrefix("409"))
    #expect(desk.heard() == [])
}
