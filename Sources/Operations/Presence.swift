import GRDB
import Store

/// A moment at which a device came or went.
package struct PresenceEntry: Sendable, Codable, Equatable {
    /// Grows with each entry.
    package var id: Int64
    /// Milliseconds since 1970.
    package var at: Int64
    package var connected: Bool
    /// Address and port of its connection.
    package var address: String
    /// Why a connection ended, in the words of AWS IoT's lifecycle events; nil where it began, or is not known.
    package var reason: String?
}

extension Operations {
    /// Entries kept per device.
    private static let presenceKept = 50

    /// Notes that a thing came or went.
    package func notePresence(thing: String, isConnected: Bool, address: String, reason: String?) {
        let now = Self.now()
        store.submit(isolation: .savepoint) { transaction in
            let db = transaction.db
            try db.cachedStatement(sql: "UPDATE devices SET connected = ?, address = ?, last_seen = ? WHERE thing = ?")
                .execute(arguments: [isConnected, address, now, thing])
            guard db.changesCount > 0 else { return }
            try db.cachedStatement(
                sql: "INSERT INTO presence (thing, at, connected, address, reason) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [thing, now, isConnected, address, reason])
            try db.cachedStatement(
                sql: """
                    DELETE FROM presence WHERE thing = ?1 AND id <=
                        (SELECT id FROM presence WHERE thing = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
                    """
            ).execute(arguments: [thing, Self.presenceKept])
            transaction.afterCommit(.changed(thing: thing))
        } completion: { _ in
        }
    }

    /// When a device came and went, newest first.
    package func presence(of thing: String) async throws -> [PresenceEntry] {
        try await store.read { transaction in
            _ = try Self.deviceRow(thing, transaction)
            return try Self.presence(of: thing, transaction)
        }
    }

    static func presence(of thing: String, _ transaction: Transaction) throws -> [PresenceEntry] {
        try Row.fetchAll(
            transaction.db, sql: "SELECT * FROM presence WHERE thing = ? ORDER BY id DESC", arguments: [thing]
        ).map {
            PresenceEntry(
                id: $0["id"], at: $0["at"], connected: $0["connected"], address: $0["address"], reason: $0["reason"])
        }
    }

    /// After a start nobody is connected yet.
    package func forgetPresence() async throws {
        try await store.perform { try $0.db.execute(sql: "UPDATE devices SET connected = 0") }
    }
}
