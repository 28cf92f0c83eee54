import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOSSL

/// Where the server is and who asks: the same options for every command that talks to it.
struct ServerAccess: ParsableArguments {
    @Option(help: "Address of the server (APUS_SERVER; else the server on this machine).")
    var server: String?

    @Option(help: "Token (APUS_TOKEN; else DATA/admin.token of the server on this machine).")
    var token: String?

    @Option(help: "Data directory of the server on this machine.")
    var dataDir: String?

    @Option(help: "Authority of a server with TLS, PEM (APUS_CA; else DATA/ca.pem).")
    var ca: String?

    @Flag(help: "Print one JSON document on standard output.")
    var json = false

    /// A client with what was given, or found on this machine.
    func client() throws -> Client {
        let environment = ProcessInfo.processInfo.environment
        let directory = dataDir ?? environment["APUS_DATA_DIR"] ?? "./apus-data"
        let address =
            server ?? environment["APUS_SERVER"] ?? Self.line(of: directory + "/server.url") ?? "http://127.0.0.1:8080"
        guard let secret = token ?? environment["APUS_TOKEN"] ?? Self.line(of: directory + "/admin.token") else {
            throw CommandFailure(
                "not signed in", "there is no token: no --token, no APUS_TOKEN, no \(directory)/admin.token",
                "Give a token, or name the server's --data-dir", code: .signIn)
        }
        let authority = ca ?? environment["APUS_CA"] ?? directory + "/ca.pem"
        return Client(
            server: address.hasSuffix("/") ? String(address.dropLast()) : address, token: secret,
            authorityFile: authority)
    }

    private static func line(of file: String) -> String? {
        let text = try? String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Talks to the API of a server.
struct Client: Sendable {
    let server: String
    let token: String
    private let http: HTTPClient

    init(server: String, token: String, authorityFile: String) {
        self.server = server
        self.token = token
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(10)
        // A refused connection is an answer: trying again until the time is up only keeps people waiting.
        configuration.connectionPool.retryConnectionEstablishment = false
        if server.hasPrefix("https:"), let roots = try? NIOSSLCertificate.fromPEMFile(authorityFile) {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.certificates(roots)]
            configuration.tlsConfiguration = tls
        }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// A server's refusal, as it is sent.
    private struct Problem: Decodable {
        var title: String
        var detail: String
        var advice: String?
    }

    /// Sends a request and answers the body.
    func send(
        _ method: String, _ path: String, body: HTTPClientRequest.Body? = nil, contentType: String = "application/json"
    ) async throws -> Data {
        let response = try await open(method, path, body: body, contentType: contentType, timeout: .hours(6))
        return try await Data(buffer: response.body.collect(upTo: 64 << 20))
    }

    /// Sends a request and answers the response, whose body is still to come.
    func open(
        _ method: String, _ path: String, body: HTTPClientRequest.Body? = nil, contentType: String = "application/json",
        timeout: TimeAmount
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: server + path)
        request.method = .RAW(value: method)
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let body {
            request.headers.add(name: "Content-Type", value: contentType)
            request.body = body
        }
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: timeout)
        } catch let error as HTTPClientError where error == .invalidURL || error == .emptyHost || error == .emptyScheme
        {
            throw CommandFailure(
                "not an address", "\(server) is no address of a server", "Write it as http://HOST:PORT", code: .usage)
        } catch {
            throw CommandFailure(
                "cannot reach the server", "\(server): \(error)",
                "Is it running? Start it with apus serve, or name it with --server", code: .unreachable)
        }
        guard (200..<300).contains(response.status.code) else { throw await failure(response) }
        return response
    }

    private func failure(_ response: HTTPClientResponse) async -> CommandFailure {
        let body = try? await Data(buffer: response.body.collect(upTo: 1 << 20))
        let problem = body.flatMap { try? JSONDecoder().decode(Problem.self, from: $0) }
        let code: CommandFailure.Code =
            switch response.status.code {
            case 401: .signIn
            case 404: .notFound
            case 400, 403, 409, 413, 422: .refused
            default: .failed
            }
        return CommandFailure(
            problem?.title.lowercased() ?? "the server refused", problem?.detail ?? "it answered \(response.status)",
            problem?.advice ?? "", code: code)
    }

    /// Sends a JSON object and decodes the answer.
    func send<T: Decodable>(_ method: String, _ path: String, json: [String: Any?] = [:], as type: T.Type) async throws
        -> T
    {
        let body = method == "GET" ? nil : try HTTPClientRequest.Body.bytes(Self.encode(json))
        return try JSONDecoder().decode(type, from: try await send(method, path, body: body))
    }

    /// A JSON object without its absent members.
    static func encode(_ json: [String: Any?]) throws -> Data {
        try JSONSerialization.data(withJSONObject: json.compactMapValues { $0 }, options: [.sortedKeys])
    }

    /// Closes the connections.
    func close() async {
        try? await http.shutdown()
    }

    /// A path segment or query value, percent-encoded.
    static func escaped(_ text: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }
}
