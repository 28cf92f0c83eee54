//  Sections 6.3 and 14: the control plane's requests about jobs, their shapes and refusals.
import JobService
import Testing

private let arn = "arn:aws:iot:us-east-1:000000000000:"

private let everything =
    #""description":"d","presignedUrlConfig":{"roleArn":"arn:aws:iam::1:role/role","expiresInSec":60},"#
    + #""jobExecutionsRolloutConfig":{"maximumPerMinute":9,"exponentialRate":{"baseRatePerMinute":1,"incrementFactor":1.5,"#
    + #""rateIncreaseCriteria":{"numberOfNotifiedThings":7,"numberOfSucceededThings":8}}},"#
    + #""abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL","thresholdPercentage":12.05,"#
    + #""minNumberOfExecutedThings":3}]},"timeoutConfig":{"inProgressTimeoutInMinutes":10080},"#
    + #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":4},"#
    + #"{"failureType":"TIMED_OUT","numberOfRetries":6}]},"#
    + #""schedulingConfig":{"startTime":"1970-01-01 01:00","endTime":"1970-01-01 02:00","endBehavior":"CANCEL"},"#
    + #""documentParameters":{"a":"b"},"destinationPackageVersions":["p"]"#

@Test("14: DescribeJob shows what CreateJob was given [AWS-14-2] [AWS-14-20] [AWS-1.3-3] [AWS-11.1-2]")
func describeJob() {
    var desk = Desk(at: 60, things: ["T"])
    #expect(
        desk.create("J", for: ["T"], everything + #","tags":[{"Key":"k","Value":"v"}]"#)
            == #"200 {"jobArn":"\#(arn)job/J","jobId":"J","description":"d"}"#)
    let counts = ["Canceled", "Succeeded", "Failed", "Rejected", "Queued", "InProgress", "Removed", "TimedOut"]
    let details = counts.map { #","numberOf\#($0)Things":0"# }.joined()
    #expect(
        desk.iot("GET", "/jobs/J")
            == #"200 {"job":{"jobArn":"\#(arn)job/J","jobId":"J","targetSelection":"SNAPSHOT","status":"SCHEDULED","#
            + #""targets":["\#(arn)thing/T"],\#(everything),"createdAt":60,"lastUpdatedAt":60,"isConcurrent":false,"#
            + #""jobProcessDetails":{"processingTargets":[]\#(details)}}}"#)
}

@Test("14: what a job asks for comes back from the store as it was")
func storedConfiguration() throws {
    let whole = "{\(everything)}"
    let configuration = try #require(JobConfiguration(stored: Array(whole.utf8)))
    #expect(String(decoding: configuration.stored, as: UTF8.self) == whole)
    let empty = JobConfiguration()
    #expect(String(decoding: empty.stored, as: UTF8.self) == "{}")
    #expect(JobConfiguration(stored: empty.stored) == empty)
    #expect(JobConfiguration(stored: Array("[]".utf8)) == nil)
    #expect(JobConfiguration(stored: Array(#"{"timeoutConfig":{"inProgressTimeoutInMinutes":0}}"#.utf8)) == nil)
}

@Test("14: isConcurrent and the counts, while rolling out [AWS-14-20] [AWS-14-21]")
func processDetails() {
    var desk = Desk(at: 60, things: ["A", "B", "C"])
    _ = desk.create(for: ["A", "B", "C"], #""jobExecutionsRolloutConfig":{"maximumPerMinute":2}"#)
    _ = desk.mqtt("start-next", thing: "A")
    let text = desk.iot("GET", "/jobs/J")
    #expect(text.contains(#""isConcurrent":true"#))
    #expect(text.contains(#""processingTargets":["\#(arn)thing/A","\#(arn)thing/B","\#(arn)thing/C"]"#))
    #expect(text.contains(#""numberOfQueuedThings":1,"numberOfInProgressThings":1,"#))
    desk.wait(seconds: 60)
    #expect(desk.iot("GET", "/jobs/J").contains(#""isConcurrent":false"#))
}

@Test("14: GetJobDocument gives the document exactly as it came, placeholders untouched [AWS-14-7]")
func document() {
    var desk = Desk(things: ["T"])
    let document = #"{ \"u\":\"${aws:iot:s3-presigned-url:https://b/k}\",\n \"e\": \"é\\u00e9\" }"#
    _ = desk.iot("PUT", "/jobs/J", #"{"targets":["\#(arn)thing/T"],"document":"\#(document)"}"#)
    #expect(desk.iot("GET", "/jobs/J/job-document") == #"200 {"document":"\#(document)"}"#)
    #expect(desk.iot("GET", "/jobs/K/job-document") == "404 ResourceNotFoundException Job 'K' does not exist")
}

@Test("14: a document from a place is kept, and its place is shown [AWS-14-2] [AWS-14-17]")
func documentSource() {
    var desk = Desk(things: ["T"])
    let source = #""documentSource":"https://b/k""#
    #expect(desk.iot("PUT", "/jobs/J", #"{"targets":["\#(arn)thing/T"],\#(source)}"#).hasPrefix("200"))
    #expect(desk.iot("GET", "/jobs/J").hasPrefix(#"200 {\#(source),"job":{"#))
    #expect(desk.iot("GET", "/jobs/J/job-document") == #"200 {"document":"{\"from\":\"source\"}"}"#)
}

@Test("1.2: a document is a JSON object of at most 32768 bytes; 100 targets [AWS-1.2-11] [AWS-1.2-12] [AWS-14-17]")
func largestJob() {
    var desk = Desk(things: (0..<101).map { "T\($0)" })
    func create(_ count: Int, _ targets: Int) -> String {
        let document = #"{\"x\":\"\#(String(repeating: "x", count: count - 8))\"}"#
        let list = (0..<targets).map { #""\#(arn)thing/T\#($0)""# }.joined(separator: ",")
        return desk.iot("PUT", "/jobs/J\(count)-\(targets)", #"{"targets":[\#(list)],"document":"\#(document)"}"#)
    }
    #expect(create(32_768, 100).hasPrefix("200"))
    #expect(create(32_769, 1).hasPrefix("400 InvalidRequestException Invalid value at 'document'"))
    #expect(create(100, 101).hasPrefix("400 InvalidRequestException Invalid value at 'targets'"))
}

// MARK: - Refusals of CreateJob

private let one = #""targets":["\#(arn)thing/T"]"#
private let both = one + #","document":"{}""#

/// Members of CreateJob that are legal but for one, and its path.
private let refusals: [(body: String, path: String)] = [
    (#""document":"{}""#, "targets"), (#""targets":[],"document":"{}""#, "targets"),
    (#""targets":["T"],"document":"{}""#, "targets"), (#""targets":[1],"document":"{}""#, "targets"),
    (#""targets":["arn:aws:iot:r:1:job/J"],"document":"{}""#, "targets"),
    (#""targets":["arn:aws:sns:r:1:thing/J"],"document":"{}""#, "targets"),
    (#""targets":["arn:aws:iot:r:1:thing/a/b"],"document":"{}""#, "targets"),
    (one + #","document":"[]""#, "document"), (one + #","document":"{""#, "document"),
    (one + #","document":{}"#, "document"), (one + #","document":"""#, "document"),
    (both + #","description":"""#, "description"), (both + #","description":"a\u0000""#, "description"),
    (both + #","description":"\#(String(repeating: "é", count: 2029))""#, "description"),
    (both + #","targetSelection":"ALL""#, "targetSelection"),
    (both + #","namespaceId":"n""#, "namespaceId"), (both + #","jobTemplateArn":"n""#, "jobTemplateArn"),
    (both + #","timeoutConfig":[]"#, "timeoutConfig"),
    (both + #","timeoutConfig":{"inProgressTimeoutInMinutes":0}"#, "timeoutConfig.inProgressTimeoutInMinutes"),
    (both + #","timeoutConfig":{"inProgressTimeoutInMinutes":10081}"#, "timeoutConfig.inProgressTimeoutInMinutes"),
    (both + #","timeoutConfig":{"inProgressTimeoutInMinutes":1.5}"#, "timeoutConfig.inProgressTimeoutInMinutes"),
    (both + #","timeoutConfig":{"inProgressTimeoutInMinutes":"1"}"#, "timeoutConfig.inProgressTimeoutInMinutes"),
    (both + #","presignedUrlConfig":{"expiresInSec":59}"#, "presignedUrlConfig.expiresInSec"),
    (both + #","presignedUrlConfig":{"expiresInSec":3601}"#, "presignedUrlConfig.expiresInSec"),
    (both + #","presignedUrlConfig":{"roleArn":"short"}"#, "presignedUrlConfig.roleArn"),
    (
        both + #","jobExecutionsRolloutConfig":{"maximumPerMinute":0}"#,
        "jobExecutionsRolloutConfig.maximumPerMinute"
    ),
    (
        both + #","jobExecutionsRolloutConfig":{"maximumPerMinute":1001}"#,
        "jobExecutionsRolloutConfig.maximumPerMinute"
    ),
    (both + exponential(#""incrementFactor":2,\#(often)"#), "\(rate).baseRatePerMinute"),
    (both + exponential(#""baseRatePerMinute":1001,"incrementFactor":2,\#(often)"#), "\(rate).baseRatePerMinute"),
    (both + exponential(#""baseRatePerMinute":1,\#(often)"#), "\(rate).incrementFactor"),
    (both + exponential(#""baseRatePerMinute":1,"incrementFactor":1,\#(often)"#), "\(rate).incrementFactor"),
    (both + exponential(#""baseRatePerMinute":1,"incrementFactor":5.1,\#(often)"#), "\(rate).incrementFactor"),
    (both + exponential(#""baseRatePerMinute":1,"incrementFactor":1.55,\#(often)"#), "\(rate).incrementFactor"),
    (both + exponential(#""baseRatePerMinute":1,"incrementFactor":2"#), "\(rate).rateIncreaseCriteria"),
    (
        both + exponential(#""baseRatePerMinute":1,"incrementFactor":2,"rateIncreaseCriteria":{}"#),
        "\(rate).rateIncreaseCriteria"
    ),
    (
        both
            + exponential(
                #""baseRatePerMinute":1,"incrementFactor":2,"rateIncreaseCriteria":{"numberOfNotifiedThings":0}"#),
        "\(rate).rateIncreaseCriteria.numberOfNotifiedThings"
    ),
    (both + #","abortConfig":{}"#, "abortConfig.criteriaList"),
    (both + #","abortConfig":{"criteriaList":[]}"#, "abortConfig.criteriaList"),
    (both + #","abortConfig":{"criteriaList":[1]}"#, "abortConfig.criteriaList"),
    (
        both + abort(#""action":"STOP","failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":1"#),
        "\(criterion).action"
    ),
    (
        both + abort(#""failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":1"#),
        "\(criterion).action"
    ),
    (
        both + abort(#""action":"CANCEL","failureType":"NO","minNumberOfExecutedThings":1,"thresholdPercentage":1"#),
        "\(criterion).failureType"
    ),
    (
        both + abort(#""action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":0,"thresholdPercentage":1"#),
        "\(criterion).minNumberOfExecutedThings"
    ),
    (
        both + abort(#""action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":0"#),
        "\(criterion).thresholdPercentage"
    ),
    (
        both
            + abort(
                #""action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":100.01"#),
        "\(criterion).thresholdPercentage"
    ),
    (
        both
            + abort(#""action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":1.001"#),
        "\(criterion).thresholdPercentage"
    ),
    (
        both + abort(#""action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":1,"thresholdPercentage":-1"#),
        "\(criterion).thresholdPercentage"
    ),
    (
        both + retry(#"{"failureType":"REJECTED","numberOfRetries":1}"#),
        "jobExecutionsRetryConfig.criteriaList.0.failureType"
    ),
    (both + retry(#"{"failureType":"ALL"}"#), "jobExecutionsRetryConfig.criteriaList.0.numberOfRetries"),
    (
        both + retry(#"{"failureType":"ALL","numberOfRetries":11}"#),
        "jobExecutionsRetryConfig.criteriaList.0.numberOfRetries"
    ),
    (
        both + retry(#"{"failureType":"FAILED","numberOfRetries":6},{"failureType":"TIMED_OUT","numberOfRetries":5}"#),
        "jobExecutionsRetryConfig.criteriaList"
    ),
    (both + retry(#"{},{},{}"#), "jobExecutionsRetryConfig.criteriaList"),
    (both + #","documentParameters":[]"#, "documentParameters"),
    (both + #","destinationPackageVersions":[1]"#, "destinationPackageVersions"),
]

private let rate = "jobExecutionsRolloutConfig.exponentialRate"
private let often = #""rateIncreaseCriteria":{"numberOfNotifiedThings":1}"#
private let criterion = "abortConfig.criteriaList.0"

private func exponential(_ members: String) -> String {
    #","jobExecutionsRolloutConfig":{"exponentialRate":{\#(members)}}"#
}

private func abort(_ members: String) -> String { #","abortConfig":{"criteriaList":[{\#(members)}]}"# }

private func retry(_ list: String) -> String { #","jobExecutionsRetryConfig":{"criteriaList":[\#(list)]}"# }

@Test(
    "1.2, 14, 15: a member that breaks its rule is named [AWS-15.1-4] [AWS-15.2-1] [AWS-15.4-1]",
    arguments: refusals)
func refusedJob(_ row: (body: String, path: String)) {
    var desk = Desk(things: ["T"])
    let answer = desk.iot("PUT", "/jobs/J", "{\(row.body)}")
    #expect(answer.hasPrefix("400 InvalidRequestException "), "\(answer)")
    #expect(answer.contains("'\(row.path)'"), "\(answer)")
    #expect(desk.jobs.isEmpty)
}

@Test("14: other refusals of CreateJob [AWS-14-1] [AWS-11.1-1] [AWS-1.1-4]")
func otherRefusals() {
    var desk = Desk(things: ["T"])
    let needed = "400 InvalidRequestException One of document and documentSource is required"
    #expect(desk.iot("PUT", "/jobs/J", "{\(one)}") == needed)
    #expect(desk.iot("PUT", "/jobs/J", "{\(both),\"documentSource\":\"https://x\"}") == needed)
    for body in ["", "[]", "{", "{\(both)} x"] {
        #expect(desk.iot("PUT", "/jobs/J", body).hasPrefix("400 InvalidRequestException "), "\(body)")
    }
    #expect(
        desk.iot("PUT", "/jobs/J", #"{"targets":["\#(arn)thing/T","\#(arn)thinggroup/G"],"document":"{}"}"#)
            == "404 ResourceNotFoundException Target '\(arn)thinggroup/G' does not exist")
    #expect(desk.iot("PUT", "/jobs/J", "{\(both)}").hasPrefix("200"))
    #expect(
        desk.iot("PUT", "/jobs/J", "{\(both)}")
            == "409 ResourceAlreadyExistsException Job 'J' already exists \(arn)job/J")
    for id in ["a:b", "a%2Fb", "", String(repeating: "j", count: 65), "%24next", "%C3%A9"] {
        #expect(
            desk.iot("PUT", "/jobs/\(id)", "{\(both)}")
                == "400 InvalidRequestException Invalid value at 'jobId': 1 to 64 of a-z A-Z 0-9 _ -", "\(id)")
    }
    let large = String(repeating: " ", count: IoTRequest.maximumBodyBytes + 1)
    #expect(desk.iot("PUT", "/jobs/K", large) == "400 InvalidRequestException The body is too large")
}

private let badCalls = [
    "PUT /jobs/J/cancel?force=1 {}", #"PUT /jobs/J/cancel {"reasonCode":"lower"}"#,
    #"PUT /jobs/J/cancel {"reasonCode":""}"#,
    #"PUT /jobs/J/cancel {"comment":1}"#, "DELETE /jobs/J?force=TRUE", "GET /jobs?status=QUEUED",
    "GET /things?maxResults=0", "GET /things?maxResults=251", "GET /thing-groups?maxResults=0",
    "GET /things/T/jobs?maxResults=251", "GET /jobs?targetSelection=x", "GET /jobs?maxResults=0",
    "GET /jobs?maxResults=251", "GET /jobs?maxResults=x",
    "GET /jobs?nextToken=x", "GET /jobs?nextToken=n", "GET /jobs?nextToken=n6", "GET /jobs?nextToken=n+1",
    "GET /jobs?thingGroupName=a%20b", "GET /jobs?thingGroupId=a:b", "GET /jobs/J/things?status=DONE",
    "GET /things/T/jobs?jobId=a:b", "GET /things/T/jobs/J?executionNumber=-1",
    #"PUT /things/T/jobs/J/cancel {"expectedVersion":"1"}"#, #"PUT /things/T/jobs/J/cancel {"statusDetails":{"a":1}}"#,
]

@Test("14: other operations refuse what breaks a rule [AWS-14-5] [AWS-14-9] [AWS-10-6]", arguments: badCalls)
func badCall(call: String) {
    var desk = Desk(things: ["T"])
    _ = desk.create()
    let words = call.split(separator: " ", maxSplits: 2).map(String.init)
    let answer = desk.iot(words[0], words[1], words.count > 2 ? words[2] : "")
    #expect(answer.hasPrefix("400 InvalidRequestException Invalid value at '"), "\(answer)")
    #expect(desk.statuses() == "1:QUEUED")
}

@Test(
    "14: what is no operation",
    arguments: [
        "POST /jobs/J", "PUT /jobs", "GET /jobs/J/cancel", "PUT /jobs/J/things", "GET /jobs/J/things/T",
        "GET /things/T/x",
        "DELETE /things/T/jobs/J", "PUT /things/T/jobs/J", "GET /things/T/jobs/J/executionNumber/1", "POST /things",
        "PUT /things/T", "PUT /thing-groups/G", "DELETE /thing-groups/G/things", "GET /policies", "GET /",
    ])
func noOperation(call: String) {
    var desk = Desk(things: ["T"])
    let words = call.split(separator: " ").map(String.init)
    #expect(desk.iot(words[0], words[1]) == "no request")
}

// MARK: - Lists

@Test("14: ListJobs filters and pages [AWS-14-9]")
func listJobs() {
    var desk = Desk(at: 3, things: ["T"])
    _ = desk.iot("POST", "/thing-groups/G")
    _ = desk.create("A")
    _ = desk.iot(
        "PUT", "/jobs/B", #"{"targets":["\#(arn)thinggroup/G"],"document":"{}","targetSelection":"CONTINUOUS"}"#)
    _ = desk.create("C")
    _ = desk.iot("PUT", "/jobs/C/cancel")
    func ids(_ query: String) -> String {
        let answer = desk.iot("GET", "/jobs\(query)")
        return answer.matches(of: #/"jobId":"([A-Z])"/#).map { String($0.output.1) }.joined()
    }
    #expect(ids("") == "ABC")
    #expect(ids("?status=IN_PROGRESS") == "AB")
    #expect(ids("?status=CANCELED&targetSelection=CONTINUOUS") == "")
    #expect(ids("?targetSelection=SNAPSHOT") == "AC")
    #expect(ids("?thingGroupName=G") == "B")
    #expect(ids("?thingGroupName=X") == "")
    let group = desk.groups["G"]?.id ?? ""
    #expect(ids("?thingGroupId=\(group)") == "B")
    #expect(
        desk.iot("GET", "/jobs?thingGroupName=G")
            == #"200 {"jobs":[{"jobArn":"\#(arn)job/B","jobId":"B","thingGroupId":"\#(group)","#
            + #""targetSelection":"CONTINUOUS","status":"IN_PROGRESS","createdAt":3,"lastUpdatedAt":3,"isConcurrent":false}]}"#
    )
    #expect(desk.iot("GET", "/jobs?maxResults=2").hasSuffix(#","nextToken":"n42"}"#))
    #expect(ids("?maxResults=2") == "AB")
    #expect(ids("?maxResults=2&nextToken=n42") == "C")
    #expect(!desk.iot("GET", "/jobs?maxResults=3").contains("nextToken"))
}

@Test("14: executions of a job and of a thing, filtered and paged in their order [AWS-14-10] [AWS-14-11]")
func listExecutions() {
    var desk = Desk(at: 3, things: ["A", "B"])
    _ = desk.create(for: ["A", "B"])
    _ = desk.create("K", for: ["A"])
    _ = desk.mqtt("start-next", thing: "A")
    let summary = #"{"status":"QUEUED","queuedAt":3,"lastUpdatedAt":3,"executionNumber":1,"retryAttempt":0}"#
    let running =
        #"{"status":"IN_PROGRESS","queuedAt":3,"startedAt":3,"lastUpdatedAt":3,"executionNumber":1,"retryAttempt":0}"#
    #expect(
        desk.iot("GET", "/jobs/J/things?status=QUEUED")
            == #"200 {"executionSummaries":[{"thingArn":"\#(arn)thing/B","jobExecutionSummary":\#(summary)}]}"#)
    let first = desk.iot("GET", "/jobs/J/things?maxResults=1")
    let start =
        #"200 {"executionSummaries":[{"thingArn":"\#(arn)thing/A","jobExecutionSummary":\#(running)}],"nextToken":""#
    #expect(first.hasPrefix(start))
    let token = first.dropFirst(start.count).dropLast(2)
    #expect(desk.iot("GET", "/jobs/J/things?nextToken=\(token)").contains("\(arn)thing/B"))
    #expect(!desk.iot("GET", "/jobs/J/things?nextToken=\(token)").contains("\(arn)thing/A"))
    #expect(
        desk.iot("GET", "/things/A/jobs")
            == #"200 {"executionSummaries":[{"jobId":"J","jobExecutionSummary":\#(running)},"#
            + #"{"jobId":"K","jobExecutionSummary":\#(summary)}]}"#)
    #expect(
        desk.iot("GET", "/things/A/jobs?jobId=K&status=QUEUED")
            == #"200 {"executionSummaries":[{"jobId":"K","jobExecutionSummary":\#(summary)}]}"#)
    #expect(desk.iot("GET", "/things/A/jobs?jobId=K&status=FAILED") == #"200 {"executionSummaries":[]}"#)
    #expect(desk.iot("GET", "/jobs/X/things") == "404 ResourceNotFoundException Job 'X' does not exist")
}

@Test("14: DescribeJobExecution works in every state and by number [AWS-14-12] [AWS-11.2-7] [AWS-11.2-8]")
func describeExecution() {
    var desk = Desk(at: 60, things: ["T"])
    _ = desk.create(
        "J", for: ["T"],
        #""jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"ALL","numberOfRetries":1}]},"#
            + #""timeoutConfig":{"inProgressTimeoutInMinutes":2}"#)
    _ = desk.mqtt("J/update", #"{"status":"FAILED","statusDetails":{"a":"b"}}"#)
    desk.now = 70
    _ = desk.mqtt("start-next")
    func shape(_ status: String, _ details: String, _ rest: String) -> String {
        #"200 {"execution":{"jobId":"J","status":"\#(status)","statusDetails":{"detailsMap":\#(details)},"#
            + #""thingArn":"\#(arn)thing/T","queuedAt":60,\#(rest)}}"#
    }
    let latest =
        #""startedAt":70,"lastUpdatedAt":70,"executionNumber":2,"versionNumber":2,"approximateSecondsBeforeTimedOut":120"#
    #expect(desk.iot("GET", "/things/T/jobs/J") == shape("IN_PROGRESS", "{}", latest))
    #expect(
        desk.iot("GET", "/things/T/jobs/J?executionNumber=1")
            == shape("FAILED", #"{"a":"b"}"#, #""lastUpdatedAt":60,"executionNumber":1,"versionNumber":2"#))
    #expect(
        desk.iot("GET", "/things/T/jobs/J?executionNumber=3")
            == "404 ResourceNotFoundException Execution of job 'J' for thing 'T' does not exist")
}

@Test(
    "11.2, 14: an execution that is over has no timer; only one that ran was cancelled with force [AWS-11.2-12] [AWS-14-12]"
)
func overExecutions() {
    var desk = Desk(at: 60, things: ["A", "B"])
    _ = desk.create(for: ["A", "B"], #""timeoutConfig":{"inProgressTimeoutInMinutes":2}"#)
    _ = desk.mqtt("start-next", #"{"stepTimeoutInMinutes":1}"#, thing: "A")
    _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#, thing: "A")
    _ = desk.iot("PUT", "/jobs/J/cancel?force=true")
    #expect(desk.iot("GET", "/things/A/jobs/J").hasSuffix(#""executionNumber":1,"versionNumber":3}}"#))
    #expect(desk.executions["A"]?.first?.deadline == nil)
    #expect(desk.iot("GET", "/things/B/jobs/J").contains(#""status":"CANCELED","forceCanceled":false,"#))
}

@Test("6.3: the body of a refusal; ResourceAlreadyExistsException names the resource [AWS-6.3-2]")
func refusalBody() {
    var desk = Desk(things: ["T"])
    _ = desk.iot("GET", "/jobs/J")
    #expect(desk.refusalBody == #"{"message":"Job 'J' does not exist"}"#)
    _ = desk.create()
    _ = desk.create()
    #expect(
        desk.refusalBody
            == #"{"message":"Job 'J' already exists","resourceId":"J","resourceArn":"\#(arn)job/J"}"#)
}
