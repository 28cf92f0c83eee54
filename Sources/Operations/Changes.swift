package import Accounts
import GRDB
import Store

//  What an operator changes and removes of accounts, products and hardware models.

extension Operations {
    /// Changes an account's role, its password, or both; a new password ends its sessions.
    package func changeUser(_ uid: String, role: Role?, password: String?) async throws -> UserSummary {
        var hash: String?
        if let password {
            try Self.checkPassword(password, of: uid)
            hash = try await Passwords.hash(password, cost: settings.passwordCost)
        }
        return try await store.perform { [hash] transaction in
            let db = transaction.db
            _ = try Self.role(of: uid, transaction)
            if let hash {
                try db.execute(sql: "UPDATE users SET password = ? WHERE uid = ?", arguments: [hash, uid])
                try db.execute(sql: "DELETE FROM credentials WHERE uid = ? AND kind = 'session'", arguments: [uid])
            }
            if let role {
                try db.execute(sql: "UPDATE users SET role = ? WHERE uid = ?", arguments: [role.rawValue, uid])
                try db.execute(
                    sql: "UPDATE credentials SET role = ? WHERE uid = ? AND kind IN ('session', 'link')",
                    arguments: [role.rawValue, uid])
            }
            return try Self.userSummary(uid, transaction)
        }
    }

    /// Removes an account with its sessions, links and tokens; its devices stay, without an owner.
    package func removeUser(_ uid: String) async throws {
        try await store.perform { transaction in
            _ = try Self.role(of: uid, transaction)
            try transaction.db.execute(sql: "DELETE FROM events WHERE uid = ?", arguments: [uid])
            try transaction.db.execute(sql: "DELETE FROM users WHERE uid = ?", arguments: [uid])
        }
    }

    /// Removes a product that has neither devices nor releases.
    package func removeProduct(_ slug: String) async throws {
        let now = Self.now()
        try await store.perform { transaction in
            _ = try Self.product(slug, transaction)
            try Self.refuse(
                "Product in use", "product \(slug)", [("devices", "product = ?"), ("releases", "product = ?")], [slug],
                transaction)
            try transaction.db.execute(sql: "DELETE FROM hardware WHERE product = ?", arguments: [slug])
            try transaction.db.execute(sql: "DELETE FROM products WHERE slug = ?", arguments: [slug])
            try Self.note(.productRemoved, product: slug, transaction, now)
        }
    }

    /// Removes a hardware model that has neither devices nor images.
    package func removeHardware(_ model: String, of slug: String) async throws -> ProductSummary {
        try await store.perform { transaction in
            guard try Self.product(slug, transaction).hardware.contains(model) else {
                throw Refusal(
                    .notFound, "No such hardware model", "product \(slug) has no hardware model \"\(model)\"",
                    advice: "apus product list")
            }
            try Self.refuse(
                "Hardware model in use", "hardware model \(model)",
                [("devices", "product = ? AND hardware = ?"), ("artifacts", "product = ? AND hardware = ?")],
                [slug, model], transaction)
            try transaction.db.execute(
                sql: "DELETE FROM hardware WHERE product = ? AND model = ?", arguments: [slug, model])
            transaction.afterCommit(.changed(thing: nil))
            return try Self.product(slug, transaction)
        }
    }

    /// Refuses where rows of these tables still need what is to be removed.
    private static func refuse(
        _ title: String, _ what: String, _ users: [(table: String, condition: String)], _ values: [String],
        _ transaction: Transaction
    ) throws {
        for (table, condition) in users {
            let count = try Int.fetchOne(
                transaction.db, sql: "SELECT COUNT(*) FROM \(table) WHERE \(condition)",
                arguments: StatementArguments(values))
            guard let count, count > 0 else { continue }
            let word = table == "artifacts" ? "images" : table
            throw Refusal(
                .conflict, title, "\(what) has \(count) \(word)", advice: "Only what nothing needs is removed")
        }
    }
}
