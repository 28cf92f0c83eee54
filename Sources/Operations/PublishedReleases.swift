package import BlobStore
import Foundation
import GRDB
import Releases
import Store

/// Whether a release is offered.
package enum ReleaseState: String, Sendable, Codable {
    /// Not yet: nobody is offered it, and nobody can download it.
    case draft
    case active
    /// No more, and never again.
    case withdrawn
}

/// One release with its images.
package struct ReleaseSummary: Sendable, Codable, Equatable {
    package var product: String
    package var version: String
    package var state: ReleaseState
    package var notes: String
    package var reason: String?
    package var created: Int64
    /// When it became active, milliseconds since 1970; nil for a draft.
    package var published: Int64?
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
    /// Nil to take the one that the image names inside.
    package var version: String?
    package var hardware: String?
    package var notes: String?
    /// Take the image although it names another version inside.
    package var ignoresImageVersion: Bool
    /// Keep it from devices until it is activated.
    package var isDraft: Bool

    package init(
        product: String, version: String?, hardware: String?, notes: String?, ignoresImageVersion: Bool, isDraft: Bool
    ) {
        self.product = product
        self.version = version
        self.hardware = hardware
        self.notes = notes
        self.ignoresImageVersion = ignoresImageVersion
        self.isDraft = isDraft
    }
}

extension Operations {
    /// Longest release notes, bytes.
    static let notesBytes = 16 << 10

    /// Publishes an image as (part of) a release, and tells the owners whose devices it is for.
    ///
    /// The same bytes under the same version again change nothing; other bytes are refused.
    package func publish(_ draft: ReleaseDraft, image: IncomingBlob) async throws -> ReleaseSummary {
        if let version = draft.version { _ = try Self.version(version) }
        if let notes = draft.notes { try Self.check(notes) }
        let product = try await product(draft.product)
        let hardware = try Self.hardware(draft.hardware, of: product)
        let digest = try image.finish()
        let (format, version) = try inspect(image, product.format, draft)
        try blobs.keep(image, digest: digest)
        let artifact = Artifact(hardware: hardware, digest: Data(digest), size: image.count, format: format)
        let now = Self.now()
        return try await store.perform { transaction in
            let state = try Self.putRelease(draft, version.text, transaction, now)
            let isNew = try Self.putArtifact(artifact, draft.product, version.text, transaction, now)
            if isNew, state == .active {
                try Self.note(.releasePublished, product: draft.product, version: version.text, transaction, now)
                try Self.offer(version, of: draft.product, hardware: hardware, transaction, now)
            } else if isNew {
                try Self.note(.releaseSaved, product: draft.product, version: version.text, transaction, now)
            }
            return try Self.release(draft.product, version.text, transaction)
        }
    }

    /// An image about to be put into a release.
    private struct Artifact {
        var hardware: String
        var digest: Data
        var size: Int
        var format: String
    }

    private static func version(_ text: String) throws -> ReleaseVersion {
        guard let version = ReleaseVersion(text) else {
            throw Refusal(
                .invalid, "Not a version", UpgradeRefusal.notAVersion(text).description,
                advice: "Name the version as MAJOR.MINOR.PATCH with --version")
        }
        return version
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

    /// - Returns: the image's format, and the version that it is published as.
    private func inspect(
        _ image: IncomingBlob, _ policy: ImageRule, _ draft: ReleaseDraft
    ) throws -> (format: String, version: ReleaseVersion) {
        switch try image.withBytes({ policy.judge($0) }) {
        case .refused(let why):
            throw Refusal(
                .rule, "Not a firmware image", "the file is no firmware for product \(draft.product): \(why)",
                advice: "Upload the image that your build makes for the device, not an archive or a log")
        case .accepted(let format, let inner):
            guard let text = draft.version ?? inner else {
                throw Refusal(
                    .invalid, "Version missing", "neither the request nor the image says a version",
                    advice: "Name the version as MAJOR.MINOR.PATCH with --version")
            }
            if let inner, inner != text, !draft.ignoresImageVersion {
                throw Refusal(
                    .rule, "Version mismatch",
                    "the image says version \(inner) inside, the release is \(text); a device would report \(inner)",
                    advice:
                        "Publish it as \(inner), or build it with the right version (--ignore-image-version overrides)")
            }
            return (format, try Self.version(text))
        }
    }

    /// Puts the release in place, and answers whether it is active.
    private static func putRelease(
        _ draft: ReleaseDraft, _ version: String, _ transaction: Transaction, _ now: Int64
    ) throws -> ReleaseState {
        let row = try Row.fetchOne(
            transaction.db, sql: "SELECT state FROM releases WHERE product = ? AND version = ?",
            arguments: [draft.product, version])
        guard let row else {
            let state = draft.isDraft ? ReleaseState.draft : .active
            try transaction.db.execute(
                sql: """
                    INSERT INTO releases (product, version, state, notes, created, published) VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    draft.product, version, state.rawValue, draft.notes ?? "", now, draft.isDraft ? nil : now,
                ])
            return state
        }
        let state = ReleaseState(rawValue: row["state"]) ?? .withdrawn
        guard state != .withdrawn else {
            throw Refusal(
                .rule, "Release withdrawn", "release \(version) of \(draft.product) was withdrawn",
                advice: "Publish a higher version")
        }
        guard (state == .draft) == draft.isDraft else {
            let advice =
                draft.isDraft
                ? "Publish the image without draft: it is offered at once"
                : "Add the image as draft too, then activate it: apus release activate \(version) --product \(draft.product)"
            throw Refusal(
                .conflict, "Release is \(state == .draft ? "a draft" : "active")",
                "release \(version) of \(draft.product) is \(state == .draft ? "still a draft" : "active already")",
                advice: advice)
        }
        if let notes = draft.notes { try write(notes, draft.product, version, transaction) }
        return state
    }

    private static func write(
        _ notes: String, _ product: String, _ version: String, _ transaction: Transaction
    ) throws {
        try transaction.db.execute(
            sql: "UPDATE releases SET notes = ? WHERE product = ? AND version = ?",
            arguments: [notes, product, version])
        transaction.afterCommit(.changed(thing: nil))
    }

    private static func check(_ notes: String) throws {
        guard notes.utf8.count > notesBytes else { return }
        throw Refusal(
            .tooLarge, "Notes too long", "the notes have \(notes.utf8.count) bytes; expected at most \(notesBytes)",
            advice: "Say the most important things")
    }

    /// Changes what owners read of a release.
    package func changeNotes(_ notes: String, product: String, version: String) async throws -> ReleaseSummary {
        try Self.check(notes)
        return try await store.perform { transaction in
            _ = try Self.release(product, version, transaction)
            try Self.write(notes, product, version, transaction)
            return try Self.release(product, version, transaction)
        }
    }

    /// Makes a draft active: it is offered to every owner whose device it is news for.
    package func activate(product: String, version: String) async throws -> ReleaseSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            let release = try Self.release(product, version, transaction)
            guard release.state != .active else { return release }
            guard release.state == .draft, let number = ReleaseVersion(version) else {
                throw Refusal(
                    .rule, "Release withdrawn", "release \(version) of \(product) was withdrawn",
                    advice: "Publish a higher version")
            }
            try transaction.db.execute(
                sql: "UPDATE releases SET state = 'active', published = ? WHERE product = ? AND version = ?",
                arguments: [now, product, version])
            try Self.note(.releasePublished, product: product, version: version, transaction, now)
            for artifact in release.artifacts {
                try Self.offer(number, of: product, hardware: artifact.hardware, transaction, now)
            }
            return try Self.release(product, version, transaction)
        }
    }

    /// Puts the image in place; false where the same bytes are there already.
    private static func putArtifact(
        _ artifact: Artifact, _ product: String, _ version: String, _ transaction: Transaction, _ now: Int64
    ) throws -> Bool {
        let known = try Data.fetchOne(
            transaction.db, sql: "SELECT sha256 FROM artifacts WHERE product = ? AND version = ? AND hardware = ?",
            arguments: [product, version, artifact.hardware])
        if let known {
            guard known == artifact.digest else {
                throw Refusal(
                    .conflict, "Version taken",
                    "release \(version) of \(product) has another image for \(artifact.hardware): SHA-256 "
                        + "\(known.hexadecimal.prefix(12))…, this one is \(artifact.digest.hexadecimal.prefix(12))…",
                    advice: "A published image never changes: publish a higher version")
            }
            return false
        }
        try transaction.db.execute(
            sql: """
                INSERT INTO artifacts (product, version, hardware, sha256, size, format, created)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                product, version, artifact.hardware, artifact.digest, artifact.size, artifact.format, now,
            ])
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
            product: product, version: version, state: ReleaseState(rawValue: row["state"]) ?? .withdrawn,
            notes: row["notes"], reason: row["reason"], created: row["created"], published: row["published"],
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
            guard release.state != .withdrawn else { return release }
            try transaction.db.execute(
                sql: "UPDATE releases SET state = 'withdrawn', reason = ? WHERE product = ? AND version = ?",
                arguments: [reason, product, version])
            try Self.note(
                .releaseWithdrawn, product: product, version: version, detail: reason, transaction, now)
            try Self.withdrawOffers(product, version, transaction, now)
            return try Self.release(product, version, transaction)
        }
    }
}
