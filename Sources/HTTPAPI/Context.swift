package import Accounts
package import Hummingbird
import Identity
import NIOCore
import NIOSSL

/// What is known of one request beside its bytes.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The connection.
    let channel: any Channel
    /// Who asks, once the middleware has found out.
    package var caller: Caller?

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// The client's address, without its port.
    var address: String { channel.remoteAddress?.ipAddress ?? "unknown" }

    /// Whether the client came by TLS.
    func isTLS() async -> Bool { await (try? channel.nioSSL_tlsVersion().get()) != nil }

    /// The thing that the client's verified certificate names; nil without TLS or without a certificate.
    func certificateThing() async -> String? {
        guard let certificate = try? await channel.nioSSL_peerCertificate().get(),
            let der = try? certificate.toDERBytes()
        else { return nil }
        return PeerName.commonName(ofDER: der)
    }
}
