import Accounts
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Operations
import WebPages

/// The maker's pages under `/console`.
///
/// They only show: every change is a call of `/api/v1`, made by their script.
struct ConsoleRoutes {
    /// Devices on a page of the list.
    private static let pageSize = 50

    let operations: Operations
    /// What the console says of this server.
    let server: @Sendable () -> ConsolePages.Server
    let pages = ConsolePages()

    func add(to router: Router<APIContext>) {
        router.get("console/sign-in") { request, _ in signInPage(request, uid: "", next: request.query("next")) }
        router.post("console/sign-in") { request, context in try await signIn(request, context) }
        router.post("console/sign-out") { request, _ in try await signOut(request) }
        page("console", on: router) { _, _, reader in
            let overview = try await operations.overview()
            return ConsolePages.needsChecklist(overview)
                ? pages.firstRun(reader, overview, server()) : pages.overview(reader, overview, server())
        }
        page("console/devices", on: router) { request, _, reader in try await devices(request, reader) }
        page("console/devices/:thing", on: router) { request, context, reader in
            try await device(request, try context.segment("thing"), reader)
        }
        page("console/releases", on: router) { request, _, reader in
            pages.releases(
                reader, product: request.query("product"), try await operations.products(),
                try await operations.releases(product: nil), try await operations.overview())
        }
        page("console/releases/:slug/:version", on: router) { _, context, reader in
            let (slug, version) = (try context.segment("slug"), try context.segment("version"))
            let release = try await operations.release(product: slug, version: version)
            let spread = try await operations.spread(of: version, product: slug)
            return pages.release(
                reader, release, try await operations.product(slug),
                .init(
                    running: spread.running, updating: spread.updating, offered: spread.offered,
                    troubled: spread.troubled, total: spread.total))
        }
        page("console/products", on: router) { _, _, reader in
            pages.products(reader, try await operations.products(), try await operations.overview())
        }
        page("console/products/:slug", on: router) { _, context, reader in
            let slug = try context.segment("slug")
            return pages.product(
                reader, try await operations.product(slug), devices: try await operations.hardwareCounts(slug),
                releases: try await operations.releases(product: slug).count)
        }
        page("console/access", needs: .admin, on: router) { _, _, reader in
            pages.access(
                reader, try await operations.users(), try await operations.tokens(),
                devices: try await operations.deviceCounts())
        }
    }

    // MARK: Devices

    private func devices(_ request: Request, _ reader: ConsolePages.Reader) async throws -> String {
        var query = FleetQuery()
        do {
            query = try FleetQuery(request)
        } catch is Refusal {
            // An address with a filter that is none shows everything rather than an error.
        }
        query.limit = Self.pageSize
        query.cursor = request.query("after")
        let page: FleetPage
        do {
            page = try await operations.fleet(query)
        } catch let refusal as Refusal where refusal.kind == .invalid {
            query.cursor = nil
            page = try await operations.fleet(query)
        }
        let offset = query.cursor == nil ? 0 : request.query("from").flatMap { Int($0) } ?? 0
        return pages.devices(
            reader, query, page,
            .init(
                overview: try await operations.overview(), products: try await operations.products(), server: server(),
                offset: min(max(offset, 0), page.total)))
    }

    private func device(_ request: Request, _ thing: String, _ reader: ConsolePages.Reader) async throws -> String {
        let (shadow, search) = (request.query("shadow"), request.query("log"))
        let device = try await operations.consoleDevice(thing, shadow: shadow)
        let log = try await operations.logs(thing: thing, LogQuery(after: nil, search: search, level: nil, limit: 200))
        return pages.device(reader, device, log: log, search: search, shadow: shadow)
    }

    // MARK: Who may see it

    private func reader(_ request: Request, _ caller: Caller?) async throws -> ConsolePages.Reader {
        ConsolePages.Reader(
            caller: caller, csrf: PageSession.token(request),
            counts: caller == nil ? nil : try await operations.consoleCounts(), now: Self.now())
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// A page for operators: sends others to the sign-in, and says every refusal in plain words.
    private func page(
        _ path: RouterPath, needs role: Role = .operator, on router: Router<APIContext>,
        _ body: @escaping @Sendable (Request, APIContext, ConsolePages.Reader) async throws -> String
    ) {
        router.get(path) { request, context in
            do {
                guard let secret = request.cookies[Credential.cookie]?.value,
                    let caller = try await operations.caller(secret: secret)
                else {
                    let back = request.uri.path + (request.uri.query.map { "?\($0)" } ?? "")
                    let next = PageSession.safePath(back, below: "/console")
                    return PageSession.redirect("/console/sign-in?next=\(Self.queryValue(next))")
                }
                let reader = try await reader(request, caller)
                guard caller.role.covers(role) else {
                    let message: ConsolePages.Message = caller.role == .owner ? .ownersOnly : .adminsOnly
                    return PageSession.html(pages.message(reader, message), status: .forbidden)
                }
                do {
                    return PageSession.html(try await body(request, context, reader))
                } catch let refusal as Refusal where refusal.kind == .notFound || refusal.kind == .invalid {
                    return PageSession.html(pages.message(reader, Self.missing(context)), status: .notFound)
                }
            } catch {
                context.logger.error("a page failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
                let reader = ConsolePages.Reader(
                    caller: nil, csrf: PageSession.token(request), counts: nil, now: Self.now())
                return PageSession.html(
                    pages.message(reader, .trouble(retry: request.uri.path)), status: .internalServerError)
            }
        }
    }

    private static func queryValue(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "/-._~")))
            ?? "/console"
    }

    private static func missing(_ context: APIContext) -> ConsolePages.Message {
        if let thing = try? context.segment("thing") { return .noDevice(thing) }
        if (try? context.segment("version")) != nil { return .noRelease }
        if let slug = try? context.segment("slug") { return .noProduct(slug) }
        return .noPage
    }

    // MARK: Signing in and out

    private func signInPage(
        _ request: Request, uid: String, next: String?, error: String? = nil, status: HTTPResponse.Status = .ok
    ) -> Response {
        let fresh = PageSession.newFormSecret(request)
        let reader = ConsolePages.Reader(
            caller: nil, csrf: fresh.map { PageSession.token($0) } ?? PageSession.token(request), counts: nil,
            now: Self.now())
        let path = PageSession.safePath(next, below: "/console")
        var response = PageSession.html(pages.signIn(reader, uid: uid, next: path, error: error), status: status)
        if let fresh { PageSession.setFormSecret(fresh, &response) }
        return response
    }

    private func signIn(_ request: Request, _ context: APIContext) async throws -> Response {
        guard let form = try await PageSession.form(request) else {
            return signInPage(
                request, uid: "", next: nil, error: "This form was too old. Please try again.", status: .forbidden)
        }
        let uid = form["uid"] ?? ""
        do {
            let session = try await operations.signIn(
                uid: uid, password: form["password"] ?? "", from: context.address)
            // An owner who comes here by mistake is at home elsewhere.
            let home = session.role == .owner ? "/my" : PageSession.safePath(form["next"], below: "/console")
            var response = PageSession.redirect(home)
            await PageSession.begin(session.secret, context, &response)
            return response
        } catch let refusal as Refusal where refusal.kind == .unauthenticated {
            return signInPage(
                request, uid: uid, next: form["next"],
                error: "Account or password is wrong. After 10 wrong tries the account rests for 15 minutes.",
                status: .unauthorized)
        } catch let refusal as Refusal where refusal.kind == .tooMany {
            return signInPage(
                request, uid: uid, next: form["next"],
                error: "Too many wrong tries. Wait 15 minutes, or make a link on the server.",
                status: .tooManyRequests)
        }
    }

    private func signOut(_ request: Request) async throws -> Response {
        let reader = ConsolePages.Reader(caller: nil, csrf: PageSession.token(request), counts: nil, now: Self.now())
        guard try await PageSession.form(request) != nil else {
            return PageSession.html(pages.message(reader, .expired), status: .forbidden)
        }
        if let secret = request.cookies[Credential.cookie]?.value { try await operations.endSession(secret: secret) }
        var response = PageSession.html(pages.message(reader, .signedOut))
        PageSession.end(&response)
        return response
    }
}
