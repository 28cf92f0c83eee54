import Accounts
package import BlobStore
import ByteKit
import Foundation
import GRDB
import ImageFormat
import Releases
import Store

/// A product with its hardware models.
package struct ProductSummary: Sendable, Codable, Equatable {
    package var slug: String
    package var name: String
    package var format: ImageRule
    package var hardware: [String]
    package var face: ProductFace
    package var created: Int64
}

/// One release with its images.
package struct ReleaseSummary: Sendable, Codable, Equatable {
    package var product: String
    package var version: String
    package var state: String
    package var notes: String
    package var reason: String?
    package var created: Int64
    package var artifacts: [ArtifactSummary]
}

/// One image of a release.
package struct ArtifactSummary: Sendable, Codable, Equatable {
    package var hardware: String
    package var sha256: String
    package var size: Int
    package var format: String
}

/// What is to be published.
package struct ReleaseDraft: Sendable {
    package var product: String
    package var version: String
    package var hardware: String?
    package var notes: String?
    /// Take the image although it names another version inside.
    package var ignoresImageVersion: Bool

    package init(product: String, version: String, hardware: String?, notes: String?, ignoresImageVersion: Bool) {
        self.product = product
        self.version = version
        self.hardware = hardware
        self.notes = notes
        self.ignoresImageVersion = ignoresImageVersion
    }
}

extension Operations {
    // MARK: Products

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
            }
            for model in hardware {
                try transaction.db.execute(
                    sql: "INSERT OR IGNORE INTO hardware (product, model) VALUES (?, ?)", arguments: [slug, model])
            }
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
            face: ProductFace(row), created: row["created"])
    }

    // MARK: Releases

    /// Publishes an image as (part of) a release, and tells the owners whose devices it is for.
    ///
    /// The same bytes under the same version again change nothing; other bytes are refused.
    package func publish(_ draft: ReleaseDraft, image: IncomingBlob) async throws -> ReleaseSummary {
        guard let version = ReleaseVersion(draft.version) else {
            throw Refusal(
                .invalid, "Not a version", UpgradeRefusal.notAVersion(draft.version).description,
                advice: "Name the version as MAJOR.MINOR.PATCH with --version")
        }
        let product = try await product(draft.product)
        let hardware = try Self.hardware(draft.hardware, of: product)
        let digest = try image.finish()
        let format = try inspect(image, product.format, draft)
        try blobs.keep(image, digest: digest)
        let size = image.count
        let now = Self.now()
        return try await store.perform { transaction in
            try Self.putRelease(draft, transaction, now)
            let isNew = try Self.putArtifact(
                draft, hardware, digest: Data(digest), size: size, format: format, transaction, now)
            if isNew {
                try Self.offer(version, of: draft.product, hardware: hardware, transaction, now)
            }
            return try Self.release(draft.product, draft.version, transaction)
        }
    }

    private static func hardware(_ asked: String?, of product: ProductSummary) throws -> String {
        if let asked {
            guard product.hardware.contains(asked) else {
                throw Refusal(
                    .rule, "Unknown hardware model",
                    "product \(product.slug) has no hardware model \"\(asked)\"; it has: \(product.hardware.joined(separator: ", "))",
                    advice: "apus product add \(product.slug) --hardware \(asked)")
            }
            return asked
        }
        guard product.hardware.count == 1 else {
            throw Refusal(
                .invalid, "Hardware model missing",
                "product \(product.slug) has \(product.hardware.count) hardware models; the image is for one of them",
                advice: "Name it with --hardware: \(product.hardware.joined(separator: ", "))")
        }
        return product.hardware[0]
    }

    private func inspect(_ image: IncomingBlob, _ policy: ImageRule, _ draft: ReleaseDraft) throws -> String {
        let finding = try image.withBytes { policy.judge($0) }
        switch finding {
        case .refused(let why):
            throw Refusal(
                .rule, "Not a firmware image", "the file is no firmware for product \(draft.product): \(why)",
                advice: "Upload the image that your build makes for the device, not an archive or a log")
        case .accepted(let format, let inner):
            if let inner, inner != draft.version, !draft.ignoresImageVersion {
                throw Refusal(
                    .rule, "Version mismatch",
                    "the image says version \(inner) inside, the release is \(draft.version); a device would report \(inner)",
                    advice:
                        "Publish it as \(inner), or build it with the right version (--ignore-image-version overrides)")
            }
            return format
        }
    }

    private static func putRelease(_ draft: ReleaseDraft, _ transaction: Transaction, _ now: Int64) throws {
        let row = try Row.fetchOne(
            transaction.db, sql: "SELECT state FROM releases WHERE product = ? AND version = ?",
            arguments: [draft.product, draft.version])
        guard let row else {
            return try transaction.db.execute(
                sql: "INSERT INTO releases (product, version, state, notes, created) VALUES (?, ?, 'active', ?, ?)",
                arguments: [draft.product, draft.version, draft.notes ?? "", now])
        }
        guard row["state"] == "active" else {
            throw Refusal(
                .rule, "Release withdrawn", "release \(draft.version) of \(draft.product) was withdrawn",
                advice: "Publish a higher version")
        }
        if let notes = draft.notes {
            try transaction.db.execute(
                sql: "UPDATE releases SET notes = ? WHERE product = ? AND version = ?",
                arguments: [notes, draft.product, draft.version])
        }
    }

    /// Puts the image in place; false where the same bytes are there already.
    private static func putArtifact(
        _ draft: ReleaseDraft, _ hardware: String, digest: Data, size: Int, format: String, _ transaction: Transaction,
        _ now: Int64
    ) throws -> Bool {
        let known = try Data.fetchOne(
            transaction.db, sql: "SELECT sha256 FROM artifacts WHERE product = ? AND version = ? AND hardware = ?",
            arguments: [draft.product, draft.version, hardware])
        if let known {
            guard known == digest else {
                throw Refusal(
                    .conflict, "Version taken",
                    "release \(draft.version) of \(draft.product) has another image for \(hardware): SHA-256 "
                        + "\(known.hexadecimal.prefix(12))…, this one is \(digest.hexadecimal.prefix(12))…",
                    advice: "A published image never changes: publish a higher version")
            }
            return false
        }
        try transaction.db.execute(
            sql: """
                INSERT INTO artifacts (product, version, hardware, sha256, size, format, created)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, arguments: [draft.product, draft.version, hardware, digest, size, format, now])
        return true
    }

    /// The releases of a product, or of all, highest version first.
    package func releases(product: String?) async throws -> [ReleaseSummary] {
        try await store.perform { transaction in
            if let product { _ = try Self.product(product, transaction) }
            let rows = try Row.fetchAll(
                transaction.db, sql: "SELECT product, version FROM releases WHERE ?1 IS NULL OR product = ?1",
                arguments: [product])
            let all = try rows.map { try Self.release($0["product"], $0["version"], transaction) }
            return all.sorted { left, right in
                guard left.product == right.product else { return left.product < right.product }
                guard let a = ReleaseVersion(left.version), let b = ReleaseVersion(right.version) else { return false }
                return b < a
            }
        }
    }

    /// One release.
    package func release(product: String, version: String) async throws -> ReleaseSummary {
        try await store.perform { try Self.release(product, version, $0) }
    }

    static func release(_ product: String, _ version: String, _ transaction: Transaction) throws -> ReleaseSummary {
        _ = try self.product(product, transaction)
        let arguments: StatementArguments = [product, version]
        guard
            let row = try Row.fetchOne(
                transaction.db, sql: "SELECT * FROM releases WHERE product = ? AND version = ?", arguments: arguments)
        else {
            throw Refusal(
                .notFound, "No such release", "product \(product) has no release \(version)",
                advice: "apus release list --product \(product)")
        }
        let artifacts = try Row.fetchAll(
            transaction.db, sql: "SELECT * FROM artifacts WHERE product = ? AND version = ? ORDER BY hardware",
            arguments: arguments)
        return ReleaseSummary(
            product: product, version: version, state: row["state"], notes: row["notes"], reason: row["reason"],
            created: row["created"],
            artifacts: artifacts.map {
                ArtifactSummary(
                    hardware: $0["hardware"], sha256: ($0["sha256"] as Data).hexadecimal, size: $0["size"],
                    format: $0["format"])
            })
    }

    /// Withdraws a release: it is offered and downloaded no more, open updates to it are cancelled.
    package func withdraw(product: String, version: String, reason: String?) async throws -> ReleaseSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            let release = try Self.release(product, version, transaction)
            guard release.state == "active" else { return release }
            try transaction.db.execute(
                sql: "UPDATE releases SET state = 'withdrawn', reason = ? WHERE product = ? AND version = ?",
                arguments: [reason, product, version])
            try Self.withdrawOffers(product, version, transaction, now)
            return try Self.release(product, version, transaction)
        }
    }
}
