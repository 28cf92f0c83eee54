import Foundation
import NIOHTTP1
import Operations

/// `/firmware/{product}/{version}.bin` or `/firmware/{product}/{hardware}/{version}.bin`.
struct FirmwarePath: Equatable {
    let product: String
    let hardware: String?
    let version: String

    static func isPath(_ uri: String) -> Bool {
        uri.hasPrefix("/firmware/")
    }

    /// Nil where the path names no image.
    init?(_ uri: String) {
        let path = uri.prefix { $0 != "?" }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2)
            .map { String($0).removingPercentEncoding ?? "" }
        guard parts.count == 2 || parts.count == 3, let file = parts.last, file.hasSuffix(".bin"), file.count > 4,
            parts.allSatisfy({ !$0.isEmpty && !$0.contains("/") })
        else { return nil }
        product = parts[0]
        hardware = parts.count == 3 ? parts[1] : nil
        version = String(file.dropLast(4))
    }
}

/// The Range header of a request (RFC 9110, 14.2); anything but one byte range is as if it were absent.
enum ByteRangeHeader: Equatable {
    case absent
    case from(Int, through: Int?)
    case last(Int)

    init(_ value: String?) {
        self = .absent
        guard let value, value.hasPrefix("bytes="), !value.contains(",") else { return }
        let ends = value.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return }
        switch (Self.number(ends[0]), Self.number(ends[1])) {
        case (nil, let count?) where ends[0].isEmpty: self = .last(count)
        case (let first?, nil) where ends[1].isEmpty: self = .from(first, through: nil)
        case (let first?, let last?) where first <= last: self = .from(first, through: last)
        default: return
        }
    }

    /// A number of digits only; one that is larger than any file counts as the largest.
    private static func number(_ digits: String) -> Int? {
        digits.isEmpty ? nil : Int(digits) ?? .max
    }

    /// Whether the first byte of the image is asked for.
    var startsAtZero: Bool {
        switch self {
        case .absent, .from(0, _): true
        default: false
        }
    }

    /// The bytes of a file of `size` that are meant; nil where none can be (416).
    func bounds(in size: Int) -> Range<Int>? {
        switch self {
        case .absent: return 0..<size
        case .from(let first, let last):
            guard first < size else { return nil }
            return first..<min((last ?? size - 1), size - 1) + 1
        case .last(let count):
            guard count > 0, size > 0 else { return nil }
            return max(0, size - count)..<size
        }
    }
}

/// Status, headers and bytes of the answer to one request for an image.
struct FirmwareAnswer {
    let status: HTTPResponseStatus
    let headers: [(String, String)]
    /// The bytes of the file to send; nil where there is no body.
    let body: Range<Int>?

    init(_ target: DownloadTarget, _ range: ByteRangeHeader, _ request: HTTPRequestHead) {
        let tag = "\"" + target.digest.prefix(16).map { String(format: "%02x", $0) }.joined() + "\""
        let common = [
            ("Content-Type", "application/octet-stream"), ("ETag", tag), ("Accept-Ranges", "bytes"),
            ("Repr-Digest", "sha-256=:\(Data(target.digest).base64EncodedString()):"),
        ]
        if let known = request.headers.first(name: "If-None-Match"), known == "*" || known.contains(tag) {
            status = .notModified
            headers = [("ETag", tag)]
            body = nil
            return
        }
        // A changed file starts over: If-Range that does not name these bytes exactly switches the range off.
        let isSame = request.headers.first(name: "If-Range").map { $0 == tag } ?? true
        let effective = request.method == .GET && isSame ? range : .absent
        guard let bounds = effective.bounds(in: target.size) else {
            status = .rangeNotSatisfiable
            headers = [("Content-Range", "bytes */\(target.size)"), ("Content-Length", "0")]
            body = nil
            return
        }
        body = bounds
        guard effective != .absent else {
            status = .ok
            headers = [("Content-Length", "\(target.size)")] + common
            return
        }
        status = .partialContent
        headers =
            [
                ("Content-Length", "\(bounds.count)"),
                ("Content-Range", "bytes \(bounds.lowerBound)-\(bounds.upperBound - 1)/\(target.size)"),
            ] + common
    }
}
