//  What the product does, each as one transaction: read the rows, ask the cores, write the rows, name the effects.
//
//  HTTP, MQTT, pages and the command line all come through here; none of them touches a row. `Operations` is a value that
//  holds the store and the blob folder; its methods are grouped by who calls them: makers, owners, devices.

package import BlobStore
package import Identity
package import Logging
package import Store
import Accounts
import Foundation
import Synchronization

/// The product's operations over one store.
package struct Operations: Sendable {
    let store: Store
    /// The images on disk.
    package let blobs: BlobStore
    let authority: CertificateAuthority
    let settings: Settings
    let logger: Logger
    /// Who guesses passwords; forgotten when the server restarts.
    let signIns = SignIns()

    final class SignIns: Sendable {
        let value = Mutex(SignInGuard())
    }

    /// What an installation may set.
    package struct Settings: Sendable {
        /// With `--dev`: any thing name is served, any client is an administrator.
        package var isDevelopment = false
        /// Cost of new password hashes: scrypt N, r = 8, p = 1.
        package var passwordCost = 1 << 15
        /// Days that device logs are kept.
        package var logDays = 30
        /// Largest image, bytes.
        package var imageBytes = 256 << 20

        package init() {}
    }

    package init(
        store: Store, blobs: BlobStore, authority: CertificateAuthority, settings: Settings, logger: Logger
    ) {
        self.store = store
        self.blobs = blobs
        self.authority = authority
        self.settings = settings
        self.logger = logger
    }

    /// Milliseconds since 1970.
    static func now() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1000)
    }
}

/// Why an operation was refused: nothing was changed.
package struct Refusal: Error, Equatable, Sendable {
    /// What kind of refusal it is; decides HTTP status and exit code.
    package enum Kind: String, Sendable {
        /// The request itself is wrong (400).
        case invalid
        /// No or no valid credentials (401).
        case unauthenticated
        /// Not with these credentials (403).
        case forbidden
        /// There is no such thing (404).
        case notFound
        /// It exists already, otherwise (409).
        case conflict
        /// A rule of the product forbids it (422).
        case rule
        /// Too often (429).
        case tooMany
        /// Too many bytes (413).
        case tooLarge
        /// The disk or the store failed (500, 507).
        case storage
    }

    package var kind: Kind
    /// What was refused, in a few words.
    package var title: String
    /// Why, with what was found and what was expected.
    package var detail: String
    /// What to do about it; empty where there is nothing to do.
    package var advice: String

    package init(_ kind: Kind, _ title: String, _ detail: String, advice: String = "") {
        self.kind = kind
        self.title = title
        self.detail = detail
        self.advice = advice
    }
}
