import Accounts
import ArgumentParser
import AsyncHTTPClient
import Foundation
import Identity
import NIOCore
import Operations
import Releases

/// A command that orders one thing of a device and shows what became of it.
protocol DeviceOrder: ServerCommand {
    /// The last segment of the path.
    static var order: String { get }
    var name: String { get }
}

extension DeviceOrder {
    func run(_ client: Client) async throws {
        let path = "/api/v1/devices/\(Client.escaped(name))/\(Self.order)"
        let data = try await client.send("POST", path, body: .bytes(Data("{}".utf8)))
        try present(data, as: DeviceSummary.self, DeviceCommand.show)
    }
}

struct DeviceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "Devices in the field.",
        subcommands: [
            Add.self, List.self, Show.self, Why.self, History.self, Update.self, Retry.self, Cancel.self, Revoke.self,
            Remove.self,
            Logs.self,
        ])

    private struct Added: Decodable {
        var device: DeviceSummary
        var certificate: String?
        var key: String?
        var ca: String
        var token: String?
    }

    struct Add: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a device and make its credential.",
            discussion: """
                Writes NAME.crt, NAME.key and ca.pem, or prints a device token with --token (no value behind it).

                Example: apus device add lamp-1 --product lamp --hardware esp32c3 --owner ann --out ./lamp-1
                """)
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name: also its MQTT client id and the certificate's name.") var name: String
        @Option(help: "Its product.") var product: String?
        @Option(help: "Its hardware model; needed where the product has several.") var hardware: String?
        @Option(help: "The account that owns it.") var owner: String?
        @Option(help: "Where to write the files.") var out = "."
        @Flag(
            name: .customLong("device-token"),
            help: "Print a device token instead of writing a certificate; \"--token\" without a value means the same.")
        var wantsToken = false

        func run(_ client: Client) async throws {
            let data = try await client.send(
                "POST", "/api/v1/devices",
                body: .bytes(
                    Client.encode([
                        "thing": name, "product": product, "hardware": hardware, "owner": owner, "token": wantsToken,
                    ])))
            let added = try JSONDecoder().decode(Added.self, from: data)
            if !wantsToken { try write(added) }
            if access.json { return Console.result(String(decoding: data, as: UTF8.self)) }
            if let token = added.token {
                Console.result(token)
                Console.note("MQTT user name \(name), password as printed; it is shown only now.")
            } else {
                Console.result("Device \(name): \(out)/\(name).crt, \(out)/\(name).key, \(out)/ca.pem")
            }
        }

        private func write(_ added: Added) throws {
            do {
                try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
                try PrivateFile.write(added.key ?? "", to: "\(out)/\(name).key", mode: 0o600)
                try PrivateFile.write(added.certificate ?? "", to: "\(out)/\(name).crt", mode: 0o644)
                try PrivateFile.write(added.ca, to: "\(out)/ca.pem", mode: 0o644)
            } catch {
                throw CommandFailure(
                    "cannot write the device's files", "\(out): \(error)",
                    "Choose a folder that can be written with --out")
            }
        }
    }

    struct List: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "List devices.",
            discussion: """
                Example: apus device list --product lamp --state attention
                States: current, behind, updating, attention, unseen, unassigned, revoked.
                """)
        @OptionGroup var access: ServerAccess
        @Option(help: "Only this product.") var product: String?
        @Option(help: "Only this owner's.") var owner: String?
        @Option(help: "Only devices in this state.") var state: String?
        @Option(help: "Only devices that report this version.") var version: String?
        @Option(help: "Only online, offline, or silent (for a day) ones.") var presence: String?
        @Option(help: "Only those with this text in thing, name or owner.") var search: String?
        @Option(help: "Only those on their way to this version, last tried with it, or offered it.") var target: String?
        @Option(
            parsing: .unconditional,
            help: "Order: thing, product, version, owner or last_seen; with - before it from the end.")
        var sort: String?
        @Flag(help: "Print all of them as CSV.") var csv = false

        func run(_ client: Client) async throws {
            let filters = [
                ("product", product), ("owner", owner), ("state", state), ("version", version), ("presence", presence),
                ("target", target), ("q", search), ("sort", sort), ("limit", "1000"),
            ].compactMap { name, value in value.map { "\(name)=\(Client.escaped($0))" } }.joined(separator: "&")
            if csv {
                let data = try await client.send("GET", "/api/v1/devices.csv?\(filters)")
                return FileHandle.standardOutput.write(data)
            }
            var all = FleetPage(devices: [], total: 0, next: nil)
            repeat {
                let cursor = all.next.map { "&cursor=\(Client.escaped($0))" } ?? ""
                let data = try await client.send("GET", "/api/v1/devices?\(filters)\(cursor)")
                let page = try JSONDecoder().decode(FleetPage.self, from: data)
                all = FleetPage(devices: all.devices + page.devices, total: page.total, next: page.next)
            } while all.next != nil
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            try present(try encoder.encode(all), as: FleetPage.self) { page in
                Table.print(
                    ["DEVICE", "PRODUCT", "HARDWARE", "OWNER", "VERSION", "STATE", "UPDATE", "ONLINE", "LAST SEEN"],
                    page.devices.map { device in
                        [
                            device.thing, device.product ?? "-", device.hardware ?? "-", device.owner ?? "-",
                            device.version ?? "-", device.state.rawValue, DeviceCommand.text(device.update),
                            device.connected ? "yes" : "no", Table.time(device.last_seen),
                        ]
                    })
            }
        }
    }

    struct Update: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Order an update of one device, without asking its owner.",
            discussion: "Example: apus device update lamp-1 1.0.5")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String
        @Argument(help: "Version of an active release.") var version: String

        func run(_ client: Client) async throws {
            let data = try await client.send(
                "POST", "/api/v1/devices/\(Client.escaped(name))/update",
                body: .bytes(Client.encode(["version": version])))
            try present(data, as: DeviceSummary.self, DeviceCommand.show)
        }
    }

    struct Retry: DeviceOrder {
        static let configuration = CommandConfiguration(
            abstract: "Order the version of the last update again, which did not succeed.",
            discussion: "Example: apus device retry lamp-1")
        static let order = "retry"
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String
    }

    struct Cancel: DeviceOrder {
        static let configuration = CommandConfiguration(
            abstract: "Take back the update that is on its way.",
            discussion: "Example: apus device cancel lamp-1")
        static let order = "cancel"
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String
    }

    struct Revoke: DeviceOrder {
        static let configuration = CommandConfiguration(
            abstract: "Take a device's rights back and close its connection.",
            discussion: "Example: apus device revoke lamp-1")
        static let order = "revoke"
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String
    }

    struct Remove: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a device with its history and log.", discussion: "Example: apus device remove lamp-1")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String

        func run(_ client: Client) async throws {
            _ = try await client.send("DELETE", "/api/v1/devices/\(Client.escaped(name))")
            Console.note("device \(name) is removed")
        }
    }

    struct Show: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one device.", discussion: "Example: apus device show lamp-1")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String

        func run(_ client: Client) async throws {
            let data = try await client.send("GET", "/api/v1/devices/\(Client.escaped(name))")
            try present(data, as: DeviceSummary.self, DeviceCommand.show)
        }
    }

    struct Why: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the rules that decide what a device is offered.",
            discussion: "Example: apus device why lamp-1")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String

        func run(_ client: Client) async throws {
            let data = try await client.send("GET", "/api/v1/devices/\(Client.escaped(name))/why")
            try present(data, as: Explanation.self) { explanation in
                Console.note(explanation.decision)
                Table.print(
                    ["RULE", "INPUT", "VERDICT"], explanation.rules.map { [$0.name, $0.input, $0.verdict.rawValue] })
            }
        }
    }

    struct History: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a device's updates step by step, and when it came and went.",
            discussion: "Example: apus device history lamp-1")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String

        func run(_ client: Client) async throws {
            let path = "/api/v1/devices/\(Client.escaped(name))"
            let updates = try await client.send("GET", path + "/updates")
            if access.json { return Console.result(String(decoding: updates, as: UTF8.self)) }
            let history = try JSONDecoder().decode([String: [UpdateHistory]].self, from: updates)
            let data = try await client.send("GET", path + "/presence")
            let presence = try JSONDecoder().decode([String: [PresenceEntry]].self, from: data)
            var rows = history["updates", default: []].flatMap { update in
                update.steps.map { ($0.at, "update \(update.version)", $0.phase.rawValue, $0.reason ?? "") }
            }
            rows += presence["presence", default: []].map {
                ($0.at, $0.connected ? "connected" : "disconnected", $0.address, $0.reason ?? "")
            }
            Table.print(
                ["WHEN", "WHAT", "STATE", "WHY"],
                rows.sorted { $0.0 > $1.0 }.map { [Table.time($0.0), $0.1, $0.2, $0.3] })
        }
    }

    static func show(_ device: DeviceSummary) {
        let rows: [(String, String)] = [
            ("device", device.thing), ("product", device.product ?? "-"), ("hardware", device.hardware ?? "-"),
            ("owner", device.owner ?? "-"), ("version", device.version ?? "unknown"), ("update", text(device.update)),
            ("online", device.connected ? "yes" : "no"), ("last seen", Table.time(device.last_seen)),
            ("rights", device.revoked ? "revoked" : "valid"),
        ]
        for (label, value) in rows {
            Console.result(label.padding(toLength: 11, withPad: " ", startingAt: 0) + value)
        }
    }

    static func text(_ update: UpdateSummary?) -> String {
        guard let update else { return "-" }
        let isRunning = ["queued", "downloading", "verifying", "installing", "restarting", "confirming"].contains(
            update.state)
        return "\(update.version) \(update.state)" + (isRunning ? " \(update.percent) %" : "")
            + (update.reason.map { " (\($0))" } ?? "")
    }
}

extension DeviceCommand {
    struct Logs: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a device's log, or follow it.",
            discussion: "Example: apus device logs lamp-1 --search OTA_UPDATE_FAILED --follow")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Thing name.") var name: String
        @Flag(name: .shortAndLong, help: "Go on with new lines as they come.") var follow = false
        @Option(help: "Only lines that contain this text.") var search: String?
        @Option(help: "Only lines of this level.") var level: String?
        @Option(help: "The newest so many lines.") var limit = 100

        private struct Line: Codable {
            var id: Int64
            var received: Int64
            var level: String
            var line: String
        }

        func run(_ client: Client) async throws {
            let path = "/api/v1/devices/\(Client.escaped(name))/logs"
            // Following begins before the past is read, so that no line falls between the two.
            let live = follow ? try await client.open("GET", path + "/follow", timeout: .hours(24 * 365)) : nil
            let query = [("search", search), ("level", level), ("limit", "\(limit)")]
                .compactMap { name, value in value.map { "\(name)=\(Client.escaped($0))" } }.joined(separator: "&")
            let data = try await client.send("GET", "\(path)?\(query)")
            let past = try JSONDecoder().decode([String: [Line]].self, from: data)["lines", default: []]
            if access.json, live == nil { return Console.result(String(decoding: data, as: UTF8.self)) }
            past.forEach(show)
            if let live { try await follow(live.body, after: past.last?.id ?? 0) }
        }

        private func follow(_ body: some AsyncSequence<ByteBuffer, any Error>, after last: Int64) async throws {
            var rest = Data()
            for try await piece in body {
                rest.append(contentsOf: piece.readableBytesView)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let text = rest[rest.startIndex..<end]
                    rest = Data(rest[(end + 1)...])
                    guard let line = try? JSONDecoder().decode(Line.self, from: text), line.id > last, matches(line)
                    else {
                        continue
                    }
                    show(line)
                }
            }
        }

        private func matches(_ line: Line) -> Bool {
            (search.map { line.line.localizedCaseInsensitiveContains($0) } ?? true)
                && (level.map { $0.uppercased() == line.level } ?? true)
        }

        private func show(_ line: Line) {
            guard !access.json else {
                let data = (try? JSONEncoder().encode(line)) ?? Data()
                return Console.result(String(decoding: data, as: UTF8.self))
            }
            Console.result(
                "\(Table.time(line.received))  \(line.level.padding(toLength: 5, withPad: " ", startingAt: 0))  \(line.line)"
            )
        }
    }
}
