/// The one form of a request that both sides hash.
struct CanonicalRequest {
    let text: String

    /// - Parameters:
    ///   - claim: Names the signed fields and the service.
    ///   - payload: SHA-256 of the body in hexadecimal digits, or `UNSIGNED-PAYLOAD`.
    init(_ request: SignedRequest, claim: SignatureClaim, payload: String) throws(SignatureRefusal) {
        let fields = try Self.fields(request, claim.signedNames)
        text = [
            request.method.uppercased(), Self.uri(request.path), try Self.query(request, claim), fields,
            claim.signedNames.joined(separator: ";"), payload,
        ].joined(separator: "\n")
    }

    /// The path as it was sent, without `.`, `..` and empty segments, encoded once more (`%24next` becomes `%2524next`).
    private static func uri(_ path: Substring) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/") where segment != "." {
            if segment == ".." {
                _ = segments.popLast()
            } else {
                segments.append(segment)
            }
        }
        let end = path.hasSuffix("/") && !segments.isEmpty ? "/" : ""
        return PercentEncoding.encoded(("/" + segments.joined(separator: "/") + end).utf8, slash: true)
    }

    /// The parameters, each decoded and encoded, ordered by name, then by value.
    ///
    /// The signature is no part of itself, and the device gateway's clients add the security token after they signed.
    private static func query(_ request: SignedRequest, _ claim: SignatureClaim) throws(SignatureRefusal) -> String {
        var pairs: [(name: String, value: String)] = []
        for parameter in request.parameters {
            let pair = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decoded(pair[0]),
                let value = PercentEncoding.decoded(pair.count > 1 ? pair[1] : "")
            else { throw .invalid("The query is not percent-encoded") }
            pairs.append((PercentEncoding.encoded(name), PercentEncoding.encoded(value)))
        }
        if claim.place != .field { pairs.removeAll { $0.name == "X-Amz-Signature" } }
        if claim.scope.service == "iotdevicegateway" { pairs.removeAll { $0.name == "X-Amz-Security-Token" } }
        pairs.sort { ($0.name, $0.value) < ($1.name, $1.value) }
        return pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    /// The signed fields in the order of the list: one line each, the values of a repeated field joined by commas.
    private static func fields(_ request: SignedRequest, _ names: [String]) throws(SignatureRefusal) -> String {
        var text = ""
        for name in names {
            let values = request.values(name)
            guard !values.isEmpty else { throw .invalid("The signed header '\(name)' is not in the request") }
            text += "\(name):\(values.map(trimmed).joined(separator: ","))\n"
        }
        return text
    }

    /// White space at the ends goes, runs of it become one space.
    private static func trimmed(_ value: String) -> String {
        let words = value.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }
}
