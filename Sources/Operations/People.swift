package import Accounts
import Foundation
import GRDB
import Store
import Synchronization

/// A credential that was just made; the secret is shown once.
package struct NewCredential: Sendable {
    package var secret: String
    package var label: String
    package var role: Role
}

/// One account as the maker sees it.
package struct UserSummary: Sendable, Codable, Equatable {
    package var uid: String
    package var role: Role
    package var device_id: String?
    package var has_password: Bool
    package var created: Int64
}

/// One token as the maker sees it; the secret is not kept.
package struct TokenSummary: Sendable, Codable, Equatable {
    package var label: String
    package var role: Role
    package var uid: String?
    /// `AWS_ACCESS_KEY_ID`, where it is an access key.
    package var access_key_id: String?
    package var created: Int64
    /// When it was last used, to the minute; nil for never.
    package var used: Int64?
}

extension Operations {
    /// Milliseconds after which the use of a token is noted again.
    private static let useInterval: Int64 = 60_000
    private static let sessionLife: Int64 = 30 * 24 * 3600 * 1000
    private static let linkLife: Int64 = 24 * 3600 * 1000

    // MARK: Accounts

    /// Adds an account, with a password or with none (then only a one-use link signs it in).
    package func addUser(uid: String, role: Role, password: String?) async throws -> UserSummary {
        guard Names.isValidAccount(uid) else {
            throw Refusal(
                .invalid, "Not an account name",
                "\"\(uid)\" is no account name; expected 1 to 64 of a-z A-Z 0-9 . _ - @ +",
                advice: "Choose another name")
        }
        if let password { try Self.checkPassword(password, of: uid) }
        var hash: String?
        if let password { hash = try await Passwords.hash(password, cost: settings.passwordCost) }
        let now = Self.now()
        return try await store.perform { [hash] transaction in
            guard try !Bool.fetch(transaction, "SELECT EXISTS (SELECT 1 FROM users WHERE uid = ?)", [uid]) else {
                throw Refusal(
                    .conflict, "Account exists", "there is an account \"\(uid)\" already",
                    advice: "For a new sign-in link: apus user link \(uid)")
            }
            try transaction.db.execute(
                sql: "INSERT INTO users (uid, role, password, created) VALUES (?, ?, ?, ?)",
                arguments: [uid, role.rawValue, hash, now])
            return UserSummary(uid: uid, role: role, device_id: nil, has_password: hash != nil, created: now)
        }
    }

    static func checkPassword(_ password: String, of uid: String) throws {
        guard password.utf8.count >= 8 else {
            throw Refusal(
                .invalid, "Password too short", "the password has \(password.count) characters; expected at least 8",
                advice: "Choose a longer one, or let the account sign in by a link: apus user link \(uid)")
        }
    }

    /// All accounts, by name.
    package func users() async throws -> [UserSummary] {
        try await store.read { transaction in
            try Row.fetchAll(transaction.db, sql: "SELECT * FROM users ORDER BY uid").map(Self.userSummary)
        }
    }

    static func userSummary(_ uid: String, _ transaction: Transaction) throws -> UserSummary {
        guard let row = try Row.fetchOne(transaction.db, sql: "SELECT * FROM users WHERE uid = ?", arguments: [uid])
        else { throw Refusal(.notFound, "No such account", "there is no account \"\(uid)\"") }
        return userSummary(row)
    }

    private static func userSummary(_ row: Row) -> UserSummary {
        UserSummary(
            uid: row["uid"], role: Role(rawValue: row["role"]) ?? .owner, device_id: row["device_id"],
            has_password: row["password"] != nil, created: row["created"])
    }

    /// A one-use sign-in link's secret for an account.
    package func makeLink(uid: String) async throws -> NewCredential {
        let secret = Secrets.make("link_")
        let now = Self.now()
        return try await store.perform { transaction in
            let role = try Self.role(of: uid, transaction)
            try Self.insertCredential(
                transaction, secret, kind: "link", uid: uid, role: role, label: "sign-in link", now: now,
                expires: now + Self.linkLife)
            return NewCredential(secret: secret, label: "sign-in link", role: role)
        }
    }

    // MARK: Sessions

    /// Signs in with a password and answers the session's secret.
    ///
    /// - Throws: `.unauthenticated`, or `.tooMany` after ten wrong tries for this account from this address.
    package func signIn(uid: String, password: String, from address: String) async throws -> NewCredential {
        let key = "\(uid.prefix(64)) \(address)"
        let pause = signIns.value.withLock { $0.pause(key, now: Self.now()) }
        if let pause {
            throw Refusal(
                .tooMany, "Too many tries", "the next try is taken in \((pause + 999) / 1000) s",
                advice: "Wait, or sign in by a link: apus user link NAME")
        }
        let stored = try await store.perform { transaction in
            try String.fetchOne(transaction.db, sql: "SELECT password FROM users WHERE uid = ?", arguments: [uid])
        }
        // An unknown account costs the same work as a wrong password.
        let matches = await Passwords.matches(password, stored ?? Self.nobody(settings.passwordCost))
        guard matches, stored != nil else {
            signIns.value.withLock { $0.failed(key, now: Self.now()) }
            throw Refusal(
                .unauthenticated, "Sign-in failed", "account or password is wrong",
                advice: "Try again, or ask for a sign-in link: apus user link NAME")
        }
        signIns.value.withLock { $0.succeeded(key) }
        let now = Self.now()
        return try await store.perform { try Self.openSession(uid: uid, $0, now) }
    }

    /// Redeems a one-use link: the link ends and the session begins together.
    package func redeem(link: String) async throws -> NewCredential {
        let now = Self.now()
        return try await store.perform { transaction in
            let digest = Secrets.digest(link)
            let uid = try String.fetchOne(
                transaction.db, sql: "SELECT uid FROM credentials WHERE hash = ? AND kind = 'link' AND expires > ?",
                arguments: [digest, now])
            guard let uid else {
                throw Refusal(
                    .unauthenticated, "Link not valid", "this sign-in link was used already or has expired",
                    advice: "Ask for a new one: apus user link NAME")
            }
            try transaction.db.execute(sql: "DELETE FROM credentials WHERE hash = ?", arguments: [digest])
            return try Self.openSession(uid: uid, transaction, now)
        }
    }

    private static func openSession(uid: String, _ transaction: Transaction, _ now: Int64) throws -> NewCredential {
        let secret = Secrets.make("session_")
        let role = try role(of: uid, transaction)
        try insertCredential(
            transaction, secret, kind: "session", uid: uid, role: role, label: "session", now: now,
            expires: now + sessionLife)
        return NewCredential(secret: secret, label: "session", role: role)
    }

    /// Ends a session by its secret.
    package func endSession(secret: String) async throws {
        try await store.perform { transaction in
            try transaction.db.execute(
                sql: "DELETE FROM credentials WHERE hash = ? AND kind = 'session'", arguments: [Secrets.digest(secret)])
        }
    }

    // MARK: Tokens

    /// Makes a token for programs.
    package func makeToken(label: String, role: Role, uid: String?) async throws -> NewCredential {
        let secret = Secrets.make("apus_")
        let now = Self.now()
        return try await store.perform { transaction in
            try Self.checkTokenLabel(label, transaction)
            if let uid { _ = try Self.role(of: uid, transaction) }
            try Self.insertCredential(
                transaction, secret, kind: "token", uid: uid, role: role, label: label, now: now, expires: nil)
            return NewCredential(secret: secret, label: label, role: role)
        }
    }

    /// Sees that no token and no access key has this name.
    static func checkTokenLabel(_ label: String, _ transaction: Transaction) throws {
        let isTaken = try Bool.fetch(
            transaction, "SELECT EXISTS (SELECT 1 FROM credentials WHERE kind IN ('token', 'aws') AND label = ?)",
            [label])
        guard !isTaken else {
            throw Refusal(
                .conflict, "Token exists", "there is a token named \"\(label)\" already",
                advice: "Choose another name, or take it back: apus token revoke \(label)")
        }
    }

    /// All tokens and access keys, by name.
    package func tokens() async throws -> [TokenSummary] {
        try await store.perform { transaction in
            try Row.fetchAll(
                transaction.db, sql: "SELECT * FROM credentials WHERE kind IN ('token', 'aws') ORDER BY label"
            ).map {
                TokenSummary(
                    label: $0["label"], role: Role(rawValue: $0["role"]) ?? .owner, uid: $0["uid"],
                    access_key_id: $0["access_key"], created: $0["created"], used: $0["used"])
            }
        }
    }

    /// Takes back the token or access key named `label`; MQTT connections that it opened close.
    package func revokeToken(label: String) async throws {
        try await store.perform { transaction in
            let revoked = try Row.fetchAll(
                transaction.db,
                sql: "DELETE FROM credentials WHERE kind IN ('token', 'aws') AND label = ? RETURNING access_key",
                arguments: [label])
            guard !revoked.isEmpty else {
                throw Refusal(
                    .notFound, "No such token", "there is no token named \"\(label)\"", advice: "apus token list")
            }
            for row in revoked { transaction.afterCommit(.revoked(credential: row["access_key"] ?? label)) }
        }
    }

    /// Makes the installation's own token.
    package func makeAdminToken() async throws -> String {
        let secret = Secrets.make("apus_")
        try await installAdminToken(secret)
        return secret
    }

    /// Makes sure that the token in `secret` is known as the installation's own; for the first start.
    package func installAdminToken(_ secret: String) async throws {
        let now = Self.now()
        try await store.perform { transaction in
            try transaction.db.execute(sql: "DELETE FROM credentials WHERE label = 'admin.token' AND kind = 'token'")
            try Self.insertCredential(
                transaction, secret, kind: "token", uid: nil, role: .admin, label: "admin.token", now: now, expires: nil
            )
        }
    }

    // MARK: Who is calling

    /// Who holds this session or token; nil if nobody does.
    package func caller(secret: String) async throws -> Caller? {
        let now = Self.now()
        return try await store.perform { transaction in
            let row = try Row.fetchOne(
                transaction.db,
                sql: """
                    SELECT * FROM credentials
                    WHERE hash = ? AND kind IN ('session', 'token') AND (expires IS NULL OR expires > ?)
                    """, arguments: [Secrets.digest(secret), now])
            guard let row, let role = Role(rawValue: row["role"]) else { return nil }
            let isToken = row["kind"] == "token"
            if isToken { try Self.noteUse(of: row, transaction, now) }
            return Caller(uid: row["uid"], role: role, label: isToken ? row["label"] : nil)
        }
    }

    /// Remembers that a token was used, not at every use.
    static func noteUse(of row: Row, _ transaction: Transaction, _ now: Int64) throws {
        guard now - (row["used"] ?? 0) >= useInterval else { return }
        try transaction.db.execute(
            sql: "UPDATE credentials SET used = ? WHERE hash = ?", arguments: [now, row["hash"] as Data])
    }

    // MARK: Rows

    private static func nobody(_ cost: Int) -> String {
        "scrypt$\(cost)$AAAAAAAAAAAAAAAAAAAAAA==$" + Data(count: 32).base64EncodedString()
    }

    static func role(of uid: String, _ transaction: Transaction) throws -> Role {
        guard
            let text = try String.fetchOne(
                transaction.db, sql: "SELECT role FROM users WHERE uid = ?", arguments: [uid]),
            let role = Role(rawValue: text)
        else {
            throw Refusal(
                .notFound, "No such account", "there is no account \"\(uid)\"", advice: "apus user add \(uid)")
        }
        return role
    }

    private static func insertCredential(
        _ transaction: Transaction, _ secret: String, kind: String, uid: String?, role: Role, label: String, now: Int64,
        expires: Int64?
    ) throws {
        try transaction.db.execute(
            sql:
                "INSERT INTO credentials (hash, kind, uid, role, label, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [Secrets.digest(secret), kind, uid, role.rawValue, label, now, expires])
    }
}

extension Bool {
    /// The one value of a query that always has one.
    static func fetch(_ transaction: Transaction, _ sql: String, _ arguments: StatementArguments) throws -> Bool {
        try Bool.fetchOne(transaction.db, sql: sql, arguments: arguments) ?? false
    }
}
