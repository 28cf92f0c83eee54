import Accounts
import ByteKit
import Foundation
import HTTPTypes
import Hummingbird
import JSONText
import Operations
import Store

/// The owner's API under `/app`.
struct OwnerRoutes {
    let operations: Operations
    let hub: EventHub

    private struct Answer: Decodable {
        var version: String
        var answer: String
        var time_zone: String?

        var decision: OfferDecision {
            get throws {
                switch answer {
                case "install": return .install
                case "tonight": return .tonight
                case "later": return .later
                default:
                    throw Refusal(
                        .invalid, "Unknown answer", "\"answer\" is \"\(answer)\"; expected install, tonight or later")
                }
            }
        }
    }

    private struct Stop: Decodable {
        var version: String
    }

    func add(to group: RouterGroup<APIContext>) {
        group.get("user") { _, context in
            Self.response(try await operations.user(try Self.uid(context)))
        }
        group.put("user") { request, context in
            let uid = try Self.uid(context)
            let change = try UserChange(json: try await request.bodyBytes())
            return Self.response(try await operations.updateUser(uid, change))
        }
        group.get("devices") { _, context in
            Response.json(["devices": try await operations.devices(owner: try Self.uid(context))])
        }
        group.put("devices/:thing") { request, context in
            let uid = try Self.uid(context)
            let change = try UserChange(json: try await request.bodyBytes())
            return Response.json(
                try await operations.updateDevice(try context.segment("thing"), of: uid, change))
        }
        group.post("devices/:thing/offer") { request, context in
            let body = try await request.decode(Answer.self)
            let thing = try context.segment("thing")
            try await operations.decide(
                try body.decision, body.version, for: thing, of: try Self.uid(context), timeZone: body.time_zone)
            return Response.json(try await operations.device(thing))
        }
        group.post("devices/:thing/stop") { request, context in
            let thing = try context.segment("thing")
            let body = try await request.decode(Stop.self)
            try await operations.stopUpdate(body.version, of: thing, by: try Self.uid(context))
            return Response.json(try await operations.device(thing))
        }
        group.get("listen") { request, context in
            let uid = try Self.uid(context)
            let last = request.headers[.lastEventID] ?? request.query("last_event_id")
            return try await listen(uid, after: last.flatMap { Int64($0) })
        }
    }

    private static func uid(_ context: APIContext) throws -> String {
        guard let uid = context.caller?.uid else {
            throw Refusal(
                .forbidden, "Not an account", "this token belongs to no account",
                advice: "Sign in as an owner: POST /app/session")
        }
        return uid
    }

    /// The article's user: absent values are null.
    private static func response(_ user: UserView) -> Response {
        var body: [UInt8] = []
        func member(_ key: StaticString, _ value: String?) {
            body.append(body.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            JSONWriter.key(key, to: &body)
            guard let value else { return body.append("null" as StaticString) }
            let bytes = Array(value.utf8)
            JSONWriter.string(bytes.span, to: &body)
        }
        member("uid", user.uid)
        member("device_id", user.deviceID)
        member("firmware_version", user.firmwareVersion)
        member("phrase_type", user.phraseType)
        body.append(UInt8(ascii: "}"))
        var response = Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        response.headers[.contentType] = "application/json"
        response.headers[.cacheControl] = "no-store"
        return response
    }

    // MARK: Events

    private func listen(_ uid: String, after lastID: Int64?) async throws -> Response {
        // Listening begins before the past is read, so that nothing falls between the two.
        let live = hub.listen(to: uid)
        let (missed, newest) = try await operations.missed(uid: uid, after: lastID)
        return .events(live, opening: Self.text(missed)) { $0.id > newest ? Self.text($0) : "" }
    }

    private static func text(_ event: OwnerEvent) -> String {
        "id: \(event.id)\nevent: \(event.kind)\ndata: \(event.body)\n\n"
    }

    private static func text(_ missed: Operations.Missed) -> String {
        switch missed {
        case .events(let events):
            return events.map(text).joined()
        case .presentState(let devices, let lastID):
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let data = (try? encoder.encode(devices)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
            return "id: \(lastID)\nevent: state\ndata: {\"devices\":\(data)}\n\n"
        }
    }
}

extension HTTPField.Name {
    static let lastEventID = known("Last-Event-ID")
    static let accelBuffering = known("X-Accel-Buffering")
}

extension UserChange {
    /// Reads the body of `PUT /app/user`: only `firmware_version` and `phrase_type` count, each a string or null.
    init(json bytes: [UInt8]) throws {
        let text = bytes.span
        guard let top = try? JSONScanner.validate(text, maximumDepth: 16),
            JSONScanner.kind(of: top, in: text) == .object
        else {
            throw Refusal(
                .invalid, "Malformed body", "the body is not a JSON object",
                advice: #"Send {"firmware_version":"1.0.5"}"#)
        }
        self.init(
            firmwareVersion: try Self.field(
                "firmware_version", JSONScanner.member("firmware_version", of: top, in: text), text),
            phraseType: try Self.field("phrase_type", JSONScanner.member("phrase_type", of: top, in: text), text))
    }

    private static func field(_ name: String, _ value: ByteRange?, _ text: Span<UInt8>) throws -> Field {
        guard let value else { return .absent }
        switch JSONScanner.kind(of: value, in: text) {
        case .null:
            return .value(nil)
        case .string:
            var content: [UInt8] = []
            _ = JSONScanner.string(of: value, in: text, into: &content)
            guard content.count <= 64 else {
                throw Refusal(.invalid, "Value too long", "\"\(name)\" has \(content.count) bytes; expected at most 64")
            }
            return .value(String(decoding: content, as: UTF8.self))
        default:
            throw Refusal(.invalid, "Wrong type", "\"\(name)\" must be a string or null")
        }
    }
}
