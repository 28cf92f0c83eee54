import CWebAssets
import CZlib
import Crypto

/// A file of the pages as it is served: for ever, under a name that holds its hash.
package struct Asset: Sendable {
    /// `apus.3f2a90c1.css`.
    package var name: String
    package var contentType: String
    package var bytes: [UInt8]
    /// The same, compressed; nil where that would not pay.
    package var gzip: [UInt8]?
}

/// The files inside the binary.
package enum Assets {
    /// By served name.
    package static let served: [String: Asset] = Dictionary(
        uniqueKeysWithValues: kinds.compactMap { asset($0.file, $0.type) }.map { ($0.name, $0) })

    /// Files that browsers fetch, with their types.
    private static let kinds: [(file: String, type: String)] = [
        ("apus.css", "text/css; charset=utf-8"), ("owner.js", "text/javascript; charset=utf-8"),
        ("console.js", "text/javascript; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
    ]

    /// The OpenAPI 3.1 document of the operator's API.
    package static var openAPI: [UInt8] { files["openapi.json"] ?? [] }

    /// Where a file is fetched: `/assets/apus.3f2a90c1.css`.
    static func url(_ file: String) -> String {
        "/assets/" + servedName(file, files[file] ?? [])
    }

    /// All embedded files by their name below `assets/`.
    static let files: [String: [UInt8]] = {
        var files: [String: [UInt8]] = [:]
        for index in 0..<apus_asset_count {
            let asset = apus_asset_at(index).pointee
            files[String(cString: asset.name)] = [UInt8](
                UnsafeBufferPointer(start: asset.bytes, count: asset.count))
        }
        return files
    }()

    private static func asset(_ file: String, _ type: String) -> Asset? {
        files[file].map { Asset(name: servedName(file, $0), contentType: type, bytes: $0, gzip: gzip($0)) }
    }

    private static func servedName(_ file: String, _ bytes: [UInt8]) -> String {
        let hash = SHA256.hash(data: bytes).prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let dot = file.lastIndex(of: ".") ?? file.endIndex
        return file[..<dot] + ".\(hash)" + file[dot...]
    }

    /// RFC 1952, best compression: done once, at the start.
    static func gzip(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        // 15 + 16: the largest window, with a gzip header.
        guard
            deflateInit2_(
                &stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)
            )
                == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var source = bytes
        var packed = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        let status = source.withUnsafeMutableBufferPointer { input in
            packed.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return deflate(&stream, Z_FINISH)
            }
        }
        guard status == Z_STREAM_END, Int(stream.total_out) < bytes.count else { return nil }
        return Array(packed.prefix(Int(stream.total_out)))
    }
}
