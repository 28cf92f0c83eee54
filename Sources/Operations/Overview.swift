import BlobStore
import Foundation
import GRDB
package import Releases
import Store

/// The whole fleet in numbers, with what happened last.
package struct FleetOverview: Sendable, Codable, Equatable {
    /// Devices of one product that run one version.
    package struct VersionCount: Sendable, Codable, Equatable {
        package var version: String
        package var devices: Int
    }

    /// What runs on the devices of one product.
    package struct ProductCount: Sendable, Codable, Equatable {
        package var slug: String
        package var name: String
        /// All of them, those without a version too.
        package var devices: Int
        /// Highest version first; what is no version comes last.
        package var versions: [VersionCount]
    }

    /// How the store is filled.
    package struct Storage: Sendable, Codable, Equatable {
        /// Bytes of the database's pages.
        package var database_bytes: Int64
        package var images: Int
        package var image_bytes: Int64
        /// Bytes that this server may still write, and that the file system has.
        package var free_bytes: Int64
        package var disk_bytes: Int64
    }

    /// What has been reached on the way to the first update, with what it was reached by.
    package struct FirstSteps: Sendable, Codable, Equatable {
        package var product: String?
        package var hardware: String?
        package var device: String?
        package var owner: String?
        /// A device that has connected.
        package var seen: String?
        package var release: String?
        /// A device on which an update succeeded, and its version.
        package var updated: String?
        package var updated_to: String?
    }

    /// Milliseconds since 1970.
    package var now: Int64
    package var devices: Int
    package var connected: Int
    /// Not connected for a day.
    package var silent: Int
    /// Every state, those with 0 too.
    package var states: [FleetState: Int]
    /// By slug.
    package var products: [ProductCount]
    package var releases: Int
    /// Newest first, at most twelve.
    package var activity: [Activity]
    /// Updates on their way, the last changed first, at most eight.
    package var running: [DeviceSummary]
    package var storage: Storage
    package var first: FirstSteps
}

extension FleetState: CodingKeyRepresentable {}

extension Operations {
    /// Counts the fleet.
    ///
    /// Devices with the same product, model, version and phase are judged together: a fleet of any size costs one walk
    /// through an index.
    package func overview() async throws -> FleetOverview {
        let now = Self.now()
        let path = blobs.root
        return try await store.read { transaction in
            let db = transaction.db
            let groups = try DeviceGroup.all(transaction)
            var states = Dictionary(uniqueKeysWithValues: FleetState.allCases.map { ($0, 0) })
            for group in groups { states[group.state, default: 0] += group.count }
            let devices = groups.reduce(0) { $0 + $1.count }
            return FleetOverview(
                now: now, devices: devices, connected: try Self.count("devices WHERE connected = 1", db),
                silent: try Self.count("devices WHERE connected = 0 AND last_seen < \(now - Self.silence)", db),
                states: states, products: try Self.mixes(groups, db), releases: try Self.count("releases", db),
                activity: try Self.activity(limit: 12, transaction), running: try Self.running(transaction),
                storage: try Self.storage(path, db), first: try Self.firstSteps(db))
        }
    }

    private static func count(_ what: String, _ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM \(what)") ?? 0
    }

    /// Devices that are alike in everything that their state depends on.
    private struct DeviceGroup {
        var product: String?
        var version: String?
        var state: FleetState
        var count: Int

        static func all(_ transaction: Transaction) throws -> [DeviceGroup] {
            var newestOf: [[String?]: ReleaseVersion?] = [:]
            return try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT product, hardware, reported_version, phase, revoked, COUNT(*) AS count FROM devices
                    GROUP BY product, hardware, reported_version, phase, revoked
                    """
            ).map { row in
                let model: [String?] = [row["product"], row["hardware"]]
                if newestOf[model] == nil {
                    newestOf[model] = .some(try Operations.newest(product: model[0], hardware: model[1], transaction))
                }
                return DeviceGroup(
                    product: model[0], version: row["reported_version"],
                    state: FleetState.of(
                        isRevoked: row["revoked"], phase: (row["phase"] as String?).flatMap(UpdatePhase.init),
                        running: row["reported_version"], newest: newestOf[model] ?? nil),
                    count: row["count"])
            }
        }
    }

    private static func mixes(_ groups: [DeviceGroup], _ db: Database) throws -> [FleetOverview.ProductCount] {
        try Row.fetchAll(db, sql: "SELECT slug, name FROM products ORDER BY slug").map { row in
            let slug: String = row["slug"]
            let own = groups.filter { $0.product == slug }
            var counts: [String: Int] = [:]
            for group in own { if let version = group.version { counts[version, default: 0] += group.count } }
            let versions = counts.map { (ReleaseVersion($0.key), $0.key, $0.value) }.sorted { left, right in
                switch (left.0, right.0) {
                case (let a?, let b?): b < a
                case (.some, nil): true
                case (nil, .some): false
                case (nil, nil): left.1 < right.1
                }
            }
            return FleetOverview.ProductCount(
                slug: slug, name: row["name"], devices: own.reduce(0) { $0 + $1.count },
                versions: versions.map { .init(version: $0.1, devices: $0.2) })
        }
    }

    private static func running(_ transaction: Transaction) throws -> [DeviceSummary] {
        try Row.fetchAll(
            transaction.db,
            sql: """
                SELECT d.* FROM updates u JOIN devices d USING (thing) WHERE u.ended IS NULL ORDER BY u.changed DESC LIMIT 8
                """
        ).map { try summary($0, transaction) }
    }

    private static func storage(_ path: String, _ db: Database) throws -> FleetOverview.Storage {
        let pages = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        let size = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
        let images = try Row.fetchOne(
            db, sql: "SELECT COUNT(*) AS count, COALESCE(SUM(size), 0) AS bytes FROM artifacts")
        var disk = statvfs()
        let isKnown = statvfs(path, &disk) == 0
        return FleetOverview.Storage(
            database_bytes: pages * size, images: images?["count"] ?? 0, image_bytes: images?["bytes"] ?? 0,
            free_bytes: isKnown ? Int64(clamping: UInt64(disk.f_bavail) * UInt64(disk.f_frsize)) : 0,
            disk_bytes: isKnown ? Int64(clamping: UInt64(disk.f_blocks) * UInt64(disk.f_frsize)) : 0)
    }

    private static func firstSteps(_ db: Database) throws -> FleetOverview.FirstSteps {
        let model = try Row.fetchOne(db, sql: "SELECT product, model FROM hardware ORDER BY product, model LIMIT 1")
        let device = try Row.fetchOne(db, sql: "SELECT thing, owner FROM devices ORDER BY thing LIMIT 1")
        let updated = try Row.fetchOne(
            db, sql: "SELECT thing, version FROM updates WHERE phase = 'succeeded' ORDER BY id LIMIT 1")
        return FleetOverview.FirstSteps(
            product: model?["product"], hardware: model?["model"], device: device?["thing"], owner: device?["owner"],
            seen: try String.fetchOne(db, sql: "SELECT thing FROM devices WHERE last_seen IS NOT NULL LIMIT 1"),
            release: try String.fetchOne(
                db, sql: "SELECT version FROM releases WHERE state = 'active' ORDER BY created LIMIT 1"),
            updated: updated?["thing"], updated_to: updated?["version"])
    }
}
