package import Operations
import Releases

//  Releases: the list of a product, and one of them.

extension ConsolePages {
    struct ImageView {
        var key: String
        var hardware: String
        var size: String
        var format: String
        var shortHash: String
        var sha256: String
        var url: String
    }

    struct ReleasesView {
        struct Tab {
            var label: String
            var url: String
            var isCurrent: Bool
            var count: String
        }

        struct Product {
            var slug: String
            var name: String
            var line: String
        }

        struct Publish {
            var api: String
            var hardware: [Choice]
            var higherThan: String?
            var formats: String
        }

        struct Row {
            struct Installed {
                var count: String
                var share: String
                var url: String
            }

            var key: String
            var version: String
            var url: String
            var api: String
            var chip: Chip
            var published: When?
            var images: [ImageView]
            var installed: Installed
            var canActivate: Bool
            var canWithdraw: Bool
        }

        var hasProducts: Bool
        var tabs: [Tab]
        var product: Product?
        var publish: Publish?
        var deviceTotal: String?
        var hasReleases: Bool
        var releases: [Row]
        /// The dialogs of the list learn the version from the button that opens them.
        var version = ""
    }

    struct ReleaseView {
        struct Product {
            var slug: String
            var name: String
            var url: String
        }

        struct Who {
            var key: String
            var label: String
            var count: String
            var icon: String
            var tone: String
            var url: String
        }

        var version: String
        var product: Product
        var api: String
        var chip: Chip
        var sentence: String
        var notes: String
        var hasNotes: Bool
        var notesHtml: String
        var images: [ImageView]
        var who: [Who]
        var reason: String?
        var canActivate: Bool
        var canEdit = true
        var canWithdraw: Bool
    }

    /// Who has a release, or is on the way to it.
    package struct Spread: Sendable {
        package var running: Int
        package var updating: Int
        package var offered: Int
        package var troubled: Int
        package var total: Int

        package init(running: Int, updating: Int, offered: Int, troubled: Int, total: Int) {
            self.running = running
            self.updating = updating
            self.offered = offered
            self.troubled = troubled
            self.total = total
        }
    }

    /// The releases of `product`, the first where none is named.
    package func releases(
        _ reader: Reader, product slug: String?, _ products: [ProductSummary], _ releases: [ReleaseSummary],
        _ overview: FleetOverview
    ) -> String {
        var shell = shell(reader, title: "Releases")
        shell.nav.isReleases = true
        shell.listenUrl = "/api/v1/listen"
        guard let product = products.first(where: { $0.slug == slug }) ?? products.first else {
            return render(
                "releases", shell, ReleasesView(hasProducts: false, tabs: [], hasReleases: false, releases: []))
        }
        let own = releases.filter { $0.product == product.slug }
        let mix = overview.products.first { $0.slug == product.slug }
        let total = mix?.devices ?? 0
        let view = ReleasesView(
            hasProducts: true,
            tabs: products.map { each in
                .init(
                    label: each.name, url: Place.releases(each.slug), isCurrent: each.slug == product.slug,
                    count: "\(releases.count { $0.product == each.slug })")
            },
            product: .init(slug: product.slug, name: product.name, line: Self.line(product)),
            publish: .init(
                api: "/api/v1/products/\(Place.part(product.slug))/releases",
                hardware: product.hardware.map { Choice($0, $0) }, higherThan: own.first?.version,
                formats: Self.formats(product.format)),
            deviceTotal: Figures.count(total, "device"), hasReleases: !own.isEmpty,
            releases: own.map { release in
                let count = mix?.versions.first { $0.version == release.version }?.devices ?? 0
                return .init(
                    key: release.version, version: release.version, url: Place.release(product.slug, release.version),
                    api: Self.api(release), chip: .of(release.state), published: release.published.map(When.day),
                    images: Self.images(release),
                    installed: .init(
                        count: Figures.count(count), share: "\(Figures.percent(count, of: total))%",
                        url: Place.devices(["product": product.slug, "version": release.version])),
                    canActivate: release.state == .draft, canWithdraw: release.state != .withdrawn)
            })
        return render("releases", shell, view)
    }

    package func release(
        _ reader: Reader, _ release: ReleaseSummary, _ product: ProductSummary, _ spread: Spread
    ) -> String {
        let title = "\(product.name) \(release.version)"
        var shell = shell(reader, title: title)
        shell.nav.isReleases = true
        shell.crumbs = .init(parent: .init(label: "Releases", url: Place.releases(product.slug)), here: release.version)
        shell.listenUrl = "/api/v1/listen"
        let html = Markdown.html(release.notes)
        let view = ReleaseView(
            version: release.version,
            product: .init(slug: product.slug, name: product.name, url: Place.releases(product.slug)),
            api: Self.api(release), chip: .of(release.state), sentence: Self.sentence(release, spread),
            notes: release.notes, hasNotes: !html.isEmpty, notesHtml: html, images: Self.images(release),
            who: release.state == .draft ? [] : Self.who(release, spread),
            reason: release.state == .withdrawn ? release.reason ?? "no reason given" : nil,
            canActivate: release.state == .draft, canWithdraw: release.state != .withdrawn)
        return render("release", shell, view)
    }

    private static func sentence(_ release: ReleaseSummary, _ spread: Spread) -> String {
        guard release.state != .draft else {
            return "Saved as draft \(Moment(release.created).date). No device is offered it."
        }
        let published = release.published.map { "Published \(Moment($0).date). " } ?? ""
        return published + "\(Figures.count(spread.running)) of \(Figures.count(spread.total, "device")) run it."
    }

    private static func who(_ release: ReleaseSummary, _ spread: Spread) -> [ReleaseView.Who] {
        let (product, version) = (release.product, release.version)
        func target(_ state: FleetState) -> String {
            Place.devices(["product": product, "state": state.rawValue, "target": version])
        }
        return [
            .init(
                key: "current", label: "Run it", count: Figures.count(spread.running), icon: "check", tone: "good",
                url: Place.devices(["product": product, "version": version])),
            .init(
                key: "updating", label: "Updating to it", count: Figures.count(spread.updating), icon: "arc",
                tone: "busy", url: target(.updating)),
            .init(
                key: "offered", label: "Offered, wait for the owner", count: Figures.count(spread.offered), icon: "new",
                tone: "busy", url: target(.behind)),
            .init(
                key: "attention", label: "Failed, went back or timed out", count: Figures.count(spread.troubled),
                icon: "alert", tone: spread.troubled == 0 ? "idle" : "bad", url: target(.attention)),
        ]
    }

    private static func images(_ release: ReleaseSummary) -> [ImageView] {
        release.artifacts.map { artifact in
            ImageView(
                key: artifact.hardware, hardware: artifact.hardware, size: Figures.size(Int64(artifact.size)),
                format: artifact.format, shortHash: String(artifact.sha256.prefix(8)), sha256: artifact.sha256,
                url: "/firmware/\(Place.part(release.product))/\(Place.part(artifact.hardware))/"
                    + "\(Place.part(release.version)).bin")
        }
    }

    private static func api(_ release: ReleaseSummary) -> String {
        "/api/v1/products/\(Place.part(release.product))/releases/\(Place.part(release.version))"
    }

    private static func line(_ product: ProductSummary) -> String {
        let support = product.face.supportUntil.map { ", supported until \(Figures.month($0))" } ?? ""
        return "\(product.name), hardware \(product.hardware.joined(separator: ", "))\(support)"
    }

    static func formats(_ rule: ImageRule) -> String {
        switch rule {
        case .any: "Any firmware image"
        case .microcontroller: "Microcontroller images"
        case .linux: "Linux programs"
        case .raw: "Raw bytes"
        }
    }
}
