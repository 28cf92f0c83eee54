import ByteKit
import JSONText

/// The payload of a device's request, read and checked (12.1).
///
/// A member that is null counts as absent; decimal digits in a string are taken where a number is meant (12.2).
struct JobRequestBody {
    /// Bytes of a payload (1.2).
    static let maximumBytes = 131_072
    /// Bytes of a client token (1.2).
    static let tokenBytes = 64

    /// A refusal, with the client token where it could be read.
    struct Rejected: Error {
        var refusal: JobRefusal
        var clientToken: [UInt8]?
    }

    /// The `clientToken` as JSON text, quotes included, if there is one.
    let clientToken: [UInt8]?
    private let body: JSONBody
    private let query: [HTTPTarget.Parameter]

    /// Reads a payload; an empty one counts as `{}`.
    init(_ payload: Span<UInt8>, query: [HTTPTarget.Parameter]) throws(Rejected) {
        guard payload.count <= Self.maximumBytes else { throw Rejected(refusal: .tooLarge) }
        do throws(JSONBody.Fault) {
            body = try JSONBody(payload)
        } catch {
            throw Rejected(refusal: .notJSON)
        }
        self.query = query
        guard let token = body.member("clientToken", of: 0) else {
            clientToken = nil
            return
        }
        guard let text = body.string(token), text.utf8.count <= Self.tokenBytes else {
            throw Rejected(refusal: .invalid("clientToken", "a text of at most 64 bytes"))
        }
        clientToken = body.raw(token)
    }

    /// What a device says of an execution.
    func status() throws(JobRefusal) -> ExecutionStatus {
        guard let place = body.member("status", of: 0) else { throw .missingStatus }
        guard let status = body.string(place).flatMap(ExecutionStatus.init(rawValue:)), status.isForDevices else {
            throw .invalid("status", "one of IN_PROGRESS, SUCCEEDED, FAILED, REJECTED")
        }
        return status
    }

    func details() throws(JobRefusal) -> StatusDetails? {
        guard let place = body.member("statusDetails", of: 0) else { return nil }
        guard let details = StatusDetails(body, at: place) else {
            throw .invalid("statusDetails", "a map of texts: keys 1 to 128 of a-z A-Z 0-9 : _ -, values 1 to 1024")
        }
        return details
    }

    /// An integer; numbers beyond 64 bits count as the largest one, which nothing has.
    func number(_ name: StaticString) throws(JobRefusal) -> UInt64? {
        guard let text = try digits(name) else { return nil }
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 &- 0x30 <= 9 }) else {
            throw .invalid("\(name)", "a non-negative integer")
        }
        return UInt64(text) ?? .max
    }

    /// The step timer: 1 to 10 080 minutes, or -1 in an update.
    func stepTimeout(mayEnd: Bool) throws(JobRefusal) -> StepTimeout? {
        guard let text = try digits("stepTimeoutInMinutes") else { return nil }
        if mayEnd, text == "-1" { return .off }
        guard text.utf8.allSatisfy({ $0 &- 0x30 <= 9 }), let minutes = UInt64(text),
            JobConfiguration.timerMinutes.contains(minutes)
        else { throw .invalid("stepTimeoutInMinutes", mayEnd ? "1 to 10080, or -1" : "1 to 10080") }
        return .minutes(minutes)
    }

    func flag(_ name: StaticString) throws(JobRefusal) -> Bool? {
        let value: String?
        if let place = body.member(name, of: 0) {
            value = String(decoding: body.raw(place), as: UTF8.self)
        } else {
            value = query.value("\(name)")
        }
        switch value {
        case nil: return nil
        case "true": return true
        case "false": return false
        default: throw .invalid("\(name)", "true or false")
        }
    }

    /// The text of a number, or of a string where one is meant.
    private func digits(_ name: StaticString) throws(JobRefusal) -> String? {
        guard let place = body.member(name, of: 0) else { return query.value("\(name)") }
        switch body.kind(place) {
        case .number: return String(decoding: body.raw(place), as: UTF8.self)
        case .string: return body.string(place)
        default: throw .invalid("\(name)", "a number")
        }
    }
}
