import Broker
import BrokerNIO
import BlobStore
import Crypto
import Foundation
import HTTPAPI
import Identity
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Operations
import ServiceLifecycle
import Store
import Synchronization
import UnixSignals
import WebPages

/// The whole server, wired.
struct Server: Sendable {
    let options: ServerOptions
    let operations: Operations
    private let store: Store
    private let hub: EventHub
    private let logs: LogCollector
    private let broker: BrokerServer
    private let http: HTTPService
    private let groups: ServerLoops
    private let tls: NIOSSLContext
    private let httpTLS: TLSConfiguration
    private let bound: BoundPorts
    private let logger: Logger

    /// Opens everything that is on disk and wires the parts; nothing listens yet.
    static func start(_ options: ServerOptions) async throws -> Server {
        LoggingSystem.bootstrapOnce()
        raiseFileLimit()
        signal(SIGHUP, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        // A write beyond the limit for the size of files fails then, as on a full disk.
        signal(SIGXFSZ, SIG_IGN)
        let logger = Logger(label: "apus")
        let directory = try DataDirectory(options.dataDirectory)
        do {
            return try await Server(options, directory, logger)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(
                "cannot open the data directory", "\(directory.path): \(error)",
                "See that the disk has room and that the files belong to this user")
        }
    }

    private init(_ options: ServerOptions, _ directory: DataDirectory, _ logger: Logger) async throws {
        self.options = options
        self.logger = logger
        groups = ServerLoops()
        let authority = try CertificateAuthority.open(directory: directory.path)
        let names = ["localhost", "127.0.0.1", "::1"] + options.publicNames
        let certificate = try ServerCertificate.current(names: names, authority: authority, directory: directory.path)
        let transport = try TransportSecurity(certificate, authority: authority.certificatePEM)
        tls = try NIOSSLContext(configuration: transport.configuration(protocols: ["mqtt", "x-amzn-mqtt-ca"]))
        httpTLS = transport.configuration(protocols: ["http/1.1", "x-amzn-http-ca"])

        store = try Store(path: directory.file("apus.sqlite"), logger: logger)
        var settings = Operations.Settings()
        settings.isDevelopment = options.isDevelopment
        if let cost = ProcessInfo.processInfo.environment["APUS_PASSWORD_COST"].flatMap({ Int($0) }) {
            settings.passwordCost = cost
        }
        operations = Operations(
            store: store, blobs: try BlobStore(root: directory.file("blobs")), authority: authority, settings: settings,
            logger: logger)
        hub = EventHub()
        logs = LogCollector(operations)
        try await operations.forgetPresence()
        var limits = options.hasAWSLimits ? .aws : BrokerLimits()
        let state = try await operations.restoredBrokerState(sendWindow: limits.restoredWindow)
        let machine = Machine(dataDirectory: directory.path)
        limits.fit(memory: machine.memory, disk: machine.freeDisk + state.queueBytes)
        bound = BoundPorts(options.addresses, options.publicNames.first)
        broker = BrokerServer(
            loop: groups.broker, version: Apus.version,
            policy: TopicPolicy(denied: options.denied.map { Array($0.utf8) }),
            longestKeepAlive: options.longestKeepAlive, limits: limits,
            state: state,
            hooks: Wiring.hooks(
                operations, logs, sendWindow: limits.restoredWindow, isDevelopment: options.isDevelopment),
            logger: logger)
        Wiring.route(store, to: broker, hub)
        let (bound, broker) = (self.bound, self.broker)
        http = HTTPService(
            operations: operations, hub: hub,
            configuration: .init(
                isDevelopment: options.isDevelopment, imageLimit: settings.imageBytes,
                publicURL: { bound.publicURL }, server: { bound.describe(directory, transport) },
                broker: { broker.adopt($0, address: $1, certificateThing: $2, signer: $3) },
                programs: Wiring.programs(broker),
                isReady: { bound.isComplete && broker.isServing },
                metrics: { await Metrics.text(broker, expiry: transport.expiry) }),
            logger: logger)
        let operations = self.operations
        bound.whenOpen { url in Task { try? await operations.notePublicURL(url) } }
        try await FirstStart(operations, directory, options, bound).run()
    }

    /// Listens until a signal ends it; then drains and answers.
    ///
    /// Prints the `ready` line on standard output when all listeners are open.
    func run() async throws {
        do {
            try await serve()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            await close()
            throw CommandFailure(
                "cannot listen", "\(bound.taken) is in use by another program",
                "Stop that program, or choose another port with --http, --https, --mqtt or --mqtts")
        } catch let error as IOError {
            await close()
            throw CommandFailure("cannot listen", "\(bound.description): \(error)", "Choose other addresses")
        }
        await close()
    }

    private func serve() async throws {
        let addresses = options.addresses
        let plain = try await broker.listen(host: addresses.mqtt.host, port: addresses.mqtt.port, tls: nil)
        bound.set(\.mqtt, plain)
        let secure = try await broker.listen(host: addresses.mqtts.host, port: addresses.mqtts.port, tls: tls)
        bound.set(\.mqtts, secure)
        let bound = self.bound
        let services: [any Service] = [
            try http.listener(
                host: addresses.http.host, port: addresses.http.port, tls: nil, group: groups.http
            ) { bound.set(\.http, $0) },
            try http.listener(
                host: addresses.https.host, port: addresses.https.port, tls: httpTLS, group: groups.http
            ) { bound.set(\.https, $0) },
            Maintenance(operations: operations, hub: hub, logger: logger),
            JobClock(operations: operations, logger: logger),
            Farewell(broker: broker, hub: hub, listeners: [plain, secure]),
        ]
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(5)
        try await ServiceGroup(configuration: configuration).run()
    }

    private func close() async {
        store.close()
        try? await groups.shutDown()
    }

    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// The threads of the server: one for the broker, one for HTTP; the store has its own.
struct ServerLoops: Sendable {
    private let brokerGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let http = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    var broker: any EventLoop { brokerGroup.any() }

    func shutDown() async throws {
        try await brokerGroup.shutdownGracefully()
        try await http.shutdownGracefully()
    }
}

/// The ports that were really bound; prints the `ready` line once all four are known.
final class BoundPorts: Sendable, CustomStringConvertible {
    private struct State {
        var addresses: ServerAddresses
        var open: Set<String> = []
        var announcements: [@Sendable (_ url: String) -> Void] = []
    }

    private let state: Mutex<State>
    private let publicName: String?
    /// Milliseconds since 1970.
    private let started = Int64(Date().timeIntervalSince1970 * 1000)

    init(_ addresses: ServerAddresses, _ publicName: String?) {
        state = Mutex(State(addresses: addresses))
        self.publicName = publicName
    }

    /// Calls `announcement` with the address of the pages once everything is open.
    func whenOpen(_ announcement: @escaping @Sendable (_ url: String) -> Void) {
        state.withLock { $0.announcements.append(announcement) }
    }

    func set(_ place: any WritableKeyPath<ServerAddresses, ListenAddress> & Sendable, _ channel: any Channel) {
        let port = channel.localAddress?.port ?? 0
        let opened: (addresses: ServerAddresses, announcements: [@Sendable (String) -> Void])? = state.withLock {
            state in
            state.addresses[keyPath: place].port = port
            state.open.insert("\(place)")
            return state.open.count == 4 ? (state.addresses, state.announcements) : nil
        }
        guard let (addresses, announcements) = opened else { return }
        Console.result(
            "ready http=\(addresses.http) https=\(addresses.https) mqtt=\(addresses.mqtt) mqtts=\(addresses.mqtts)")
        announcements.forEach { $0(publicURL) }
    }

    /// Those of the addresses that are not open and that nobody can bind now.
    var taken: String {
        let (addresses, open) = state.withLock { ($0.addresses, $0.open) }
        let all: [(String, ListenAddress)] = [
            ("\(\ServerAddresses.http)", addresses.http), ("\(\ServerAddresses.https)", addresses.https),
            ("\(\ServerAddresses.mqtt)", addresses.mqtt), ("\(\ServerAddresses.mqtts)", addresses.mqtts),
        ]
        let taken = all.filter { !open.contains($0.0) && $0.1.port != 0 && !$0.1.canBeBound }.map(\.1.description)
        return taken.isEmpty ? description : taken.joined(separator: ", ")
    }

    var isComplete: Bool { state.withLock { $0.open.count == 4 } }

    /// Where links begin: the public name over TLS, else this machine.
    var publicURL: String {
        let addresses = state.withLock { $0.addresses }
        if let publicName { return "https://\(publicName):\(addresses.https.port)" }
        let host = addresses.http.host == "0.0.0.0" ? "127.0.0.1" : addresses.http.host
        return "http://\(ListenAddress(host: host, port: addresses.http.port))"
    }

    /// What the console tells its reader.
    func describe(_ directory: DataDirectory, _ transport: TransportSecurity) -> ConsolePages.Server {
        let addresses = state.withLock { $0.addresses }
        let host = publicName ?? (addresses.mqtts.host == "0.0.0.0" ? "127.0.0.1" : addresses.mqtts.host)
        return ConsolePages.Server(
            version: Apus.version, dataDirectory: directory.path, started: started,
            certificateEnds: Int64(transport.expiry) * 1000, authorityEnds: Int64(transport.authorityExpiry) * 1000,
            isLocalOnly: addresses.mqtts.isLoopback, publicURL: publicURL,
            mqtts: "\(ListenAddress(host: host, port: addresses.mqtts.port))")
    }

    var description: String {
        let addresses = state.withLock { $0.addresses }
        return "\(addresses.http), \(addresses.https), \(addresses.mqtt), \(addresses.mqtts)"
    }
}

/// What the TLS listeners have in common.
struct TransportSecurity: Sendable {
    private let chain: [NIOSSLCertificate]
    private let key: NIOSSLPrivateKey
    private let roots: [NIOSSLCertificate]
    /// When the server's certificate ends, seconds since 1970.
    let expiry: Int
    /// When that of the authority does.
    let authorityExpiry: Int

    init(_ certificate: (certificatePEM: String, keyPEM: String), authority: String) throws {
        chain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.certificatePEM.utf8))
        key = try NIOSSLPrivateKey(bytes: Array(certificate.keyPEM.utf8), format: .pem)
        roots = try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8))
        expiry = Int(chain.first?.notValidAfter ?? 0)
        authorityExpiry = Int(roots.first?.notValidAfter ?? 0)
    }

    /// TLS 1.2 and later; device certificates are accepted, not demanded.
    func configuration(protocols: [String]) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.trustRoots = .certificates(roots)
        configuration.certificateVerification = .optionalVerification
        configuration.applicationProtocols = protocols
        return configuration
    }
}
