package import Accounts
import Foundation
import Mustache
package import Operations

/// The console's pages as HTML.
package struct ConsolePages: Sendable {
    private let library: MustacheLibrary

    package init() {
        library = Templates.library("console/")
    }

    /// Who reads, and what proves that forms are theirs.
    package struct Reader: Sendable {
        package var caller: Caller?
        package var csrf: String
        package var counts: ConsoleCounts?
        /// Milliseconds since 1970.
        package var now: Int64

        package init(caller: Caller?, csrf: String, counts: ConsoleCounts?, now: Int64) {
            self.caller = caller
            self.csrf = csrf
            self.counts = counts
            self.now = now
        }
    }

    /// What the console says of the server that serves it.
    package struct Server: Sendable {
        package var version: String
        package var dataDirectory: String
        /// When it began to listen, milliseconds since 1970.
        package var started: Int64
        /// Ends of the certificates, milliseconds since 1970.
        package var certificateEnds: Int64
        package var authorityEnds: Int64
        package var isLocalOnly: Bool
        package var publicURL: String
        /// Where devices connect to by TLS, `HOST:PORT`.
        package var mqtts: String

        package init(
            version: String, dataDirectory: String, started: Int64, certificateEnds: Int64, authorityEnds: Int64,
            isLocalOnly: Bool, publicURL: String, mqtts: String
        ) {
            self.version = version
            self.dataDirectory = dataDirectory
            self.started = started
            self.certificateEnds = certificateEnds
            self.authorityEnds = authorityEnds
            self.isLocalOnly = isLocalOnly
            self.publicURL = publicURL
            self.mqtts = mqtts
        }
    }

    /// Why a page is not shown.
    package enum Message: Sendable {
        case noDevice(String)
        case noRelease
        case noProduct(String)
        case noPage
        case ownersOnly
        case adminsOnly
        case expired
        case signedOut
        case trouble(retry: String)
    }

    struct SignInView {
        var uid: String
        var next: String
        var error: String?
    }

    struct MessageView {
        var heading: String
        var sentence: String
        var homeUrl = "/console"
        var homeLabel = "Overview"
        var isError = false
        var requestId: String?
        var retryUrl: String?
    }

    package func signIn(_ reader: Reader, uid: String, next: String, error: String?) -> String {
        var shell = shell(reader, title: "Sign in")
        shell.me = nil
        return render("sign-in", shell, SignInView(uid: uid, next: next, error: error))
    }

    package func message(_ reader: Reader, _ message: Message) -> String {
        let view =
            switch message {
            case .noDevice(let thing):
                MessageView(
                    heading: "There is no device \(thing)", sentence: "It was removed, or the address has a typo.",
                    homeUrl: "/console/devices", homeLabel: "All devices")
            case .noRelease:
                MessageView(
                    heading: "There is no such release", sentence: "The address may have a typo.",
                    homeUrl: "/console/releases", homeLabel: "All releases")
            case .noProduct(let slug):
                MessageView(
                    heading: "There is no product \(slug)", sentence: "It was removed, or the address has a typo.",
                    homeUrl: "/console/products", homeLabel: "All products")
            case .noPage: MessageView(heading: "There is no such page", sentence: "The address may have a typo.")
            case .ownersOnly:
                MessageView(
                    heading: "This page is for operators", sentence: "You are signed in as an owner.", homeUrl: "/my",
                    homeLabel: "My devices")
            case .adminsOnly:
                MessageView(
                    heading: "This page is for administrators", sentence: "Accounts and tokens are in their hands.")
            case .expired:
                MessageView(
                    heading: "This form is too old", sentence: "Nothing was changed. Open the page again.")
            case .signedOut:
                MessageView(
                    heading: "You are signed out", sentence: "See you soon.", homeUrl: "/console/sign-in",
                    homeLabel: "Sign in")
            case .trouble(let retry):
                MessageView(
                    heading: "This page did not load",
                    sentence: "The server could not read its storage. Nothing is lost; its log says why.",
                    isError: true, retryUrl: retry)
            }
        var shell = shell(reader, title: view.heading)
        switch message {
        case .ownersOnly, .signedOut: shell.me = nil
        default: break
        }
        return render("message", shell, view)
    }

    // MARK: The shell

    func shell(_ reader: Reader, title: String) -> ConsoleShell {
        var shell = ConsoleShell(
            title: title, csrf: reader.csrf, now: .clock(reader.now), crumbs: .init(here: title))
        if let caller = reader.caller {
            let name = caller.uid ?? caller.label ?? "token"
            let words = name.split { !$0.isLetter && !$0.isNumber }
            let letters = words.count > 1 ? words.prefix(2).compactMap(\.first) : Array(name.prefix(2))
            shell.me = ConsoleShell.Me(
                name: name, initials: String(letters).uppercased(), role: Self.word(caller.role),
                isAdmin: caller.role == .admin)
        }
        if let counts = reader.counts {
            func text(_ count: Int) -> String? { count == 0 ? nil : Figures.count(count) }
            shell.nav.deviceCount = text(counts.devices)
            shell.nav.releaseCount = text(counts.releases)
            shell.nav.productCount = text(counts.products)
        }
        return shell
    }

    static func word(_ role: Role) -> String { role.rawValue.prefix(1).uppercased() + role.rawValue.dropFirst() }

    func render(_ template: String, _ shell: ConsoleShell, _ view: Any) -> String {
        library.render(Layered(outer: shell, inner: view), withTemplate: template) ?? ""
    }
}
