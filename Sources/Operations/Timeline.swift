import GRDB
package import Releases
import Store

/// One update of a device with everything that happened on its way.
package struct UpdateHistory: Sendable, Codable, Equatable {
    /// A phase that it reached.
    package struct Step: Sendable, Codable, Equatable {
        /// Milliseconds since 1970.
        package var at: Int64
        package var phase: UpdatePhase
        /// Attempts that had failed by then; for a stock device, downloads begun.
        package var attempt: Int
        package var reason: String?
    }

    package var id: Int64
    /// For support: names this update.
    package var code: String
    package var from: String?
    package var version: String
    package var state: UpdatePhase
    package var percent: Int
    package var attempts: Int
    package var reason: String?
    package var created: Int64
    package var ended: Int64?
    /// Oldest first; empty for an update from before steps were kept.
    package var steps: [Step]
}

extension Operations {
    /// The newest updates of a device, newest first, at most twenty.
    package func timeline(of thing: String) async throws -> [UpdateHistory] {
        try await store.read { transaction in
            _ = try Self.deviceRow(thing, transaction)
            return try Self.timeline(of: thing, transaction)
        }
    }

    static func timeline(of thing: String, _ transaction: Transaction) throws -> [UpdateHistory] {
        try Row.fetchAll(
            transaction.db, sql: "SELECT * FROM updates WHERE thing = ? ORDER BY id DESC LIMIT 20", arguments: [thing]
        ).map { row in
            let id: Int64 = row["id"]
            let steps = try Row.fetchAll(
                transaction.db, sql: "SELECT * FROM update_steps WHERE update_id = ? ORDER BY number", arguments: [id])
            return UpdateHistory(
                id: id, code: SupportCode.text(id), from: row["from_version"], version: row["version"],
                state: UpdatePhase(rawValue: row["phase"]) ?? .queued, percent: row["percent"],
                attempts: row["attempts"], reason: row["reason"], created: row["created"], ended: row["ended"],
                steps: steps.map {
                    UpdateHistory.Step(
                        at: $0["at"], phase: UpdatePhase(rawValue: $0["phase"]) ?? .queued, attempt: $0["attempt"],
                        reason: $0["reason"])
                })
        }
    }
}
