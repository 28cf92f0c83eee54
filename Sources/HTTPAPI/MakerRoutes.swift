import Accounts
import BlobStore
import Foundation
import HTTPTypes
import Hummingbird
import Identity
import NIOCore
import Operations
import Releases
import Store
import WebPages

/// The operator's API under `/api/v1`: products, releases, devices, logs.
struct MakerRoutes {
    let operations: Operations
    let hub: EventHub
    /// Largest image, bytes.
    let imageLimit: Int

    private struct NewProduct: Decodable {
        var slug: String
        var name: String?
        var hardware: [String]?
        var format: ImageRule?
    }

    private struct Withdrawal: Decodable {
        var reason: String?
    }

    func add(to group: RouterGroup<APIContext>) {
        group.get("openapi.json") { _, _ in
            var response = Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: Assets.openAPI)))
            response.headers[.contentType] = "application/json"
            return response
        }
        addProducts(to: group)
        addReleases(to: group)
        addDevices(to: group)
    }

    private func addProducts(to group: RouterGroup<APIContext>) {
        group.get("products") { _, _ in
            Response.json(["products": try await operations.products()])
        }
        group.post("products") { request, _ in
            let body = try await request.decode(NewProduct.self)
            let product = try await operations.addProduct(
                slug: body.slug, name: body.name, hardware: body.hardware ?? [], format: body.format ?? .any)
            return Response.json(product, status: .created)
        }
        group.put("products/:slug") { request, context in
            let change = try await request.decode(ProductChange.self)
            return Response.json(try await operations.changeProduct(try context.segment("slug"), change))
        }
        group.delete("products/:slug") { _, context in
            try await operations.removeProduct(try context.segment("slug"))
            return Response(status: .noContent)
        }
        group.post("products/:slug/hardware") { request, context in
            let body = try await request.decode(NewModel.self)
            return Response.json(try await operations.addHardware(body.model, to: try context.segment("slug")))
        }
        group.delete("products/:slug/hardware/:model") { _, context in
            Response.json(
                try await operations.removeHardware(
                    try context.segment("model"), of: try context.segment("slug")))
        }
        group.get("products/:slug") { _, context in
            Response.json(try await operations.product(try context.segment("slug")))
        }
    }

    private struct NewModel: Decodable {
        var model: String
    }

    private struct Notes: Decodable {
        var notes: String
    }

    private func addReleases(to group: RouterGroup<APIContext>) {
        group.get("releases") { request, _ in
            Response.json(["releases": try await operations.releases(product: request.query("product"))])
        }
        group.get("products/:slug/releases") { _, context in
            Response.json(["releases": try await operations.releases(product: try context.segment("slug"))])
        }
        group.post("products/:slug/releases") { request, context in
            try await publish(request, product: try context.segment("slug"))
        }
        group.get("products/:slug/releases/:version") { _, context in
            Response.json(
                try await operations.release(
                    product: try context.segment("slug"), version: try context.segment("version")))
        }
        group.put("products/:slug/releases/:version") { request, context in
            let body = try await request.decode(Notes.self)
            return Response.json(
                try await operations.changeNotes(
                    body.notes, product: try context.segment("slug"), version: try context.segment("version")))
        }
        group.post("products/:slug/releases/:version/activate") { _, context in
            Response.json(
                try await operations.activate(
                    product: try context.segment("slug"), version: try context.segment("version")))
        }
        group.post("notes/preview") { request, _ in
            let body = try await request.decode(Notes.self)
            return Response.json(["html": Markdown.html(body.notes)])
        }
        group.post("products/:slug/releases/:version/withdraw") { request, context in
            let body = try await request.decode(Withdrawal.self)
            return Response.json(
                try await operations.withdraw(
                    product: try context.segment("slug"), version: try context.segment("version"), reason: body.reason))
        }
    }

    /// The body is the image; what it is stands in the query: `version`, `hardware`, `notes`,
    /// `ignore_image_version`, `draft`.
    private func publish(_ request: Request, product: String) async throws -> Response {
        let draft = ReleaseDraft(
            product: product, version: request.query("version"), hardware: request.query("hardware"),
            notes: request.query("notes"), ignoresImageVersion: request.query("ignore_image_version") == "true",
            isDraft: request.query("draft") == "true")
        // Before the first byte is taken: a wrong product need not cost an upload.
        _ = try await operations.product(product)
        let image = try operations.blobs.incoming(limit: imageLimit)
        do {
            for try await piece in request.body {
                try piece.withUnsafeReadableBytes { try image.write($0) }
            }
        } catch BlobError.tooLarge(let limit) {
            throw Refusal(
                .tooLarge, "Image too large", "the image has more than \(limit) bytes, the limit of this server")
        } catch BlobError.io(let call, let code) {
            throw Refusal(
                .storage, "Image not stored", "\(call) failed: \(String(cString: strerror(code)))",
                advice: "Look at the free space of the server's disk")
        }
        return Response.json(try await operations.publish(draft, image: image), status: .created)
    }
}

// MARK: - Devices

extension MakerRoutes {
    private struct NewDevice: Decodable {
        var thing: String
        var product: String?
        var hardware: String?
        var owner: String?
        var token: Bool?
    }

    private struct Wish: Decodable {
        var version: String
    }

    private struct AddedDevice: Encodable {
        var device: DeviceSummary
        var certificate: String?
        var key: String?
        var ca: String
        var token: String?
    }

    private struct Line: Encodable {
        var id: Int64
        var received: Int64
        var level: String
        var line: String
    }

    private func addDevices(to group: RouterGroup<APIContext>) {
        group.get("devices") { request, _ in
            Response.json(try await operations.fleet(try FleetQuery(request)))
        }
        group.get("devices.csv") { request, _ in
            try await csv(try FleetQuery(request))
        }
        group.get("overview") { _, _ in
            Response.json(try await operations.overview())
        }
        group.get("listen") { request, _ in watch(request.query("thing")) }
        group.post("devices") { request, _ in
            try await addDevice(try await request.decode(NewDevice.self))
        }
        group.get("devices/:thing") { _, context in
            Response.json(try await operations.device(try context.segment("thing")))
        }
        group.get("devices/:thing/why") { _, context in
            Response.json(try await operations.explain(try context.segment("thing")))
        }
        group.get("devices/:thing/presence") { _, context in
            Response.json(["presence": try await operations.presence(of: try context.segment("thing"))])
        }
        group.get("devices/:thing/updates") { _, context in
            Response.json(["updates": try await operations.timeline(of: try context.segment("thing"))])
        }
        group.delete("devices/:thing") { _, context in
            try await operations.removeDevice(try context.segment("thing"))
            return Response(status: .noContent)
        }
        group.post("devices/:thing/update") { request, context in
            let body = try await request.decode(Wish.self)
            return Response.json(
                try await operations.orderUpdate(body.version, of: try context.segment("thing")))
        }
        group.post("devices/:thing/retry") { _, context in
            Response.json(try await operations.retryUpdate(of: try context.segment("thing")))
        }
        group.post("devices/:thing/cancel") { _, context in
            Response.json(try await operations.cancelUpdate(of: try context.segment("thing")))
        }
        group.post("devices/:thing/revoke") { _, context in
            Response.json(try await operations.revoke(thing: try context.segment("thing")))
        }
        group.get("devices/:thing/logs") { request, context in
            let query = LogQuery(
                after: request.query("after").flatMap { Int64($0) }, search: request.query("search"),
                level: request.query("level"), limit: request.query("limit").flatMap { Int($0) } ?? 100)
            let lines = try await operations.logs(thing: try context.segment("thing"), query)
            return Response.json(["lines": lines.map(Self.line)])
        }
        group.get("devices/:thing/logs/follow") { _, context in
            let thing = try context.segment("thing")
            _ = try await operations.device(thing)
            return follow(thing)
        }
    }

    private func addDevice(_ body: NewDevice) async throws -> Response {
        let (device, credential) = try await operations.addDevice(
            DeviceDraft(
                thing: body.thing, product: body.product, hardware: body.hardware, owner: body.owner,
                usesToken: body.token ?? false))
        var answer = AddedDevice(device: device, ca: operations.authorityPEM)
        switch credential {
        case .certificate(let issued):
            answer.certificate = issued.certificatePEM
            answer.key = issued.keyPEM
        case .token(let token): answer.token = token
        }
        return Response.json(answer, status: .created)
    }

    /// New lines as newline-delimited JSON, until the client goes; an empty line now and then keeps the stream open.
    private func follow(_ thing: String) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return .stream(hub.follow(thing: thing), contentType: "application/x-ndjson", opening: "\n", quiet: "\n") {
            String(decoding: try encoder.encode(Self.line($0)), as: UTF8.self) + "\n"
        }
    }

    private static func line(_ line: LogLine) -> Line {
        Line(id: line.id, received: line.received, level: line.level, line: line.line)
    }
}

extension APIContext {
    /// A path segment, percent-decoded.
    func segment(_ name: String) throws -> String {
        guard let text = parameters.get(name)?.removingPercentEncoding else {
            throw Refusal(.invalid, "Malformed path", "the path segment \"\(name)\" cannot be decoded")
        }
        return text
    }
}

extension Request {
    /// A query value, decoded; nil where it is absent or empty.
    func query(_ name: String) -> String? {
        FormFields(uri.query ?? "")[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
