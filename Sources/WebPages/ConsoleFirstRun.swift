package import Operations

extension ConsolePages {
    struct FirstRunView {
        struct Step {
            struct Action {
                var label: String
                var url: String
            }

            var key: String
            var number: String
            var title: String
            /// `done`, `now` or `next`.
            var state = "next"
            var isDone = false
            var isNow = false
            var sentence: String?
            var command: String?
            var detail: String?
            var action: Action?
        }

        struct LocalOnly {
            var command = "apus serve --public ota.example.net"
        }

        var steps: [Step]
        var localOnly: LocalOnly?
    }

    /// Whether the way to the first confirmed update is what a reader needs most.
    package static func needsChecklist(_ overview: FleetOverview) -> Bool {
        overview.first.updated == nil && overview.devices < 10
    }

    /// The five steps with their commands filled in; a step that is done ticks itself.
    package func firstRun(_ reader: Reader, _ overview: FleetOverview, _ server: Server) -> String {
        var shell = shell(reader, title: "Welcome")
        shell.nav.isOverview = true
        shell.listenUrl = "/api/v1/listen"
        shell.crumbs = .init(here: "Overview")
        let first = overview.first
        let product = first.product ?? "lamp"
        let model = first.hardware ?? "esp32c3"
        let thing = first.device ?? "lamp-1"
        let version = first.release ?? "1.0.5"
        let done: [(isDone: Bool, detail: String?)] = [
            (true, "\(server.version), everything is kept in \(server.dataDirectory)"),
            (first.product != nil, "\(product), hardware \(model)"),
            (first.device != nil, thing + (first.owner.map { ", owner \($0)" } ?? "")),
            (first.seen != nil, first.seen), (first.release != nil, first.release),
            (first.updated != nil, first.updated),
        ]
        var steps = [
            FirstRunView.Step(key: "server", number: "0", title: "Server runs"),
            .init(
                key: "product", number: "1", title: "Add a product",
                sentence: "What you sell, and the hardware models it comes in.",
                command: "apus product add lamp --name \"Desk lamp\" --hardware esp32c3",
                action: .init(label: "Add product", url: "/console/products#open-add-product")),
            .init(
                key: "device", number: "2", title: "Add a device",
                sentence: "It gets a certificate of its own; the private key is shown once.",
                command: "apus device add lamp-1 --product \(product) --hardware \(model) --out lamp-1",
                action: .init(label: "Add device", url: "/console/devices#open-add-device")),
            .init(
                key: "agent", number: "3", title: "Start its agent",
                sentence:
                    "On the device, or here to try it out; once with the program that runs there now. It connects and reports.",
                command: Self.agentCommand(
                    server, thing: thing, product: product, hardware: model, folder: "\(thing)/", authority: "ca.pem")),
            .init(
                key: "release", number: "4", title: "Publish a release",
                sentence: "A higher version than the one that runs, as your build made it.",
                command: "apus release publish \(product)-1.0.5.bin --product \(product) --version 1.0.5",
                action: .init(label: "Publish release", url: "/console/releases")),
            .init(
                key: "update", number: "5", title: "See the first update confirmed",
                sentence: "The owner presses Install, or you start it here.",
                command: "apus device update \(thing) \(version)",
                action: .init(label: "Open the device", url: Place.device(thing))),
        ]
        let now = done.firstIndex { !$0.isDone }
        for index in steps.indices {
            steps[index].isDone = done[index].isDone
            steps[index].isNow = index == now
            steps[index].state = done[index].isDone ? "done" : index == now ? "now" : "next"
            steps[index].detail = done[index].isDone ? done[index].detail : nil
            if done[index].isDone { (steps[index].sentence, steps[index].command) = (nil, nil) }
            if index != now { steps[index].action = nil }
        }
        return render("first-run", shell, FirstRunView(steps: steps, localOnly: server.isLocalOnly ? .init() : nil))
    }

    /// How a device's agent is started for the first time: it must know what runs already.
    static func agentCommand(
        _ server: Server, thing: String, product: String, hardware: String, folder: String, authority: String
    ) -> String {
        "apus-agent --server-mqtt \(server.mqtts) --firmware-url \(server.publicURL)/firmware/\(product)/\(hardware)/ "
            + "--thing \(thing) --cert \(folder)\(thing).crt --key \(folder)\(thing).key --ca \(folder)\(authority) "
            + "--dir \(folder)slots --initial-image \(product)-1.0.4.bin --initial-version 1.0.4"
    }
}
