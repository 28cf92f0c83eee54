//  The installation's own certificate authority: P-256, made at first start, kept in the data directory.
//
//  Chips cannot use Ed25519 and often have a clock that stands still: everything issued here is ECDSA P-256 and valid
//  from well before its issue (field reports 5).

import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate with its key, both as PEM text.
package struct IssuedCertificate: Sendable {
    /// The certificate alone.
    package let certificatePEM: String
    /// The private key, unencrypted.
    package let keyPEM: String
    /// SHA-256 over the certificate's DER form.
    package let fingerprint: [UInt8]
}

/// Signs the server's certificate and those of the devices.
package struct CertificateAuthority: Sendable {
    private let certificate: Certificate
    private let key: Certificate.PrivateKey
    /// The authority's certificate, for `GET /ca.pem` and for devices.
    package let certificatePEM: String

    /// Backdating of every certificate: a device's clock may stand at its last flash write.
    private static let backdating: TimeInterval = 30 * 24 * 3600
    private static let day: TimeInterval = 24 * 3600

    /// Opens the authority in `directory`, or makes it on the first start.
    ///
    /// Files: `ca.pem` and `ca.key` (mode 0600).
    package static func open(directory: String) throws -> CertificateAuthority {
        let certificateFile = directory + "/ca.pem"
        let keyFile = directory + "/ca.key"
        if FileManager.default.fileExists(atPath: certificateFile) {
            let pem = try String(contentsOfFile: certificateFile, encoding: .utf8)
            return CertificateAuthority(
                certificate: try Certificate(pemEncoded: pem),
                key: try Certificate.PrivateKey(pemEncoded: String(contentsOfFile: keyFile, encoding: .utf8)),
                certificatePEM: pem)
        }
        let made = try make()
        try PrivateFile.write(made.key.serializeAsPEM().pemString, to: keyFile, mode: 0o600)
        try PrivateFile.write(made.certificatePEM, to: certificateFile, mode: 0o644)
        return made
    }

    private static func make() throws -> CertificateAuthority {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName {
            CommonName("Apus device CA")
        }
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: now - backdating, notValidAfter: now + 30 * 365 * day, issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: key.publicKey)
            },
            issuerPrivateKey: key)
        return CertificateAuthority(
            certificate: certificate, key: key, certificatePEM: try certificate.serializeAsPEM().pemString + "\n")
    }

    /// Issues the server's certificate for `names`: DNS names and IP addresses, each as its own kind of alternative name.
    package func issueServer(names: [String]) throws -> IssuedCertificate {
        let alternatives = SubjectAlternativeNames(names.map(Self.alternativeName))
        return try issue(commonName: names.first ?? "localhost", days: 3 * 365) {
            try ExtendedKeyUsage([.serverAuth])
            alternatives
        }
    }

    /// Issues a device's certificate; its common name is the thing name.
    package func issueDevice(thing: String) throws -> IssuedCertificate {
        try issue(commonName: thing, days: 30 * 365) {
            try ExtendedKeyUsage([.clientAuth])
        }
    }

    private func issue(
        commonName: String, days: Double,
        @ExtensionsBuilder purpose: () throws -> Result<Certificate.Extensions, any Error>
    ) throws -> IssuedCertificate {
        let leaf = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(leaf.publicKey)
        let now = Date()
        var extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true))
            SubjectKeyIdentifier(hash: publicKey)
        }
        for element in try purpose().get() { try extensions.append(element) }
        let issued = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now - Self.backdating, notValidAfter: now + days * Self.day, issuer: certificate.subject,
            subject: try DistinguishedName { CommonName(commonName) }, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: extensions, issuerPrivateKey: key)
        var serializer = DER.Serializer()
        try serializer.serialize(issued)
        return IssuedCertificate(
            certificatePEM: try issued.serializeAsPEM().pemString + "\n", keyPEM: leaf.pemRepresentation + "\n",
            fingerprint: Array(SHA256.hash(data: serializer.serializedBytes)))
    }

    private static func alternativeName(_ name: String) -> GeneralName {
        if let bytes = addressBytes(of: name) {
            return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
        }
        return .dnsName(name)
    }

    /// The 4 or 16 bytes of an address in text form, nil for a name.
    private static func addressBytes(of text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            return withUnsafeBytes(of: &four) { Array($0) }
        }
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 {
            return withUnsafeBytes(of: &six) { Array($0) }
        }
        return nil
    }
}
