import AsyncHTTPClient
import Foundation
import NIOCore
import Operations

/// The demo's acts, in order.
struct DemoPlay: Sendable {
    let stage: DemoStage
    let patience: Duration
    private let state = DemoState()

    private static let product = "lamp"
    private static let owner = "ann"
    /// Device, hardware model, and the program in its image (nil: an image of a microcontroller).
    private static let cast = [("stock-1", "esp32", nil), ("agent-1", "linux", "demo-lamp" as String?)]

    init(stage: DemoStage, patience: Duration) {
        self.stage = stage
        self.patience = patience
    }

    func perform() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await acts() }
            group.addTask {
                try await Task.sleep(for: patience)
                throw CommandFailure(
                    "the demo did not finish", "not all devices run 1.0.5 after \(patience)",
                    "Look at the logs in \(stage.directory); a slower link needs --patience")
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func acts() async throws {
        let started = ContinuousClock.now
        try await openServer()
        let maker = state.client()
        defer { Task { await maker.close() } }
        try await prepare(maker)
        let session = try await signIn(maker)
        let owner = Client(server: maker.server, token: session, authorityFile: "")
        defer { Task { await owner.close() } }
        say("owner \(Self.owner) signs in and listens for news")
        let events = try await owner.open("GET", "/app/listen", timeout: .hours(24))
        try await waitForDevices(owner)
        say("maker publishes 1.0.5")
        for (_, hardware, program) in Self.cast {
            try await publish("1.0.5", hardware, program, maker)
        }
        try await follow(EventLines(events.body), owner)
        say("both devices run 1.0.5, \(Self.seconds(since: started)) after the start")
    }

    private func openServer() async throws {
        let data = stage.directory + "/data"
        let flags = ["http", "https", "mqtt", "mqtts"].flatMap { ["--\($0)", "127.0.0.1:0"] }
        let server = try stage.start("apus", ["serve", "--data-dir", data] + flags, log: "server")
        while !stage.output("server").contains("ready ") {
            guard server.isRunning else {
                throw CommandFailure(
                    "the server did not start", stage.output("server"), "Run apus serve by itself to see why")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        let words = stage.output("server").split(whereSeparator: \.isNewline).first { $0.hasPrefix("ready ") } ?? ""
        var addresses: [String: String] = [:]
        for word in words.split(separator: " ").dropFirst() {
            let parts = word.split(separator: "=").map(String.init)
            if parts.count == 2 { addresses[parts[0]] = parts[1] }
        }
        let token = try String(contentsOfFile: data + "/admin.token", encoding: .utf8)
        state.set(addresses, token.trimmingCharacters(in: .whitespacesAndNewlines))
        say("server is ready at http://\(addresses["http"] ?? "?")")
    }

    /// The product, its owner and two devices on 1.0.4, each with a certificate of its own.
    private func prepare(_ maker: Client) async throws {
        _ = try await maker.send(
            "POST", "/api/v1/products",
            json: ["slug": Self.product, "name": "Desk lamp", "hardware": ["esp32", "linux"]],
            as: ProductSummary.self)
        _ = try await maker.send("POST", "/api/v1/users", json: ["uid": Self.owner], as: UserSummary.self)
        for (thing, hardware, program) in Self.cast {
            try await publish("1.0.4", hardware, program, maker)
            try await addDevice(thing, hardware, maker)
            try startDevice(thing, hardware, program)
        }
        say("product \"lamp\", owner \(Self.owner), devices stock-1 (ESP32 as in the article) and agent-1 (Linux)")
    }

    private struct Added: Decodable {
        var certificate: String
        var key: String
        var ca: String
    }

    private func addDevice(_ thing: String, _ hardware: String, _ maker: Client) async throws {
        let added = try await maker.send(
            "POST", "/api/v1/devices",
            json: ["thing": thing, "product": Self.product, "hardware": hardware, "owner": Self.owner], as: Added.self)
        let base = "\(stage.directory)/\(thing)"
        try added.certificate.write(toFile: base + ".crt", atomically: true, encoding: .utf8)
        try added.key.write(toFile: base + ".key", atomically: true, encoding: .utf8)
        try added.ca.write(toFile: "\(stage.directory)/ca.pem", atomically: true, encoding: .utf8)
    }

    private func startDevice(_ thing: String, _ hardware: String, _ program: String?) throws {
        let base = "\(stage.directory)/\(thing)"
        let common = [
            "--server-mqtt", state.address("mqtts"), "--thing", thing, "--cert", base + ".crt", "--key", base + ".key",
            "--ca", "\(stage.directory)/ca.pem", "--dir", base, "--link-speed", "\(stage.linkSpeed)",
        ]
        let url = "https://\(state.address("https"))/firmware/\(Self.product)/\(hardware)/"
        if let program {
            let image = "\(stage.directory)/\(program)-1.0.4.bin"
            _ = try stage.start(
                "apus-agent",
                common + [
                    "--firmware-url", url, "--initial-image", image, "--initial-version", "1.0.4", "--health-seconds",
                    "2",
                ],
                log: thing)
        } else {
            _ = try stage.start(
                "apus-stock-device", common + ["--firmware-url", url, "--initial-version", "1.0.4"], log: thing)
        }
    }

    private func publish(_ version: String, _ hardware: String, _ program: String?, _ maker: Client) async throws {
        let image = try stage.image(version, program: program)
        let data = try Data(contentsOf: URL(fileURLWithPath: image))
        let notes = Client.escaped("Warmer light in the evening.\n\nThe lamp is off for a moment while it restarts.")
        _ = try await maker.send(
            "POST", "/api/v1/products/\(Self.product)/releases?version=\(version)&hardware=\(hardware)&notes=\(notes)",
            body: .bytes(data), contentType: "application/octet-stream")
    }

    private struct Session: Decodable {
        var token: String
    }

    private func signIn(_ maker: Client) async throws -> String {
        let link = try await maker.send("POST", "/api/v1/users/\(Self.owner)/link", as: Session.self)
        return try await maker.send("POST", "/app/session", json: ["link": link.token], as: Session.self).token
    }

    private func waitForDevices(_ owner: Client) async throws {
        while true {
            let answer = try await owner.send("GET", "/app/devices", as: [String: [DeviceSummary]].self)
            let devices = answer["devices", default: []]
            if devices.count == 2, devices.allSatisfy({ $0.connected && $0.version == "1.0.4" }) { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        say("both devices are online and run 1.0.4")
    }

    /// Takes every offer, and shows what comes until both devices are done.
    private func follow(_ events: EventLines<HTTPClientResponse.Body>, _ owner: Client) async throws {
        let board = ProgressBoard(Self.cast.map(\.0))
        var done: Set<String> = []
        for try await event in events {
            switch event.kind {
            case "offer":
                board.note("owner is told: \(event.device) can go to \(event.version ?? "?"); presses Install")
                _ = try await owner.send(
                    "PUT", "/app/devices/\(event.device)",
                    body: .bytes(Client.encode(["firmware_version": event.version])))
            case "progress":
                board.show(event.device, event.state, event.percent ?? 0)
            case "done":
                board.show(event.device, "runs \(event.version ?? "?")", 100)
                done.insert(event.device)
                if done.count == Self.cast.count { return }
            case "failed":
                throw CommandFailure(
                    "\(event.device) was not updated", event.reason ?? event.state,
                    "Look at \(stage.directory)/\(event.device).log")
            default: continue
            }
        }
        throw CommandFailure(
            "the events ended", "the server closed the stream", "Look at \(stage.directory)/server.log")
    }

    /// Where everything is, for looking around afterwards.
    func printAddresses() {
        let link = stage.output("server").split(whereSeparator: \.isNewline).first { $0.contains("/setup#k=") } ?? ""
        say(
            """
            serving on; stop with Ctrl-C
              API     http://\(state.address("http"))  https://\(state.address("https"))
              MQTT    \(state.address("mqtt"))  TLS \(state.address("mqtts"))
              Files   \(stage.directory)
              Ask     apus device list --data-dir \(stage.directory)/data
              \(link)
            """)
    }

    private func say(_ text: String) {
        Console.result("demo: \(text)")
    }

    private static func seconds(since start: ContinuousClock.Instant) -> String {
        let duration = ContinuousClock.now - start
        return String(
            format: "%.1f s", Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18)
    }
}
