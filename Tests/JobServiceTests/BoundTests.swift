//  Sections 1.1, 1.2 and 14: the longest and the largest that is taken, and one more.
import JobService
import Testing

private let arn = "arn:aws:iot:us-east-1:000000000000:"

private func text(_ character: String, _ count: Int) -> String { String(repeating: character, count: count) }

/// Keys and values of `statusDetails`.
private let detailTexts: [(key: String, value: String, isLegal: Bool)] = [
    ("a", "b", true), (text("k", 128), "b", true), (text("k", 129), "b", false), ("", "b", false),
    ("a:b_c-9", "b", true), ("a.b", "b", false), ("é", "b", false), ("a", text("v", 1024), true),
    ("a", text("v", 1025), false), ("a", text("é", 1024), true), ("a", text("😀", 1024), true),
    ("a", text("😀", 1025), false), ("a", "", false), ("a", " ~é\u{2028}", true), ("a", "\\u0000", false),
    ("a", "\\u001f", false), ("a", "\\u007f", false), ("a", "\\u0085", false), ("a", "\\t", false),
]

@Test("1.1: keys and values of statusDetails [AWS-1.1-7]", arguments: detailTexts)
func statusDetails(_ row: (key: String, value: String, isLegal: Bool)) {
    var desk = Desk(at: 5, things: ["T"])
    _ = desk.create()
    let members = #""statusDetails":{"\#(row.key)":"\#(row.value)"}"#
    let answer = desk.mqtt("J/update", #"{"status":"IN_PROGRESS",\#(members)}"#)
    #expect(answer.hasPrefix(row.isLegal ? "accepted" : #"rejected {"code":"InvalidRequest""#))
    #expect(desk.executions["T"]?.first?.version == (row.isLegal ? 2 : 1))
    let other = desk.iot("PUT", "/things/T/jobs/J/cancel?force=true", "{\(members)}")
    #expect(other.hasPrefix(row.isLegal ? "200" : "400 InvalidRequestException"))
}

private let timers: [(minutes: String, isLegal: Bool)] = [
    ("1", true), ("10080", true), ("0", false), ("10081", false), ("-1", false), ("1.5", false),
]

@Test("1.2: timers last 1 to 10080 minutes [AWS-1.2-14]", arguments: timers)
func timerBounds(_ row: (minutes: String, isLegal: Bool)) {
    var desk = Desk(at: 5, things: ["T"])
    let answer = desk.create("J", for: ["T"], #""timeoutConfig":{"inProgressTimeoutInMinutes":\#(row.minutes)}"#)
    #expect(answer.hasPrefix(row.isLegal ? "200" : "400"))
    _ = desk.create("K")
    let started = desk.mqtt("start-next", #"{"stepTimeoutInMinutes":\#(row.minutes)}"#)
    #expect(started.hasPrefix(row.isLegal ? "accepted" : #"rejected {"code":"InvalidRequest""#))
}

@Test("14: the longest ids, descriptions, reasons and comments [AWS-1.1-4] [AWS-14-5] [AWS-14-18]", arguments: [0, 1])
func longestTexts(more: Int) {
    var desk = Desk(at: 5, things: ["T"])
    let isLegal = more == 0
    func check(_ answer: String) {
        #expect(answer.hasPrefix(isLegal ? "200" : "400 InvalidRequestException"), "\(answer)")
    }
    check(desk.create(text("j", 64 + more)))
    check(desk.create("D", for: ["T"], #""description":"\#(text("é", 2028 + more))""#))
    check(desk.create("P", for: ["T"], #""presignedUrlConfig":{"expiresInSec":\#(3600 + more)}"#))
    check(desk.create("Q", for: ["T"], #""presignedUrlConfig":{"expiresInSec":\#(60 - more)}"#))
    _ = desk.create("J")
    check(desk.iot("PUT", "/jobs/J/cancel", #"{"reasonCode":"\#(text("Z_9", 42))AB\#(text("A", more))"}"#))
    _ = desk.create("K")
    check(desk.iot("PUT", "/jobs/K/cancel", #"{"comment":"\#(text("c", 2028 + more))"}"#))
}

@Test("6.3: each exception has its status on the control plane [AWS-6.3-3]")
func exceptionStatuses() {
    let expected: [IoTException: Int] = [
        .invalidRequest: 400, .resourceNotFound: 404, .resourceAlreadyExists: 409, .versionConflict: 409,
        .invalidStateTransition: 409, .terminalState: 410, .throttling: 400, .serviceUnavailable: 503,
    ]
    #expect(expected.count == IoTException.allCases.count)
    for exception in IoTException.allCases {
        #expect(exception.status == expected[exception])
        #expect(exception.rawValue.hasSuffix("Exception"))
    }
}
