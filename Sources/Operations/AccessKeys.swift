package import Accounts
import Foundation
import GRDB
import Store

//  Access keys, with which AWS's SDKs sign what they ask (SigV4).
//
//  A signature is checked by making it once more, so that the secret itself is kept; other tokens are kept as hashes.

/// An access key that was just made; the secret is shown once.
package struct NewAccessKey: Sendable, Codable {
    package var label: String
    package var role: Role
    /// `AWS_ACCESS_KEY_ID`.
    package var access_key_id: String
    /// `AWS_SECRET_ACCESS_KEY`.
    package var secret_access_key: String
}

extension Operations {
    /// Makes an access key for a maker's program; it has the rights of an operator.
    package func makeAccessKey(label: String) async throws -> NewAccessKey {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let id = "APUS" + String((0..<16).map { _ in digits[Int.random(in: 0..<32)] })
        let key = NewAccessKey(
            label: label, role: .operator, access_key_id: id, secret_access_key: Secrets.make(""))
        let now = Self.now()
        try await store.perform { transaction in
            try Self.checkTokenLabel(label, transaction)
            try transaction.db.execute(
                sql: """
                    INSERT INTO credentials (hash, kind, role, label, created, access_key, secret)
                    VALUES (?, 'aws', ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Secrets.digest(key.secret_access_key), key.role.rawValue, label, now, id, key.secret_access_key,
                ])
        }
        return key
    }

    /// The secret of an access key; nil for one that nobody has.
    package func secret(ofAccessKey id: String) async throws -> String? {
        let now = Self.now()
        return try await store.perform { transaction in
            let row = try Row.fetchOne(
                transaction.db, sql: "SELECT hash, secret, used FROM credentials WHERE access_key = ?", arguments: [id])
            guard let row else { return nil }
            try Self.noteUse(of: row, transaction, now)
            return row["secret"]
        }
    }
}
