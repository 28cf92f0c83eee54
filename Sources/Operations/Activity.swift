import GRDB
import Releases
import Store

/// Something that happened in the fleet, as the console's feed tells it.
package struct Activity: Sendable, Codable, Equatable {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case productAdded = "product_added"
        case productRemoved = "product_removed"
        case releaseSaved = "release_saved"
        case releasePublished = "release_published"
        case releaseWithdrawn = "release_withdrawn"
        case deviceAdded = "device_added"
        case deviceRevoked = "device_revoked"
        case deviceRemoved = "device_removed"
        case updateBegan = "update_began"
        case updateSucceeded = "update_succeeded"
        case updateFailed = "update_failed"
        case updateRolledBack = "update_rolled_back"
        case updateTimedOut = "update_timed_out"
        case updateCancelled = "update_cancelled"
    }

    /// Grows with each event.
    package var id: Int64
    /// Milliseconds since 1970.
    package var at: Int64
    package var kind: Kind
    package var thing: String?
    package var product: String?
    package var version: String?
    /// A reason, as a device or an operator gave it.
    package var detail: String?
}

extension Operations {
    /// Events kept.
    private static let activityKept = 1000

    /// Keeps an event for the feed, and tells open consoles.
    static func note(
        _ kind: Activity.Kind, thing: String? = nil, product: String? = nil, version: String? = nil,
        detail: String? = nil, _ transaction: Transaction, _ now: Int64
    ) throws {
        try transaction.db.execute(
            sql: "INSERT INTO activity (at, kind, thing, product, version, detail) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [now, kind.rawValue, thing, product, version, detail])
        let id = transaction.db.lastInsertedRowID
        if id % 64 == 0 {
            try transaction.db.execute(sql: "DELETE FROM activity WHERE id <= ?", arguments: [id - Int64(activityKept)])
        }
        transaction.afterCommit(.changed(thing: thing))
    }

    /// The newest events, newest first.
    static func activity(limit: Int, _ transaction: Transaction) throws -> [Activity] {
        try Row.fetchAll(
            transaction.db, sql: "SELECT * FROM activity ORDER BY id DESC LIMIT ?", arguments: [limit]
        ).compactMap { row in
            Activity.Kind(rawValue: row["kind"]).map {
                Activity(
                    id: row["id"], at: row["at"], kind: $0, thing: row["thing"], product: row["product"],
                    version: row["version"], detail: row["detail"])
            }
        }
    }
}

extension Activity.Kind {
    /// What the feed calls an update that reached `phase`; nil where it is not worth a line.
    static func of(_ phase: UpdatePhase) -> Self? {
        switch phase {
        case .succeeded: .updateSucceeded
        case .failed: .updateFailed
        case .rolledBack: .updateRolledBack
        case .timedOut: .updateTimedOut
        case .cancelled: .updateCancelled
        default: nil
        }
    }
}
