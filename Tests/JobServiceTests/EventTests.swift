//  Section 16: which events there are, and what they say.
import JobService
import Testing

private let arn = "arn:aws:iot:us-east-1:000000000000:"

/// Ends of an execution: how, and the last level of the topic.
private let ends: [(end: String, operation: String, status: String)] = [
    ("SUCCEEDED", "succeeded", "SUCCEEDED"), ("FAILED", "failed", "FAILED"), ("REJECTED", "rejected", "REJECTED"),
    ("cancel", "canceled", "CANCELED"), ("wait", "timed_out", "TIMED_OUT"), ("remove", "removed", "REMOVED"),
    ("delete", "deleted", "DELETED"),
]

@Test("16: an event for each way in which an execution ends, details as a plain map [AWS-16-4]", arguments: ends)
func executionEvents(_ row: (end: String, operation: String, status: String)) {
    var desk = Desk(at: 60, things: ["T"])
    _ = desk.create("J", for: ["T"], #""timeoutConfig":{"inProgressTimeoutInMinutes":1}"#)
    _ = desk.mqtt("start-next", #"{"statusDetails":{"a":"b"}}"#)
    _ = desk.heard()
    switch row.end {
    case "cancel": _ = desk.iot("PUT", "/things/T/jobs/J/cancel?force=true")
    case "wait": desk.wait(seconds: 60)
    case "remove": _ = desk.iot("DELETE", "/things/T")
    case "delete": _ = desk.iot("DELETE", "/things/T/jobs/J/executionNumber/1?force=true")
    default: _ = desk.mqtt("J/update", #"{"status":"\#(row.end)"}"#)
    }
    #expect(
        desk.heard("$aws/events/jobExecution/") == [
            #"J/\#(row.operation) {"eventType":"JOB_EXECUTION","eventId":"E","timestamp":\#(desk.now),"#
                + #""operation":"\#(row.operation)","jobId":"J","thingArn":"\#(arn)thing/T","status":"\#(row.status)","#
                + #""statusDetails":{"a":"b"}}"#
        ])
}

@Test("16: a cancellation is told when it begins and when it is done [AWS-16-2] [AWS-16-3]")
func cancellationEvents() {
    var desk = Desk(at: 60, things: ["T"])
    _ = desk.create()
    _ = desk.heard()
    desk.now = 61
    _ = desk.iot("PUT", "/jobs/J/cancel", #"{"comment":"why"}"#)
    func event(_ operation: String, _ status: String, _ completed: String) -> String {
        #"\#(operation) {"eventType":"JOB","eventId":"E","timestamp":61,"operation":"\#(operation)","jobId":"J","#
            + #""status":"\#(status)","targetSelection":"SNAPSHOT","targets":["\#(arn)thing/T"],"createdAt":60000,"#
            + #""lastUpdatedAt":61000,\#(completed)"comment":"why"}"#
    }
    #expect(
        desk.heard("$aws/events/job/J/") == [
            event("cancellation_in_progress", "CANCELLATION_IN_PROGRESS", ""),
            event("canceled", "CANCELED", #""completedAt":61000,"#),
        ])
}

@Test(
    "16: things and groups that are made, changed, joined, left and deleted [AWS-16-5] [AWS-16-6] [AWS-16-7] [AWS-16-8]"
)
func registryEvents() {
    var desk = Desk(at: 60)
    let member = #"{"thingName":"T","thingGroupName":"G"}"#
    let steps: [(method: String, path: String, body: String, topics: [String])] = [
        ("POST", "/things/T", "", ["thing/T/created"]),
        ("PATCH", "/things/T", "{}", ["thing/T/updated"]),
        ("POST", "/thing-groups/P", "", ["thingGroup/P/created"]),
        (
            "POST", "/thing-groups/G", #"{"parentGroupName":"P"}"#,
            ["thingGroup/G/created", "thingGroupHierarchy/thingGroup/P/childThingGroup/G/added"]
        ),
        ("PATCH", "/thing-groups/G", #"{"thingGroupProperties":{}}"#, ["thingGroup/G/updated"]),
        (
            "PUT", "/thing-groups/addThingToThingGroup", member,
            ["thingGroupMembership/thingGroup/G/thing/T/added"]
        ),
        (
            "PUT", "/thing-groups/removeThingFromThingGroup", member,
            ["thingGroupMembership/thingGroup/G/thing/T/removed"]
        ),
        (
            "DELETE", "/thing-groups/G", "",
            ["thingGroup/G/deleted", "thingGroupHierarchy/thingGroup/P/childThingGroup/G/removed"]
        ),
        ("DELETE", "/things/T", "", ["thing/T/deleted"]),
    ]
    for step in steps {
        #expect(desk.iot(step.method, step.path, step.body).hasPrefix("200"))
        let heard = desk.heard("$aws/events/")
        #expect(heard.map { String($0.prefix { $0 != " " }) } == step.topics)
        for (line, topic) in zip(heard, step.topics) {
            let operation = topic.split(separator: "/").last.map { $0.uppercased() } ?? ""
            #expect(
                line.contains(
                    #""eventId":"E","timestamp":60000,"operation":"\#(operation)","accountId":"000000000000","#))
        }
    }
}
