package import Broker
import Foundation
import GRDB
import Store

//  What the broker keeps on disk: sessions, subscriptions, retained messages; queues are in `QueueRows.swift`.

extension Operations {
    /// Stores changes of the broker, in order; `completion` hears after the commit.
    package func store(
        _ changes: [DurableChange], completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        store.submit(isolation: .savepoint) { transaction in
            for change in changes {
                try Self.apply(change, transaction)
            }
        } completion: {
            completion($0)
        }
    }

    private static func apply(_ change: DurableChange, _ transaction: Transaction) throws {
        switch change {
        case .retain, .forgetRetained: try applyRetained(change, transaction.db)
        case .enqueue, .release, .dequeue, .bequeath, .receive, .forgetReceived: try applyQueue(change, transaction)
        case .session, .dropSession, .will, .forgetWill, .subscribe, .unsubscribe:
            try applySession(change, transaction.db)
        }
    }

    private static func applyRetained(_ change: DurableChange, _ db: Database) throws {
        switch change {
        case .retain(let topic, let payload, let qos, let properties, let stored, let expires):
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO retained (topic, payload, qos, properties, stored, expires)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [Data(topic), Data(payload), qos, Data(properties), stored, expires])
        case .forgetRetained(let topic):
            try db.cachedStatement(sql: "DELETE FROM retained WHERE topic = ?").execute(arguments: [Data(topic)])
        default:
            break
        }
    }

    private static func applySession(_ change: DurableChange, _ db: Database) throws {
        switch change {
        case .session(let key, let principal, let expiry, let ended):
            try db.cachedStatement(
                sql: """
                    INSERT INTO sessions (client, principal, expiry, ended) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (client) DO UPDATE SET principal = ?2, expiry = ?3, ended = ?4
                    """
            ).execute(arguments: [Data(key), principal, expiry, ended])
        case .dropSession(let key):
            try db.cachedStatement(sql: "DELETE FROM sessions WHERE client = ?").execute(arguments: [Data(key)])
        case .will(let key, let will):
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO wills (client, topic, payload, qos, retain, properties, expiry, delay, due)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(
                arguments: [
                    Data(key), Data(will.topic), Data(will.payload), will.qos, will.retain, Data(will.properties),
                    will.expirySeconds, will.delaySeconds, will.due,
                ])
        case .forgetWill(let key):
            try db.cachedStatement(sql: "DELETE FROM wills WHERE client = ?").execute(arguments: [Data(key)])
        case .subscribe(let key, let filter, let options, let identifier):
            try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO subscriptions (client, filter, options, identifier) VALUES (?, ?, ?, ?)"
            ).execute(arguments: [Data(key), Data(filter), options, identifier])
        case .unsubscribe(let key, let filter):
            try db.cachedStatement(sql: "DELETE FROM subscriptions WHERE client = ? AND filter = ?")
                .execute(arguments: [Data(key), Data(filter)])
        default:
            break
        }
    }

    /// Sees that the disk takes a write that needs room.
    package func proveWritable() async throws {
        let bytes = String(repeating: "x", count: 64 << 10)
        try await store.perform { transaction in
            try transaction.db.execute(
                sql: "INSERT OR REPLACE INTO settings (name, value) VALUES ('probe', ?)", arguments: [bytes])
        }
        try await store.perform { try $0.db.execute(sql: "DELETE FROM settings WHERE name = 'probe'") }
    }

    /// What an earlier run of the broker left; of queues no more than what they amount to.
    ///
    /// - Parameter sendWindow: entries of a queue that may have been sent (`BrokerLimits.restoredWindow`).
    package func restoredBrokerState(sendWindow: Int) async throws -> RestoredState {
        try await store.perform { transaction in
            let db = transaction.db
            var state = RestoredState()
            state.retained = try Row.fetchAll(db, sql: "SELECT * FROM retained").map {
                RestoredState.StoredRetained(
                    topic: $0.bytes("topic"), payload: $0.bytes("payload"), qos: $0["qos"],
                    properties: $0.bytes("properties"), expires: $0["expires"])
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
                state.sessions[position].subscriptions.append(
                    (filter: row.bytes("filter"), options: row["options"], identifier: row["identifier"]))
            }
            for (key, queue) in try Self.queues(db, sendWindow: sendWindow) {
                guard let position = positions[key] else { continue }
                state.sessions[position].queue = queue
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM received") {
                guard let position = positions[row.bytes("client")] else { continue }
                state.sessions[position].received.append(row["packet"])
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM wills") {
                guard let position = positions[row.bytes("client")] else { continue }
                state.sessions[position].will = StoredWill(row)
            }
            return state
        }
    }
}

extension StoredWill {
    fileprivate init(_ row: Row) {
        self.init(
            topic: row.bytes("topic"), payload: row.bytes("payload"), qos: row["qos"], retain: row["retain"],
            properties: row.bytes("properties"), expirySeconds: row["expiry"], delaySeconds: row["delay"],
            due: row["due"])
    }
}

extension Row {
    func bytes(_ column: String) -> [UInt8] {
        Array(self[column] as Data? ?? Data())
    }
}
