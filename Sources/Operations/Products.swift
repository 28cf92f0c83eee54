import Accounts
import GRDB
import Store

/// A product with its hardware models.
package struct ProductSummary: Sendable, Codable, Equatable {
    package var slug: String
    package var name: String
    package var format: ImageRule
    package var hardware: [String]
    /// How its devices are handed their updates.
    package var delivery: Delivery
    package var face: ProductFace
    package var created: Int64
}

extension Operations {
    /// Adds a product, or hardware models to one that exists with the same name and format.
    package func addProduct(
        slug: String, name: String?, hardware: [String], format: ImageRule
    ) async throws -> ProductSummary {
        for text in [slug] + hardware where !Names.isValidSegment(text) {
            throw Refusal(
                .invalid, "Not a name",
                "\"\(text)\" is no name for a product or model; expected 1 to 64 of a-z A-Z 0-9 . _ - +",
                advice: "Choose another name")
        }
        let now = Self.now()
        return try await store.perform { transaction in
            let known = try Row.fetchOne(
                transaction.db, sql: "SELECT * FROM products WHERE slug = ?", arguments: [slug])
            if let known, hardware.isEmpty || (known["kind"] as String) != format.rawValue {
                throw Refusal(
                    .conflict, "Product exists", "there is a product \"\(slug)\" already",
                    advice: "See it: apus product list")
            }
            if known == nil {
                try transaction.db.execute(
                    sql: "INSERT INTO products (slug, name, kind, created) VALUES (?, ?, ?, ?)",
                    arguments: [slug, name ?? slug, format.rawValue, now])
                try Self.note(.productAdded, product: slug, transaction, now)
            }
            for model in hardware {
                try transaction.db.execute(
                    sql: "INSERT OR IGNORE INTO hardware (product, model) VALUES (?, ?)", arguments: [slug, model])
            }
            transaction.afterCommit(.changed(thing: nil))
            return try Self.product(slug, transaction)
        }
    }

    /// All products, by slug.
    package func products() async throws -> [ProductSummary] {
        try await store.perform { transaction in
            try String.fetchAll(transaction.db, sql: "SELECT slug FROM products ORDER BY slug").map {
                try Self.product($0, transaction)
            }
        }
    }

    /// One product.
    package func product(_ slug: String) async throws -> ProductSummary {
        try await store.perform { try Self.product(slug, $0) }
    }

    static func product(_ slug: String, _ transaction: Transaction) throws -> ProductSummary {
        guard
            let row = try Row.fetchOne(transaction.db, sql: "SELECT * FROM products WHERE slug = ?", arguments: [slug])
        else {
            throw Refusal(
                .notFound, "No such product", "there is no product \"\(slug)\"", advice: "apus product add \(slug)")
        }
        let models = try String.fetchAll(
            transaction.db, sql: "SELECT model FROM hardware WHERE product = ? ORDER BY model", arguments: [slug])
        return ProductSummary(
            slug: slug, name: row["name"], format: ImageRule(rawValue: row["kind"]) ?? .any, hardware: models,
            delivery: Delivery(rawValue: row["delivery"]) ?? .shadow, face: ProductFace(row), created: row["created"])
    }

    /// Adds a hardware model to a product; one that is there already stays.
    package func addHardware(_ model: String, to slug: String) async throws -> ProductSummary {
        try await addProduct(slug: slug, name: nil, hardware: [model], format: product(slug).format)
    }
}
