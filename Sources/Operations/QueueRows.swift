package import Broker
import Foundation
import GRDB
import Store

//  The queues of the broker's kept sessions, which are read page by page.

extension Operations {
    static func applyQueue(_ change: DurableChange, _ transaction: Transaction) throws {
        switch change {
        case .enqueue(let key, let entry): try enqueue(entry, key, transaction)
        case .release(let key, let sequence):
            try transaction.statement("UPDATE queue SET released = 1 WHERE client = ? AND sequence = ?")
                .run(.bytes(key), .integer(sequence))
        case .dequeue(let key, let sequence):
            try transaction.statement("DELETE FROM queue WHERE client = ? AND sequence = ?")
                .run(.bytes(key), .integer(sequence))
        case .bequeath(let key, let estate, let sentUpTo): try bequeath(key, estate, sentUpTo, transaction.db)
        case .receive(let key, let packetID):
            try transaction.statement("INSERT OR IGNORE INTO received (client, packet) VALUES (?, ?)")
                .run(.bytes(key), .integer(Int64(packetID)))
        case .forgetReceived(let key, let packetID):
            try transaction.statement("DELETE FROM received WHERE client = ? AND packet = ?")
                .run(.bytes(key), .integer(Int64(packetID)))
        default:
            break
        }
    }

    private static func enqueue(_ entry: StoredEntry, _ key: [UInt8], _ transaction: Transaction) throws {
        let identifiers = entry.identifiers.map { "\($0)" }.joined(separator: ",")
        try transaction.statement(
            """
            INSERT OR REPLACE INTO queue
            (client, sequence, qos, topic, payload, properties, retain, expires, released, identifiers, share)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        ).run(
            .bytes(key), .integer(entry.sequence), .integer(Int64(entry.qos)), .bytes(entry.topic),
            .bytes(entry.payload), .bytes(entry.properties), .integer(entry.retain ? 1 : 0),
            .integer(orNull: entry.expires), .integer(entry.isReleased ? 1 : 0), .text(identifiers),
            .bytes(entry.share))
    }

    private static func bequeath(_ key: [UInt8], _ estate: [UInt8], _ sentUpTo: Int64, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR IGNORE INTO sessions (client, principal, expiry) VALUES (?, 'e/', 0)",
            arguments: [Data(estate)])
        try db.execute(
            sql: """
                UPDATE queue SET client = ? WHERE client = ? AND share != x'' AND (qos < 2 OR sequence > ?)
                """, arguments: [Data(estate), Data(key), sentUpTo])
    }

    /// Answers a page of a queue, beside the writer.
    package func read(
        _ read: QueueRead, completion: @escaping @Sendable (Result<QueuePage, any Error>) -> Void
    ) {
        store.read({ try Self.page(read, $0.db) }, completion: completion)
    }

    private static func page(_ read: QueueRead, _ db: Database) throws -> QueuePage {
        switch read.kind {
        case .next(let count, let bytes): try next(read, count, bytes, db)
        case .expired(let time): try expired(read, before: time, db)
        }
    }

    private static func next(_ read: QueueRead, _ count: Int, _ bytes: Int, _ db: Database) throws -> QueuePage {
        let rows = try Row.fetchCursor(
            try db.cachedStatement(sql: "SELECT * FROM queue WHERE client = ? AND sequence > ? ORDER BY sequence"),
            arguments: [Data(read.key), read.after])
        var (entries, sum): ([StoredEntry], Int) = ([], 0)
        while let row = try rows.next() {
            guard entries.count < count, sum < bytes else { return .next(entries, isEnd: false) }
            let entry = StoredEntry(row)
            sum += entry.bytes
            entries.append(entry)
        }
        return .next(entries, isEnd: true)
    }

    private static func expired(_ read: QueueRead, before time: Int64, _ db: Database) throws -> QueuePage {
        let rows = try Row.fetchAll(
            try db.cachedStatement(
                sql: """
                    SELECT sequence, length(topic) + length(payload) + length(properties) AS bytes, share != x'' AS shared
                    FROM queue WHERE client = ? AND expires < ? AND sequence > ? LIMIT ?
                    """), arguments: [Data(read.key), time, read.after, QueueRead.expiredLimit])
        let found = rows.map { QueuePage.Expired(sequence: $0["sequence"], bytes: $0["bytes"], isShared: $0["shared"]) }
        guard found.count < QueueRead.expiredLimit else { return .expired(found, next: time) }
        let next = try Int64.fetchOne(
            try db.cachedStatement(sql: "SELECT MIN(expires) FROM queue WHERE client = ? AND expires >= ?"),
            arguments: [Data(read.key), time])
        return .expired(found, next: next)
    }

    /// What each queue amounts to.
    static func queues(_ db: Database, sendWindow: Int) throws -> [([UInt8], StoredQueue)] {
        let all = try Row.fetchAll(
            db,
            sql: """
                SELECT client, COUNT(*) AS count, SUM(length(topic) + length(payload) + length(properties)) AS bytes,
                    SUM(share != x'') AS shared, MIN(sequence) AS first, MAX(sequence) AS last, MIN(expires) AS expires
                FROM queue GROUP BY client
                """)
        return try all.map { row in
            var queue = StoredQueue()
            (queue.count, queue.bytes, queue.shared) = (row["count"], row["bytes"], row["shared"])
            (queue.first, queue.last, queue.firstExpiry) = (row["first"], row["last"], row["expires"])
            queue.sentUpTo = queue.last
            if queue.count > sendWindow {
                let last = try Int64.fetchOne(
                    try db.cachedStatement(
                        sql: "SELECT sequence FROM queue WHERE client = ? ORDER BY sequence LIMIT 1 OFFSET ?"),
                    arguments: [row["client"] as Data, sendWindow - 1])
                queue.sentUpTo = last ?? queue.last
            }
            return (row.bytes("client"), queue)
        }
    }
}

extension StoredEntry {
    fileprivate init(_ row: Row) {
        let identifiers: String = row["identifiers"]
        self.init(
            sequence: row["sequence"], qos: row["qos"], topic: row.bytes("topic"), payload: row.bytes("payload"),
            properties: row.bytes("properties"), retain: row["retain"], expires: row["expires"],
            identifiers: identifiers.split(separator: ",").compactMap { UInt32($0) }, share: row.bytes("share"))
        isReleased = row["released"]
    }
}
