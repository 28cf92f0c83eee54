import ByteKit
import Crypto

/// Checks signatures (6.1).
package enum SignatureVerifier {
    /// How far the clocks may lie apart.
    package static let skewSeconds: Int64 = 300

    /// How the request came.
    package enum Transport: Sendable {
        /// Readable and changeable on the way: the body must be signed.
        case plain
        /// The body may be left out of the signature (`UNSIGNED-PAYLOAD`).
        case tls
    }

    /// Who signed the request, or why nobody did.
    ///
    /// - Parameters:
    ///   - request: As it was received.
    ///   - body: All of it.
    ///   - seconds: Now, since 1970.
    ///   - transport: How the request came.
    ///   - secret: The secret of an access key, nil for one that nobody has.
    package static func verify(
        _ request: SignedRequest, body: Span<UInt8>, seconds: UInt64, transport: Transport,
        secret: (_ accessKeyID: String) -> String?
    ) throws(SignatureRefusal) -> SignatureScope {
        let claim = try SignatureClaim(request)
        guard let secret = secret(claim.scope.accessKeyID) else { throw .unknownKey }
        try checkTime(claim, now: Int64(clamping: min(seconds, UInt64(UInt32.max))))
        let payload = try payload(request, body, transport)
        let canonical = try CanonicalRequest(request, claim: claim, payload: payload)
        let signed = [
            SignatureClaim.algorithm, claim.time.text, claim.scope.text, hexadecimal(sha256(canonical.text)),
        ].joined(separator: "\n")
        let signature = hexadecimal(hmac(signed, key: signingKey(secret, claim.scope)))
        guard isEqual(signature, claim.signature) else { throw .mismatch }
        return claim.scope
    }

    private static func checkTime(_ claim: SignatureClaim, now: Int64) throws(SignatureRefusal) {
        let time = claim.time
        let latest = SignatureTime(seconds: now + skewSeconds)
        guard time.seconds <= latest.seconds else {
            throw .invalid(
                "Signature not yet current: \(time.text) is still later than \(latest.text) "
                    + "(\(SignatureTime(seconds: now).text) + \(skewSeconds) s)")
        }
        var lifetime = skewSeconds
        if case .query(let seconds?) = claim.place { lifetime = seconds }
        let earliest = SignatureTime(seconds: now - lifetime)
        guard time.seconds >= earliest.seconds else {
            throw .invalid(
                "Signature expired: \(time.text) is now earlier than \(earliest.text) "
                    + "(\(SignatureTime(seconds: now).text) - \(lifetime) s)")
        }
    }

    /// What stands for the body: its hash, unless the client left it out where it may.
    private static func payload(
        _ request: SignedRequest, _ body: Span<UInt8>, _ transport: Transport
    ) throws(SignatureRefusal) -> String {
        let said = request.values("x-amz-content-sha256")
        if said == ["UNSIGNED-PAYLOAD"] {
            guard transport == .tls else { throw .invalid("Without TLS the payload must be signed") }
            return said[0]
        }
        var hash = SHA256()
        unsafe body.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        let found = hexadecimal(hash.finalize())
        guard said.isEmpty || said == [found] else {
            throw .invalid("X-Amz-Content-Sha256 is not the hash of the payload")
        }
        return found
    }
}

// MARK: - Cryptography

extension SignatureVerifier {
    private static func signingKey(_ secret: String, _ scope: SignatureScope) -> SymmetricKey {
        [scope.date, scope.region, scope.service, SignatureScope.end].reduce(key(Array("AWS4\(secret)".utf8))) {
            key(hmac($1, key: $0))
        }
    }

    private static func key(_ bytes: some Sequence<UInt8>) -> SymmetricKey {
        SymmetricKey(data: Array(bytes))
    }

    private static func hmac(_ text: String, key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }

    private static func sha256(_ text: String) -> SHA256.Digest {
        SHA256.hash(data: Array(text.utf8))
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Compares all digits, wherever the first difference lies.
    private static func isEqual(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
