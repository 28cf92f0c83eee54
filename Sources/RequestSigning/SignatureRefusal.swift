/// Why a signature was not accepted.
package struct SignatureRefusal: Error, Equatable, Sendable {
    /// AWS's names of what can be wrong.
    package enum Reason: String, CaseIterable, Sendable {
        /// There is no signature.
        case missingAuthenticationToken = "MissingAuthenticationTokenException"
        /// The signature lacks a part, or a part does not have its form.
        case incompleteSignature = "IncompleteSignatureException"
        /// Nobody has this access key.
        case unrecognizedClient = "UnrecognizedClientException"
        /// The signature is of something else, of another time or made with another secret.
        case invalidSignature = "InvalidSignatureException"
    }

    /// Which of them.
    package var reason: Reason
    /// AWS's words, for people.
    package var message: String

    /// What the client of a service is told: 6.3 knows no exception for signatures, 2.8 gives the data plane's answer.
    ///
    /// - Parameter service: As in the scope; nil for a request without one.
    package func answer(service: String?) -> (status: Int, exception: String, message: String) {
        switch service {
        case "iot", "iot-jobs-data": (403, reason.rawValue, message)
        default: (401, "UnauthorizedException", "Unauthorized")
        }
    }

    static let missing = SignatureRefusal(reason: .missingAuthenticationToken, message: "Missing Authentication Token")

    static func incomplete(_ message: String) -> SignatureRefusal {
        SignatureRefusal(reason: .incompleteSignature, message: message)
    }

    static let unknownKey = SignatureRefusal(
        reason: .unrecognizedClient, message: "The security token included in the request is invalid.")

    static func invalid(_ message: String) -> SignatureRefusal {
        SignatureRefusal(reason: .invalidSignature, message: message)
    }

    static let mismatch = invalid(
        """
        The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
        and signing method. Consult the service documentation for details.
        """)
}
