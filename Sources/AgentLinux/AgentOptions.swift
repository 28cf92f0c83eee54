/// A host and a port.
public struct HostPort: Equatable, Sendable {
    /// Name or address; an IPv6 address without its brackets.
    public var host: String
    /// The port, 1 to 65 535.
    public var port: Int

    /// Reads `HOST:PORT` or `[ADDRESS]:PORT`; `nil` for anything else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }
}

/// Everything an agent is told once.
public struct AgentOptions: Sendable {
    /// The certificate files of a device, all PEM.
    public struct Credentials: Sendable {
        /// The device's certificate.
        public var certificate: String
        /// Its private key.
        public var key: String
        /// The authority that the server's certificate comes from.
        public var authority: String

        /// Names the three files.
        public init(certificate: String, key: String, authority: String) {
            self.certificate = certificate
            self.key = key
            self.authority = authority
        }
    }

    /// The firmware a device leaves the factory with.
    public struct Factory: Sendable {
        /// Path of the image.
        public var image: String
        /// Its version.
        public var version: String

        /// Names image and version.
        public init(image: String, version: String) {
            self.image = image
            self.version = version
        }
    }

    /// The broker.
    public var broker: HostPort
    /// Where images are: the URL of one is this, the version, and `.bin`.
    public var firmwareURL: String
    /// The thing name: at most 128 bytes of `[a-zA-Z0-9:_-]`.
    public var thing: String
    /// The files for mutual TLS; without them everything goes in the clear.
    public var credentials: Credentials?
    /// Where slots and record are kept.
    public var directory: String
    /// What to begin with where there is no record.
    public var factory: Factory?
    /// First level of the log topic `PREFIX/things/THING/logs`.
    public var logPrefix = "mia"
    /// Bytes a second that a download may take; `nil` for no bound.
    public var linkSpeed: Int?
    /// Whether versions older than the running one are installed.
    public var allowsDowngrade = false
    /// Pause after the first failed attempt, in seconds.
    public var retrySeconds: UInt64 = 10
    /// Time a new firmware has to say `READY=1`, in seconds.
    public var trialSeconds: UInt64 = 30
    /// Time it must live on after that, in seconds.
    public var healthSeconds: UInt64 = 5
    /// Time to reach the server in a trial, in seconds.
    public var reachSeconds: UInt64 = 60

    /// The options that have no default.
    public init(broker: HostPort, firmwareURL: String, thing: String, directory: String) {
        self.broker = broker
        self.firmwareURL = firmwareURL
        self.thing = thing
        self.directory = directory
    }
}

/// Why an agent cannot work at all; the text says what to do.
public struct AgentFault: Error, CustomStringConvertible, Sendable {
    /// Place, what was found, what to do.
    public let description: String

    /// A fault with its words.
    public init(_ description: String) {
        self.description = description
    }
}
