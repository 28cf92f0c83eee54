//  Sections 10 and 16: endpoints, and which events are sent.
import JobService
import Testing

private func ask(_ method: String, _ path: String, _ body: String = "") throws -> IoTSettings? {
    let (path, body) = (Array(path.utf8), Array(body.utf8))
    let parsed = HTTPTarget(path.span)
    let target = try #require(parsed)
    return try IoTSettings.parse(method: method, target, body: body.span)
}

@Test(
    "10: DescribeEndpoint knows four kinds of endpoints [AWS-10-17]",
    arguments: ["iot:Data-ATS", "iot:Data", "iot:Jobs", "iot:CredentialProvider"])
func endpoints(kind: String) throws {
    let type = try #require(IoTSettings.EndpointType(rawValue: kind))
    let encoded = kind.replacing(":", with: "%3A")
    #expect(try ask("GET", "/endpoint?endpointType=\(encoded)") == .describeEndpoint(type))
    let answer = IoTSettings.endpoint("apus.example:8443")
    #expect(String(decoding: answer, as: UTF8.self) == #"{"endpointAddress":"apus.example:8443"}"#)
}

@Test("10: an endpoint of another kind, and what is no such operation")
func otherEndpoints() throws {
    #expect(try ask("GET", "/endpoint") == .describeEndpoint(.data))
    let refusal = #expect(throws: IoTRefusal.self) { try ask("GET", "/endpoint?endpointType=iot:Other") }
    #expect(refusal?.exception == .invalidRequest)
    for (method, path) in [
        ("POST", "/endpoint"), ("GET", "/endpoint/x"), ("PUT", "/event-configurations"), ("GET", "/"),
    ] {
        #expect(try ask(method, path) == nil)
    }
}

@Test("10, 16: events are sent unless they are switched off, kind by kind [AWS-10-18] [AWS-16-1]")
func switches() throws {
    var desk = Desk(at: 60)
    let member = #"{"thingName":"T","thingGroupName":"G"}"#
    for (method, path, body) in [
        ("POST", "/things/T", ""), ("POST", "/thing-groups/P", ""),
        ("POST", "/thing-groups/G", #"{"parentGroupName":"P"}"#),
        ("PUT", "/thing-groups/addThingToThingGroup", member),
    ] { _ = desk.iot(method, path, body) }
    _ = desk.create()
    _ = desk.mqtt("J/update", #"{"status":"SUCCEEDED"}"#)
    let topics = desk.heard().map { String($0.prefix { $0 != " " }) }
    let families = [
        EventKind.thing: "thing/", .thingGroup: "thingGroup/", .thingGroupMembership: "thingGroupMembership/",
        .thingGroupHierarchy: "thingGroupHierarchy/", .job: "job/", .jobExecution: "jobExecution/",
    ]
    let all = EventConfigurations()
    #expect(topics.allSatisfy(all.allows(topic:)))
    for kind in EventKind.allCases {
        var configurations = all
        guard
            case .updateEvents(let changes)? = try ask(
                "PATCH", "/event-configurations", #"{"eventConfigurations":{"\#(kind.rawValue)":{"Enabled":false}}}"#)
        else { throw NoChange() }
        configurations.update(changes, at: 61)
        let silent = topics.filter { !configurations.allows(topic: $0) }
        #expect(silent.isEmpty == (families[kind] == nil))
        #expect(silent.allSatisfy { $0.hasPrefix("$aws/events/\(families[kind] ?? "-")") })
        #expect(
            String(decoding: configurations.description, as: UTF8.self).contains(
                #""\#(kind.rawValue)":{"Enabled":false}"#))
        configurations.update([kind: true], at: 62)
        #expect(configurations == EventConfigurations(off: [], changedAt: 62))
    }
    #expect(try ask("GET", "/event-configurations") == .describeEvents)
    #expect(
        String(decoding: all.description, as: UTF8.self)
            == #"{"eventConfigurations":{"#
            + EventKind.allCases.map { #""\#($0.rawValue)":{"Enabled":true}"# }.joined(separator: ",") + "}}")
}

private struct NoChange: Error {}

@Test(
    "10: what UpdateEventConfigurations refuses",
    arguments: [
        "[]", #"{"eventConfigurations":1}"#, #"{"eventConfigurations":{"X":{"Enabled":true}}}"#,
        #"{"eventConfigurations":{"JOB":true}}"#, #"{"eventConfigurations":{"JOB":{"Enabled":1}}}"#,
        #"{"eventConfigurations":{"JOB":null}}"#,
    ])
func badSwitches(body: String) {
    let refusal = #expect(throws: IoTRefusal.self) { try ask("PATCH", "/event-configurations", body) }
    #expect(refusal?.exception == .invalidRequest)
}
