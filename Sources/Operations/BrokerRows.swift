package import Broker
import Foundation
import GRDB
import Store

//  What the broker keeps on disk: sessions, subscriptions, queues, retained messages.

extension Operations {
    /// Stores changes of the broker, in order; `completion` hears after the commit.
    package func store(
        _ changes: [DurableChange], completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        store.submit(isolation: .savepoint) { transaction in
            for change in changes {
                try Self.apply(change, transaction.db)
            }
        } completion: {
            completion($0)
        }
    }

    private static func apply(_ change: DurableChange, _ db: Database) throws {
        switch change {
        case .retain(let topic, let payload, let qos, let properties, let stored):
            try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO retained (topic, payload, qos, properties, stored) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [Data(topic), Data(payload), qos, Data(properties), stored])
        case .forgetRetained(let topic):
            try db.cachedStatement(sql: "DELETE FROM retained WHERE topic = ?").execute(arguments: [Data(topic)])
        case .session(let key, let principal, let expiry, let ended):
            try db.cachedStatement(
                sql: """
                    INSERT INTO sessions (client, principal, expiry, ended) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (client) DO UPDATE SET principal = ?2, expiry = ?3, ended = ?4
                    """
            ).execute(arguments: [Data(key), principal, expiry, ended])
        case .dropSession(let key):
            try db.cachedStatement(sql: "DELETE FROM sessions WHERE client = ?").execute(arguments: [Data(key)])
        case .subscribe(let key, let filter, let options):
            try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO subscriptions (client, filter, options) VALUES (?, ?, ?)"
            ).execute(arguments: [Data(key), Data(filter), options])
        case .unsubscribe(let key, let filter):
            try db.cachedStatement(sql: "DELETE FROM subscriptions WHERE client = ? AND filter = ?")
                .execute(arguments: [Data(key), Data(filter)])
        case .enqueue(let key, let entry):
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO queue (client, sequence, packet, topic, payload, properties, retain, expires)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(
                arguments: [
                    Data(key), entry.sequence, entry.packetID, Data(entry.topic), Data(entry.payload),
                    Data(entry.properties),
                    entry.retain, entry.expires,
                ])
        case .dequeue(let key, let sequence):
            try db.cachedStatement(sql: "DELETE FROM queue WHERE client = ? AND sequence = ?")
                .execute(arguments: [Data(key), sequence])
        }
    }

    /// What an earlier run of the broker left.
    package func restoredBrokerState() async throws -> RestoredState {
        try await store.perform { transaction in
            let db = transaction.db
            var state = RestoredState()
            state.retained = try Row.fetchAll(db, sql: "SELECT * FROM retained").map {
                RestoredState.StoredRetained(
                    topic: $0.bytes("topic"), payload: $0.bytes("payload"), qos: $0["qos"],
                    properties: $0.bytes("properties"))
            }
            var positions: [[UInt8]: Int] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT * FROM sessions") {
                let key = row.bytes("client")
                positions[key] = state.sessions.count
                state.sessions.append(
                    RestoredState.StoredSession(
                        key: key, principal: row["principal"], expirySeconds: row["expiry"], endedAt: row["ended"]))
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM subscriptions") {
                guard let position = positions[row.bytes("client")] else { continue }
                state.sessions[position].subscriptions.append((row.bytes("filter"), row["options"]))
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM queue ORDER BY client, sequence") {
                guard let position = positions[row.bytes("client")] else { continue }
                state.sessions[position].queue.append(
                    StoredEntry(
                        sequence: row["sequence"], packetID: row["packet"], topic: row.bytes("topic"),
                        payload: row.bytes("payload"), properties: row.bytes("properties"), retain: row["retain"],
                        expires: row["expires"]))
            }
            return state
        }
    }
}

extension Row {
    fileprivate func bytes(_ column: String) -> [UInt8] {
        Array(self[column] as Data? ?? Data())
    }
}
