import Foundation
import HTTPTypes
import Hummingbird
import JobService
import ShadowDocument
import ShadowService

/// A refusal as AWS's SDKs expect it: status, exception, body (spec 6.3).
struct AWSFault: Error {
    let status: Int
    let exception: String
    /// The whole body, where it has more than a message.
    private var body: [UInt8]?
    private let message: String

    init(_ status: Int, _ exception: String, _ message: String) {
        self.status = status
        self.exception = exception
        self.message = message
    }

    init(_ refusal: IoTRefusal) {
        self.init(refusal.exception.status, refusal.exception.rawValue, refusal.message)
        body = refusal.body
    }

    init(_ refusal: JobRefusal, body: [UInt8]) {
        self.init(refusal.code.status, refusal.code.exception.rawValue, refusal.message)
        self.body = body
    }

    init(_ refusal: ShadowRefusal) {
        self.init(refusal.code, ShadowService.exceptionName(forCode: refusal.code), refusal.message)
    }

    static func invalid(_ message: String) -> AWSFault { AWSFault(400, "InvalidRequestException", message) }
    static func notFound(_ message: String) -> AWSFault { AWSFault(404, "ResourceNotFoundException", message) }
    static let unauthorized = AWSFault(401, "UnauthorizedException", "Unauthorized")
    static let forbidden = AWSFault(403, "ForbiddenException", "Forbidden")
    static let unknownOperation = AWSFault(404, "UnknownOperationException", "This operation is not offered")
    static let methodNotAllowed = AWSFault(405, "MethodNotAllowedException", "Method not allowed")
    static let tooLarge = AWSFault(
        413, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
    static let throttled = AWSFault(429, "ThrottlingException", "The queue of a subscriber that is away is full")
    static let unavailable = AWSFault(
        503, "ServiceUnavailableException", "The disk could not be written; try again in a few seconds")
    static let internalFailure = AWSFault(500, "InternalFailureException", "Internal service failure")

    private struct Body: Encodable {
        var message: String
        var traceId: String
    }

    var response: Response {
        let id = UUID().uuidString.lowercased()
        var response =
            if let body {
                AWSAnswer.success(body)
            } else {
                Response.json(Body(message: message, traceId: id))
            }
        response.status = HTTPResponse.Status(code: status, reasonPhrase: "")
        response.headers[.errorType] = exception
        response.headers[.requestID] = id
        return response
    }
}

/// Answers as AWS's SDKs expect them (spec 6.2).
enum AWSAnswer {
    static func success(_ body: [UInt8]) -> Response {
        var response = Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        response.headers[.contentType] = "application/json"
        response.headers[.requestID] = UUID().uuidString.lowercased()
        return response
    }

    static func success(_ value: some Encodable) -> Response {
        var response = Response.json(value)
        response.headers[.requestID] = UUID().uuidString.lowercased()
        return response
    }
}

extension HTTPField.Name {
    static let errorType = known("x-amzn-ErrorType")
    static let requestID = known("x-amzn-RequestId")
}
