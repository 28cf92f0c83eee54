//  Topics and paths of the data plane: which are requests, which are not (12.1, 13).
import ByteKit
import JobService
import Testing

private func parse(_ topic: String) -> JobRequest? {
    let bytes = Array(topic.utf8)
    return JobRequest.parse(topic: bytes.span)
}

private func decoded(_ text: String) -> HTTPTarget? {
    let bytes = Array(text.utf8)
    return HTTPTarget(bytes.span)
}

private let longest = String(repeating: "j", count: 64)

private let requests: [(topic: String, operation: JobOperation)] = [
    ("get", .getPending), ("start-next", .startNext), ("$next/get", .describe(.next)),
    ("J/get", .describe(.job("J"))), ("J/update", .update(jobID: "J")), ("notify/get", .describe(.job("notify"))),
    ("accepted/update", .update(jobID: "accepted")), ("\(longest)/update", .update(jobID: longest)),
    // 12.2: a topic under `…/jobs/` that is no request.
    ("", .unknown), ("start", .unknown), ("Get", .unknown), ("J", .unknown), ("J/delete", .unknown),
    ("$next/update", .unknown), ("J:1/get", .unknown), ("\(longest)j/get", .unknown), ("J/get/x", .unknown),
    ("J/namespace-N/get", .unknown), ("/get", .unknown),
]

@Test(
    "12.1, 12.2: what stands behind …/jobs/ is a request or an InvalidTopic [AWS-12.2-2] [AWS-12.1-1] [AWS-1.1-4]",
    arguments: requests)
func topics(_ row: (topic: String, operation: JobOperation)) {
    let request = parse("$aws/things/T:1/jobs/\(row.topic)")
    #expect(request?.operation == row.operation)
    #expect(request?.thing == "T:1")
    #expect(request?.answerTopic(isAccepted: true) == "$aws/things/T:1/jobs/\(row.topic)/accepted")
    #expect(request?.answerTopic(isAccepted: false) == "$aws/things/T:1/jobs/\(row.topic)/rejected")
}

private let others = [
    "$aws/things/T/jobs", "$aws/things/T/shadow/get", "$aws/things/T é/jobs/get", "$aws/things//jobs/get",
    "$aws/things/T/Jobs/get", "aws/things/T/jobs/get",
    "$aws/things/" + String(repeating: "t", count: 129) + "/jobs/get",
    "$aws/things/T/jobs/" + String(repeating: "x/", count: 120),
    // 7, 12.3: where the server speaks.
    "$aws/things/T/jobs/get/accepted", "$aws/things/T/jobs/J/update/rejected", "$aws/things/T/jobs/notify",
    "$aws/things/T/jobs/notify-next", "$aws/things/T/jobs/notify-namespace-N",
]

@Test("7: other topics, and those on which the server speaks, are no requests [AWS-7-2] [AWS-7-7]", arguments: others)
func otherTopics(topic: String) {
    #expect(parse(topic) == nil)
}

private let paths: [(request: String, operation: JobOperation?)] = [
    ("GET /things/T/jobs", .getPending), ("PUT /things/T/jobs/$next", .startNext),
    ("PUT /things/T/jobs/%24next", .startNext), ("GET /things/T/jobs/%24next", .describe(.next)),
    ("GET /things/T/jobs/J?includeJobDocument=true", .describe(.job("J"))),
    ("POST /things/%54/jobs/J", .update(jobID: "J")),
    ("DELETE /things/T/jobs/J", nil), ("PUT /things/T/jobs/J", nil), ("POST /things/T/jobs", nil),
    ("GET /things/T", nil), ("GET /things/T/jobs/J/x", nil), ("GET /jobs/J", nil), ("GET /", nil),
]

@Test("13: the paths of iot-jobs-data [AWS-13-1] [AWS-13-2] [AWS-13-3] [AWS-13-4]", arguments: paths)
func dataPlane(_ row: (request: String, operation: JobOperation?)) throws {
    let words = row.request.split(separator: " ").map(String.init)
    let target = try #require(decoded(words[1]))
    let request = try JobRequest.parse(method: words[0], target)
    #expect(request?.operation == row.operation)
    if let request { #expect(request.thing == "T") }
}

@Test(
    "1.1, 4: a name that decodes to something else is a bad name, and not another path [AWS-4-5] [AWS-4-6]",
    arguments: [
        ("GET /things/T%2Fjobs/jobs", "thingName"), ("GET /things//jobs", "thingName"),
        ("GET /things/T/jobs/", "jobId"), ("GET /things/T/jobs/a%2Fb", "jobId"), ("GET /things/T/jobs/a:b", "jobId"),
        ("POST /things/T/jobs/$next", "jobId"), ("POST /things/T%C3%A9/jobs/J", "thingName"),
    ])
func badNames(request: String, member: String) throws {
    let words = request.split(separator: " ").map(String.init)
    let target = try #require(decoded(words[1]))
    let refusal = #expect(throws: JobRefusal.self) { try JobRequest.parse(method: words[0], target) }
    #expect(refusal?.code == .invalidRequest)
    #expect(refusal?.message.hasPrefix("Invalid value at '\(member)': ") == true)
}

@Test(
    "a target that cannot be decoded is none",
    arguments: ["", "things", "/a%", "/a%2", "/a%zz", "/%ff", "/a?b=%C3", "/" + String(repeating: "a", count: 8192)])
func badTargets(text: String) {
    #expect(decoded(text) == nil)
}

@Test("a target has as many parameters as are read, and no more")
func parameters() {
    func query(_ count: Int) -> HTTPTarget? {
        decoded("/a?\((0..<count).map { "p\($0)=%20\($0)=" }.joined(separator: "&"))")
    }
    #expect(query(HTTPTarget.maximumParameters)?.query.last?.value == " 31=")
    #expect(query(HTTPTarget.maximumParameters + 1) == nil)
}
