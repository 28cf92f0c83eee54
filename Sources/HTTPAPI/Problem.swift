import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Operations
import Store

/// A refusal as an RFC 9457 problem document.
struct Problem: Encodable {
    var type = "about:blank"
    var title: String
    var status: Int
    var detail: String
    /// What to do about it.
    var advice: String?
    /// A stable word for programs.
    var code: String
    /// The article's text, on `/app` only.
    var message: String?
}

extension Refusal {
    var status: HTTPResponse.Status {
        switch kind {
        case .invalid: .badRequest
        case .unauthenticated: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .rule: .unprocessableContent
        case .tooMany: .tooManyRequests
        case .tooLarge: .contentTooLarge
        case .storage: .internalServerError
        }
    }

    /// What to tell of any error: refusals as they are, everything else as our own fault.
    static func of(_ error: any Error) -> Refusal {
        switch error {
        case let refusal as Refusal: refusal
        case let error as HTTPError:
            Refusal(
                error.status == .notFound ? .notFound : error.status == .contentTooLarge ? .tooLarge : .invalid,
                error.status.reasonPhrase, error.body ?? "the request was not understood")
        case let error as StoreError:
            Refusal(
                .storage, "Storage failed", error.description,
                advice: "Look at the server's log and at the free space of its disk")
        default:
            Refusal(
                .storage, "Internal error", "the server failed: \(error)", advice: "Look at the server's log")
        }
    }
}

/// Turns every error into a problem document.
struct ProblemMiddleware: RouterMiddleware {
    /// Whether the answers carry the article's `message`.
    let isOwners: Bool

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            // An SDK of AWS reads nothing but AWS's form, also where it asks for what is not offered.
            if let error = error as? HTTPError, error.status == .notFound, AWSAccess.isSigned(request) {
                return AWSFault.unknownOperation.response
            }
            let refusal = Refusal.of(error)
            if refusal.kind == .storage {
                context.logger.error(
                    "a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            return Self.response(refusal, isOwners: isOwners, method: request.method)
        }
    }

    static func response(_ refusal: Refusal, isOwners: Bool, method: HTTPRequest.Method = .get) -> Response {
        let isUpdate = isOwners && method == .put && refusal.kind == .storage
        let article =
            isUpdate && refusal.title.hasPrefix("Shadow") ? "failed to update shadow" : "failed to update user"
        let problem = Problem(
            title: refusal.title, status: refusal.status.code, detail: refusal.detail,
            advice: refusal.advice.isEmpty ? nil : refusal.advice, code: refusal.kind.rawValue,
            message: isOwners ? (isUpdate ? article : refusal.detail) : nil)
        var response = Response.json(problem, status: refusal.status, contentType: "application/problem+json")
        if refusal.kind == .unauthenticated { response.headers[.wwwAuthenticate] = "Bearer realm=\"apus\"" }
        return response
    }
}

extension Response {
    /// A JSON answer, never stored by caches.
    static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, contentType: String = "application/json"
    ) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        let bytes = (try? encoder.encode(value)) ?? Data("{}".utf8)
        var response = Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        response.headers[.contentType] = contentType
        response.headers[.cacheControl] = "no-store"
        return response
    }
}

extension Request {
    /// Bytes of JSON that a request may carry.
    private static let jsonLimit = 64 << 10

    /// The whole body as an object's text.
    func bodyBytes(limit: Int = Request.jsonLimit) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await piece in body {
            guard piece.readableBytes <= limit - bytes.count else {
                throw Refusal(.tooLarge, "Body too large", "the body has more than \(limit) bytes")
            }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }

    /// The body as a value; unknown members are ignored.
    func decode<T: Decodable>(_ type: T.Type) async throws -> T {
        let bytes = try await bodyBytes()
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw Refusal(.invalid, "Malformed body", Self.explain(error), advice: "Send a JSON object")
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "the member \"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "the member \"\(context.codingPath.map(\.stringValue).joined(separator: "."))\" has the wrong type"
        default: "the body is not JSON"
        }
    }
}

extension HTTPField.Name {
    /// A field name written in the source: always well formed.
    static func known(_ name: String) -> HTTPField.Name {
        guard let field = HTTPField.Name(name) else { preconditionFailure("\(name) is no field name") }
        return field
    }
}
