import Foundation
import GRDB
import Logging
import Releases
import ShadowDocument
import ShadowService
import Store

//  From "there is a newer version" to "it runs": offers, updates, and what devices report on the way.

extension Operations {
    /// Milliseconds that an offer stands: 30 days.
    static let offerLife: Int64 = 30 * 24 * 3600 * 1000

    // MARK: Offers

    /// Offers a new release to the owner of every device it is news for.
    static func offer(
        _ version: ReleaseVersion, of product: String, hardware: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        let rows = try Row.fetchAll(
            transaction.db,
            sql: """
                SELECT thing, owner, reported_version FROM devices
                WHERE product = ? AND hardware = ? AND owner IS NOT NULL AND revoked = 0
                """, arguments: [product, hardware])
        for row in rows where UpgradeRule.isNews(version, running: row["reported_version"]) {
            try offer(version, to: row["thing"], owner: row["owner"], transaction, now)
        }
    }

    private static func offer(
        _ version: ReleaseVersion, to thing: String, owner: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        let db = transaction.db
        let open = try Row.fetchAll(
            db, sql: "SELECT version, state FROM offers WHERE thing = ? AND ended IS NULL", arguments: [thing])
        for row in open {
            guard let other = ReleaseVersion(row["version"]) else { continue }
            if version <= other { return }
            try endOffer(thing, other.text, "superseded", transaction, now)
        }
        let ended = try Bool.fetch(
            transaction, "SELECT EXISTS (SELECT 1 FROM offers WHERE thing = ? AND version = ?)", [thing, version.text])
        guard !ended else { return }
        try db.execute(
            sql: "INSERT INTO offers (thing, version, state, created, deadline) VALUES (?, ?, 'open', ?, ?)",
            arguments: [thing, version.text, now, now + offerLife])
        transaction.afterCommit(.changed(thing: thing))
        try emit(
            "offer", to: owner, EventBody(device: thing, version: version.text, state: "offered"), transaction, now)
    }

    private static func endOffer(
        _ thing: String, _ version: String, _ state: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        try transaction.db.execute(
            sql: "UPDATE offers SET state = ?, ended = ? WHERE thing = ? AND version = ? AND ended IS NULL",
            arguments: [state, now, thing, version])
        transaction.afterCommit(.changed(thing: thing))
    }

    /// Ends the offers of versions that are no news any more, whichever way the device came to run what it runs.
    static func endOldOffers(of thing: String, running: String, _ transaction: Transaction, _ now: Int64) throws {
        let open = try String.fetchAll(
            transaction.db, sql: "SELECT version FROM offers WHERE thing = ? AND ended IS NULL", arguments: [thing])
        for text in open where ReleaseVersion(text).map({ UpgradeRule.isNews($0, running: running) }) != true {
            try endOffer(thing, text, "superseded", transaction, now)
        }
    }

    /// Offers the newest fitting release to a device whose version became known.
    static func offerNewest(to device: Row, running: String, _ transaction: Transaction, _ now: Int64) throws {
        guard let product: String = device["product"], let hardware: String = device["hardware"],
            let owner: String = device["owner"]
        else { return }
        guard let newest = try newest(product: product, hardware: hardware, transaction),
            UpgradeRule.isNews(newest, running: running)
        else { return }
        try offer(newest, to: device["thing"], owner: owner, transaction, now)
    }

    static func withdrawOffers(
        _ product: String, _ version: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        let things = try String.fetchAll(
            transaction.db, sql: "SELECT thing FROM devices WHERE product = ?", arguments: [product])
        for thing in things {
            try endOffer(thing, version, "superseded", transaction, now)
            if let (_, update) = try openUpdate(thing, transaction), update.version == version {
                try feed(.cancelled(reason: "release \(version) was withdrawn"), to: thing, transaction, now)
            }
        }
    }

    // MARK: Updates

    /// Checks whether a device may go to `version`, by the one rule for owners, operators and offers.
    static func check(_ version: String, for device: Row, _ transaction: Transaction) throws {
        let product: String? = device["product"]
        let hardware: String? = device["hardware"]
        let isActive = try Bool.fetch(
            transaction,
            "SELECT EXISTS (SELECT 1 FROM releases WHERE product = ? AND version = ? AND state = 'active')",
            [product, version])
        let hasArtifact = try Bool.fetch(
            transaction, "SELECT EXISTS (SELECT 1 FROM artifacts WHERE product = ? AND version = ? AND hardware = ?)",
            [product, version, hardware])
        do {
            try UpgradeRule.check(
                UpgradeRule.Facts(
                    thing: device["thing"], product: product, hardware: hardware, running: device["reported_version"],
                    version: version, releaseIsActive: isActive, hasArtifact: hasArtifact))
        } catch {
            throw Refusal(
                .rule, "Version refused", error.description,
                advice: product.map { "See what there is: apus release list --product \($0)" } ?? "")
        }
    }

    /// Begins the update of a device to `version`, in place of one to another version.
    static func beginUpdate(
        _ version: String, for device: Row, _ delivery: Delivery, _ transaction: Transaction, _ now: Int64
    ) throws {
        let thing: String = device["thing"]
        let running: String? = device["reported_version"]
        if let (_, open) = try openUpdate(thing, transaction) {
            if open.version == version { return }
            try feed(
                .cancelled(reason: "version \(version) was chosen instead"), to: thing, transaction, now, returning: .no
            )
        }
        guard version != running else { return }
        try endOffer(thing, version, "accepted", transaction, now)
        let update = Update(thing: thing, version: version, fromVersion: running, now: now)
        try transaction.db.execute(
            sql: """
                INSERT INTO updates
                    (thing, version, from_version, phase, percent, attempts, reports, created, changed, deadline)
                VALUES (?, ?, ?, ?, 0, 0, 0, ?, ?, ?)
                """, arguments: [thing, version, running, update.phase.rawValue, now, now, update.deadline])
        let id = transaction.db.lastInsertedRowID
        try noteStep(of: update, id, transaction, now)
        try note(.updateBegan, thing: thing, version: version, transaction, now)
        try announce(update, owner: device["owner"], transaction, now)
        if delivery == .job { try handOut(id, version, to: device, transaction) }
    }

    /// Keeps when an update reached a phase, for its timeline.
    private static func noteStep(
        of update: Update, _ id: Int64, _ transaction: Transaction, _ now: Int64
    ) throws {
        try transaction.db.execute(
            sql: """
                INSERT INTO update_steps (update_id, number, at, phase, attempt, reason)
                SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5 FROM update_steps WHERE update_id = ?1
                """, arguments: [id, now, update.phase.rawValue, update.attempts, update.reason])
        try transaction.db.execute(
            sql: "UPDATE devices SET phase = ? WHERE thing = ?", arguments: [update.phase.rawValue, update.thing])
    }

    /// The open update of a device.
    static func openUpdate(_ thing: String, _ transaction: Transaction) throws -> (id: Int64, update: Update)? {
        guard
            let row = try Row.fetchOne(
                transaction.db, sql: "SELECT * FROM updates WHERE thing = ? AND ended IS NULL", arguments: [thing])
        else { return nil }
        var update = Update(thing: thing, version: row["version"], fromVersion: row["from_version"], now: 0)
        update.phase = UpdatePhase(rawValue: row["phase"]) ?? .queued
        update.percent = row["percent"]
        update.attempts = row["attempts"]
        update.reports = row["reports"]
        update.reason = row["reason"]
        update.deadline = row["deadline"]
        return (row["id"], update)
    }

    /// Whether `desired` goes back to what runs when an update ends without success.
    enum Return { case yes, no }

    /// Gives the open update of a device one input; stores and announces what that changes.
    static func feed(
        _ input: UpdateInput, to thing: String, _ transaction: Transaction, _ now: Int64, returning: Return = .yes
    ) throws {
        guard let (id, before) = try openUpdate(thing, transaction) else { return }
        var update = before
        guard update.take(input) else { return }
        try transaction.db.execute(
            sql: """
                UPDATE updates SET phase = ?, percent = ?, attempts = ?, reports = ?, reason = ?, changed = ?, ended = ?
                WHERE id = ?
                """,
            arguments: [
                update.phase.rawValue, update.percent, update.attempts, update.reports, update.reason, now,
                update.phase.isEnd ? now : nil, id,
            ])
        if update.phase != before.phase || update.attempts != before.attempts {
            try noteStep(of: update, id, transaction, now)
        }
        if let kind = Activity.Kind.of(update.phase) {
            try note(kind, thing: thing, version: update.version, detail: update.reason, transaction, now)
        } else {
            transaction.afterCommit(.changed(thing: thing))
        }
        let owner = try String.fetchOne(
            transaction.db, sql: "SELECT owner FROM devices WHERE thing = ?", arguments: [thing])
        try announce(update, owner: owner, transaction, now)
        if update.phase.isEnd { try takeBackJob(of: id, on: thing, update.reason, transaction) }
        if update.phase.needsReturn, returning == .yes {
            try returnDesired(of: thing, owner: owner, update, transaction, now)
        }
    }

    private static func announce(
        _ update: Update, owner: String?, _ transaction: Transaction, _ now: Int64
    ) throws {
        guard let owner else { return }
        let kind =
            switch update.phase {
            case .succeeded: "done"
            case .failed, .rolledBack, .cancelled, .timedOut: "failed"
            default: "progress"
            }
        let body = EventBody(
            device: update.thing, version: update.version, state: update.phase.rawValue, percent: update.percent,
            reason: update.reason)
        try emit(kind, to: owner, body, transaction, now)
    }

    /// Ends the article's loop, which would otherwise download for ever: shadow and owner's row name what runs again.
    private static func returnDesired(
        of thing: String, owner: String?, _ update: Update, _ transaction: Transaction, _ now: Int64
    ) throws {
        let running = try String.fetchOne(
            transaction.db, sql: "SELECT reported_version FROM devices WHERE thing = ?", arguments: [thing])
        let version = running ?? update.fromVersion
        try transaction.db.execute(
            sql: "UPDATE users SET firmware_version = ? WHERE device_id = ? AND firmware_version = ?",
            arguments: [version, thing, update.version])
        guard let id = ShadowID(thing: thing, name: nil), let shadow = try transaction.shadow(id),
            shadow.string(.desired, ["config", "firmware_version"]) == update.version
        else { return }
        func payload(_ value: String) -> [UInt8] {
            Array(#"{"state":{"desired":{"config":{"firmware_version":\#(value)}}}}"#.utf8)
        }
        do {
            try Self.update(id, payload: payload(version.map(JSONPiece.quoted) ?? "null"), transaction, now)
        } catch is Refusal {
            // A device may have filled its shadow to the last byte: taking a member away always fits.
            try Self.update(id, payload: payload("null"), transaction, now)
        }
    }

    /// Ends what has waited too long: updates, offers.
    package func lookAfterDeadlines() async throws {
        let now = Self.now()
        let late = try await store.read { transaction in
            try String.fetchAll(
                transaction.db, sql: "SELECT thing FROM updates WHERE ended IS NULL AND deadline <= ?", arguments: [now]
            )
        }
        for thing in late {
            do {
                try await store.perform { try Self.feed(.clock(now: now), to: thing, $0, now) }
            } catch {
                logger.error("an update could not be ended", metadata: ["thing": "\(thing)", "error": "\(error)"])
            }
        }
        try await store.perform { transaction in
            try transaction.db.execute(
                sql: "UPDATE offers SET state = 'expired', ended = ?1 WHERE ended IS NULL AND deadline <= ?1",
                arguments: [now])
            if transaction.db.changesCount > 0 { transaction.afterCommit(.changed(thing: nil)) }
        }
    }
}
