//  AWS Signature Version 4, the verifying side (6.1, 8).
//
//  A client puts what it asks into a canonical form, hashes that into a string to sign together with time and scope, and
//  signs the string with a key derived from its secret:
//
//      canonical request   method, URI, query, headers, names of the signed headers, SHA-256 of the body: one per line
//      string to sign      AWS4-HMAC-SHA256, time, date/region/service/aws4_request, SHA-256 of the canonical request
//      signing key         HMAC over date, region, service and aws4_request in turn, beginning with "AWS4" + secret
//
//  Signature, scope and names of the signed headers travel in the field `Authorization`, or in the query of a presigned
//  URL (`X-Amz-Signature` and others), the way in for MQTT over WebSocket. The server does the same from what it received
//  and compares. What is not handled: chunk signatures (`STREAMING-…`), temporary credentials (a security token is part
//  of what is signed and means nothing else), asymmetric signatures (SigV4A).

/// A request as it was received: nothing decoded, nothing joined, nothing reordered.
package struct SignedRequest: Equatable, Sendable {
    /// A field of the header.
    package struct Field: Equatable, Sendable {
        /// Its name, in any case.
        package var name: String
        /// Its value.
        package var value: String

        /// Takes name and value.
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Bytes of a target that are read.
    package static let maximumTargetBytes = 16_384
    /// Fields that are read, and names in a list of signed headers.
    package static let maximumFields = 128
    /// Parameters of a query that are read.
    package static let maximumParameters = 128

    /// The method.
    package var method: String
    /// Path and query as they stood in the request line.
    package var target: String
    /// All fields in their order, `Host` among them (for HTTP/2: the authority).
    package var fields: [Field]

    /// Takes method, target and fields.
    package init(method: String, target: String, fields: [Field]) {
        self.method = method
        self.target = target
        self.fields = fields
    }

    /// Whether something in it wants to be a signature of this version.
    package var isSigned: Bool { SignatureClaim.isSigned(self) }

    /// The path, still encoded.
    var path: Substring { target.prefix { $0 != "?" } }

    /// The parameters, still encoded, without those that are empty.
    var parameters: [Substring] {
        target.drop { $0 != "?" }.dropFirst().split(separator: "&")
    }

    /// The values of a field in their order; `name` in lower case.
    func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The value of a field that stands there once; nil where it is missing or repeated.
    func value(_ name: String) -> String? {
        let values = values(name)
        return values.count == 1 ? values[0] : nil
    }
}
