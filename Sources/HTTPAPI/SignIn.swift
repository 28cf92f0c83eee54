import Accounts
import Foundation
import HTTPTypes
import Hummingbird
import NIOSSL
import Operations

/// Finds out who asks: `Authorization: Bearer`, or the session cookie of a page.
struct CallerMiddleware: RouterMiddleware {
    let operations: Operations

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        if let secret = try Credential.secret(of: request) {
            context.caller = try await operations.caller(secret: secret)
            guard context.caller != nil else {
                throw Refusal(
                    .unauthenticated, "Session ended", "the session or token is not valid, or it has expired",
                    advice: "Sign in again")
            }
        }
        return try await next(request, context)
    }
}

/// Lets nobody pass whose role does not cover what is needed.
struct RoleMiddleware: RouterMiddleware {
    let needed: Role

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let caller = context.caller else {
            throw Refusal(
                .unauthenticated, "Sign in", "this needs a token or a session",
                advice: "Send Authorization: Bearer TOKEN")
        }
        guard caller.role.covers(needed) else {
            throw Refusal(
                .forbidden, "Not allowed",
                "this needs the role \(needed.rawValue); the credential has \(caller.role.rawValue)")
        }
        return try await next(request, context)
    }
}

enum Credential {
    static let cookie = "apus_session"

    /// The secret that a request carries; a cookie counts only when the request comes from our own page.
    static func secret(of request: Request) throws -> String? {
        if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
            return header.dropFirst(7).trimmingCharacters(in: .whitespaces)
        }
        guard let value = request.cookies[cookie]?.value else { return nil }
        let changes = request.method != .get && request.method != .head
        guard isOwn(request, needsOrigin: changes) else {
            throw Refusal(
                .forbidden, "Foreign origin", "a session cookie is only taken from the server's own pages",
                advice: "Programs send Authorization: Bearer instead")
        }
        return value
    }

    /// Whether a request comes from the server's own pages, as far as its `Origin` tells; one without may be asked to have it.
    static func isOwn(_ request: Request, needsOrigin: Bool) -> Bool {
        guard let origin = request.headers[.origin] else { return !needsOrigin }
        guard let host = request.head.authority else { return false }
        return origin == "http://\(host)" || origin == "https://\(host)"
    }
}

/// `POST /app/session`, `DELETE /app/session`.
struct SessionRoutes {
    let operations: Operations

    private struct SignIn: Decodable {
        var uid: String?
        var password: String?
        var link: String?
    }

    private struct Session: Encodable {
        var token: String
        var role: Role
    }

    func add(to group: RouterGroup<APIContext>) {
        group.post("session") { request, context in
            let body = try await request.decode(SignIn.self)
            let session: NewCredential
            if let link = body.link {
                session = try await operations.redeem(link: link)
            } else if let uid = body.uid, let password = body.password {
                session = try await operations.signIn(uid: uid, password: password, from: context.address)
            } else {
                throw Refusal(.invalid, "Malformed body", "expected \"uid\" and \"password\", or \"link\"")
            }
            var response = Response.json(Session(token: session.secret, role: session.role))
            await PageSession.begin(session.secret, context, &response)
            return response
        }
        group.delete("session") { request, _ in
            if let secret = try Credential.secret(of: request) { try await operations.endSession(secret: secret) }
            var response = Response(status: .noContent)
            PageSession.end(&response)
            return response
        }
    }
}
