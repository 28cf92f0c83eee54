//  Requests signed by others: botocore and awscrt (Vectors.swift) and those of AWS's documentation.
import ApusTestKit
import ByteKit
import RequestSigning
import Testing

/// A signed request and what it says.
struct Vector: CustomTestStringConvertible, Sendable {
    var name: String
    var service: String
    var transport: SignatureVerifier.Transport
    var request: SignedRequest
    var body: [UInt8]
    var testDescription: String { name }

    /// Verifies the request `later` seconds after it was signed.
    func verify(later: Int = 0) throws(SignatureRefusal) -> SignatureScope {
        try SignatureVerifier.verify(
            request, body: body.span, seconds: UInt64(Int(Self.seconds) + later), transport: transport
        ) { $0 == Self.accessKeyID ? Self.secret : nil }
    }

    /// The refusal, nil where the request is accepted.
    func refusal(later: Int = 0) -> SignatureRefusal? {
        do throws(SignatureRefusal) {
            _ = try verify(later: later)
            return nil
        } catch {
            return error
        }
    }
}

@Test("what botocore and awscrt sign is accepted, and its scope told [AWS-6.1-4] [AWS-6.1-7]", arguments: Vector.all)
func accepted(_ vector: Vector) throws {
    let scope = try vector.verify()
    #expect(scope.accessKeyID == Vector.accessKeyID)
    #expect(scope.service == vector.service)
    #expect(scope.region == "us-east-1")
    #expect(SignatureScope(claimedBy: vector.request) == scope)
}

/// Of AWS's documentation and its test suite of Signature Version 4: target, method, signature.
private let suite = [
    ("get-vanilla", "GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("post-vanilla", "POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    ),
]

@Test("AWS's own test suite", arguments: suite)
func published(name: String, method: String, target: String, signature: String) throws {
    let scope = "\(Vector.accessKeyID)/20150830/us-east-1/service/aws4_request"
    let request = SignedRequest(
        method: method, target: target,
        fields: [
            .init("Host", "example.amazonaws.com"), .init("X-Amz-Date", "20150830T123600Z"),
            .init(
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders=host;x-amz-date, Signature=\(signature)"),
        ])
    let vector = Vector(name: name, service: "service", transport: .tls, request: request, body: [])
    #expect(try vector.verify().service == "service")
}

@Test("the example of AWS's documentation: ListUsers of IAM")
func listUsers() throws {
    let request = SignedRequest(
        method: "GET", target: "/?Action=ListUsers&Version=2010-05-08",
        fields: [
            .init("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            .init("HOST", "iam.amazonaws.com"), .init("x-amz-date", "20150830T123600Z"),
            .init(
                "authorization",
                """
                AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                SignedHeaders=content-type;host;x-amz-date, \
                Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7
                """),
        ])
    #expect(
        try Vector(name: "", service: "iam", transport: .plain, request: request, body: []).verify().service == "iam")
}

/// Vectors in which every byte of the signed parts counts: no dots in the path, no token behind the signature.
private let exact = Vector.all.filter { !$0.name.contains("dots") && !$0.name.contains("behind") }

@Test("a request with one byte changed is refused, wherever it is signed", arguments: exact)
func bent(_ vector: Vector) {
    for index in vector.request.target.utf8.indices {
        var other = vector
        other.request.target = flipped(vector.request.target, index)
        #expect(other.refusal() != nil, "\(other.request.target)")
    }
    for index in vector.body.indices {
        var other = vector
        other.body[index] ^= 1
        #expect((other.refusal() == nil) == (vector.name == "payload left out"))
    }
    for index in vector.request.method.utf8.indices {
        var other = vector
        other.request.method = flipped(vector.request.method, index)
        #expect(other.refusal() != nil)
    }
    for place in vector.request.fields.indices where isSigned(vector.request.fields[place].name, vector) {
        let value = vector.request.fields[place].value
        for index in value.utf8.indices where value.utf8[index] > 0x20 {
            var other = vector
            other.request.fields[place].value = flipped(value, index)
            #expect(other.refusal() != nil, "\(other.request.fields[place])")
        }
        var other = vector
        other.request.fields.remove(at: place)
        #expect(other.refusal() != nil)
    }
}

/// The text with the lowest bit of one byte turned; it never differs in case alone.
private func flipped(_ text: String, _ index: String.Index) -> String {
    var bytes = Array(text.utf8)
    bytes[text.utf8.distance(from: text.startIndex, to: index)] ^= 1
    return String(decoding: bytes, as: UTF8.self)
}

private func isSigned(_ name: String, _ vector: Vector) -> Bool {
    let said = vector.request.fields.map(\.value).joined() + vector.request.target
    let list = said.firstMatch(of: /SignedHeaders=([^,&]*)/).map { String($0.1) } ?? ""
    let names = list.replacing("%3B", with: ";").split(separator: ";")
    return name == "Authorization" || names.contains { $0 == name.lowercased() }
}

@Test("what stands for the same is accepted: case of names, white space, order of parameters")
func equivalent() throws {
    var vector = try #require(Vector.all.first { $0.name.hasSuffix("list_named_shadows_for_thing") })
    vector.request.target =
        "/api/things/shadow/ListNamedShadowsForThing/T?nextToken=a%20b%2fc%2Bd%3d%26e&&pageSize=%37"
    for place in vector.request.fields.indices {
        vector.request.fields[place].name = vector.request.fields[place].name.uppercased()
    }
    vector.request.fields[0].value += " \t"
    #expect(vector.refusal() == nil)
}
