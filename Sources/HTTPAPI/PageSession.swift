import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOSSL
import Operations
import WebPages

/// Sessions, forms and headers of the pages.
enum PageSession {
    private static let formCookie = "apus_form"
    static let noticeCookie = "apus_notice"

    /// The secret that makes this browser's forms recognisable: its session, or one made for signing in.
    private static func secret(_ request: Request) -> String? {
        request.cookies[Credential.cookie]?.value ?? request.cookies[formCookie]?.value
    }

    /// What a form of this browser carries: it cannot be known by another site, nor read from the page's cookie.
    static func token(_ request: Request) -> String {
        token(secret(request) ?? "")
    }

    static func token(_ secret: String) -> String {
        Data(SHA256.hash(data: Data("form \(secret)".utf8)).prefix(18)).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_")
    }

    /// - Returns: a new secret for a browser that has none yet.
    static func newFormSecret(_ request: Request) -> String? {
        secret(request) == nil ? UUID().uuidString : nil
    }

    static func setFormSecret(_ secret: String, _ response: inout Response) {
        response.setCookie(
            Cookie(name: formCookie, value: secret, path: "/", httpOnly: true, sameSite: .strict))
    }

    /// Reads a form, whose token must be this browser's; nil where it is not, or where another site sent it.
    static func form(_ request: Request) async throws -> FormFields? {
        guard Credential.isOwn(request, needsOrigin: false) else { return nil }
        let fields = FormFields(String(decoding: try await request.bodyBytes(limit: 16 << 10), as: UTF8.self))
        guard secret(request) != nil, fields["csrf"] == token(request) else { return nil }
        return fields
    }

    /// Begins a session in this browser.
    static func begin(_ secret: String, _ context: APIContext, _ response: inout Response) async {
        let isSecure = (try? await context.channel.nioSSL_tlsVersion().get()) != nil
        response.setCookie(
            Cookie(
                name: Credential.cookie, value: secret, maxAge: 30 * 24 * 3600, path: "/", secure: isSecure,
                httpOnly: true, sameSite: .lax))
    }

    static func end(_ response: inout Response) {
        response.setCookie(Cookie(name: Credential.cookie, value: "", maxAge: 0, path: "/", httpOnly: true))
    }

    // MARK: Answers

    /// A page: never cached, no script or style but ours, in no frame.
    static func html(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        var response = HTTPService.text(text, status: status, contentType: "text/html; charset=utf-8")
        response.headers[.cacheControl] = "no-store"
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            + "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        response.headers[.known("X-Frame-Options")] = "DENY"
        response.headers[.known("Cross-Origin-Opener-Policy")] = "same-origin"
        response.headers[.known("Cross-Origin-Resource-Policy")] = "same-origin"
        response.headers[.known("Permissions-Policy")] = "camera=(), geolocation=(), microphone=()"
        response.headers[.vary] = "Accept-Language, Cookie"
        return harden(response)
    }

    /// What every answer to a browser has.
    static func harden(_ response: Response) -> Response {
        var response = response
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.known("Referrer-Policy")] = "same-origin"
        return response
    }

    static func redirect(_ path: String) -> Response {
        var response = Response(status: .seeOther)
        response.headers[.location] = path
        response.headers[.cacheControl] = "no-store"
        return harden(response)
    }

    /// Where a sign-in may lead: a path of the pages, never another server.
    static func safePath(_ text: String?, below home: String) -> String {
        guard let text, text.hasPrefix(home), text.utf8.count <= 512,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") })
        else { return home }
        return text
    }
}
