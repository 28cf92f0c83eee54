package import Operations

//  Products and their hardware models, accounts and tokens.

extension ConsolePages {
    struct ProductsView {
        struct Row {
            var key: String
            var slug: String
            var name: String
            var url: String
            var hardware: String
            var format: String
            var devices: String
            var devicesUrl: String
            var support: String?
            var ownerPage: String
        }

        var hasProducts: Bool
        var products: [Row]
        var formats: [Choice]
        var command: String?
    }

    struct ProductView {
        struct Setting {
            var key: String
            var name: String
            var label: String
            /// One a line.
            var choices: String
        }

        struct Model {
            var key: String
            var model: String
            var devices: String
            var api: String
            var canRemove: Bool
        }

        struct Remove {
            var isPossible: Bool
            var sentence: String
        }

        var slug: String
        var name: String
        var api: String
        var sentence: String
        let canEdit = true
        var supportUntil: String
        var pictures: [Choice]
        var deliveries: [Choice]
        var offSeconds: String
        var minutes: String
        var settings: [Setting]
        var hardware: [Model]
        var remove: Remove
        var releasesUrl: String
        var devicesUrl: String
    }

    package func products(_ reader: Reader, _ products: [ProductSummary], _ overview: FleetOverview) -> String {
        var shell = shell(reader, title: "Products")
        shell.nav.isProducts = true
        shell.listenUrl = "/api/v1/listen"
        let view = ProductsView(
            hasProducts: !products.isEmpty,
            products: products.map { product in
                let count = overview.products.first { $0.slug == product.slug }?.devices ?? 0
                return .init(
                    key: product.slug, slug: product.slug, name: product.name, url: Place.product(product.slug),
                    hardware: product.hardware.joined(separator: ", "), format: Self.formats(product.format),
                    devices: Figures.count(count), devicesUrl: Place.devices(["product": product.slug]),
                    support: product.face.supportUntil.map(Figures.month), ownerPage: Self.ownerPage(product.face))
            },
            formats: [
                Choice("any", "Any that is recognised", isSelected: true),
                Choice("microcontroller", "Microcontroller images"), Choice("linux", "Linux programs"),
                Choice("raw", "Raw bytes, nothing is checked"),
            ],
            command: products.isEmpty ? "apus product add lamp --name \"Desk lamp\" --hardware esp32c3" : nil)
        return render("products", shell, view)
    }

    private static func ownerPage(_ face: ProductFace) -> String {
        let parts = [
            face.picture == "device" ? nil : face.picture, face.minutes.map { "\($0) min" },
            face.settings.isEmpty ? nil : face.settings.count == 1 ? "1 setting" : "\(face.settings.count) settings",
        ].compactMap(\.self)
        return parts.isEmpty ? "nothing said yet" : parts.joined(separator: ", ")
    }

    /// - Parameter devices: how many each hardware model has.
    package func product(
        _ reader: Reader, _ product: ProductSummary, devices: [String: Int], releases: Int
    ) -> String {
        var shell = shell(reader, title: product.name)
        shell.nav.isProducts = true
        shell.crumbs = .init(parent: .init(label: "Products", url: "/console/products"), here: product.name)
        shell.listenUrl = "/api/v1/listen"
        let total = devices.values.reduce(0, +)
        let api = "/api/v1/products/\(Place.part(product.slug))"
        let face = product.face
        let isEmpty = total == 0 && releases == 0
        let belongings = "\(Figures.count(total, "device")) and \(Figures.count(releases, "release"))"
        let setting = face.settings.first
        let view = ProductView(
            slug: product.slug, name: product.name, api: api,
            sentence: isEmpty
                ? "No device and no release yet."
                : "\(belongings), takes \(Self.formats(product.format).lowercased()).",
            supportUntil: face.supportUntil ?? "",
            pictures: ProductFace.pictures.map {
                Choice($0, $0.prefix(1).uppercased() + $0.dropFirst(), isSelected: $0 == face.picture)
            },
            deliveries: [(Delivery.shadow, "Shadow: desired version"), (.job, "Job of AWS IoT")].map {
                Choice($0.rawValue, $1, isSelected: $0 == product.delivery)
            },
            offSeconds: face.offSeconds.map(String.init) ?? "", minutes: face.minutes.map(String.init) ?? "",
            settings: [
                .init(
                    key: "phrase_type", name: "phrase_type", label: setting?.label ?? "",
                    choices: setting?.choices.joined(separator: "\n") ?? "")
            ],
            hardware: product.hardware.map { model in
                let count = devices[model, default: 0]
                return .init(
                    key: model, model: model, devices: count == 0 ? "no device" : Figures.count(count, "device"),
                    api: "\(api)/hardware/\(Place.part(model))", canRemove: count == 0)
            },
            remove: .init(
                isPossible: isEmpty,
                sentence: isEmpty
                    ? "It has no devices and no releases."
                    : "A product with devices or releases stays: \(belongings) belong to it."),
            releasesUrl: Place.releases(product.slug), devicesUrl: Place.devices(["product": product.slug]))
        return render("product", shell, view)
    }
}
