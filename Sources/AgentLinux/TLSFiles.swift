import NIOCore
import NIOSSL

/// The device's files for mutual TLS.
enum TLSFiles {
    /// A client's configuration: our certificate, and nobody trusted but the given authority.
    static func configuration(_ credentials: AgentOptions.Credentials) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        do {
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(credentials.authority))
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(credentials.certificate)
                .map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: credentials.key, format: .pem))
        } catch {
            throw AgentFault("cannot read --cert, --key or --ca as PEM: \(error). Check the three files.")
        }
        return configuration
    }

    /// One connection's handler: an address is checked against the certificate's addresses, a name against
    /// its names.
    static func handler(_ tls: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
    }
}
