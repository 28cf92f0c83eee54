//  What is wrong with a signature, and what its sender is told.
import ApusTestKit
import ByteKit
import RequestSigning
import Testing

private let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

/// A request with the public signature of `GET /`, with parts exchanged.
private func vector(
    credential: String = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request", names: String = "host;x-amz-date",
    signature: String = signature, date: String = "20150830T123600Z", more: [SignedRequest.Field] = [],
    authorization: String? = nil, target: String = "/"
) -> Vector {
    let text = "AWS4-HMAC-SHA256 Credential=\(credential), SignedHeaders=\(names), Signature=\(signature)"
    let fields: [SignedRequest.Field] = [
        .init("Host", "example.amazonaws.com"), .init("X-Amz-Date", date),
        .init("Authorization", authorization ?? text),
    ]
    return Vector(
        name: "", service: "service", transport: .plain,
        request: SignedRequest(method: "GET", target: target, fields: fields + more), body: [])
}

private struct Row: CustomTestStringConvertible, Sendable {
    var what: String
    var vector: Vector
    var reason: SignatureRefusal.Reason?
    var testDescription: String { what }
}

private let rows = [
    Row(what: "as it was signed", vector: vector(), reason: nil),
    Row(what: "unsigned fields change nothing", vector: vector(more: [.init("Accept", "x")]), reason: nil),
    Row(what: "another scheme", vector: vector(authorization: "Bearer x"), reason: .missingAuthenticationToken),
    Row(what: "nothing", vector: vector(authorization: ""), reason: .missingAuthenticationToken),
    Row(what: "the algorithm alone", vector: vector(authorization: "AWS4-HMAC-SHA256"), reason: .incompleteSignature),
    Row(
        what: "another algorithm", vector: vector(authorization: "AWS4-HMAC-SHA256X a=b"), reason: .incompleteSignature),
    Row(what: "no pair", vector: vector(authorization: "AWS4-HMAC-SHA256 Credential"), reason: .incompleteSignature),
    Row(what: "no scope", vector: vector(authorization: "AWS4-HMAC-SHA256 Signature=x"), reason: .incompleteSignature),
    Row(
        what: "a part twice", vector: vector(signature: "\(signature), Signature=\(signature)"),
        reason: .incompleteSignature),
    Row(what: "a short scope", vector: vector(credential: "AKIDEXAMPLE/20150830"), reason: .incompleteSignature),
    Row(
        what: "another end", vector: vector(credential: "AKIDEXAMPLE/20150830/r/s/aws5_request"),
        reason: .incompleteSignature),
    Row(
        what: "an empty part", vector: vector(credential: "AKIDEXAMPLE/20150830//s/aws4_request"),
        reason: .incompleteSignature),
    Row(
        what: "another day", vector: vector(credential: "AKIDEXAMPLE/20150831/us-east-1/service/aws4_request"),
        reason: .invalidSignature),
    Row(
        what: "a stranger", vector: vector(credential: "AKIDOTHER/20150830/us-east-1/service/aws4_request"),
        reason: .unrecognizedClient),
    Row(
        what: "another service", vector: vector(credential: "AKIDEXAMPLE/20150830/us-east-1/iot/aws4_request"),
        reason: .invalidSignature),
    Row(what: "the host is not signed", vector: vector(names: "x-amz-date"), reason: .invalidSignature),
    Row(what: "the date is not signed", vector: vector(names: "host"), reason: .invalidSignature),
    Row(what: "names out of order", vector: vector(names: "x-amz-date;host"), reason: .incompleteSignature),
    Row(what: "names in capitals", vector: vector(names: "Host;x-amz-date"), reason: .incompleteSignature),
    Row(what: "a name twice", vector: vector(names: "host;host;x-amz-date"), reason: .incompleteSignature),
    Row(what: "a signed field is missing", vector: vector(names: "accept;host;x-amz-date"), reason: .invalidSignature),
    Row(what: "a field is repeated", vector: vector(more: [.init("host", "x")]), reason: .invalidSignature),
    Row(what: "two times", vector: vector(more: [.init("x-amz-date", "x")]), reason: .incompleteSignature),
    Row(what: "two signatures", vector: vector(more: [.init("authorization", "x")]), reason: .incompleteSignature),
    Row(what: "in the query too", vector: vector(target: "/?X-Amz-Signature=x"), reason: .incompleteSignature),
    Row(what: "a time in another form", vector: vector(date: "2015-08-30T12:36:00Z"), reason: .incompleteSignature),
    Row(what: "a day that is none", vector: vector(date: "20150230T123600Z"), reason: .incompleteSignature),
    Row(what: "an hour that is none", vector: vector(date: "20150830T240000Z"), reason: .incompleteSignature),
    Row(what: "a short signature", vector: vector(signature: "5fa0"), reason: .invalidSignature),
    Row(what: "a signature in capitals", vector: vector(signature: signature.uppercased()), reason: .invalidSignature),
    Row(
        what: "the hash of another payload", vector: vector(more: [.init("x-amz-content-sha256", signature)]),
        reason: .invalidSignature),
    Row(
        what: "no payload signed without TLS",
        vector: vector(more: [.init("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]),
        reason: .invalidSignature),
    Row(what: "a bent percent sign", vector: vector(target: "/?a=%2"), reason: .invalidSignature),
    Row(what: "a target that is no path", vector: vector(target: "http://a/"), reason: .incompleteSignature),
    Row(what: "a target beyond ASCII", vector: vector(target: "/?\u{338}a"), reason: .incompleteSignature),
    Row(
        what: "a target beyond all bounds", vector: vector(target: "/" + String(repeating: "a", count: 20_000)),
        reason: .incompleteSignature),
    Row(
        what: "more parameters than are read", vector: vector(target: "/?" + String(repeating: "a&", count: 200)),
        reason: .incompleteSignature),
    Row(
        what: "more fields than are read", vector: vector(more: Array(repeating: .init("a", "b"), count: 200)),
        reason: .incompleteSignature),
    Row(
        what: "more bytes than are read", vector: vector(names: String(repeating: "a;", count: 5000) + "host"),
        reason: .incompleteSignature),
]

@Test("what is wrong with a signature has AWS's name", arguments: rows)
private func refusal(_ row: Row) {
    #expect(row.vector.refusal()?.reason == row.reason)
}

@Test("five minutes between the clocks are tolerated, in both directions [AWS-6.1-6]")
func skew() throws {
    #expect(vector().refusal(later: 300) == nil)
    #expect(vector().refusal(later: -300) == nil)
    let expired = try #require(vector().refusal(later: 301))
    #expect(
        expired.message
            == "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 300 s)")
    let early = try #require(vector().refusal(later: -301))
    #expect(
        early.message
            == "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 300 s)"
    )
    #expect(expired.reason == .invalidSignature && early.reason == .invalidSignature)
}

@Test("a presigned URL lives as long as it says, at most a week; without that as long as any other signature")
func lifetime() throws {
    let presigned = try #require(Vector.all.first { $0.name == "MQTT over WebSocket" })
    #expect(presigned.refusal(later: 3600) == nil)
    #expect(presigned.refusal(later: 3601)?.message.hasPrefix("Signature expired") == true)
    #expect(presigned.refusal(later: -301)?.message.hasPrefix("Signature not yet current") == true)
    for (text, reason) in [
        ("0", SignatureRefusal.Reason.incompleteSignature), ("-5", .incompleteSignature),
        ("604801", .incompleteSignature),
        ("99999999999999999999", .incompleteSignature), ("604800", .invalidSignature),
    ] {
        var other = presigned
        other.request.target.replace("X-Amz-Expires=3600", with: "X-Amz-Expires=\(text)")
        #expect(other.refusal()?.reason == reason)
    }
    var open = presigned
    open.request.target.replace("&X-Amz-Expires=3600", with: "")
    #expect(open.refusal(later: 300)?.message.hasPrefix("The request signature") == true)
    #expect(open.refusal(later: 301)?.message.hasPrefix("Signature expired") == true)
}

@Test("another secret is refused, an empty one too")
func otherSecret() {
    for secret in ["", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEy", "\0"] {
        #expect(throws: SignatureRefusal.self) {
            try SignatureVerifier.verify(
                vector().request, body: [UInt8]().span, seconds: Vector.seconds, transport: .tls
            ) { _ in secret }
        }
    }
}

@Test("2.8: the data plane says Unauthorized, the others the name of what is wrong [AWS-2.8-11]")
func answers() throws {
    let refusal = try #require(vector(signature: String(repeating: "0", count: 64)).refusal())
    for service in ["iotdata", "iotdevicegateway", nil] {
        #expect(refusal.answer(service: service) == (401, "UnauthorizedException", "Unauthorized"))
    }
    for service in ["iot", "iot-jobs-data"] {
        let answer = refusal.answer(service: service)
        #expect(answer.status == 403)
        #expect(answer.exception == "InvalidSignatureException")
        #expect(answer.message.hasPrefix("The request signature we calculated does not match"))
    }
}

/// Fields and targets, and the service that they name.
private let claims: [(authorization: String?, target: String, service: String?)] = [
    (nil, "/", nil), ("Bearer x", "/", nil), ("AWS4-HMAC-SHA256", "/", nil),
    ("AWS4-HMAC-SHA256 Credential=a/20260101/r/iot/aws4_request", "/", "iot"),
    ("AWS4-HMAC-SHA256 Signature=0,Credential=a/b/r/iot-jobs-data/aws4_request ,SignedHeaders=", "/", "iot-jobs-data"),
    ("AWS4-HMAC-SHA256 Credential=a/20260101/iot/aws4_request", "/", nil),
    ("AWS4-HMAC-SHA256 Credential=a/20260101/r/iot/aws4_request,Credential=x", "/", nil),
    (nil, "/mqtt?X-Amz-Credential=a%2F20260101%2Fr%2Fiotdevicegateway%2Faws4_request", "iotdevicegateway"),
    (nil, "/mqtt?X-Amz-Credential=a%2F20260101", nil), (nil, "/mqtt?X-Amz-Credential=%2", nil),
]

@Test("6.1: the scope is read where nothing is checked", arguments: claims)
private func claimed(_ row: (authorization: String?, target: String, service: String?)) {
    let fields = row.authorization.map { [SignedRequest.Field("authorization", $0)] } ?? []
    let request = SignedRequest(method: "GET", target: row.target, fields: fields)
    #expect(SignatureScope(claimedBy: request)?.service == row.service)
}

@Test("whatever arrives, the answer is a refusal", arguments: UInt64(0)..<100)
func noise(seed: UInt64) {
    var random = SeededRandom(seed)
    let alphabet = Array("AWS4-HMAC-SHA256 Credential=,/;%&?X-Amz-Signature=Date:é\u{0}".utf8)
    func noise(_ start: String) -> String {
        let count = Int.random(in: 0...80, using: &random)
        let bytes = (0..<count).map { _ in
            Int.random(in: 0..<8, using: &random) == 0
                ? UInt8.random(in: 0...255, using: &random)
                : alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
        }
        return (Bool.random(using: &random) ? start : "") + String(decoding: bytes, as: UTF8.self)
    }
    for _ in 0..<100 {
        let request = SignedRequest(
            method: noise("GET"), target: noise("/?X-Amz-Signature=a&X-Amz-Date=20150830T123600Z&"),
            fields: [
                .init("Authorization", noise("AWS4-HMAC-SHA256 ")),
                .init("Date", noise("Sun, 30 Aug 2015 12:36:00 GMT")),
                .init(noise("host"), noise("x")),
            ])
        #expect(Vector(name: "", service: "", transport: .tls, request: request, body: []).refusal() != nil)
        _ = SignatureScope(claimedBy: request)
    }
}
