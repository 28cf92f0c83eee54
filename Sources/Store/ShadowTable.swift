import GRDB
import GRDBSQLite
import ShadowDocument
import ShadowService

/// The shadows' rows through SQLite's C interface, behind a bounded cache.
///
/// The most frequent write of the server: boxing the arguments would cost more than the row.
final class ShadowTable {
    /// Bytes of documents and metadata kept in memory.
    private static let cacheBytes = 32 << 20

    private let connection: OpaquePointer?
    private var select: OpaquePointer?
    private var upsert: OpaquePointer?
    private var cache: [ShadowID: StoredShadow] = [:]
    private var cachedBytes = 0

    init(db: Database) {
        connection = db.sqliteConnection
    }

    func read(_ id: ShadowID) throws -> StoredShadow? {
        if let known = cache[id] { return known }
        let statement = try prepared(
            &select, "SELECT document, metadata, version, deleted FROM shadows WHERE thing = ?1 AND name = ?2")
        defer { sqlite3_reset(statement) }
        bind(id, to: statement)
        switch sqlite3_step(statement) {
        case SQLITE_DONE: return nil
        case SQLITE_ROW: break
        default: throw fault()
        }
        let shadow = StoredShadow(
            document: blob(statement, 0), metadata: blob(statement, 1),
            version: UInt64(bitPattern: sqlite3_column_int64(statement, 2)),
            isDeleted: sqlite3_column_int(statement, 3) != 0)
        remember(shadow, as: id)
        return shadow
    }

    func write(_ shadow: StoredShadow, as id: ShadowID) throws {
        let statement = try prepared(
            &upsert,
            """
            INSERT INTO shadows (thing, name, document, metadata, version, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (thing, name) DO UPDATE
            SET document = ?3, metadata = ?4, version = ?5, deleted = ?6
            """)
        defer { sqlite3_reset(statement) }
        bind(id, to: statement)
        bind(shadow.document, at: 3, to: statement)
        bind(shadow.metadata, at: 4, to: statement)
        sqlite3_bind_int64(statement, 5, Int64(bitPattern: shadow.version))
        sqlite3_bind_int(statement, 6, shadow.isDeleted ? 1 : 0)
        guard sqlite3_step(statement) == SQLITE_DONE else {
            cache[id] = nil
            throw fault()
        }
        remember(shadow, as: id)
    }

    func forget() {
        cache.removeAll()
        cachedBytes = 0
    }

    func close() {
        sqlite3_finalize(select)
        sqlite3_finalize(upsert)
        select = nil
        upsert = nil
    }

    private func remember(_ shadow: StoredShadow, as id: ShadowID) {
        cachedBytes += shadow.document.count + shadow.metadata.count
        if cachedBytes > Self.cacheBytes {
            forget()
            cachedBytes = shadow.document.count + shadow.metadata.count
        }
        if let replaced = cache.updateValue(shadow, forKey: id) {
            cachedBytes -= replaced.document.count + replaced.metadata.count
        }
    }
}

// MARK: - The C interface

/// SQLite copies the bound bytes before the call returns.
private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

extension ShadowTable {
    private func prepared(_ slot: inout OpaquePointer?, _ sql: String) throws -> OpaquePointer? {
        if slot == nil,
            sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &slot, nil) != SQLITE_OK
        {
            throw fault()
        }
        return slot
    }

    private func bind(_ id: ShadowID, to statement: OpaquePointer?) {
        sqlite3_bind_text(statement, 1, id.thing, -1, transient)
        sqlite3_bind_text(statement, 2, id.name ?? "", -1, transient)
    }

    private func bind(_ bytes: [UInt8], at index: Int32, to statement: OpaquePointer?) {
        guard !bytes.isEmpty else {
            sqlite3_bind_zeroblob(statement, index, 0)
            return
        }
        _ = bytes.withUnsafeBytes { sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), transient) }
    }

    private func blob(_ statement: OpaquePointer?, _ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(statement, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }

    private func fault() -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
            message: sqlite3_errmsg(connection).map { String(cString: $0) })
    }
}
