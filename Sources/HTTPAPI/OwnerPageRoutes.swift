import Accounts
import HTTPTypes
import Hummingbird
import Logging
import Operations
import WebPages

/// The owner's pages under `/my`.
struct OwnerPageRoutes {
    let operations: Operations
    let pages = OwnerPages()

    func add(to router: Router<APIContext>) {
        router.get("setup") { request, _ in PageSession.html(pages.setup(reader(request))) }
        router.get("my/sign-in") { request, _ in signInPage(request, uid: "", next: request.query("next"), error: nil) }
        router.post("my/sign-in") { request, context in try await signIn(request, context) }
        router.post("my/sign-out") { request, _ in try await signOut(request) }
        router.get("my") { request, context in
            try await asOwner(request, context) { uid in
                PageSession.html(pages.devices(reader(request), try await operations.ownerDevices(uid)))
            }
        }
        router.get("my/account") { request, context in
            try await asOwner(request, context) { uid in PageSession.html(pages.account(reader(request), uid: uid)) }
        }
        router.get("my/devices/:thing") { request, context in
            try await asOwner(request, context) { try await devicePage(request, try context.segment("thing"), $0) }
        }
        router.post("my/devices/:thing") { request, context in
            try await asOwner(request, context) { try await act(request, try context.segment("thing"), $0) }
        }
    }

    private func reader(_ request: Request) -> OwnerPages.Reader {
        OwnerPages.Reader(words: .preferred(request.headers[.acceptLanguage]), csrf: PageSession.token(request))
    }

    private func message(
        _ request: Request, _ message: OwnerPages.Message, status: HTTPResponse.Status
    ) -> Response {
        PageSession.html(pages.message(reader(request), message), status: status)
    }

    // MARK: Signing in and out

    private func signInPage(
        _ request: Request, uid: String, next: String?, error: OwnerPages.SignInError?,
        status: HTTPResponse.Status = .ok
    ) -> Response {
        let fresh = PageSession.newFormSecret(request)
        let csrf = fresh.map { PageSession.token($0) } ?? PageSession.token(request)
        let reader = OwnerPages.Reader(words: .preferred(request.headers[.acceptLanguage]), csrf: csrf)
        var response = PageSession.html(
            pages.signIn(reader, uid: uid, next: PageSession.safePath(next, below: "/my"), error: error), status: status
        )
        if let fresh { PageSession.setFormSecret(fresh, &response) }
        return response
    }

    private func signIn(_ request: Request, _ context: APIContext) async throws -> Response {
        guard let form = try await PageSession.form(request) else {
            return signInPage(request, uid: "", next: nil, error: .expired, status: .forbidden)
        }
        do {
            let session = try await operations.signIn(
                uid: form["uid"] ?? "", password: form["password"] ?? "", from: context.address)
            var response = PageSession.redirect(PageSession.safePath(form["next"], below: "/my"))
            await PageSession.begin(session.secret, context, &response)
            return response
        } catch let refusal as Refusal where refusal.kind == .unauthenticated {
            return signInPage(
                request, uid: form["uid"] ?? "", next: form["next"], error: .wrong, status: .unauthorized)
        } catch let refusal as Refusal where refusal.kind == .tooMany {
            return signInPage(
                request, uid: form["uid"] ?? "", next: form["next"], error: .tooOften, status: .tooManyRequests)
        }
    }

    private func signOut(_ request: Request) async throws -> Response {
        guard try await PageSession.form(request) != nil else { return message(request, .expired, status: .forbidden) }
        if let secret = request.cookies[Credential.cookie]?.value { try await operations.endSession(secret: secret) }
        var response = message(request, .signedOut, status: .ok)
        PageSession.end(&response)
        return response
    }

    /// Lets owners pass, sends others to the sign-in, and says every refusal in plain words.
    private func asOwner(
        _ request: Request, _ context: APIContext, _ body: (_ uid: String) async throws -> Response
    ) async throws -> Response {
        do {
            guard let secret = request.cookies[Credential.cookie]?.value,
                let caller = try await operations.caller(secret: secret)
            else {
                return PageSession.redirect("/my/sign-in?next=\(PageSession.safePath(request.uri.path, below: "/my"))")
            }
            guard let uid = caller.uid else { return message(request, .refused, status: .forbidden) }
            return try await body(uid)
        } catch {
            let refusal = Refusal.of(error)
            if refusal.kind == .storage {
                context.logger.error("a page failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            return message(request, refusal.kind == .storage ? .trouble : .notFound, status: refusal.status)
        }
    }

    // MARK: One device

    private func devicePage(_ request: Request, _ thing: String, _ uid: String) async throws -> Response {
        let notice = request.cookies[PageSession.noticeCookie].flatMap { OwnerPages.Notice(rawValue: $0.value) }
        let snapshot = try await operations.ownerDevice(thing, of: uid)
        var response = PageSession.html(pages.device(reader(request), snapshot, notice: notice))
        if notice != nil {
            response.setCookie(
                Cookie(name: PageSession.noticeCookie, value: "", maxAge: 0, path: "/my", httpOnly: true))
        }
        return response
    }

    /// A form of the device's page: done, then back to the page, which tells what came of it.
    private func act(_ request: Request, _ thing: String, _ uid: String) async throws -> Response {
        guard let form = try await PageSession.form(request) else {
            return message(request, .expired, status: .forbidden)
        }
        let notice = try await carryOut(form, thing, uid)
        var response = PageSession.redirect(request.uri.path)
        if let notice {
            response.setCookie(
                Cookie(
                    name: PageSession.noticeCookie, value: notice.rawValue, maxAge: 60, path: "/my", httpOnly: true,
                    sameSite: .strict))
        }
        return response
    }

    private func carryOut(
        _ form: FormFields, _ thing: String, _ uid: String
    ) async throws -> OwnerPages.Notice? {
        let version = form["version"] ?? ""
        let zone = form["time_zone"]
        switch form["do"] {
        case "install", "retry":
            return try await decide(.install, version, thing, uid, zone)
        case "tonight": return try await decide(.tonight, version, thing, uid, zone)
        case "later": return try await decide(.later, version, thing, uid, zone)
        case "stop":
            do {
                try await operations.stopUpdate(version, of: thing, by: uid)
                return .stopped
            } catch let refusal as Refusal where refusal.kind == .conflict { return .stopTooLate }
        case "dismiss":
            try await operations.dismissUpdate(of: thing, by: uid)
            return nil
        case "name":
            do {
                try await operations.nameDevice(thing, form["name"] ?? "", by: uid)
                return .saved
            } catch let refusal as Refusal where refusal.kind == .invalid { return .settingTooLong }
        case "setting":
            guard let value = form["phrase_type"] else { return nil }
            guard value.utf8.count <= 64 else { return .settingTooLong }
            _ = try await operations.updateDevice(
                thing, of: uid, UserChange(firmwareVersion: .absent, phraseType: .value(value.isEmpty ? nil : value)))
            return .saved
        default: return nil
        }
    }

    private func decide(
        _ decision: OfferDecision, _ version: String, _ thing: String, _ uid: String, _ zone: String?
    ) async throws -> OwnerPages.Notice? {
        do {
            try await operations.decide(decision, version, for: thing, of: uid, timeZone: zone)
            return nil
        } catch let refusal as Refusal where refusal.kind == .conflict || refusal.kind == .rule { return .updateGone }
    }
}
