import ArgumentParser
import Foundation

/// `HOST:PORT` of a listener; IPv6 addresses in brackets.
struct ListenAddress: ExpressibleByArgument, Equatable, Sendable, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = Int(argument[argument.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        let host = argument[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        guard !host.isEmpty else { return nil }
        self.init(host: host, port: port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    /// Whether the address can be bound at this moment; only IPv4 addresses are tried.
    var canBeBound: Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return true }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}

/// The environment's and the env file's part of the settings: flag > environment `APUS_*` > env file > default.
enum EnvironmentSettings {
    /// Flags of `apus serve` that may come from the environment, with their variables.
    private static let flags = [
        "data-dir", "http", "https", "mqtt", "mqtts", "public", "max-keep-alive", "deny", "dev", "insecure-mqtt",
        "aws-limits",
        "env-file",
    ]

    /// Puts settings of environment and env file in front of the arguments of `apus serve`, where they name no flag.
    static func complete(_ arguments: [String], environment: [String: String]) throws -> [String] {
        guard arguments.first == "serve" else { return DeviceTokenFlag.rewritten(arguments) }
        var values = try envFile(arguments, environment)
        values.merge(environment.filter { $0.key.hasPrefix("APUS_") }) { $1 }
        var added: [String] = []
        for flag in flags where !arguments.contains(where: { $0 == "--\(flag)" || $0.hasPrefix("--\(flag)=") }) {
            guard let value = values["APUS_" + flag.uppercased().replacing("-", with: "_")], !value.isEmpty else {
                continue
            }
            switch flag {
            case "env-file": continue
            case "aws-limits", "dev", "insecure-mqtt":
                if ["1", "true", "yes"].contains(value.lowercased()) { added.append("--\(flag)") }
            case "public", "deny": added += value.split(separator: ",").flatMap { ["--\(flag)", String($0)] }
            default: added += ["--\(flag)", value]
            }
        }
        return ["serve"] + added + arguments.dropFirst()
    }

    private static func envFile(_ arguments: [String], _ environment: [String: String]) throws -> [String: String] {
        var path = environment["APUS_ENV_FILE"]
        if let index = arguments.firstIndex(of: "--env-file"), index + 1 < arguments.count {
            path = arguments[index + 1]
        }
        guard let path else { return [:] }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure("cannot read the env file", "\(path) is missing or not readable", "Check --env-file")
        }
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            guard !trimmed.hasPrefix("#"), let equals = trimmed.firstIndex(of: "=") else { continue }
            let value = trimmed[trimmed.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            values[String(trimmed[..<equals]).trimmingCharacters(in: .whitespaces)] =
                value.trimmingCharacters(in: CharacterSet(charactersIn: "\"'"))
        }
        return values
    }
}

/// `apus device add … --token` asks for a device token; `--token SECRET` says who asks, as everywhere.
enum DeviceTokenFlag {
    static func rewritten(_ arguments: [String]) -> [String] {
        guard arguments.prefix(2) == ["device", "add"] else { return arguments }
        return arguments.indices.map { index in
            guard arguments[index] == "--token" else { return arguments[index] }
            let next = index + 1 < arguments.count ? arguments[index + 1] : ""
            return next.hasPrefix("apus_") || next.hasPrefix("session_") ? "--token" : "--device-token"
        }
    }
}
