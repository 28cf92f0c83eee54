import Foundation
import GRDB
import Logging
import Releases
import Store

//  What an owner answers: to an offer, to an update on its way, to how one ended.

/// What an owner decides about an offer.
package enum OfferDecision: Sendable, Equatable {
    /// Now.
    case install
    /// At the next 02:00 of the owner's time zone.
    case tonight
    /// Ask again in three days.
    case later
}

extension Operations {
    /// Milliseconds after which an owner who chose Later is asked again.
    private static let pause: Int64 = 3 * 24 * 3600 * 1000

    /// Carries out or keeps an owner's answer to the offer of `version`, or to the end of an update to it.
    ///
    /// - Throws: `.conflict` where that version is no longer what the owner is asked about.
    package func decide(
        _ decision: OfferDecision, _ version: String, for thing: String, of uid: String, timeZone: String?
    ) async throws {
        let now = Self.now()
        try await store.perform { transaction in
            try Self.noteTimeZone(timeZone, of: uid, transaction)
            let device = try Self.owned(thing, by: uid, transaction)
            guard try Self.facts(device, transaction).isAsked(about: version) else {
                throw Refusal(
                    .conflict, "No such offer", "version \(version) is not offered for \"\(thing)\" any more",
                    advice: "Look at the device again")
            }
            switch decision {
            case .install: try Self.install(version, on: device, transaction, now)
            case .tonight:
                let zone = try String.fetchOne(
                    transaction.db, sql: "SELECT time_zone FROM users WHERE uid = ?", arguments: [uid])
                let night = Self.nextNight(after: now, zone: zone)
                try Self.postpone(version, for: device, until: night, .tonight, transaction, now)
            case .later: try Self.postpone(version, for: device, until: now + Self.pause, .later, transaction, now)
            }
        }
    }

    private static func install(
        _ version: String, on device: Row, _ transaction: Transaction, _ now: Int64
    ) throws {
        let change = UserChange(firmwareVersion: .value(version), phraseType: .absent)
        try wish(change, for: device, transaction, now)
    }

    private static func postpone(
        _ version: String, for device: Row, until: Int64, _ answer: OfferAnswer, _ transaction: Transaction,
        _ now: Int64
    ) throws {
        try check(version, for: device, transaction)
        try reopenOffer(device["thing"], version, until: until, answer: answer, transaction, now)
    }

    /// Takes back an update that the device has not begun to install.
    ///
    /// - Throws: `.conflict` where it is too late, or another version is on its way.
    package func stopUpdate(_ version: String, of thing: String, by uid: String) async throws {
        let now = Self.now()
        try await store.perform { transaction in
            _ = try Self.owned(thing, by: uid, transaction)
            guard let (_, update) = try Self.openUpdate(thing, transaction), update.version == version,
                update.phase.isRevocable
            else {
                throw Refusal(
                    .conflict, "Too late", "the update of \"\(thing)\" to \(version) cannot be stopped any more",
                    advice: "Wait until it has ended")
            }
            try Self.takeBack(thing, "the owner took it back", transaction, now)
        }
    }

    /// Cancels the update on its way, and puts its version before the owner again where nothing else is offered.
    static func takeBack(_ thing: String, _ why: String, _ transaction: Transaction, _ now: Int64) throws {
        guard let (_, update) = try openUpdate(thing, transaction) else { return }
        try feed(.cancelled(reason: why), to: thing, transaction, now)
        let device = try deviceRow(thing, transaction)
        let running: String? = device["reported_version"]
        guard (device["owner"] as String?) != nil, try facts(device, transaction).offer == nil,
            let version = ReleaseVersion(update.version), UpgradeRule.isNews(version, running: running)
        else { return }
        try reopenOffer(thing, update.version, until: nil, answer: nil, transaction, now)
    }

    /// Notes that the owner has seen how the last update ended.
    package func dismissUpdate(of thing: String, by uid: String) async throws {
        let now = Self.now()
        try await store.perform { transaction in
            _ = try Self.owned(thing, by: uid, transaction)
            try transaction.db.execute(
                sql: """
                    UPDATE updates SET dismissed = ? WHERE ended IS NOT NULL
                        AND id = (SELECT MAX(id) FROM updates WHERE thing = ?)
                    """, arguments: [now, thing])
        }
    }

    /// Gives a device the name its owner calls it by, at most 64 characters; an empty one is forgotten.
    package func nameDevice(_ thing: String, _ name: String, by uid: String) async throws {
        let text = name.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.count <= 64, text.utf8.count <= 256, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw Refusal(.invalid, "Name too long", "a name has at most 64 characters, and no line breaks")
        }
        try await store.perform { transaction in
            _ = try Self.owned(thing, by: uid, transaction)
            try transaction.db.execute(
                sql: "UPDATE devices SET name = ? WHERE thing = ?", arguments: [text.isEmpty ? nil : text, thing])
            transaction.afterCommit(.changed(thing: thing))
        }
    }

    /// Keeps the owner's time zone, an IANA name as browsers give it; anything else changes nothing.
    private static func noteTimeZone(_ name: String?, of uid: String, _ transaction: Transaction) throws {
        guard let name, name.utf8.count <= 64, name.contains("/") || name == "UTC", TimeZone(identifier: name) != nil
        else { return }
        try transaction.db.execute(sql: "UPDATE users SET time_zone = ? WHERE uid = ?", arguments: [name, uid])
    }

    // MARK: Rows

    /// A device of this owner; what belongs to others does not exist for them.
    static func owned(_ thing: String, by uid: String, _ transaction: Transaction) throws -> Row {
        guard
            let row = try Row.fetchOne(
                transaction.db, sql: "SELECT * FROM devices WHERE thing = ? AND owner = ?", arguments: [thing, uid])
        else { throw Refusal(.notFound, "No such device", "you have no device \"\(thing)\"") }
        return row
    }

    /// Puts an offer (back) before the owner, at once or after `until`.
    private static func reopenOffer(
        _ thing: String, _ version: String, until: Int64?, answer: OfferAnswer?, _ transaction: Transaction,
        _ now: Int64
    ) throws {
        try transaction.db.execute(
            sql: """
                INSERT INTO offers (thing, version, state, created, deadline, until, answer)
                VALUES (?1, ?2, 'open', ?3, ?4, ?5, ?6)
                ON CONFLICT (thing, version) DO UPDATE
                SET state = 'open', ended = NULL, deadline = MAX(deadline, ?4), until = ?5, answer = ?6
                """,
            arguments: [thing, version, now, now + Self.offerLife, until, answer?.rawValue])
        transaction.afterCommit(.changed(thing: thing))
    }

    /// Milliseconds of the next 02:00 in an IANA time zone, that of the server where it is unknown.
    static func nextNight(after now: Int64, zone: String?) -> Int64 {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone.flatMap(TimeZone.init(identifier:)) ?? .current
        let date = Date(timeIntervalSince1970: Double(now) / 1000)
        let night = calendar.nextDate(
            after: date, matching: DateComponents(hour: 2, minute: 0), matchingPolicy: .nextTime)
        return Int64((night ?? date.addingTimeInterval(12 * 3600)).timeIntervalSince1970 * 1000)
    }

    /// Does what owners chose for this moment: installs what was put off to the night, asks again what was put off.
    package func wakeOffers() async throws {
        let now = Self.now()
        let due = try await store.read { transaction in
            try String.fetchAll(
                transaction.db, sql: "SELECT thing FROM offers WHERE ended IS NULL AND until <= ?", arguments: [now])
        }
        for thing in due {
            try await store.perform { [logger] in try Self.wakeOffer(of: thing, $0, now, logger) }
        }
    }

    private static func wakeOffer(
        of thing: String, _ transaction: Transaction, _ now: Int64, _ logger: Logger
    ) throws {
        let device = try deviceRow(thing, transaction)
        guard let offer = try facts(device, transaction).offer, let until = offer.until, until <= now else { return }
        if offer.answer == .tonight {
            do {
                // The rule is asked before anything is written.
                return try install(offer.version, on: device, transaction, now)
            } catch let refusal as Refusal where refusal.kind == .rule {
                logger.notice(
                    "an update for the night was refused", metadata: ["thing": "\(thing)", "why": "\(refusal.detail)"])
            }
        }
        try reopenOffer(thing, offer.version, until: nil, answer: nil, transaction, now)
        guard let owner: String = device["owner"] else { return }
        try emit(
            "offer", to: owner, EventBody(device: thing, version: offer.version, state: "offered"), transaction, now)
    }
}
