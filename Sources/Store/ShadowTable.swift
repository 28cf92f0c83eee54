import ShadowDocument
import ShadowService

/// The shadows' rows behind a bounded cache.
final class ShadowTable {
    /// Bytes of documents and metadata kept in memory.
    private static let cacheBytes = 32 << 20

    private let statements: RawStatements
    private var cache: [ShadowID: StoredShadow] = [:]
    private var cachedBytes = 0

    init(_ statements: RawStatements) {
        self.statements = statements
    }

    func read(_ id: ShadowID) throws -> StoredShadow? {
        if let known = cache[id] { return known }
        let select = try statements[
            "SELECT document, metadata, version, deleted FROM shadows WHERE thing = ? AND name = ?"]
        let shadow = try select.first([.text(id.thing), .text(id.name ?? "")]) { row in
            StoredShadow(
                document: row.bytes(0), metadata: row.bytes(1), version: UInt64(bitPattern: row.integer(2)),
                isDeleted: row.integer(3) != 0)
        }
        if let shadow { remember(shadow, as: id) }
        return shadow
    }

    func write(_ shadow: StoredShadow, as id: ShadowID) throws {
        let upsert = try statements[
            """
            INSERT INTO shadows (thing, name, document, metadata, version, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (thing, name) DO UPDATE
            SET document = ?3, metadata = ?4, version = ?5, deleted = ?6
            """]
        do {
            try upsert.run(
                .text(id.thing), .text(id.name ?? ""), .bytes(shadow.document), .bytes(shadow.metadata),
                .integer(Int64(bitPattern: shadow.version)), .integer(shadow.isDeleted ? 1 : 0))
        } catch {
            cache[id] = nil
            throw error
        }
        remember(shadow, as: id)
    }

    func forget() {
        cache.removeAll()
        cachedBytes = 0
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
