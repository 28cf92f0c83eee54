//  A simulated stock device: it speaks exactly what the article's firmware speaks, and nothing of Apus.
//
//  MQTT 3.1.1 over TLS, clean session, keep-alive 15 s, QoS 0. At boot it asks for its shadow with an empty message, takes
//  what is desired from `get/accepted` and `update/delta`, fetches URL + version + ".bin" in one plain GET, writes it to the
//  passive slot, restarts (here: connects anew), reports its settings and saves them. It reports no progress.

import ArgumentParser
import ByteKit
import Foundation
import JSONText
import NIOCore
import NIOSSL

@main
struct StockDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-stock-device",
        abstract: "A simulated device with the article's firmware, for demo and tests.")

    @Option(help: "HOST:PORT of MQTT over TLS.") var serverMqtt: String
    @Option(help: "FIRMWARE_UPGRADE_URL: what stands before VERSION.bin.") var firmwareUrl: String
    @Option(help: "Thing name.") var thing: String
    @Option(help: "Device certificate, PEM.") var cert: String
    @Option(help: "Device key, PEM.") var key: String
    @Option(help: "Root CA, PEM.") var ca: String
    @Option(help: "Where its flash is simulated.") var dir: String
    @Option(help: "Version it leaves the factory with.") var initialVersion = "1.0.4"
    @Option(help: "Speed of its link, bytes a second.") var linkSpeed = 1_000_000

    func run() async throws {
        try FileManager.default.createDirectory(atPath: dir, withIntermediateDirectories: true)
        let flash = Flash(directory: dir)
        var settings = flash.load() ?? ["firmware_version": initialVersion]
        while true {
            do {
                settings = try await boot(flash, settings)
            } catch {
                say("connection lost (\(error)); again in 1 s")
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func say(_ text: String) {
        FileHandle.standardOutput.write(Data("stock: \(text)\n".utf8))
    }

    /// One life from boot to restart; answers the settings that the next life runs with.
    private func boot(_ flash: Flash, _ start: [String: String]) async throws -> [String: String] {
        say("boots with \(start["firmware_version"] ?? "?")")
        let link = try await DeviceLink.connect(server: serverMqtt, thing: thing, tls: tls())
        let shadow = "$aws/things/\(thing)/shadow"
        for suffix in ["get/accepted", "get/rejected", "update/delta"] {
            try await link.subscribe("\(shadow)/\(suffix)")
        }
        var reported = start
        var desired = start
        try await report(reported, shadow, link)
        try await link.publish([], to: "\(shadow)/get")
        for try await message in link.messages {
            guard let wishes = Wishes.read(message.payload, isDelta: message.topic == "\(shadow)/update/delta") else {
                continue
            }
            desired.merge(wishes) { $1 }
            guard desired != reported else { continue }
            if let version = desired["firmware_version"], version != reported["firmware_version"] {
                try await log("INFO", "upgrade to \(version)", link)
                do {
                    try await Upgrade(base: firmwareUrl, version: version, ca: ca, linkSpeed: linkSpeed)
                        .run(into: dir + "/passive.bin")
                    try await log("INFO", "restart", link)
                    await link.close()
                    try flash.activate()
                    desired["firmware_version"] = version
                    flash.save(desired)
                    return desired
                } catch {
                    try await log("ERROR", "OTA_UPDATE_FAILED: \(error)", link)
                    desired["firmware_version"] = reported["firmware_version"]
                }
            }
            reported = desired
            flash.save(reported)
            try await report(reported, shadow, link)
        }
        throw DeviceLink.Closed()
    }

    private func report(_ settings: [String: String], _ shadow: String, _ link: DeviceLink) async throws {
        let document = ["state": ["reported": ["config": settings]]]
        let data = try JSONSerialization.data(withJSONObject: document, options: [.sortedKeys])
        try await link.publish(Array(data), to: "\(shadow)/update")
    }

    private func log(_ level: String, _ message: String, _ link: DeviceLink) async throws {
        say("\(message)")
        let line: [String: Any] = [
            "timestamp": Int(Date().timeIntervalSince1970), "message": message, "level": level, "thingName": thing,
            "freeHeap": 178_000, "usedBytes": 1_310_720,
        ]
        let data = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
        try await link.publish(Array(data), to: "mia/things/\(thing)/logs")
    }

    private func tls() throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(ca))
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(cert).map { .certificate($0) }
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        return configuration
    }
}

/// The settings that a shadow message names.
enum Wishes {
    /// Strings under `state.config` of a delta, `state.desired.config` of a whole document.
    static func read(_ payload: [UInt8], isDelta: Bool) -> [String: String]? {
        let text = payload.span
        guard let top = try? JSONScanner.validate(text, maximumDepth: 32),
            var place = JSONScanner.member("state", of: top, in: text)
        else { return nil }
        if !isDelta {
            guard let desired = JSONScanner.member("desired", of: place, in: text) else { return [:] }
            place = desired
        }
        guard let config = JSONScanner.member("config", of: place, in: text) else { return [:] }
        var wishes: [String: String] = [:]
        var members = JSONScanner.members(of: config)
        while let member = members.next(in: text) {
            var value: [UInt8] = []
            guard JSONScanner.string(of: member.value, in: text, into: &value) else { continue }
            wishes[String(decoding: text.slice(member.key).copy(), as: UTF8.self)] = String(
                decoding: value, as: UTF8.self)
        }
        return wishes
    }
}

/// The device's non-volatile storage and slots.
struct Flash {
    let directory: String

    func load() -> [String: String]? {
        guard let data = FileManager.default.contents(atPath: directory + "/nvs.json") else { return nil }
        return try? JSONDecoder().decode([String: String].self, from: data)
    }

    func save(_ settings: [String: String]) {
        let data = try? JSONEncoder().encode(settings)
        try? data?.write(to: URL(fileURLWithPath: directory + "/nvs.json"), options: .atomic)
    }

    func activate() throws {
        guard rename(directory + "/passive.bin", directory + "/active.bin") == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }
}
