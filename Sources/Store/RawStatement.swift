import GRDB
import GRDBSQLite

/// A value of a row as it is bound, without a box of its own.
package enum RawValue {
    case integer(Int64)
    case bytes([UInt8])
    case text(String)
    case null

    /// An integer, or null for nil.
    package static func integer(orNull value: Int64?) -> RawValue {
        value.map { .integer($0) } ?? .null
    }
}

/// A statement through SQLite's C interface, parsed once: for the rows that are written most often, where boxing the
/// arguments would cost more than the row.
///
/// Lives on one connection's thread.
package final class RawStatement {
    private let connection: OpaquePointer?
    private var statement: OpaquePointer?

    init(_ sql: StaticString, _ db: Database) throws {
        connection = db.sqliteConnection
        let text = UnsafeRawPointer(sql.utf8Start).assumingMemoryBound(to: CChar.self)
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        guard sqlite3_prepare_v3(connection, text, -1, flags, &statement, nil) == SQLITE_OK else { throw fault() }
    }

    /// Runs a statement that answers no rows.
    package func run(_ values: RawValue...) throws {
        try first(values) { _ in }
    }

    /// Runs the statement and hands its first row to `read`; nil where there is none.
    package func first<T>(_ values: [RawValue], _ read: (borrowing RawRow) -> T) throws -> T? {
        defer { sqlite3_reset(statement) }
        for (index, value) in values.enumerated() { bind(value, at: Int32(index + 1)) }
        switch sqlite3_step(statement) {
        case SQLITE_DONE: return nil
        case SQLITE_ROW: return read(RawRow(statement: statement))
        default: throw fault()
        }
    }

    /// Frees it; it must not be used any more.
    func close() {
        sqlite3_finalize(statement)
        statement = nil
    }

    /// SQLite copies the bound bytes before the call returns.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private func bind(_ value: RawValue, at index: Int32) {
        switch value {
        case .integer(let value): sqlite3_bind_int64(statement, index, value)
        case .text(let text): sqlite3_bind_text(statement, index, text, -1, Self.transient)
        case .null: sqlite3_bind_null(statement, index)
        case .bytes(let bytes) where bytes.isEmpty: sqlite3_bind_zeroblob(statement, index, 0)
        case .bytes(let bytes):
            _ = bytes.withUnsafeBytes {
                sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), Self.transient)
            }
        }
    }

    private func fault() -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
            message: sqlite3_errmsg(connection).map { String(cString: $0) })
    }
}

/// One row of a statement that has just been run.
package struct RawRow: ~Copyable {
    fileprivate let statement: OpaquePointer?

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(statement, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }
}

/// The statements of one connection.
final class RawStatements {
    private let db: Database
    private var known: [UnsafePointer<UInt8>: RawStatement] = [:]

    init(_ db: Database) {
        self.db = db
    }

    /// The statement of a literal, which is known by its place in the program.
    subscript(sql: StaticString) -> RawStatement {
        get throws {
            if let statement = known[sql.utf8Start] { return statement }
            let statement = try RawStatement(sql, db)
            known[sql.utf8Start] = statement
            return statement
        }
    }

    func close() {
        known.values.forEach { $0.close() }
        known.removeAll()
    }
}
