import AgentLinux
import ArgumentParser

/// `apus-agent`: keeps the firmware program of a Linux device up to date.
@main
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-agent",
        abstract: "Keeps the firmware program of a Linux device up to date over the air.",
        discussion: """
            Runs the program of the confirmed slot, listens to the device's shadow, fetches, verifies and \
            installs what is desired, and keeps a new program only if it says READY=1 on NOTIFY_SOCKET, lives \
            on, and the server is reached meanwhile.
            """,
        version: "0.1.0"
    )

    @Option(help: "The broker, HOST:PORT.")
    var serverMqtt: String

    @Option(help: "URL in front of VERSION.bin, such as https://host:8443/firmware/press/model-1/")
    var firmwareURL: String

    @Option(help: "The thing name: MQTT client id and common name of the certificate.")
    var thing: String

    @Option(help: "The device's certificate, PEM. Without --cert, --key and --ca nothing is encrypted.")
    var cert: String?

    @Option(help: "The device's private key, PEM.")
    var key: String?

    @Option(help: "Certificate of the server's authority, PEM.")
    var ca: String?

    @Option(help: "Directory for slots and record; made where it is missing.")
    var dir: String

    @Option(help: "Image the device leaves the factory with; needed once.")
    var initialImage: String?

    @Option(help: "Version of that image.")
    var initialVersion: String?

    @Option(help: "First level of the log topic.")
    var logPrefix = "mia"

    @Option(help: "Bytes a second that a download may take.")
    var linkSpeed: Int?

    @Flag(help: "Install versions older than the running one as well.")
    var allowDowngrade = false

    @Option(help: "Seconds after the first failed attempt; later ones wait 6 and 30 times as long.")
    var retrySeconds: UInt64 = 10

    @Option(help: "Seconds a new program has to say READY=1.")
    var trialSeconds: UInt64 = 30

    @Option(help: "Seconds it must live on after that.")
    var healthSeconds: UInt64 = 5

    @Option(help: "Seconds to reach the server in a trial.")
    var reachSeconds: UInt64 = 60

    func validate() throws {
        guard HostPort(serverMqtt) != nil else {
            throw ValidationError(
                "--server-mqtt \"\(serverMqtt)\": expected HOST:PORT, such as 127.0.0.1:8883"
            )
        }
        let files = [cert, key, ca].compactMap { $0 }
        guard files.isEmpty || files.count == 3 else {
            throw ValidationError("--cert, --key and --ca go together: give all three or none")
        }
        guard (initialImage == nil) == (initialVersion == nil) else {
            throw ValidationError("--initial-image and --initial-version go together")
        }
        guard linkSpeed ?? 1 > 0 else { throw ValidationError("--link-speed: expected a number above 0") }
        guard [retrySeconds, trialSeconds, healthSeconds, reachSeconds].allSatisfy({ $0 <= 86_400 }) else {
            throw ValidationError("no time may be longer than a day, 86400 seconds")
        }
    }

    func run() async throws {
        try await Agent(options()).run()
    }

    private func options() throws -> AgentOptions {
        guard let broker = HostPort(serverMqtt) else { throw ExitCode.validationFailure }
        var options = AgentOptions(broker: broker, firmwareURL: firmwareURL, thing: thing, directory: dir)
        if let cert, let key, let ca {
            options.credentials = AgentOptions.Credentials(certificate: cert, key: key, authority: ca)
        }
        if let initialImage, let initialVersion {
            options.factory = AgentOptions.Factory(image: initialImage, version: initialVersion)
        }
        options.logPrefix = logPrefix
        options.linkSpeed = linkSpeed
        options.allowsDowngrade = allowDowngrade
        options.retrySeconds = retrySeconds
        options.trialSeconds = trialSeconds
        options.healthSeconds = healthSeconds
        options.reachSeconds = reachSeconds
        return options
    }
}
