import Foundation
import SwiftASN1
import X509

/// The certificate that the TLS listeners show: issued by the installation's authority, renewed when it must be.
package enum ServerCertificate {
    private static let renewBefore: TimeInterval = 60 * 24 * 3600

    /// The stored certificate, or a new one where names were added or removed or it ends within 60 days.
    ///
    /// Files in `directory`: `server.crt`, `server.key` (mode 0600), `server.names`.
    package static func current(
        names: [String], authority: CertificateAuthority, directory: String
    ) throws -> (certificatePEM: String, keyPEM: String) {
        let files = ["server.crt", "server.key", "server.names"].map { directory + "/" + $0 }
        let wanted = names.joined(separator: "\n")
        if let names = try? String(contentsOfFile: files[2], encoding: .utf8), names == wanted,
            let certificate = try? String(contentsOfFile: files[0], encoding: .utf8),
            let key = try? String(contentsOfFile: files[1], encoding: .utf8),
            let parsed = try? Certificate(pemEncoded: certificate), parsed.notValidAfter > Date() + renewBefore
        {
            return (certificate, key)
        }
        let issued = try authority.issueServer(names: names)
        try PrivateFile.write(issued.keyPEM, to: files[1], mode: 0o600)
        try PrivateFile.write(issued.certificatePEM, to: files[0], mode: 0o644)
        try PrivateFile.write(wanted, to: files[2], mode: 0o644)
        return (issued.certificatePEM, issued.keyPEM)
    }
}
