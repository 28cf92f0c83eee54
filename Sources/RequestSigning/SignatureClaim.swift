/// What a request says of its signature, in full and in the right form; nothing of it is proven yet.
struct SignatureClaim: Equatable, Sendable {
    /// The one algorithm.
    static let algorithm = "AWS4-HMAC-SHA256"
    /// Bytes of `Authorization` or of one parameter that are read.
    static let maximumBytes = 8192

    /// Where the signature stands.
    enum Place: Equatable, Sendable {
        /// In the field `Authorization`.
        case field
        /// In the query; valid for so many seconds, or, without that, as long as one in a field.
        case query(lifetimeSeconds: Int64?)
    }

    /// Who signed, for which service.
    let scope: SignatureScope
    let place: Place
    let time: SignatureTime
    /// Names of the signed fields, as listed.
    let signedNames: [String]
    /// Hexadecimal digits in lower case.
    let signature: String

    /// Whether a request has something that wants to be a signature of this version.
    static func isSigned(_ request: SignedRequest) -> Bool {
        request.values("authorization").contains { $0.hasPrefix(algorithm) } || isPresigned(request)
    }

    /// Reads what a request says of its signature.
    init(_ request: SignedRequest) throws(SignatureRefusal) {
        guard Self.isSigned(request) else { throw .missing }
        guard request.target.utf8.count <= SignedRequest.maximumTargetBytes,
            request.fields.count <= SignedRequest.maximumFields,
            request.parameters.count <= SignedRequest.maximumParameters
        else { throw .incomplete("The request is too long to be signed") }
        guard request.target.hasPrefix("/"), request.target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .incomplete("The target must be a path in ASCII")
        }
        if Self.isPresigned(request) {
            guard request.values("authorization").isEmpty else {
                throw .incomplete("A signature stands in the query or in Authorization, not in both")
            }
            try self.init(query: request)
        } else {
            try self.init(field: request)
        }
    }

    private static func isPresigned(_ request: SignedRequest) -> Bool {
        request.parameters.contains { $0.hasPrefix("X-Amz-Signature=") || $0.hasPrefix("X-Amz-Algorithm=") }
    }

    private init(
        scope: String, place: Place, time: SignatureTime, names: String, signature: String
    ) throws(SignatureRefusal) {
        self.scope = try SignatureScope(scope)
        guard self.scope.date == time.date else {
            throw .invalid("Credential should be scoped to the date of the signature, \(time.date)")
        }
        self.place = place
        self.time = time
        signedNames = names.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard signedNames.count <= SignedRequest.maximumFields, signedNames == signedNames.map({ $0.lowercased() }),
            zip(signedNames, signedNames.dropFirst()).allSatisfy({ Array($0.utf8).lexicographicallyPrecedes($1.utf8) })
        else { throw .incomplete("SignedHeaders lists names in lower case, in order, each once") }
        guard signedNames.contains("host") else { throw .invalid("'Host' must be a 'SignedHeader'") }
        guard signature.utf8.count == 64, signature.utf8.allSatisfy({ $0 &- 0x30 <= 9 || $0 &- 0x61 <= 5 }) else {
            throw .mismatch
        }
        self.signature = signature
    }
}

// MARK: - Authorization

extension SignatureClaim {
    private init(field request: SignedRequest) throws(SignatureRefusal) {
        guard let text = request.value("authorization"), text.utf8.count <= Self.maximumBytes else {
            throw .incomplete("There is more than one Authorization, or it is too long")
        }
        let parts = try Self.parts(text.dropFirst(Self.algorithm.count))
        let (name, time) = try Self.time(request)
        try self.init(
            scope: try parts.required("Credential"), place: .field, time: time,
            names: try parts.required("SignedHeaders"), signature: try parts.required("Signature"))
        guard signedNames.contains(name) else { throw .invalid("'\(name)' must be a 'SignedHeader'") }
    }

    /// `Credential=…, SignedHeaders=…, Signature=…`, in any order, each once.
    fileprivate static func parts(_ text: Substring) throws(SignatureRefusal) -> SignatureParts {
        guard text.first == " " else { throw .incomplete("Authorization begins with '\(algorithm) '") }
        var parts = SignatureParts(place: "Authorization header")
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { throw .incomplete("'\(part)' is no key=value pair in Authorization") }
            try parts.take(pair[0].filter { $0 != " " }, String(pair[1].reversed().drop { $0 == " " }.reversed()))
        }
        return parts
    }

    /// The time of the signature and the field it stands in: `X-Amz-Date`, else `Date`.
    private static func time(_ request: SignedRequest) throws(SignatureRefusal) -> (String, SignatureTime) {
        if !request.values("x-amz-date").isEmpty {
            guard let time = request.value("x-amz-date").flatMap({ SignatureTime(basic: $0) }) else {
                throw .incomplete("X-Amz-Date must be in the form 20260101T000000Z")
            }
            return ("x-amz-date", time)
        }
        guard let time = request.value("date").flatMap({ SignatureTime(field: $0) }) else {
            throw .incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        }
        return ("date", time)
    }
}

// MARK: - Query

extension SignatureClaim {
    /// Seconds that a presigned URL may live: a week.
    static let maximumLifetimeSeconds: Int64 = 604_800

    fileprivate static func parts(_ request: SignedRequest) throws(SignatureRefusal) -> SignatureParts {
        var parts = SignatureParts(place: "query")
        for parameter in request.parameters where parameter.hasPrefix("X-Amz-") {
            let pair = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let bytes = PercentEncoding.decoded(pair[1]) else {
                throw .incomplete("'\(pair[0])' has no value, or one that is not percent-encoded")
            }
            try parts.take(String(pair[0]), String(decoding: bytes, as: UTF8.self))
        }
        return parts
    }

    private init(query request: SignedRequest) throws(SignatureRefusal) {
        let parts = try Self.parts(request)
        guard try parts.required("X-Amz-Algorithm") == Self.algorithm else {
            throw .incomplete("X-Amz-Algorithm must be \(Self.algorithm)")
        }
        guard let time = SignatureTime(basic: try parts.required("X-Amz-Date")) else {
            throw .incomplete("X-Amz-Date must be in the form 20260101T000000Z")
        }
        try self.init(
            scope: try parts.required("X-Amz-Credential"),
            place: .query(lifetimeSeconds: try Self.lifetime(parts.values["X-Amz-Expires"])), time: time,
            names: try parts.required("X-Amz-SignedHeaders"), signature: try parts.required("X-Amz-Signature"))
    }

    private static func lifetime(_ text: String?) throws(SignatureRefusal) -> Int64? {
        guard let text else { return nil }
        guard let seconds = Int64(text), (1...maximumLifetimeSeconds).contains(seconds) else {
            throw .incomplete("X-Amz-Expires must be 1 to \(maximumLifetimeSeconds) seconds")
        }
        return seconds
    }
}

extension SignatureScope {
    /// What a request says of its scope, however the rest of its signature looks; nil where it says nothing.
    ///
    /// Tells requests with equal paths apart where signatures are not checked (6.1).
    package init?(claimedBy request: SignedRequest) {
        let field = request.values("authorization").first { $0.hasPrefix(SignatureClaim.algorithm) }
        do throws(SignatureRefusal) {
            if let field {
                let parts = try SignatureClaim.parts(field.dropFirst(SignatureClaim.algorithm.count))
                try self.init(try parts.required("Credential"))
            } else {
                try self.init(try SignatureClaim.parts(request).required("X-Amz-Credential"))
            }
        } catch {
            return nil
        }
    }
}

/// The parts of a signature by name, each once.
private struct SignatureParts {
    /// What it is called in a refusal.
    let place: String
    private(set) var values: [String: String] = [:]

    init(place: String) {
        self.place = place
    }

    mutating func take(_ name: String, _ value: String) throws(SignatureRefusal) {
        guard value.utf8.count <= SignatureClaim.maximumBytes, values.updateValue(value, forKey: name) == nil else {
            throw .incomplete("'\(name)' stands twice in the \(place), or is too long")
        }
    }

    func required(_ name: String) throws(SignatureRefusal) -> String {
        guard let value = values[name], !value.isEmpty else {
            throw .incomplete("The \(place) requires '\(name)'")
        }
        return value
    }
}
