package import GRDB
package import ShadowDocument
package import ShadowService

/// The open transaction of a batch, as jobs see it.
///
/// Lives on the writer thread and never leaves it.
package final class Transaction {
    /// The connection, for everything that is not a shadow.
    package let db: Database
    private let statements: RawStatements
    private let shadows: ShadowTable
    private var effects: [Effect] = []

    init(db: Database) {
        self.db = db
        statements = RawStatements(db)
        shadows = ShadowTable(statements)
    }

    /// Lets `effect` happen after the commit, behind those already named.
    package func afterCommit(_ effect: Effect) {
        effects.append(effect)
    }

    /// The stored shadow, its tombstone, or nil if there never was one.
    package func shadow(_ id: ShadowID) throws -> StoredShadow? {
        try shadows.read(id)
    }

    /// Stores a shadow or its tombstone.
    package func store(_ shadow: StoredShadow, as id: ShadowID) throws {
        try shadows.write(shadow, as: id)
    }

    /// The statement of a literal, for rows that are written very often.
    package func statement(_ sql: StaticString) throws -> RawStatement {
        try statements[sql]
    }

    /// Runs `body`; if it throws, what it wrote is taken back, and only that.
    package func inSavepoint<T>(_ body: () throws -> T) throws -> T {
        try run("SAVEPOINT job")
        do {
            let value = try body()
            try run("RELEASE job")
            return value
        } catch {
            try run("ROLLBACK TO job")
            try run("RELEASE job")
            throw error
        }
    }

    /// Runs a statement that is parsed once.
    private func run(_ sql: String) throws {
        try db.cachedStatement(sql: sql).execute()
    }

    // MARK: For the writer

    func mark() -> Int { effects.count }

    /// Forgets what a failed job named and may have changed in memory.
    func takeBack(to mark: Int) {
        effects.removeSubrange(mark...)
        shadows.forget()
    }

    func forget() {
        effects.removeAll()
        shadows.forget()
    }

    func takeEffects() -> [Effect] {
        defer { effects.removeAll(keepingCapacity: true) }
        return effects
    }

    func close() {
        statements.close()
    }
}
