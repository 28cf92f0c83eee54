import Foundation
import GRDB
package import Store

/// What an event says: `{"device","version","state","percent","reason"}`, absent values as null.
struct EventBody {
    var device: String
    var version: String?
    var state: String
    var percent: Int?
    var reason: String?
    /// Settings that the device reported, as a JSON object.
    var config: String?

    var json: String {
        let members = [
            ("device", JSONPiece.quoted(device)), ("version", version.map(JSONPiece.quoted)),
            ("state", JSONPiece.quoted(state)), ("percent", percent.map(String.init)),
            ("reason", reason.map(JSONPiece.quoted)),
        ]
        let all = members.map { "\"\($0.0)\":\($0.1 ?? "null")" } + (config.map { ["\"config\":\($0)"] } ?? [])
        return "{" + all.joined(separator: ",") + "}"
    }
}

/// Small pieces of JSON text.
enum JSONPiece {
    /// A string with its quotes, escaped.
    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                out += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

extension Operations {
    /// Events kept per owner, for `Last-Event-ID`.
    private static let eventsKept = 1000

    /// Stores an event of an owner and lets it leave after the commit.
    static func emit(
        _ kind: String, to uid: String, _ body: EventBody, _ transaction: Transaction, _ now: Int64
    ) throws {
        let json = body.json
        try transaction.db.execute(
            sql: "INSERT INTO events (uid, kind, body, at) VALUES (?, ?, ?, ?)", arguments: [uid, kind, json, now])
        let id = transaction.db.lastInsertedRowID
        if id % 64 == 0 {
            try transaction.db.execute(
                sql: """
                    DELETE FROM events WHERE uid = ?1 AND id <=
                        (SELECT id FROM events WHERE uid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
                    """, arguments: [uid, eventsKept])
        }
        transaction.afterCommit(.event(OwnerEvent(id: id, uid: uid, kind: kind, body: json)))
    }

    /// What an owner's page missed.
    package enum Missed: Sendable {
        /// Everything since the event it had last, oldest first.
        case events([OwnerEvent])
        /// That event is not known any more: the full present state comes first.
        case presentState([DeviceSummary], lastID: Int64)
    }

    /// What happened for `uid` after event `lastID`; nil starts now.
    package func missed(uid: String, after lastID: Int64?) async throws -> (Missed, newest: Int64) {
        let devices = try await self.devices(owner: uid)
        return try await store.perform { transaction in
            let db = transaction.db
            let newest = try Int64.fetchOne(db, sql: "SELECT MAX(id) FROM events WHERE uid = ?", arguments: [uid]) ?? 0
            guard let lastID else { return (.presentState(devices, lastID: newest), newest) }
            let oldest = try Int64.fetchOne(db, sql: "SELECT MIN(id) FROM events WHERE uid = ?", arguments: [uid]) ?? 0
            let count = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM events WHERE uid = ?", arguments: [uid]) ?? 0
            if lastID > newest || (lastID < oldest && count >= Self.eventsKept) {
                return (.presentState(devices, lastID: newest), newest)
            }
            let rows = try Row.fetchAll(
                db, sql: "SELECT * FROM events WHERE uid = ? AND id > ? ORDER BY id", arguments: [uid, lastID])
            let events = rows.map { OwnerEvent(id: $0["id"], uid: uid, kind: $0["kind"], body: $0["body"]) }
            return (.events(events), newest)
        }
    }
}
