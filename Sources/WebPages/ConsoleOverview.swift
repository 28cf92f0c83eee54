package import Operations
import Releases

//  The overview, and the checklist that stands in its place until the first update is confirmed.

extension ConsolePages {
    struct OverviewView {
        struct Counter {
            var key: String
            var label: String
            var icon: String
            var tone: String
            var value: String
            var unit: String?
            var sub: String
            var url: String
        }

        struct Running {
            struct Device {
                var key: String
                var thing: String
                var url: String
                var product: String
                var path: String
                var chip: Chip
                var percent: String
                var percentText: String
            }

            var summary: String
            var url: String
            var devices: [Device]
        }

        struct Mix {
            struct Part {
                var version: String
                var share: String
                var tone: String
                var x: String
                var width: String
                var url: String
            }

            var key: String
            var name: String
            var total: String
            var url: String
            /// Names all parts for readers of the bar.
            var label: String
            var parts: [Part]
        }

        struct Event {
            var key: String
            var at: When
            var sentence: String
            var url: String?
        }

        struct Health {
            struct Row {
                var key: String
                var label: String
                var value: String
                var tone: String
                var icon: String
                /// Read aloud for the icon.
                var word: String
            }

            var line: String
            var rows: [Row]
        }

        var summary: String
        var counters: [Counter]
        var running: Running?
        var mixes: [Mix]
        var hasMixes: Bool
        var events: [Event]
        var hasEvents: Bool
        var server: Health
    }

    package func overview(_ reader: Reader, _ overview: FleetOverview, _ server: Server) -> String {
        var shell = shell(reader, title: "Overview")
        shell.nav.isOverview = true
        shell.listenUrl = "/api/v1/listen"
        let mixes = overview.products.filter { !$0.versions.isEmpty }.map(Self.mix)
        let events = overview.activity.map { event in
            OverviewView.Event(
                key: "\(event.id)", at: .at(event.at, now: reader.now), sentence: Self.sentence(event, overview),
                url: Self.url(event))
        }
        let view = OverviewView(
            summary:
                "\(Figures.count(overview.devices, "device")), \(Figures.count(overview.products.count, "product"))",
            counters: Self.counters(overview), running: Self.running(overview), mixes: mixes, hasMixes: !mixes.isEmpty,
            events: events, hasEvents: !events.isEmpty, server: Self.health(overview, server, now: reader.now))
        return render("overview", shell, view)
    }

    private static func counters(_ overview: FleetOverview) -> [OverviewView.Counter] {
        func number(_ state: FleetState) -> Int { overview.states[state, default: 0] }
        func ofAll(_ count: Int) -> String {
            count == 0 ? "none" : "\(Figures.percent(count, of: overview.devices)) % of all"
        }
        let (current, updating, attention) = (number(.current), number(.updating), number(.attention))
        let isKnown = overview.products.contains { !$0.versions.isEmpty }
        return [
            .init(
                key: "current", label: "Up to date", icon: "check-circle", tone: "good",
                value: isKnown ? Figures.percent(current, of: overview.devices) : "–", unit: isKnown ? "%" : nil,
                sub: isKnown ? Figures.count(current, "device") : "no version reported yet",
                url: Place.devices(["state": "current"])),
            .init(
                key: "updating", label: "Updating", icon: "arc", tone: "busy", value: Figures.count(updating),
                sub: updating == 0 ? "none now" : ofAll(updating), url: Place.devices(["state": "updating"])),
            .init(
                key: "attention", label: "Need attention", icon: "alert", tone: attention == 0 ? "idle" : "bad",
                value: Figures.count(attention), sub: attention == 0 ? "none" : "failed, went back, timed out",
                url: Place.devices(["state": "attention"])),
            .init(
                key: "silent", label: "Silent over 24 h", icon: "offline", tone: "idle",
                value: Figures.count(overview.silent), sub: ofAll(overview.silent),
                url: Place.devices(["presence": "silent"])),
        ]
    }

    private static func running(_ overview: FleetOverview) -> OverviewView.Running? {
        guard !overview.running.isEmpty else { return nil }
        let names = Dictionary(overview.products.map { ($0.slug, $0.name) }, uniquingKeysWith: { first, _ in first })
        return OverviewView.Running(
            summary: Figures.count(overview.states[.updating, default: 0], "device"),
            url: Place.devices(["state": "updating"]),
            devices: overview.running.map { device in
                let update = device.update
                return .init(
                    key: device.thing, thing: device.thing, url: Place.device(device.thing),
                    product: device.product.map { names[$0] ?? $0 } ?? "",
                    path: "\(device.version ?? "–") → \(update?.version ?? "–")",
                    chip: .of(update.flatMap { UpdatePhase(rawValue: $0.state) } ?? .queued),
                    percent: "\(update?.percent ?? 0)", percentText: "\(update?.percent ?? 0) %")
            })
    }

    /// The three highest versions, and the rest together.
    private static func mix(_ product: FleetOverview.ProductCount) -> OverviewView.Mix {
        let total = product.versions.reduce(0) { $0 + $1.devices }
        var shown = product.versions.prefix(3).map { ($0.version, $0.devices, Optional($0.version)) }
        let rest = product.versions.dropFirst(3)
        if rest.count == 1, let last = rest.first {
            shown.append((last.version, last.devices, last.version))
        } else if !rest.isEmpty {
            shown.append(("older", rest.reduce(0) { $0 + $1.devices }, nil))
        }
        var x = 0.0
        let parts = shown.enumerated().map { index, part in
            let share = Double(part.1) * 100 / Double(max(1, total))
            // A sliver that nobody could see is drawn a little wider.
            let width = max(share, 0.7)
            defer { x += share }
            return OverviewView.Mix.Part(
                version: part.0, share: "\(Figures.tenths(share)) %", tone: "f-v\(min(index, 3) + 1)",
                x: "\(Figures.tenths(min(x, 100 - width)))%", width: "\(Figures.tenths(width))%",
                url: Place.devices(["product": product.slug, "version": part.2]))
        }
        return OverviewView.Mix(
            key: product.slug, name: product.name, total: Figures.count(product.devices),
            url: Place.devices(["product": product.slug]),
            label: parts.map { "\($0.version) \($0.share)" }.joined(separator: ", "), parts: parts)
    }

    // MARK: What happened

    private static func sentence(_ event: Activity, _ overview: FleetOverview) -> String {
        let thing = event.thing ?? ""
        let version = event.version ?? ""
        let product = overview.products.first { $0.slug == event.product }?.name ?? event.product ?? ""
        let why = event.detail.map { ": \($0)" } ?? ""
        return switch event.kind {
        case .productAdded: "Product \(product) was added"
        case .productRemoved: "Product \(product) was removed"
        case .releaseSaved: "\(product) \(version) was saved as draft"
        case .releasePublished: "\(product) \(version) was published"
        case .releaseWithdrawn: "\(product) \(version) was withdrawn\(why)"
        case .deviceAdded: "Device \(thing) was added"
        case .deviceRevoked: "The rights of \(thing) were taken back"
        case .deviceRemoved: "Device \(thing) was removed"
        case .updateBegan: "\(thing) began \(version)"
        case .updateSucceeded: "\(thing) runs \(version)"
        case .updateFailed: "\(thing) failed to install \(version)\(why)"
        case .updateRolledBack: "\(thing) went back from \(version)\(why)"
        case .updateTimedOut: "\(thing) did not finish \(version) in time"
        case .updateCancelled: "The update of \(thing) to \(version) was cancelled\(why)"
        }
    }

    private static func url(_ event: Activity) -> String? {
        switch event.kind {
        case .productRemoved, .deviceRemoved: return nil
        case .productAdded: return event.product.map(Place.product)
        default:
            if let thing = event.thing { return Place.device(thing) }
            guard let product = event.product, let version = event.version else { return nil }
            return Place.release(product, version)
        }
    }

    // MARK: The server

    private static func health(_ overview: FleetOverview, _ server: Server, now: Int64) -> OverviewView.Health {
        let storage = overview.storage
        let freePercent = storage.disk_bytes == 0 ? 0 : storage.free_bytes * 100 / storage.disk_bytes
        let diskTone = storage.free_bytes < 200_000_000 ? "bad" : freePercent < 10 ? "warn" : "good"
        func row(_ key: String, _ label: String, _ value: String, _ tone: String = "good") -> OverviewView.Health.Row {
            .init(
                key: key, label: label, value: value, tone: tone, icon: tone == "good" ? "check" : "alert",
                word: tone == "good" ? "ok" : tone == "warn" ? "look at it" : "broken")
        }
        func end(_ key: String, _ label: String, _ time: Int64) -> OverviewView.Health.Row {
            let days = (time - now) / 86_400_000
            let text = days < 0 ? "has ended" : days > 730 ? "ends in \(days / 365) years" : "ends in \(days) days"
            return row(key, label, text, days < 2 ? "bad" : days < 21 ? "warn" : "good")
        }
        return .init(
            line: "\(server.version), up \(Figures.duration(now - server.started))",
            rows: [
                row("connected", "Connected devices", Figures.count(overview.connected)),
                row("disk", "Disk free", "\(freePercent) % of \(Figures.size(storage.disk_bytes))", diskTone),
                row("database", "Database", Figures.size(storage.database_bytes)),
                row("images", "Images", "\(storage.images), \(Figures.size(storage.image_bytes))"),
                end("certificate", "Server certificate", server.certificateEnds),
                end("authority", "Certificate authority", server.authorityEnds),
            ])
    }
}
