import SwiftASN1
import X509

/// Reads who a verified certificate belongs to.
package enum PeerName {
    /// The common name of a certificate in DER form; nil if it has none.
    package static func commonName(ofDER bytes: [UInt8]) -> String? {
        guard let certificate = try? Certificate(derEncoded: bytes) else { return nil }
        for part in certificate.subject {
            for attribute in part where attribute.type == .RDNAttributeType.commonName {
                return attribute.value.description
            }
        }
        return nil
    }
}
