import Accounts
import Foundation
import Identity
import Logging
import Operations

/// What a start prints and makes: the administrator's token and, the first time, a link to sign in.
struct FirstStart {
    private let operations: Operations
    private let directory: DataDirectory
    private let options: ServerOptions
    private let bound: BoundPorts

    init(_ operations: Operations, _ directory: DataDirectory, _ options: ServerOptions, _ bound: BoundPorts) {
        self.operations = operations
        self.directory = directory
        self.options = options
        self.bound = bound
    }

    func run() async throws {
        try await keepAdminToken()
        let place = directory.file("server.url")
        bound.whenOpen { try? PrivateFile.write($0 + "\n", to: place, mode: 0o644) }
        let users = try await operations.users()
        if !users.contains(where: { $0.role == .admin }) {
            _ = try await operations.addUser(uid: "admin", role: .admin, password: nil)
            let link = try await operations.makeLink(uid: "admin")
            bound.whenOpen { Console.note("First start. Sign in once as admin: \($0)/setup#k=\(link.secret)") }
        }
        if options.isDevelopment { try await openHouse(users.map(\.uid)) }
    }

    /// The file `admin.token` is what the command line on this machine uses.
    private func keepAdminToken() async throws {
        let file = directory.file("admin.token")
        let known = try? String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        if let known, !known.isEmpty {
            return try await operations.installAdminToken(known)
        }
        let token = try await operations.makeAdminToken()
        try PrivateFile.write(token + "\n", to: file, mode: 0o600)
    }

    private func openHouse(_ known: [String]) async throws {
        Console.note("")
        Console.note("  --dev: ANY MQTT client is an administrator and AWS requests need no credentials.")
        Console.note("  Only this machine can connect. Never run it like this for real devices.")
        for (uid, role) in [("demo-owner", Role.owner), ("demo-operator", Role.operator)] {
            if !known.contains(uid) { _ = try await operations.addUser(uid: uid, role: role, password: nil) }
            let link = try await operations.makeLink(uid: uid)
            bound.whenOpen { Console.note("  Sign in as \(uid): \($0)/setup#k=\(link.secret)") }
        }
    }
}
