import HTTPTypes
import Hummingbird
import WebPages

/// The files of the pages, and what makes them installable.
struct AssetRoutes {
    func add(to router: Router<APIContext>) {
        router.get("assets/:name") { request, context in try asset(request, try context.segment("name")) }
        router.get("manifest.webmanifest") { _, _ in
            PageSession.harden(HTTPService.text(OwnerPages.manifest, contentType: "application/manifest+json"))
        }
    }

    private func asset(_ request: Request, _ name: String) throws -> Response {
        guard let asset = Assets.served[name] else { return Response(status: .notFound) }
        let packed = (request.headers[.acceptEncoding] ?? "").contains("gzip") ? asset.gzip : nil
        var response = Response(
            status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: packed ?? asset.bytes)))
        response.headers[.contentType] = asset.contentType
        response.headers[.cacheControl] = "public, max-age=31536000, immutable"
        response.headers[.vary] = "Accept-Encoding"
        if packed != nil { response.headers[.contentEncoding] = "gzip" }
        return PageSession.harden(response)
    }
}
