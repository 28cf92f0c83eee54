import Accounts
package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
package import NIOCore
package import NIOSSL
package import Operations
package import WebPages
import HTTPTypes

/// The HTTP side of the server: one router behind a plain and a TLS listener.
package struct HTTPService: Sendable {
    /// What the listeners need to know beside the operations.
    package struct Configuration: Sendable {
        /// With `--dev`: AWS requests need no credentials.
        package var isDevelopment: Bool
        /// Largest image, bytes.
        package var imageLimit: Int
        /// Where links of the pages begin.
        package var publicURL: @Sendable () -> String
        /// What the console says of this server.
        package var server: @Sendable () -> ConsolePages.Server
        /// Who takes MQTT clients that come over WebSocket.
        package var broker: WebSocketMQTT.Broker
        /// What programs ask of the broker.
        package var programs: BrokerCalls
        /// Whether everything is loaded and open.
        package var isReady: @Sendable () -> Bool
        /// The numbers of `/metrics`, in Prometheus' text format.
        package var metrics: @Sendable () async -> String

        package init(
            isDevelopment: Bool, imageLimit: Int, publicURL: @escaping @Sendable () -> String,
            server: @escaping @Sendable () -> ConsolePages.Server, broker: @escaping WebSocketMQTT.Broker,
            programs: BrokerCalls,
            isReady: @escaping @Sendable () -> Bool,
            metrics: @escaping @Sendable () async -> String
        ) {
            self.isDevelopment = isDevelopment
            self.imageLimit = imageLimit
            self.publicURL = publicURL
            self.server = server
            self.broker = broker
            self.programs = programs
            self.isReady = isReady
            self.metrics = metrics
        }
    }

    private let operations: Operations
    private let hub: EventHub
    private let configuration: Configuration
    private let logger: Logger

    package init(operations: Operations, hub: EventHub, configuration: Configuration, logger: Logger) {
        self.operations = operations
        self.hub = hub
        self.configuration = configuration
        self.logger = logger
    }

    /// A listener at `host:port`, with `tls` one that speaks TLS.
    ///
    /// `opened` is called with the bound channel.
    package func listener(
        host: String, port: Int, tls: TLSConfiguration?, group: any EventLoopGroup,
        opened: @escaping @Sendable (any Channel) async -> Void
    ) throws -> any ApplicationProtocol {
        let (operations, broker) = (self.operations, configuration.broker)
        let access = AWSAccess(operations: operations, isDevelopment: configuration.isDevelopment)
        let server = HTTPServerBuilder { responder in
            let front = FrontChannel(
                responder: responder, operations: operations, access: access, isTLS: tls != nil, broker: broker)
            guard let tls else { return front }
            return try TLSChannel(front, tlsConfiguration: tls)
        }
        return Application(
            router: router(), server: server,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 4096),
            onServerRunning: opened, eventLoopGroupProvider: .shared(group), logger: logger)
    }

    private func router() -> Router<APIContext> {
        let router = Router(context: APIContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: ProblemMiddleware(isOwners: false))
        addHealth(to: router)
        AWSFront(
            access: AWSAccess(operations: operations, isDevelopment: configuration.isDevelopment),
            data: IoTData(operations: operations, broker: configuration.programs),
            jobs: IoTJobsData(operations: operations), control: IoTControl(operations: operations)
        ).add(to: router)

        let owners = router.group("app").add(middleware: ProblemMiddleware(isOwners: true))
        SessionRoutes(operations: operations).add(to: owners)
        let signedIn = owners.group().add(middleware: CallerMiddleware(operations: operations))
            .add(middleware: RoleMiddleware(needed: .owner))
        OwnerRoutes(operations: operations, hub: hub).add(to: signedIn)

        AssetRoutes().add(to: router)
        OwnerPageRoutes(operations: operations).add(to: router)
        ConsoleRoutes(operations: operations, server: configuration.server).add(to: router)

        let makers = router.group("api/v1").add(middleware: CallerMiddleware(operations: operations))
        MakerRoutes(operations: operations, hub: hub, imageLimit: configuration.imageLimit)
            .add(to: makers.group().add(middleware: RoleMiddleware(needed: .operator)))
        AdminRoutes(operations: operations, publicURL: configuration.publicURL)
            .add(to: makers.group().add(middleware: RoleMiddleware(needed: .admin)))
        return router
    }

    private func addHealth(to router: Router<APIContext>) {
        router.get("healthz") { _, _ in Self.text("ok\n") }
        router.get("readyz") { _, _ in
            let isReady = configuration.isReady()
            return Self.text(isReady ? "ready\n" : "starting\n", status: isReady ? .ok : .serviceUnavailable)
        }
        router.get("metrics") { _, _ in
            Self.text(await configuration.metrics(), contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
        router.get("ca.pem") { _, _ in
            Self.text(operations.authorityPEM, contentType: "application/x-pem-file")
        }
    }

    static func text(
        _ text: String, status: HTTPResponse.Status = .ok, contentType: String = "text/plain; charset=utf-8"
    ) -> Response {
        var response = Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        response.headers[.contentType] = contentType
        return response
    }
}
