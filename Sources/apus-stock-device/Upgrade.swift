import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// The article's upgrade: one GET, every chunk written to the passive slot, the length compared at the end.
struct Upgrade {
    /// Why an upgrade failed.
    enum Fault: Error {
        case status(UInt)
        case lengthMissing
        case cutShort(got: Int, of: Int)
    }

    let base: String
    let version: String
    let ca: String
    let linkSpeed: Int

    func run(into slot: String) async throws {
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(ca))
        configuration.tlsConfiguration = tls
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            try await fetch(client, into: slot)
            try await client.shutdown()
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private func fetch(_ client: HTTPClient, into slot: String) async throws {
        let response = try await client.execute(HTTPClientRequest(url: base + version + ".bin"), timeout: .minutes(10))
        guard response.status == .ok else { throw Fault.status(response.status.code) }
        guard let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }) else {
            throw Fault.lengthMissing
        }
        _ = FileManager.default.createFile(atPath: slot, contents: nil)
        guard let file = FileHandle(forWritingAtPath: slot) else { throw CocoaError(.fileWriteUnknown) }
        defer { try? file.close() }
        var received = 0
        let started = ContinuousClock.now
        for try await chunk in response.body {
            try file.write(contentsOf: Data(chunk.readableBytesView))
            received += chunk.readableBytes
            // The radio is as fast as it is: bytes beyond its speed have to wait in the network.
            let due = started + .milliseconds(received * 1000 / max(1, linkSpeed))
            try await Task.sleep(until: due)
        }
        guard received == length else { throw Fault.cutShort(got: received, of: length) }
    }
}
