import ByteKit
import Foundation
import GRDB
import JSONText
import Logging
package import Store
import Synchronization

/// Collects the log lines of devices, so that a crowd of them costs one commit; a crash may lose the last second.
package final class LogCollector: Sendable {
    /// Milliseconds that lines gather.
    private static let gathering = 200
    /// Lines that may wait for the disk; what comes on top is counted and dropped.
    private static let limit = 20_000
    /// Longest line kept whole, bytes.
    private static let lineBytes = 16 << 10

    private struct Waiting {
        var lines: [LogLine] = []
        var dropped = 0
    }

    private let operations: Operations
    private let waiting = Mutex(Waiting())
    private let queue = DispatchQueue(label: "device logs")

    package init(_ operations: Operations) {
        self.operations = operations
    }

    /// Takes one line as it arrived.
    package func take(thing: [UInt8], payload: [UInt8]) {
        let line = DeviceLogLine.read(payload.prefix(Self.lineBytes), thing: thing, now: Operations.now())
        let isFirst = waiting.withLock { waiting in
            guard waiting.lines.count < Self.limit else {
                waiting.dropped += 1
                return false
            }
            waiting.lines.append(line)
            return waiting.lines.count == 1
        }
        guard isFirst else { return }
        queue.asyncAfter(deadline: .now() + .milliseconds(Self.gathering)) { self.flush() }
    }

    private func flush() {
        let lines = waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return waiting.lines
        }
        operations.store(lines)
    }
}

/// Reads what a device sent as a line: any JSON object, missing members filled in; anything else is text.
enum DeviceLogLine {
    static func read(_ payload: ArraySlice<UInt8>, thing: [UInt8], now: Int64) -> LogLine {
        let name = String(decoding: thing, as: UTF8.self)
        let bytes = Array(payload)
        let text = bytes.span
        guard let top = try? JSONScanner.validate(text, maximumDepth: 32),
            JSONScanner.kind(of: top, in: text) == .object
        else {
            let message = JSONPiece.quoted(String(decoding: bytes, as: UTF8.self))
            return LogLine(
                id: 0, thing: name, received: now, level: "INFO",
                line:
                    #"{"timestamp":\#(now),"message":\#(message),"level":"INFO","thingName":\#(JSONPiece.quoted(name))}"#
            )
        }
        var level: [UInt8] = []
        if let range = JSONScanner.member("level", of: top, in: text) {
            _ = JSONScanner.string(of: range, in: text, into: &level)
        }
        let word = level.isEmpty ? "INFO" : String(decoding: level.prefix(16), as: UTF8.self).uppercased()
        let missing = [
            ("timestamp", "\(now)"), ("message", "\"\""), ("level", "\"INFO\""), ("thingName", JSONPiece.quoted(name)),
        ].filter { !has($0.0, top, text) }
        var line = String(decoding: bytes[top.start..<(top.end - 1)], as: UTF8.self)
        var isEmpty = JSONScanner.members(of: top).isEmpty(in: text)
        for (key, value) in missing {
            line += (isEmpty ? "" : ",") + "\"\(key)\":\(value)"
            isEmpty = false
        }
        return LogLine(id: 0, thing: name, received: now, level: word, line: line + "}")
    }

    private static func has(_ key: String, _ object: ByteRange, _ text: Span<UInt8>) -> Bool {
        switch key {
        case "timestamp": JSONScanner.member("timestamp", of: object, in: text) != nil
        case "message": JSONScanner.member("message", of: object, in: text) != nil
        case "level": JSONScanner.member("level", of: object, in: text) != nil
        default: JSONScanner.member("thingName", of: object, in: text) != nil
        }
    }
}

extension JSONMembers {
    /// Whether there is no member.
    func isEmpty(in text: Span<UInt8>) -> Bool {
        var copy = self
        return copy.next(in: text) == nil
    }
}

/// Which lines of a log are wanted.
package struct LogQuery: Sendable {
    /// Only lines behind this one.
    package var after: Int64?
    /// Only lines that contain this text, upper and lower case alike.
    package var search: String?
    /// Only lines of this level.
    package var level: String?
    /// The newest so many, from 1 to 1000.
    package var limit: Int

    package init(after: Int64?, search: String?, level: String?, limit: Int) {
        self.after = after
        self.search = search
        self.level = level
        self.limit = limit
    }
}

extension Operations {
    /// Bytes of log kept per device.
    private static let logBytes = 4 << 20

    /// Stores lines of registered devices; those of others are not kept.
    func store(_ lines: [LogLine]) {
        store.submit(isolation: .savepoint) { transaction in
            var stored: [LogLine] = []
            for var line in lines {
                try transaction.db.execute(
                    sql: """
                        INSERT INTO logs (thing, received, level, line)
                        SELECT thing, ?, ?, ? FROM devices WHERE thing = ?
                        """, arguments: [line.received, line.level, line.line, line.thing])
                guard transaction.db.changesCount > 0 else { continue }
                line.id = transaction.db.lastInsertedRowID
                stored.append(line)
            }
            if !stored.isEmpty { transaction.afterCommit(.logged(stored)) }
        } completion: { [logger] result in
            if case .failure(let error) = result {
                logger.error("device log lines were lost", metadata: ["error": "\(error)", "lines": "\(lines.count)"])
            }
        }
    }

    /// Lines of a device's log, oldest first.
    package func logs(thing: String, _ query: LogQuery) async throws -> [LogLine] {
        try await store.perform { transaction in
            _ = try Self.device(thing, transaction)
            let pattern = query.search.map { text in
                "%" + text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_") + "%"
            }
            let rows = try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT * FROM logs WHERE thing = ?1 AND (?2 IS NULL OR id > ?2) AND (?3 IS NULL OR level = ?3)
                        AND (?4 IS NULL OR line LIKE ?4 ESCAPE '\\')
                    ORDER BY id DESC LIMIT ?5
                    """,
                arguments: [thing, query.after, query.level?.uppercased(), pattern, min(max(query.limit, 1), 1000)])
            return rows.reversed().map {
                LogLine(id: $0["id"], thing: thing, received: $0["received"], level: $0["level"], line: $0["line"])
            }
        }
    }

    /// Removes lines that are too old (by time of receipt) or too many.
    package func trimLogs() async throws {
        let cutoff = Self.now() - Int64(settings.logDays) * 24 * 3600 * 1000
        try await store.perform { transaction in
            let db = transaction.db
            try db.execute(sql: "DELETE FROM logs WHERE received < ?", arguments: [cutoff])
            let things = try String.fetchAll(
                db, sql: "SELECT thing FROM logs GROUP BY thing HAVING SUM(LENGTH(line)) > ?",
                arguments: [Self.logBytes])
            for thing in things {
                try db.execute(
                    sql: """
                        DELETE FROM logs WHERE thing = ?1 AND id <= (
                            SELECT id FROM (
                                SELECT id, SUM(LENGTH(line)) OVER (ORDER BY id DESC) AS total FROM logs WHERE thing = ?1)
                            WHERE total > ?2 ORDER BY id DESC LIMIT 1)
                        """, arguments: [thing, Self.logBytes])
            }
        }
    }
}
