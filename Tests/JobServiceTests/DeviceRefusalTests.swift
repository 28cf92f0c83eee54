//  12.2, 13: what a device's request is refused for, over MQTT and HTTP, and that a refusal changes nothing.
import JobService
import Testing

private let ok = #""status":"IN_PROGRESS""#
private let badDetails = "'statusDetails': a map of texts: keys 1 to 128 of a-z A-Z 0-9 : _ -, values 1 to 1024"

private let rows: [(suffix: String, payload: String, code: String, message: String)] = [
    ("start", "{}", "InvalidTopic", "The topic is no request of the jobs service"),
    ("start", "{", "InvalidTopic", "The topic is no request of the jobs service"),
    ("get", "{", "InvalidJson", "The payload is not a JSON object in UTF-8"),
    ("get", "[]", "InvalidJson", "The payload is not a JSON object in UTF-8"),
    ("J/update", "nonsense", "InvalidJson", "The payload is not a JSON object in UTF-8"),
    (
        "J/update", "{}", "InvalidRequest",
        "Value null at 'status' failed to satisfy constraint: Member must not be null"
    ),
    (
        "J/update", #"{"status":null}"#, "InvalidRequest",
        "Value null at 'status' failed to satisfy constraint: Member must not be null"
    ),
    ("J/update", #"{\#(ok),"clientToken":7}"#, "InvalidRequest", "'clientToken': a text of at most 64 bytes"),
    ("J/update", #"{\#(ok),"statusDetails":[]}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"statusDetails":{"a":1}}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"statusDetails":{"a":null}}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"statusDetails":{"a b":"x"}}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"statusDetails":{"":"x"}}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"statusDetails":{"a":""}}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"statusDetails":{"a":"x\n"}}"#, "InvalidRequest", badDetails),
    ("J/update", #"{\#(ok),"expectedVersion":-1}"#, "InvalidRequest", "'expectedVersion': a non-negative integer"),
    ("J/update", #"{\#(ok),"expectedVersion":1.5}"#, "InvalidRequest", "'expectedVersion': a non-negative integer"),
    ("J/update", #"{\#(ok),"expectedVersion":""}"#, "InvalidRequest", "'expectedVersion': a non-negative integer"),
    ("J/update", #"{\#(ok),"executionNumber":true}"#, "InvalidRequest", "'executionNumber': a number"),
    ("J/update", #"{\#(ok),"stepTimeoutInMinutes":0}"#, "InvalidRequest", "'stepTimeoutInMinutes': 1 to 10080, or -1"),
    (
        "J/update", #"{\#(ok),"stepTimeoutInMinutes":10081}"#, "InvalidRequest",
        "'stepTimeoutInMinutes': 1 to 10080, or -1"
    ),
    ("J/update", #"{\#(ok),"stepTimeoutInMinutes":-2}"#, "InvalidRequest", "'stepTimeoutInMinutes': 1 to 10080, or -1"),
    ("start-next", #"{"stepTimeoutInMinutes":-1}"#, "InvalidRequest", "'stepTimeoutInMinutes': 1 to 10080"),
    (
        "J/update", #"{\#(ok),"includeJobExecutionState":"true"}"#, "InvalidRequest",
        "'includeJobExecutionState': true or false"
    ),
    ("J/get", #"{"includeJobDocument":1}"#, "InvalidRequest", "'includeJobDocument': true or false"),
    ("K/update", #"{\#(ok)}"#, "ResourceNotFound", "There is no execution of job 'K' for thing 'T'"),
    ("K/get", "", "ResourceNotFound", "There is no execution of job 'K' for thing 'T'"),
    ("J/get", #"{"executionNumber":2}"#, "ResourceNotFound", "There is no execution of job 'J' for thing 'T'"),
]

@Test(
    "12.2: codes and words of rejected [AWS-12.2-2] [AWS-12.2-3] [AWS-12.2-4] [AWS-12.2-5] [AWS-12.2-9]",
    arguments: rows)
func refused(_ row: (suffix: String, payload: String, code: String, message: String)) {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    _ = desk.heard()
    let message = row.message.hasPrefix("'") ? "Invalid value at \(row.message)" : row.message
    let before = desk.executions
    #expect(
        desk.mqtt(row.suffix, row.payload)
            == #"rejected {"code":"\#(row.code)","message":"\#(message)","timestamp":5}"#)
    #expect(desk.executions == before)
    #expect(desk.heard() == [])
}

@Test("12.2: bytes that are no text, and texts that nest too deep, are InvalidJson without a token [AWS-12.2-3]")
func noText() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let deep = #"{"clientToken":"c","x":\#(String(repeating: "[", count: 70))\#(String(repeating: "]", count: 70))}"#
    for bytes in [[0xFF], Array(#"{"clientToken":"c","x":""#.utf8) + [0xC3, 0x22, 0x7D], Array(deep.utf8)] as [[UInt8]]
    {
        #expect(
            desk.mqtt("start-next", bytes: bytes)
                == #"rejected {"code":"InvalidJson","message":"The payload is not a JSON object in UTF-8","timestamp":5}"#
        )
    }
    #expect(desk.statuses() == "1:QUEUED")
}

@Test("12.1: of repeated members the last one counts")
func repeatedMembers() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let update = #"{"status":"FAILED","clientToken":"a","sta\u0074us":"IN_PROGRESS","clientToken":"b"}"#
    #expect(desk.mqtt("J/update", update) == #"accepted {"clientToken":"b","timestamp":5}"#)
    #expect(desk.statuses() == "1:IN_PROGRESS")
}

@Test(
    "12.2: statuses that a device may not set [AWS-12.2-13]",
    arguments: ["QUEUED", "CANCELED", "TIMED_OUT", "REMOVED", "DELETED", "succeeded", ""])
func serviceStatuses(status: String) {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    #expect(
        desk.mqtt("J/update", #"{"status":"\#(status)","clientToken":"c"}"#)
            == #"rejected {"code":"InvalidRequest","message":"Invalid value at 'status': one of IN_PROGRESS, SUCCEEDED, "#
            + #"FAILED, REJECTED","clientToken":"c","timestamp":5}"#)
}

@Test(
    "12.2, 13: an update of an execution that is over [AWS-12.2-8] [AWS-13-7] [AWS-12.2-1]",
    arguments: ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"])
func over(status: String) {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    _ = desk.mqtt("J/update", #"{"status":"REJECTED","statusDetails":{"why":"no"}}"#)
    let state = #""executionState":{"status":"REJECTED","statusDetails":{"why":"no"},"versionNumber":2}"#
    let update = #"{"status":"\#(status)","clientToken":"c"}"#
    #expect(
        desk.mqtt("J/update", update)
            == #"rejected {"code":"InvalidStateTransition","message":"The execution of job 'J' is REJECTED","#
            + #""clientToken":"c","timestamp":5,\#(state)}"#)
    #expect(
        desk.http("POST", "/things/T/jobs/J", update)
            == #"409 InvalidStateTransitionException {"message":"The execution of job 'J' is REJECTED",\#(state)}"#)
}

@Test("12.2, 13: a describe of an execution that is over [AWS-12.2-11] [AWS-13-7] [AWS-12.2-7]")
func describeOver() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    _ = desk.mqtt("J/update", #"{"status":"FAILED"}"#)
    #expect(
        desk.mqtt("J/get", #"{"clientToken":""}"#)
            == #"rejected {"code":"TerminalStateReached","message":"The execution of job 'J' is FAILED","#
            + #""clientToken":"","timestamp":5}"#)
    #expect(
        desk.http("GET", "/things/T/jobs/J")
            == #"410 TerminalStateException {"message":"The execution of job 'J' is FAILED"}"#)
}

@Test(
    "12.2, 13: another version than the expected one; numbers may be written as strings [AWS-12.2-10] [AWS-13-8] [AWS-12.1-9]"
)
func otherVersion() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let state = #""executionState":{"status":"QUEUED","versionNumber":1}"#
    for version in ["0", "2", #""2""#, "18446744073709551616"] {
        let update = #"{"status":"IN_PROGRESS","expectedVersion":\#(version)}"#
        #expect(
            desk.mqtt("J/update", update)
                == #"rejected {"code":"VersionMismatch","message":"Expected version does not match the current version 1","#
                + #""timestamp":5,\#(state)}"#)
        #expect(
            desk.http("POST", "/things/T/jobs/J", update).hasPrefix("409 InvalidStateTransitionException {"),
            "\(version)")
    }
    #expect(
        desk.mqtt("J/update", #"{"status":"IN_PROGRESS","expectedVersion":"1","executionNumber":"1"}"#)
            == #"accepted {"timestamp":5}"#)
}

@Test("1.2, 8: a token of 64 bytes comes back as it was spelled, a longer one does not [AWS-1.2-3] [AWS-12.1-1]")
func tokens() {
    var desk = Desk(at: 5, things: ["T"])
    for token in [String(repeating: "x", count: 64), String(repeating: "é", count: 32), #"\u00e9\""#] {
        #expect(
            desk.mqtt("start-next", #"{"clientToken":"\#(token)"}"#)
                == #"accepted {"clientToken":"\#(token)","timestamp":5}"#)
    }
    let long = String(repeating: "x", count: 65)
    #expect(
        desk.mqtt("get", #"{"clientToken":"\#(long)"}"#)
            == #"rejected {"code":"InvalidRequest","message":"Invalid value at 'clientToken': a text of at most 64 bytes","#
            + #""timestamp":5}"#)
}

@Test("12.2: a null counts as absent [AWS-12.2-6]")
func nulls() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let names = [
        "clientToken", "statusDetails", "expectedVersion", "executionNumber", "includeJobExecutionState",
        "includeJobDocument", "stepTimeoutInMinutes",
    ]
    let nulls = names.map { "\"\($0)\":null" }.joined(separator: ",")
    #expect(desk.mqtt("J/update", #"{"status":"IN_PROGRESS",\#(nulls)}"#) == #"accepted {"timestamp":5}"#)
}

@Test("1.2: a payload has at most 128 KB [AWS-1.2-7]")
func largest() {
    var desk = Desk(at: 5, things: ["T"])
    func payload(_ count: Int) -> String { #"{"x":"\#(String(repeating: "x", count: count - 8))"}"# }
    #expect(desk.mqtt("start-next", payload(131_072)) == #"accepted {"timestamp":5}"#)
    #expect(
        desk.mqtt("start-next", payload(131_073))
            == #"rejected {"code":"InvalidRequest","message":"The payload has more than 131072 bytes","timestamp":5}"#)
}

@Test("13: refusals over HTTP have AWS's exceptions and no code, token or timestamp [AWS-13-6]")
func httpRefusals() {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let token = #""clientToken":"c""#
    #expect(
        desk.http("POST", "/things/T/jobs/J", "{\(token)}")
            == #"400 InvalidRequestException {"message":"Value null at 'status' failed to satisfy constraint: "#
            + #"Member must not be null"}"#)
    #expect(
        desk.http("POST", "/things/T/jobs/K", #"{"status":"FAILED",\#(token)}"#)
            == #"404 ResourceNotFoundException {"message":"There is no execution of job 'K' for thing 'T'"}"#)
    #expect(
        desk.http("PUT", "/things/T/jobs/$next", "{")
            == #"400 InvalidRequestException {"message":"The payload is not a JSON object in UTF-8"}"#)
    #expect(
        desk.http("GET", "/things/T/jobs/J?includeJobDocument=yes")
            == #"400 InvalidRequestException {"message":"Invalid value at 'includeJobDocument': true or false"}"#)
    #expect(
        desk.http("GET", "/things/T/jobs/J?executionNumber=x")
            == #"400 InvalidRequestException {"message":"Invalid value at 'executionNumber': a non-negative integer"}"#)
    #expect(
        desk.http("GET", "/things/T:%2F/jobs")
            == #"400 InvalidRequestException {"message":"Invalid value at 'thingName': 1 to 128 of a-z A-Z 0-9 : _ -"}"#
    )
}

@Test("6.3, 13: every code has an exception and a status of its own service [AWS-6.3-3] [AWS-6.3-4]")
func codes() {
    let expected: [JobRefusal.Code: (String, Int)] = [
        .invalidTopic: ("InvalidRequestException", 400), .invalidJSON: ("InvalidRequestException", 400),
        .invalidRequest: ("InvalidRequestException", 400),
        .invalidStateTransition: ("InvalidStateTransitionException", 409),
        .versionMismatch: ("InvalidStateTransitionException", 409),
        .resourceNotFound: ("ResourceNotFoundException", 404), .terminalStateReached: ("TerminalStateException", 410),
        .requestThrottled: ("ThrottlingException", 429), .internalError: ("ServiceUnavailableException", 503),
    ]
    for code in JobRefusal.Code.allCases {
        #expect(code.exception.rawValue == expected[code]?.0)
        #expect(code.status == expected[code]?.1)
    }
    #expect(IoTException.throttling.status == 400)
}
