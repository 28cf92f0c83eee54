import GRDB
package import Releases
import ShadowDocument
import ShadowService
import Store

/// One device as its operator sees it, in one snapshot of the store.
package struct ConsoleDevice: Sendable {
    package var now: Int64
    package var summary: DeviceSummary
    package var facts: DeviceFacts
    package var why: Explanation
    package var productName: String?
    package var address: String?
    /// Whether it proves itself by a token rather than by a certificate.
    package var usesToken: Bool
    /// Active releases with an image for it that it may go to, highest first.
    package var versions: [String]
    package var updates: [UpdateHistory]
    package var presence: [PresenceEntry]
    /// The named shadows that exist, sorted.
    package var shadowNames: [String]
    /// The shadow asked for, with the time of its last change in milliseconds since 1970; nil where there is none.
    package var shadow: (document: [UInt8], version: UInt64, changed: Int64?)?
}

/// How much there is of everything.
package struct ConsoleCounts: Sendable, Equatable {
    package var devices: Int
    package var releases: Int
    package var products: Int
    package var users: Int
}

extension Operations {
    /// One device, with its classic shadow or the one called `shadow`.
    package func consoleDevice(_ thing: String, shadow name: String?) async throws -> ConsoleDevice {
        let now = Self.now()
        return try await store.read { transaction in
            let row = try Self.deviceRow(thing, transaction)
            let facts = try Self.facts(row, transaction)
            var device = ConsoleDevice(
                now: now, summary: try Self.summary(row, transaction), facts: facts,
                why: Explanation(facts, now: now),
                productName: try String.fetchOne(
                    transaction.db, sql: "SELECT name FROM products WHERE slug = ?", arguments: [facts.product]),
                address: row["address"], usesToken: row["token_hash"] != nil,
                versions: try Self.versions(for: facts, transaction),
                updates: try Self.timeline(of: thing, transaction), presence: try Self.presence(of: thing, transaction),
                shadowNames: try String.fetchAll(
                    transaction.db,
                    sql: "SELECT name FROM shadows WHERE thing = ? AND name <> '' AND deleted = 0 ORDER BY name",
                    arguments: [thing]))
            if let id = ShadowID(thing: thing, name: name), let stored = try transaction.shadow(id), !stored.isDeleted {
                device.shadow = (stored.document, stored.version, stored.changed.map { Int64(min($0, 1 << 52)) * 1000 })
            }
            return device
        }
    }

    private static func versions(for facts: DeviceFacts, _ transaction: Transaction) throws -> [String] {
        let running = facts.running.flatMap { ReleaseVersion($0) }
        return try String.fetchAll(
            transaction.db,
            sql: """
                SELECT r.version FROM releases r JOIN artifacts a USING (product, version)
                WHERE r.product = ? AND a.hardware = ? AND r.state = 'active'
                """, arguments: [facts.product, facts.hardware]
        ).compactMap { ReleaseVersion($0) }.filter { version in running.map { $0 < version } ?? true }
            .sorted { $1 < $0 }.map(\.text)
    }

    /// How much there is of everything, for the menu.
    package func consoleCounts() async throws -> ConsoleCounts {
        try await store.read { transaction in
            func count(_ table: String) throws -> Int {
                try Int.fetchOne(transaction.db, sql: "SELECT COUNT(*) FROM \(table)") ?? 0
            }
            return ConsoleCounts(
                devices: try count("devices"), releases: try count("releases"), products: try count("products"),
                users: try count("users"))
        }
    }

    /// How many devices each hardware model of a product has.
    package func hardwareCounts(_ product: String) async throws -> [String: Int] {
        try await store.read { transaction in
            let rows = try Row.fetchAll(
                transaction.db,
                sql: "SELECT hardware, COUNT(*) AS count FROM devices WHERE product = ? GROUP BY hardware",
                arguments: [product])
            return Dictionary(
                rows.compactMap { row in (row["hardware"] as String?).map { ($0, row["count"] as Int) } },
                uniquingKeysWith: +)
        }
    }

    /// How many devices each owner has.
    package func deviceCounts() async throws -> [String: Int] {
        try await store.read { transaction in
            let rows = try Row.fetchAll(
                transaction.db,
                sql: "SELECT owner, COUNT(*) AS count FROM devices WHERE owner IS NOT NULL GROUP BY owner")
            return Dictionary(rows.map { ($0["owner"] as String, $0["count"] as Int) }, uniquingKeysWith: +)
        }
    }

    /// How many devices of a product run a version, and how many are on the way to it: updating, offered it, or in trouble
    /// with it.
    package func spread(
        of version: String, product: String
    ) async throws -> (running: Int, updating: Int, offered: Int, troubled: Int, total: Int) {
        func count(_ change: (inout FleetQuery) -> Void) async throws -> Int {
            var query = FleetQuery()
            query.product = product
            query.limit = 1
            change(&query)
            return try await fleet(query).total
        }
        func target(_ state: FleetState) async throws -> Int {
            try await count {
                $0.target = version
                $0.state = state
            }
        }
        return (
            try await count { $0.version = version }, try await target(.updating), try await target(.behind),
            try await target(.attention), try await count { _ in }
        )
    }
}
