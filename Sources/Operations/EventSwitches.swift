import GRDB
package import JobService
import Store

//  Which events of jobs and of the registry an operator has switched off.

extension Operations {
    /// What is switched on and off.
    package func eventConfigurations() async throws -> EventConfigurations {
        try await store.read(EventConfigurations.init)
    }

    /// Switches kinds of events on or off.
    package func switchEvents(_ changes: [EventKind: Bool]) async throws {
        try await store.perform { transaction in
            var configurations = try EventConfigurations(transaction)
            configurations.update(changes, at: UInt64(Self.now() / 1000))
            try configurations.save(transaction)
        }
    }
}

extension EventConfigurations {
    init(_ transaction: Transaction) throws {
        let statement = try transaction.db.cachedStatement(sql: "SELECT value FROM settings WHERE name = 'events off'")
        let text = try String.fetchOne(statement)
        let words = (text ?? "").split(separator: " ").map { String($0) }
        self.init(off: Set(words.dropFirst().compactMap(EventKind.init)), changedAt: words.first.flatMap { UInt64($0) })
    }

    fileprivate func save(_ transaction: Transaction) throws {
        let words = [String(changedAt ?? 0)] + off.map(\.rawValue).sorted()
        try transaction.db.execute(
            sql: "INSERT OR REPLACE INTO settings (name, value) VALUES ('events off', ?)",
            arguments: [words.joined(separator: " ")])
    }
}
