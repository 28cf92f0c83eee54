import ArgumentParser
import Foundation

/// `apus serve`: runs everything.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server: broker, shadows, API and downloads.",
        discussion: """
            Only this machine can connect unless --public is given. Every flag can also be set as APUS_… in the \
            environment or in the file of --env-file (flag > environment > file > default).

            Example: apus serve --data-dir /var/lib/apus --public ota.example.net
            """)

    @Option(help: "Everything the server keeps; created on first start, locked while in use.")
    var dataDir = "./apus-data"

    @Option(help: "API, AWS data plane and downloads, plain.")
    var http = ListenAddress(host: "127.0.0.1", port: 8080)

    @Option(help: "The same over TLS.")
    var https = ListenAddress(host: "127.0.0.1", port: 8443)

    @Option(help: "MQTT 3.1.1 and 5, plain; loopback only unless --insecure-mqtt.")
    var mqtt = ListenAddress(host: "127.0.0.1", port: 1883)

    @Option(help: "MQTT over TLS: device certificates or device tokens.")
    var mqtts = ListenAddress(host: "127.0.0.1", port: 8883)

    @Option(
        name: .customLong("public"), parsing: .singleValue,
        help: "Listen on all addresses; the name goes into the certificate and every URL. Repeatable.")
    var publicNames: [String] = []

    @Flag(help: "Allow plain MQTT beyond this machine.")
    var insecureMqtt = false

    @Flag(
        help: "AWS IoT's broker limits: 7 slashes, 8 filters in a SUBSCRIBE, 50 subscriptions, 100 messages a second.")
    var awsLimits = false

    @Option(help: "Larger and zero keep-alive intervals become this many seconds.")
    var maxKeepAlive: UInt16?

    @Option(parsing: .singleValue, help: "Nobody may publish or subscribe to this filter. Repeatable.")
    var deny: [String] = []

    @Flag(help: "For trying out, loopback only: any MQTT client is an administrator, AWS requests need no credentials.")
    var dev = false

    @Option(help: "A file with APUS_… settings, one a line.")
    var envFile: String?

    mutating func validate() throws {
        let exposed = [http, https, mqtt, mqtts].filter { !$0.isLoopback }
        if dev, !publicNames.isEmpty || !exposed.isEmpty {
            throw ValidationError(
                "--dev is for this machine only: it goes with loopback addresses and without --public.")
        }
        if !mqtt.isLoopback, !insecureMqtt {
            throw ValidationError(
                "--mqtt \(mqtt) would take passwords in the clear; use --mqtts, or allow it with --insecure-mqtt.")
        }
    }

    func run() async throws {
        var addresses = ServerAddresses(http: http, https: https, mqtt: mqtt, mqtts: mqtts)
        if !publicNames.isEmpty { addresses.open(includingPlainMQTT: insecureMqtt) }
        let server = try await Server.start(
            ServerOptions(
                dataDirectory: dataDir, addresses: addresses, publicNames: publicNames, longestKeepAlive: maxKeepAlive,
                denied: deny, hasAWSLimits: awsLimits,
                isDevelopment: dev))
        try await server.run()
    }
}

/// Where the four listeners are to be, or are.
struct ServerAddresses: Sendable {
    var http: ListenAddress
    var https: ListenAddress
    var mqtt: ListenAddress
    var mqtts: ListenAddress

    /// Listens on all addresses wherever only loopback was asked for.
    mutating func open(includingPlainMQTT: Bool) {
        if http.isLoopback { http.host = "0.0.0.0" }
        if https.isLoopback { https.host = "0.0.0.0" }
        if mqtts.isLoopback { mqtts.host = "0.0.0.0" }
        if includingPlainMQTT, mqtt.isLoopback { mqtt.host = "0.0.0.0" }
    }
}

/// What `apus serve` was asked for.
struct ServerOptions: Sendable {
    var dataDirectory: String
    var addresses: ServerAddresses
    var publicNames: [String]
    var longestKeepAlive: UInt16?
    var denied: [String]
    var hasAWSLimits: Bool
    var isDevelopment: Bool
}
