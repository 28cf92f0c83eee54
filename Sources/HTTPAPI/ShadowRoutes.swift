import Accounts
import ByteKit
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Operations
import ShadowDocument
import ShadowService

/// AWS IoT's HTTP data plane for shadows (`iot-data`), at the root.
struct ShadowRoutes {
    let operations: Operations
    /// With `--dev` AWS requests are taken unsigned, or signed with any key.
    let isDevelopment: Bool

    func add(to router: Router<APIContext>) {
        for method in [HTTPRequest.Method.get, .post, .delete, .put, .patch] {
            router.on("things/:thing/shadow", method: method) { request, context in
                await respond(request, context) { try await shadow(request, context) }
            }
            router.on("api/things/shadow/ListNamedShadowsForThing/:thing", method: method) { request, context in
                await respond(request, context) { try await list(request, context) }
            }
        }
    }

    private func shadow(_ request: Request, _ context: APIContext) async throws -> ShadowAnswer {
        let operation: ShadowOperation =
            switch request.method {
            case .get: .get
            case .post: .update
            case .delete: .delete
            default: throw AWSFault.methodNotAllowed
            }
        let name = request.uri.queryParameters["name"].map { String($0) }
        guard let thing = context.parameters.get("thing")?.removingPercentEncoding,
            let id = ShadowID(thing: thing, name: name)
        else { throw AWSFault.invalidRequest("Invalid thing or shadow name") }
        try await authorise(request, context, thing: thing)
        // The largest body that can still be a legal document is far below this; more is the payload's fault.
        guard let payload = try? await request.bodyBytes(limit: 128 << 10) else { throw AWSFault.tooLarge }
        return try await operations.shadowRequest(ShadowRequest(id: id, operation: operation), payload: payload)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> ShadowAnswer {
        guard request.method == .get else { throw AWSFault.methodNotAllowed }
        guard let thing = context.parameters.get("thing")?.removingPercentEncoding,
            ShadowID(thing: thing, name: nil) != nil
        else { throw AWSFault.invalidRequest("Invalid thing name") }
        try await authorise(request, context, thing: thing)
        var pageSize: Int?
        if let text = request.query("pageSize") {
            guard let number = Int(text) else { throw AWSFault.invalidRequest("Invalid pageSize") }
            pageSize = number
        }
        return ShadowService.listNamed(
            names: try await operations.namedShadows(thing: thing), pageSize: pageSize,
            nextToken: request.query("nextToken"), timestampSeconds: UInt64(Date().timeIntervalSince1970))
    }

    /// Operators may touch every shadow, a device with its certificate its own.
    private func authorise(_ request: Request, _ context: APIContext, thing: String) async throws {
        if isDevelopment { return }
        if let certificate = await context.certificateThing() {
            guard certificate == thing, try await operations.authenticateDevice(thing: thing, token: nil) else {
                throw AWSFault.forbidden
            }
            return
        }
        guard let header = request.headers[.authorization] else { throw AWSFault.unauthorized }
        guard header.lowercased().hasPrefix("bearer "),
            let caller = try await operations.caller(secret: header.dropFirst(7).trimmingCharacters(in: .whitespaces)),
            caller.role.covers(.operator)
        else { throw AWSFault.forbidden }
    }

    private func respond(
        _ request: Request, _ context: APIContext, _ work: () async throws -> ShadowAnswer
    ) async -> Response {
        do {
            switch try await work() {
            case .success(let body): return AWSAnswer.response(body)
            case .refusal(let refusal): return AWSAnswer.refusal(refusal.code, refusal.message)
            }
        } catch let fault as AWSFault {
            return AWSAnswer.refusal(fault.code, fault.message)
        } catch {
            context.logger.error(
                "an AWS request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return AWSAnswer.refusal(500, "Internal service failure")
        }
    }
}

/// Refusals of the HTTP side of the data plane.
enum AWSFault: Error {
    case methodNotAllowed, unauthorized, forbidden, tooLarge
    case invalidRequest(String)

    var code: Int {
        switch self {
        case .methodNotAllowed: 405
        case .unauthorized: 401
        case .forbidden: 403
        case .tooLarge: 413
        case .invalidRequest: 400
        }
    }

    var message: String {
        switch self {
        case .methodNotAllowed: "Method not allowed"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .tooLarge: "The payload exceeds the maximum size allowed"
        case .invalidRequest(let text): text
        }
    }
}

/// Answers as AWS's SDKs expect them.
enum AWSAnswer {
    private struct Body: Encodable {
        var message: String
        var traceId: String
    }

    static func response(_ body: [UInt8]) -> Response {
        var response = Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        response.headers[.contentType] = "application/json"
        response.headers[.requestID] = UUID().uuidString.lowercased()
        return response
    }

    static func refusal(_ code: Int, _ message: String) -> Response {
        let id = UUID().uuidString.lowercased()
        var response = Response.json(
            Body(message: message, traceId: id), status: HTTPResponse.Status(code: code, reasonPhrase: ""))
        response.headers[.errorType] = ShadowService.exceptionName(forCode: code)
        response.headers[.requestID] = id
        return response
    }
}

extension HTTPField.Name {
    static let errorType = known("x-amzn-ErrorType")
    static let requestID = known("x-amzn-RequestId")
}
