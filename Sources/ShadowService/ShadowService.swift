//  Requests to shadows and their answers, over MQTT and HTTP alike.
//
//  A pure function: request, payload and stored shadow in; new stored shadow, publications and answer out. Whoever calls
//  it reads and stores the shadow in one transaction, which makes check, merge and count one atomic step, and publishes
//  after the commit.
import ByteKit
public import ShadowDocument

/// Where a request comes from: a refused HTTP request publishes nothing.
public enum ShadowOrigin: Sendable {
    /// A PUBLISH to a request topic.
    case mqtt
    /// The HTTP data plane, or the server itself.
    case http
}

/// The answer to the one who asked.
public enum ShadowAnswer: Equatable, Sendable {
    /// The body.
    case success([UInt8])
    /// Why not.
    case refusal(ShadowRefusal)
}

/// One message of the server.
public struct ShadowPublication: Equatable, Sendable {
    /// Which topic of the shadow.
    public var suffix: ShadowSuffix
    /// Compact JSON.
    public var payload: [UInt8]
}

/// All that follows from one request.
public struct ShadowOutcome: Sendable {
    /// What must be stored now; nil where nothing changes.
    public var stored: StoredShadow?
    /// What is published after the commit, in this order.
    public var publications: [ShadowPublication]
    /// What the one who asked gets.
    public var answer: ShadowAnswer
}

/// The rules of sections 2 to 4.
public enum ShadowService {
    /// Carries out a request.
    ///
    /// - Parameter current: what is stored: nil, a shadow or a tombstone.
    public static func answer(
        _ request: ShadowRequest, payload: Span<UInt8>, current: StoredShadow?, timestampSeconds: UInt64,
        from origin: ShadowOrigin
    ) -> ShadowOutcome {
        var token: [UInt8]?
        do throws(ShadowRequestBody.Rejected) {
            switch request.operation {
            case .update:
                let body = try ShadowRequestBody(payload)
                token = body.clientToken
                return try update(request, body, current, timestampSeconds)
            case .get:
                if !payload.isEmpty { token = try ShadowRequestBody(payload).clientToken }
                return try get(request, current, token, timestampSeconds)
            case .delete:
                // The payload does not matter, but for a token in it.
                do throws(ShadowRequestBody.Rejected) {
                    token = try ShadowRequestBody(payload).clientToken
                } catch {
                    token = error.clientToken
                }
                return try delete(request, current, token, timestampSeconds)
            }
        } catch {
            return refused(request, error.refusal, error.clientToken ?? token, timestampSeconds, from: origin)
        }
    }

    /// Refuses a request because its connection has too many open (1.2: 10), whatever it asks.
    public static func throttled(
        _ request: ShadowRequest, payload: Span<UInt8>, timestampSeconds: UInt64
    ) -> ShadowOutcome {
        var token: [UInt8]?
        do throws(ShadowRequestBody.Rejected) {
            token = try ShadowRequestBody(payload).clientToken
        } catch {
            token = error.clientToken
        }
        return refused(
            request, ShadowRefusal(429, "Too many requests in flight on this connection"), token, timestampSeconds,
            from: .mqtt)
    }

    private static func update(
        _ request: ShadowRequest, _ body: consuming ShadowRequestBody, _ current: StoredShadow?, _ seconds: UInt64
    ) throws(ShadowRequestBody.Rejected) -> ShadowOutcome {
        let token = body.clientToken
        let update: ShadowUpdate
        do throws(ShadowRefusal) {
            update = try body.update(current, at: seconds)
        } catch {
            throw ShadowRequestBody.Rejected(refusal: error, clientToken: token)
        }
        // Delta first: several SDKs note the version of `accepted` and then drop a delta of the same one as old.
        var publications: [ShadowPublication] = []
        if let delta = update.delta { publications.append(ShadowPublication(suffix: .updateDelta, payload: delta)) }
        publications.append(ShadowPublication(suffix: .updateAccepted, payload: update.accepted))
        publications.append(ShadowPublication(suffix: .updateDocuments, payload: update.documents))
        return ShadowOutcome(
            stored: update.stored, publications: publications, answer: .success(update.accepted))
    }

    private static func get(
        _ request: ShadowRequest, _ current: StoredShadow?, _ token: [UInt8]?, _ seconds: UInt64
    ) throws(ShadowRequestBody.Rejected) -> ShadowOutcome {
        guard let current, !current.isDeleted else {
            throw ShadowRequestBody.Rejected(refusal: missing(request.id), clientToken: token)
        }
        guard let body = ShadowAnswers(token: token, seconds: seconds).get(current) else {
            let failure = ShadowRefusal(500, "Internal service failure")
            throw ShadowRequestBody.Rejected(refusal: failure, clientToken: token)
        }
        return ShadowOutcome(
            stored: nil, publications: [ShadowPublication(suffix: .getAccepted, payload: body)], answer: .success(body))
    }

    private static func delete(
        _ request: ShadowRequest, _ current: StoredShadow?, _ token: [UInt8]?, _ seconds: UInt64
    ) throws(ShadowRequestBody.Rejected) -> ShadowOutcome {
        guard let current, !current.isDeleted else {
            throw ShadowRequestBody.Rejected(refusal: missing(request.id), clientToken: token)
        }
        let body = ShadowAnswers(token: token, seconds: seconds).deleted(current.version)
        return ShadowOutcome(
            stored: current.tombstone, publications: [ShadowPublication(suffix: .deleteAccepted, payload: body)],
            answer: .success(body))
    }

    private static func refused(
        _ request: ShadowRequest, _ refusal: ShadowRefusal, _ token: [UInt8]?, _ seconds: UInt64,
        from origin: ShadowOrigin
    ) -> ShadowOutcome {
        let suffix: ShadowSuffix =
            switch request.operation {
            case .get: .getRejected
            case .update: .updateRejected
            case .delete: .deleteRejected
            }
        let body = ShadowAnswers(token: token, seconds: seconds).rejected(refusal)
        return ShadowOutcome(
            stored: nil,
            publications: origin == .mqtt ? [ShadowPublication(suffix: suffix, payload: body)] : [],
            answer: .refusal(refusal))
    }

    private static func missing(_ id: ShadowID) -> ShadowRefusal {
        ShadowRefusal(404, "No shadow exists with name: '\(id.label)'")
    }

    /// The topic of an answer.
    public static func topic(for id: ShadowID, _ suffix: ShadowSuffix) -> [UInt8] {
        let name = id.name.map { "/name/\($0)" } ?? ""
        return Array("$aws/things/\(id.thing)/shadow\(name)/\(suffix.rawValue)".utf8)
    }

    /// HTTP's name for the exception with this code (2.8).
    public static func exceptionName(forCode code: Int) -> String {
        switch code {
        case 400: "InvalidRequestException"
        case 401: "UnauthorizedException"
        case 403: "ForbiddenException"
        case 404: "ResourceNotFoundException"
        case 405: "MethodNotAllowedException"
        case 409: "ConflictException"
        case 413: "RequestEntityTooLargeException"
        case 415: "UnsupportedDocumentEncodingException"
        case 429: "ThrottlingException"
        case 503: "ServiceUnavailableException"
        default: "InternalFailureException"
        }
    }
}
