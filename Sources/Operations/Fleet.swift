import Accounts
import Crypto
import Foundation
import GRDB
package import Identity
package import Releases
import ShadowService
import Store

/// One device as maker and owner see it.
package struct DeviceSummary: Sendable, Codable, Equatable {
    package var thing: String
    package var product: String?
    package var hardware: String?
    package var owner: String?
    /// What its owner calls it.
    package var name: String?
    /// As the device reports it.
    package var version: String?
    /// Where it stands in the fleet.
    package var state: FleetState
    package var connected: Bool
    package var last_seen: Int64?
    package var revoked: Bool
    package var created: Int64
    /// The open update, or the last one.
    package var update: UpdateSummary?
    /// The offer that stands.
    package var offer: OfferSummary?
}

/// A version that the owner is asked about.
package struct OfferSummary: Sendable, Codable, Equatable {
    package var version: String
    /// What the owner chose instead of Install.
    package var answer: OfferAnswer?
    /// Until when it was put off, milliseconds since 1970.
    package var until: Int64?
}

/// One update as it is shown.
package struct UpdateSummary: Sendable, Codable, Equatable {
    package var version: String
    package var state: String
    package var percent: Int
    package var attempts: Int
    package var reason: String?
    package var changed: Int64
}

/// How a new device proves who it is.
package enum NewDeviceCredential: Sendable {
    case certificate(IssuedCertificate)
    case token(String)
}

/// What a new device shall have.
package struct DeviceDraft: Sendable {
    package var thing: String
    package var product: String?
    package var hardware: String?
    package var owner: String?
    package var usesToken: Bool

    package init(thing: String, product: String?, hardware: String?, owner: String?, usesToken: Bool) {
        self.thing = thing
        self.product = product
        self.hardware = hardware
        self.owner = owner
        self.usesToken = usesToken
    }
}

extension Operations {
    /// The authority's certificate, which devices trust.
    package var authorityPEM: String { authority.certificatePEM }

    /// Adds a device and makes its credential, which is shown once.
    package func addDevice(_ draft: DeviceDraft) async throws -> (
        device: DeviceSummary, credential: NewDeviceCredential
    ) {
        guard ShadowID(thing: draft.thing, name: nil) != nil else {
            throw Refusal(
                .invalid, "Not a thing name",
                "\"\(draft.thing)\" is no thing name; expected 1 to 128 of a-z A-Z 0-9 : _ -",
                advice: "Choose another name")
        }
        let now = Self.now()
        let token = draft.usesToken ? Secrets.make("device_") : nil
        let certificate = draft.usesToken ? nil : try authority.issueDevice(thing: draft.thing)
        let device = try await store.perform { transaction in
            try Self.insert(draft, tokenHash: token.map(Secrets.digest), transaction, now)
            try Self.note(.deviceAdded, thing: draft.thing, product: draft.product, transaction, now)
            return try Self.device(draft.thing, transaction)
        }
        if let certificate { return (device, .certificate(certificate)) }
        return (device, .token(token ?? ""))
    }

    private static func insert(
        _ draft: DeviceDraft, tokenHash: Data?, _ transaction: Transaction, _ now: Int64
    ) throws {
        let db = transaction.db
        // A thing that CreateThing made is completed by this; it keeps its attributes and groups.
        let enrolled = try Bool.fetchOne(
            db, sql: "SELECT enrolled FROM devices WHERE thing = ?", arguments: [draft.thing])
        guard enrolled != true else {
            throw Refusal(
                .conflict, "Device exists", "there is a device \"\(draft.thing)\" already",
                advice: "See it: apus device show \(draft.thing)")
        }
        let hardware = try assignment(draft, transaction)
        if let owner = draft.owner {
            guard try Bool.fetch(transaction, "SELECT EXISTS (SELECT 1 FROM users WHERE uid = ?)", [owner]) else {
                throw Refusal(
                    .notFound, "No such account", "there is no account \"\(owner)\"", advice: "apus user add \(owner)")
            }
        }
        try db.execute(
            sql: """
                INSERT INTO devices (thing, product, hardware, owner, token_hash, created, thing_id)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                ON CONFLICT (thing) DO UPDATE
                SET product = ?2, hardware = ?3, owner = ?4, token_hash = ?5, created = ?6, enrolled = 1
                """,
            arguments: [
                draft.thing, draft.product, hardware, draft.owner, tokenHash, now, UUID().uuidString.lowercased(),
            ])
        if let owner = draft.owner {
            try db.execute(
                sql: "UPDATE users SET device_id = ? WHERE uid = ? AND device_id IS NULL",
                arguments: [draft.thing, owner])
        }
        // The thing may have used its shadow before it was registered.
        if let id = ShadowID(thing: draft.thing, name: nil), let shadow = try transaction.shadow(id),
            let row = try Row.fetchOne(db, sql: "SELECT * FROM devices WHERE thing = ?", arguments: [draft.thing])
        {
            try followVersion(shadow, row, transaction, now)
        }
    }

    /// The hardware model of a new device: the one named, or the only one its product has.
    private static func assignment(_ draft: DeviceDraft, _ transaction: Transaction) throws -> String? {
        guard let slug = draft.product else { return draft.hardware }
        let product = try product(slug, transaction)
        if let hardware = draft.hardware {
            guard product.hardware.contains(hardware) else {
                throw Refusal(
                    .rule, "Unknown hardware model", "product \(slug) has no hardware model \"\(hardware)\"",
                    advice: "apus product add \(slug) --hardware \(hardware)")
            }
            return hardware
        }
        guard product.hardware.count == 1 else {
            throw Refusal(
                .invalid, "Hardware model missing", "product \(slug) has \(product.hardware.count) hardware models",
                advice: "Name it with --hardware: \(product.hardware.joined(separator: ", "))")
        }
        return product.hardware[0]
    }

    /// The devices, by name; `owner` and `product` narrow them.
    package func devices(owner: String? = nil, product: String? = nil) async throws -> [DeviceSummary] {
        try await store.perform { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT * FROM devices WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR product = ?2) ORDER BY thing
                    """, arguments: [owner, product]
            ).map { try Self.summary($0, transaction) }
        }
    }

    /// One device.
    package func device(_ thing: String) async throws -> DeviceSummary {
        try await store.perform { try Self.device(thing, $0) }
    }

    static func device(_ thing: String, _ transaction: Transaction) throws -> DeviceSummary {
        try summary(deviceRow(thing, transaction), transaction)
    }

    static func summary(_ row: Row, _ transaction: Transaction) throws -> DeviceSummary {
        let thing: String = row["thing"]
        let update = try newestUpdate(of: thing, transaction)
        return DeviceSummary(
            thing: thing, product: row["product"], hardware: row["hardware"], owner: row["owner"],
            name: row["name"], version: row["reported_version"],
            state: FleetState.of(
                isRevoked: row["revoked"], phase: (row["phase"] as String?).flatMap(UpdatePhase.init),
                running: row["reported_version"],
                newest: try newest(product: row["product"], hardware: row["hardware"], transaction)),
            connected: row["connected"], last_seen: row["last_seen"],
            revoked: row["revoked"], created: row["created"],
            update: update.map {
                UpdateSummary(
                    version: $0["version"], state: $0["phase"], percent: $0["percent"], attempts: $0["attempts"],
                    reason: $0["reason"], changed: $0["changed"])
            },
            offer: try offer(to: thing, transaction).map {
                OfferSummary(version: $0.version, answer: $0.answer, until: $0.until)
            })
    }

    /// Takes a device's rights back and closes its connection; its history stays.
    package func revoke(thing: String) async throws -> DeviceSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            _ = try Self.device(thing, transaction)
            try Self.note(.deviceRevoked, thing: thing, transaction, now)
            try transaction.db.execute(sql: "UPDATE devices SET revoked = 1 WHERE thing = ?", arguments: [thing])
            transaction.afterCommit(.disconnect(thing: thing))
            return try Self.device(thing, transaction)
        }
    }

    /// Judges a certificate or a token of a device; nil where there is no such device or its rights ended.
    package func authenticateDevice(thing: String, token: String?) async throws -> Bool {
        try await store.perform { transaction in
            let device = try transaction.db.cachedStatement(
                sql: "SELECT token_hash, revoked FROM devices WHERE thing = ?")
            guard let row = try Row.fetchOne(device, arguments: [thing]), row["revoked"] == false
            else { return false }
            guard let token else { return true }
            let stored: Data? = row["token_hash"]
            return stored == Secrets.digest(token)
        }
    }
}
