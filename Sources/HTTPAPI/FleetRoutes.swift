import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Operations
import Releases

//  The fleet as a whole: its list as a table, and a stream of changes.

extension MakerRoutes {
    /// Time between two events to one console: it asks for its page again each time.
    private static let pace = Duration.milliseconds(250)

    /// `changed` events, as server-sent events: of one device, or of the whole fleet.
    func watch(_ thing: String?) -> Response {
        let data = thing.map { "{\"thing\":\(Self.quoted($0))}" } ?? "{}"
        return .events(hub.watch(thing), pace: Self.pace) { "event: changed\ndata: \(data)\n\n" }
    }

    private static func quoted(_ text: String) -> String {
        (try? JSONEncoder().encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }

    /// Every device that a query matches, as RFC 4180 has it, page after page.
    func csv(_ query: FleetQuery) async throws -> Response {
        var query = query
        query.limit = 1000
        // A query that cannot be answered is refused before the first byte.
        let first = try await operations.fleet(query)
        var response = Response(
            status: .ok,
            body: ResponseBody { [query, operations] writer in
                var page = first
                var query = query
                try await writer.write(ByteBuffer(string: Self.header + page.devices.map(Self.row).joined()))
                while let next = page.next {
                    query.cursor = next
                    page = try await operations.fleet(query)
                    try await writer.write(ByteBuffer(string: page.devices.map(Self.row).joined()))
                }
                try await writer.finish(nil)
            })
        response.headers[.contentType] = "text/csv; charset=utf-8; header=present"
        response.headers[.contentDisposition] = "attachment; filename=\"devices.csv\""
        return response
    }

    private static let header =
        "device,product,hardware,owner,name,version,state,update_version,update_state,percent,connected,last_seen\r\n"

    private static func row(_ device: DeviceSummary) -> String {
        let seen = device.last_seen.map {
            Date(timeIntervalSince1970: Double($0) / 1000).formatted(.iso8601)
        }
        let cells: [String?] = [
            device.thing, device.product, device.hardware, device.owner, device.name, device.version,
            device.state.rawValue, device.update?.version, device.update?.state, device.update.map { "\($0.percent)" },
            device.connected ? "yes" : "no", seen,
        ]
        return cells.map { cell($0 ?? "") }.joined(separator: ",") + "\r\n"
    }

    /// Quoted where it must be; what a spreadsheet would take for a formula gets an apostrophe before it.
    static func cell(_ text: String) -> String {
        let isFormula = text.first.map { "=+-@\t\r".contains($0) } ?? false
        let safe = isFormula ? "'" + text : text
        guard safe.contains(where: { ",\"\r\n".contains($0) }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}

extension FleetQuery {
    /// Reads `product`, `owner`, `version`, `target`, `state`, `presence`, `q`, `sort` (`-` before it turns it round), `limit`, `cursor`.
    init(_ request: Request) throws {
        self.init()
        product = request.query("product")
        owner = request.query("owner")
        version = request.query("version")
        target = request.query("target")
        text = request.query("q")
        cursor = request.query("cursor")
        state = try Self.word("state", request)
        presence = try Self.word("presence", request)
        if let limit = request.query("limit") {
            guard let number = Int(limit), (1...1000).contains(number) else {
                throw Refusal(.invalid, "Not a limit", "limit is \"\(limit)\"; expected 1 to 1000")
            }
            self.limit = number
        }
        guard let sort = request.query("sort") else { return }
        isDescending = sort.hasPrefix("-")
        guard let order = Order(rawValue: isDescending ? String(sort.dropFirst()) : sort) else {
            throw Refusal(
                .invalid, "Not an order",
                "sort is \"\(sort)\"; expected one of "
                    + Order.allCases.map(\.rawValue).joined(separator: ", ") + ", or - before it")
        }
        self.order = order
    }

    private static func word<Word: RawRepresentable & CaseIterable>(
        _ name: String, _ request: Request
    ) throws -> Word? where Word.RawValue == String {
        guard let text = request.query(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw Refusal(.invalid, "Unknown \(name)", "\(name) is \"\(text)\"; expected one of \(known)")
        }
        return word
    }
}
