import Accounts
import Broker
import Foundation
import HTTPTypes
import Hummingbird
import Operations
import RequestSigning

/// Who may use AWS's services: whoever signs with an access key of this server, sends an operator's token, or shows a
/// device's certificate; with `--dev` anybody.
struct AWSAccess {
    let operations: Operations
    let isDevelopment: Bool

    /// Whether a request comes from an SDK of AWS.
    static func isSigned(_ request: Request) -> Bool { SignedRequest(request).isSigned }

    /// Whose rights a request has, and the service that its signature names.
    func judge(
        _ request: Request, _ context: APIContext, _ body: [UInt8]
    ) async throws -> (principal: Principal, scope: String?) {
        let signed = SignedRequest(request)
        if isDevelopment {
            // Signed with anything or not at all: the scope still tells which service is meant.
            return (.administrator, SignatureScope(claimedBy: signed)?.service)
        }
        if signed.isSigned {
            return (.administrator, try await verify(signed, body, isTLS: await context.isTLS()).service)
        }
        if let thing = await context.certificateThing() {
            guard try await operations.authenticateDevice(thing: thing, token: nil) else { throw AWSFault.forbidden }
            return (.device(thing: Array(thing.utf8)), nil)
        }
        guard let header = request.headers[.authorization] else { throw AWSFault.unauthorized }
        guard header.lowercased().hasPrefix("bearer "),
            let caller = try await operations.caller(secret: header.dropFirst(7).trimmingCharacters(in: .whitespaces)),
            caller.role.covers(.operator)
        else { throw AWSFault.forbidden }
        return (.administrator, nil)
    }

    /// Who signed a request; refused where nobody of this server did.
    func verify(_ signed: SignedRequest, _ body: [UInt8], isTLS: Bool) async throws -> SignatureScope {
        let claimed = SignatureScope(claimedBy: signed)
        var secret: String?
        if let claimed { secret = try await operations.secret(ofAccessKey: claimed.accessKeyID) }
        do throws(SignatureRefusal) {
            return try SignatureVerifier.verify(
                signed, body: body.span, seconds: UInt64(Date().timeIntervalSince1970),
                transport: isTLS ? .tls : .plain, secret: { _ in secret })
        } catch {
            let answer = error.answer(service: claimed?.service)
            throw AWSFault(answer.status, answer.exception, answer.message)
        }
    }
}

extension SignedRequest {
    /// A request as it came in.
    init(_ request: Request) {
        var fields = request.headers.map { Field($0.name.rawName, $0.value) }
        if let authority = request.head.authority { fields.append(Field("host", authority)) }
        self.init(method: request.method.rawValue, target: request.head.path ?? "", fields: fields)
    }
}
