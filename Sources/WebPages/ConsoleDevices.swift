package import Operations
import Releases

//  The list of devices.

extension ConsolePages {
    struct DevicesView {
        struct View {
            var label: String
            var count: String
            var url: String
            var isCurrent: Bool
        }

        struct FilterChip {
            var label: String
            var value: String
            /// Removes this one filter.
            var url: String
        }

        struct Filters {
            var q: String
            var products: [Choice]
            var states: [Choice]
            var versions: [Choice]
            var presences: [Choice]
        }

        struct Column {
            var label: String
            var url: String?
            var isNumber = false
            var isSorted = false
            var order: String?
            var isDescending = false
        }

        struct Row {
            var key: String
            var thing: String
            var url: String
            var hardware: String
            var product: String
            var version: String
            var target: String?
            var chip: Chip
            var detail: String?
            var owner: String?
            var seen: When
            var isOnline: Bool
        }

        struct Pager {
            var shown: String
            var firstUrl: String?
            var nextUrl: String?
        }

        struct NoMatch {
            var title: String
            var sentence: String
        }

        /// The dialog that adds a device; `{thing}`, `{product}` and `{hardware}` are put in by the script.
        struct Add {
            var choices: [Choice]
            var hasChoices: Bool
            var certificateCommand: String
            var tokenCommand: String
        }

        var views: [View]
        var filters: Filters
        var filterChips: [FilterChip]
        var hasFilters: Bool
        var clearUrl: String?
        var columns: [Column]
        var devices: [Row]
        var hasDevices: Bool
        var pager: Pager?
        var csvUrl: String
        var isEmptyFleet: Bool?
        var command: String?
        var noMatch: NoMatch?
        var add: Add
    }

    /// What the list needs beside its page.
    package struct FleetContext: Sendable {
        package var overview: FleetOverview
        package var products: [ProductSummary]
        package var server: Server
        /// How many devices lie before this page.
        package var offset: Int

        package init(overview: FleetOverview, products: [ProductSummary], server: Server, offset: Int) {
            self.overview = overview
            self.products = products
            self.server = server
            self.offset = offset
        }
    }

    package func devices(
        _ reader: Reader, _ query: FleetQuery, _ page: FleetPage, _ context: FleetContext
    ) -> String {
        var shell = shell(reader, title: "Devices")
        shell.nav.isDevices = true
        shell.listenUrl = "/api/v1/listen"
        shell.searchText = query.text
        let address = FleetAddress(query)
        let isEmpty = context.overview.devices == 0
        let names = Dictionary(context.products.map { ($0.slug, $0.name) }, uniquingKeysWith: { first, _ in first })
        let chips = Self.chips(query, address, names)
        let view = DevicesView(
            views: isEmpty ? [] : Self.views(query, context.overview), filters: Self.filters(query, context),
            filterChips: chips, hasFilters: !chips.isEmpty, clearUrl: chips.isEmpty ? nil : "/console/devices",
            columns: Self.columns(query, address),
            devices: page.devices.map { Self.row($0, names, now: reader.now) }, hasDevices: !page.devices.isEmpty,
            pager: page.devices.isEmpty ? nil : Self.pager(query, page, address, offset: context.offset),
            csvUrl: address.url("/api/v1/devices.csv"), isEmptyFleet: isEmpty ? true : nil,
            command: isEmpty ? "apus device add lamp-1 --product lamp --hardware esp32c3 --out lamp-1" : nil,
            noMatch: page.devices.isEmpty && !isEmpty
                ? .init(
                    title: "0 of \(Figures.count(context.overview.devices)) match",
                    sentence: query.text.map { "No device has “\($0)” in its name or owner." }
                        ?? "No device is like this right now.") : nil,
            add: Self.add(context))
        return render("devices", shell, view)
    }

    // MARK: Parts

    private static func views(_ query: FleetQuery, _ overview: FleetOverview) -> [DevicesView.View] {
        let isPlain =
            query.product == nil && query.version == nil && query.text == nil && query.target == nil
            && query.owner == nil
        func view(_ label: String, _ count: Int, _ state: FleetState?, _ presence: FleetQuery.Presence?)
            -> DevicesView.View
        {
            DevicesView.View(
                label: label, count: Figures.count(count),
                url: Place.devices(["state": state?.rawValue, "presence": presence?.rawValue]),
                isCurrent: isPlain && query.state == state && query.presence == presence)
        }
        return [
            view("All", overview.devices, nil, nil),
            view("Need attention", overview.states[.attention, default: 0], .attention, nil),
            view("Updating", overview.states[.updating, default: 0], .updating, nil),
            view("Behind", overview.states[.behind, default: 0], .behind, nil),
            view("Silent", overview.silent, nil, .silent),
        ]
    }

    private static func filters(_ query: FleetQuery, _ context: FleetContext) -> DevicesView.Filters {
        let counted = context.overview.products.filter { query.product == nil || $0.slug == query.product }
        var versions: [String] = []
        for version in counted.flatMap(\.versions).map(\.version) where !versions.contains(version) {
            versions.append(version)
            if versions.count == 50 { break }
        }
        if let version = query.version, !versions.contains(version) { versions.append(version) }
        return DevicesView.Filters(
            q: query.text ?? "",
            products: context.products.map { Choice($0.slug, $0.name, isSelected: $0.slug == query.product) },
            states: FleetState.allCases.map { Choice($0.rawValue, word($0), isSelected: $0 == query.state) },
            versions: versions.map { Choice($0, $0, isSelected: $0 == query.version) },
            presences: FleetQuery.Presence.allCases.map {
                Choice($0.rawValue, word($0), isSelected: $0 == query.presence)
            })
    }

    static func word(_ state: FleetState) -> String {
        switch state {
        case .current: "Up to date"
        case .updating: "Updating"
        case .attention: "Need attention"
        case .behind: "Behind"
        case .unseen: "Not seen yet"
        case .unassigned: "No release"
        case .revoked: "Revoked"
        }
    }

    private static func word(_ presence: FleetQuery.Presence) -> String {
        switch presence {
        case .online: "Online"
        case .offline: "Offline"
        case .silent: "Silent over 24 h"
        }
    }

    private static func chips(
        _ query: FleetQuery, _ address: FleetAddress, _ names: [String: String]
    ) -> [DevicesView.FilterChip] {
        let all: [(String, String, String?)] = [
            ("state", "State", query.state.map(word)), ("presence", "Presence", query.presence.map(word)),
            ("product", "Product", query.product.map { names[$0] ?? $0 }), ("version", "Version", query.version),
            ("target", "To version", query.target), ("owner", "Owner", query.owner), ("q", "Text", query.text),
        ]
        return all.compactMap { name, label, value in
            value.map { .init(label: label, value: $0, url: address.without(name)) }
        }
    }

    private static func columns(_ query: FleetQuery, _ address: FleetAddress) -> [DevicesView.Column] {
        let all: [(String, FleetQuery.Order?)] = [
            ("Device", .thing), ("Product", .product), ("Version", .version), ("State", nil), ("Detail", nil),
            ("Owner", .owner), ("Last seen", .lastSeen),
        ]
        return all.map { label, order in
            guard let order else { return DevicesView.Column(label: label) }
            let isSorted = order == query.order
            // The first click shows what is wanted most: names from the start, the last seen first.
            let isDown = isSorted ? !query.isDescending : order == .lastSeen
            return DevicesView.Column(
                label: label, url: address.sorted(by: (isDown ? "-" : "") + order.rawValue),
                isNumber: order == .lastSeen, isSorted: isSorted,
                order: isSorted ? (query.isDescending ? "descending" : "ascending") : nil,
                isDescending: isSorted && query.isDescending)
        }
    }

    private static func row(_ device: DeviceSummary, _ names: [String: String], now: Int64) -> DevicesView.Row {
        let phase = device.update.flatMap { UpdatePhase(rawValue: $0.state) }
        let isOpen = phase.map { !$0.isEnd || $0.isTrouble } ?? false
        var detail: String?
        if let update = device.update, let phase, isOpen {
            detail =
                phase == .downloading
                ? "\(update.percent) %"
                : phase.isTrouble || update.attempts > 0
                    ? update.reason : device.connected ? nil : "waits for the device"
        }
        return DevicesView.Row(
            key: device.thing, thing: device.thing, url: Place.device(device.thing), hardware: device.hardware ?? "",
            product: device.product.map { names[$0] ?? $0 } ?? "–", version: device.version ?? "–",
            target: device.state == .revoked ? nil : isOpen ? device.update?.version : device.offer?.version,
            chip: .of(device),
            detail: detail, owner: device.owner,
            seen: device.connected ? When(iso: nil, text: "now") : .ago(device.last_seen, now: now),
            isOnline: device.connected)
    }

    private static func pager(
        _ query: FleetQuery, _ page: FleetPage, _ address: FleetAddress, offset: Int
    ) -> DevicesView.Pager {
        let last = offset + page.devices.count
        return DevicesView.Pager(
            shown: "\(Figures.count(offset + 1)) to \(Figures.count(last)) of \(Figures.count(page.total))",
            firstUrl: query.cursor == nil ? nil : address.url(),
            nextUrl: page.next.map { address.page(behind: $0, offset: last) })
    }

    private static func add(_ context: FleetContext) -> DevicesView.Add {
        let choices = context.products.flatMap { product in
            product.hardware.map { Choice("\(product.slug) \($0)", "\(product.name), hardware \($0)") }
        }
        let server = context.server
        let parts = server.mqtts.split(separator: ":")
        let (host, port) = (parts.dropLast().joined(separator: ":"), parts.last ?? "8883")
        return DevicesView.Add(
            choices: choices, hasChoices: !choices.isEmpty,
            certificateCommand: agentCommand(
                server, thing: "{thing}", product: "{product}", hardware: "{hardware}", folder: "",
                authority: "ca.crt"),
            // The agent speaks by certificate: this is how a device's own firmware, or a hand, comes in by token.
            tokenCommand: "mosquitto_sub -h \(host) -p \(port) --cafile ca.crt -i {thing} -u {thing} "
                + "-P \"$(cat {thing}.token)\" -t '$aws/things/{thing}/shadow/update/delta'")
    }
}

/// The address of a list of devices, and of those next to it.
struct FleetAddress {
    private let filters: [(name: String, value: String)]
    private let sort: String?

    init(_ query: FleetQuery) {
        let all: [(String, String?)] = [
            ("q", query.text), ("product", query.product), ("state", query.state?.rawValue),
            ("version", query.version), ("presence", query.presence?.rawValue), ("target", query.target),
            ("owner", query.owner),
        ]
        filters = all.compactMap { name, value in value.map { (name, $0) } }
        let isUsual = query.order == .thing && !query.isDescending
        sort = isUsual ? nil : (query.isDescending ? "-" : "") + query.order.rawValue
    }

    func url(_ path: String = "/console/devices") -> String { Self.url(path, filters, ("sort", sort)) }

    func without(_ name: String) -> String {
        Self.url("/console/devices", filters.filter { $0.name != name }, ("sort", sort))
    }

    func sorted(by sort: String) -> String { Self.url("/console/devices", filters, ("sort", sort)) }

    func page(behind cursor: String, offset: Int) -> String {
        Self.url("/console/devices", filters, ("sort", sort), ("after", cursor), ("from", "\(offset)"))
    }

    private static func url(
        _ path: String, _ filters: [(name: String, value: String)], _ more: (name: String, value: String?)...
    ) -> String {
        let pairs = filters + more.compactMap { name, value in value.map { (name, $0) } }
        guard !pairs.isEmpty else { return path }
        return path + "?" + pairs.map { "\($0.name)=\(Place.part($0.value))" }.joined(separator: "&")
    }
}
