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

        package init(at: Int64, phase: UpdatePhase, attempt: Int, reason: String?) {
            self.at = at
            self.phase = phase
            self.attempt = attempt
            self.reason = reason
        }
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

    package init(
        id: Int64, from: String?, version: String, state: UpdatePhase, percent: Int, attempts: Int, reason: String?,
        created: Int64, ended: Int64?, steps: [Step]
    ) {
        self.id = id
        code = SupportCode.text(id)
        self.from = from
        self.version = version
        self.state = state
        self.percent = percent
        self.attempts = attempts
        self.reason = reason
        self.created = created
        self.ended = ended
        self.steps = steps
    }
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
        ).map { try history($0, transaction) }
    }

    /// The update of a row with its steps.
    static func history(_ row: Row, _ transaction: Transaction) throws -> UpdateHistory {
        let steps = try Row.fetchAll(
            transaction.db, sql: "SELECT * FROM update_steps WHERE update_id = ? ORDER BY number",
            arguments: [row["id"] as Int64])
        return UpdateHistory(
            id: row["id"], from: row["from_version"], version: row["version"],
            state: UpdatePhase(rawValue: row["phase"]) ?? .queued, percent: row["percent"], attempts: row["attempts"],
            reason: row["reason"], created: row["created"], ended: row["ended"],
            steps: steps.map {
                UpdateHistory.Step(
                    at: $0["at"], phase: UpdatePhase(rawValue: $0["phase"]) ?? .queued, attempt: $0["attempt"],
                    reason: $0["reason"])
            })
    }
}
