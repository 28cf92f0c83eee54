import Foundation
import GRDB
package import Releases
import ShadowDocument
import ShadowService
import Store

/// One device as its owner sees it, in one snapshot of the store.
package struct OwnerDevice: Sendable {
    /// A version that the device may go to, or was on its way to.
    package struct Candidate: Sendable {
        package var version: String
        package var notes: String
        package var size: Int?

        package init(version: String, notes: String, size: Int?) {
            self.version = version
            self.notes = notes
            self.size = size
        }
    }

    /// A setting of the product, with what was wished and what the device says.
    package struct SettingView: Sendable {
        package var setting: ProductSetting
        package var desired: String?
        package var reported: String?

        package init(setting: ProductSetting, desired: String?, reported: String?) {
            self.setting = setting
            self.desired = desired
            self.reported = reported
        }
    }

    package var facts: DeviceFacts
    package var standing: Standing
    /// What the owner calls it.
    package var name: String?
    package var picture: String
    package var offSeconds: Int?
    /// Year and month, `2031-06`.
    package var supportUntil: String?
    /// What an update takes: measured on this product, else as the maker says.
    package var updateSeconds: Int?
    package var offer: Candidate?
    /// The newest update, and what it is to.
    package var update: UpdateHistory?
    package var updateTarget: Candidate?
    /// Notes of the version that runs.
    package var runningNotes: String?
    /// When the version that runs was installed, milliseconds since 1970.
    package var runningSince: Int64?
    package var settings: [SettingView]

    package init(
        facts: DeviceFacts, standing: Standing, name: String?, picture: String, offSeconds: Int?,
        supportUntil: String?, updateSeconds: Int?, offer: Candidate?, update: UpdateHistory?, updateTarget: Candidate?,
        runningNotes: String?, runningSince: Int64?, settings: [SettingView]
    ) {
        self.facts = facts
        self.standing = standing
        self.name = name
        self.picture = picture
        self.offSeconds = offSeconds
        self.supportUntil = supportUntil
        self.updateSeconds = updateSeconds
        self.offer = offer
        self.update = update
        self.updateTarget = updateTarget
        self.runningNotes = runningNotes
        self.runningSince = runningSince
        self.settings = settings
    }
}

/// What an owner's page needs beside the devices.
package struct OwnerSnapshot: Sendable {
    package var uid: String
    /// IANA name.
    package var timeZone: String?
    /// The last event that these devices include.
    package var lastEventID: Int64
    package var now: Int64
    package var devices: [OwnerDevice]

    package init(uid: String, timeZone: String?, lastEventID: Int64, now: Int64, devices: [OwnerDevice]) {
        self.uid = uid
        self.timeZone = timeZone
        self.lastEventID = lastEventID
        self.now = now
        self.devices = devices
    }
}

extension Operations {
    /// All devices of an owner, by name.
    package func ownerDevices(_ uid: String) async throws -> OwnerSnapshot {
        try await snapshot(uid) { transaction in
            try Row.fetchAll(
                transaction.db, sql: "SELECT * FROM devices WHERE owner = ? ORDER BY COALESCE(name, thing), thing",
                arguments: [uid])
        }
    }

    /// One device of an owner.
    package func ownerDevice(_ thing: String, of uid: String) async throws -> OwnerSnapshot {
        try await snapshot(uid) { [try Self.owned(thing, by: uid, $0)] }
    }

    private func snapshot(
        _ uid: String, _ rows: @escaping @Sendable (Transaction) throws -> [Row]
    ) async throws -> OwnerSnapshot {
        let now = Self.now()
        return try await store.read { transaction in
            let db = transaction.db
            let lastID = try Int64.fetchOne(db, sql: "SELECT MAX(id) FROM events WHERE uid = ?", arguments: [uid]) ?? 0
            return OwnerSnapshot(
                uid: uid,
                timeZone: try String.fetchOne(db, sql: "SELECT time_zone FROM users WHERE uid = ?", arguments: [uid]),
                lastEventID: lastID, now: now,
                devices: try rows(transaction).map { try Self.ownerDevice($0, transaction) })
        }
    }

    private static func ownerDevice(_ row: Row, _ transaction: Transaction) throws -> OwnerDevice {
        let newest = try newestUpdate(of: row["thing"], transaction)
        let facts = try facts(row, update: newest, transaction)
        let face = try ProductFace.read(facts.product, transaction)
        return OwnerDevice(
            facts: facts, standing: Standing.of(facts), name: row["name"], picture: face.picture,
            offSeconds: face.offSeconds, supportUntil: face.supportUntil,
            updateSeconds: try usualSeconds(facts.product, transaction) ?? face.minutes.map { $0 * 60 },
            offer: try facts.offer.map { try candidate($0.version, facts, transaction) },
            update: try newest.map { try history($0, transaction) },
            updateTarget: try facts.update.map { try candidate($0.version, facts, transaction) },
            runningNotes: try facts.running.flatMap { try notes($0, facts, transaction) },
            runningSince: try since(facts, transaction),
            settings: try settings(face.settings, facts.thing, transaction))
    }

    private static func candidate(
        _ version: String, _ facts: DeviceFacts, _ transaction: Transaction
    ) throws -> OwnerDevice.Candidate {
        OwnerDevice.Candidate(
            version: version, notes: try notes(version, facts, transaction) ?? "",
            size: try Int.fetchOne(
                transaction.db, sql: "SELECT size FROM artifacts WHERE product = ? AND version = ? AND hardware = ?",
                arguments: [facts.product, version, facts.hardware]))
    }

    private static func notes(
        _ version: String, _ facts: DeviceFacts, _ transaction: Transaction
    ) throws -> String? {
        try String.fetchOne(
            transaction.db, sql: "SELECT notes FROM releases WHERE product = ? AND version = ?",
            arguments: [facts.product, version])
    }

    private static func since(_ facts: DeviceFacts, _ transaction: Transaction) throws -> Int64? {
        try Int64.fetchOne(
            transaction.db,
            sql: "SELECT ended FROM updates WHERE thing = ? AND version = ? AND phase = 'succeeded' ORDER BY id DESC",
            arguments: [facts.thing, facts.running])
    }

    /// The median of what the newest updates of a product took, seconds; nil with fewer than three.
    private static func usualSeconds(_ product: String?, _ transaction: Transaction) throws -> Int? {
        guard let product else { return nil }
        let times = try Int.fetchAll(
            transaction.db,
            sql: """
                SELECT (u.ended - u.created) / 1000 FROM (SELECT * FROM updates ORDER BY id DESC LIMIT 500) u
                JOIN devices d USING (thing) WHERE d.product = ? AND u.phase = 'succeeded' LIMIT 21
                """, arguments: [product]
        ).sorted()
        return times.count < 3 ? nil : max(1, times[times.count / 2])
    }

    private static func settings(
        _ settings: [ProductSetting], _ thing: String, _ transaction: Transaction
    ) throws -> [OwnerDevice.SettingView] {
        // `phrase_type` is the only setting there is (`changeProduct` sees to that).
        guard !settings.isEmpty, let id = ShadowID(thing: thing, name: nil) else { return [] }
        let shadow = try transaction.shadow(id)
        return settings.map { setting in
            OwnerDevice.SettingView(
                setting: setting, desired: shadow?.string(.desired, ["config", "phrase_type"]),
                reported: shadow?.string(.reported, ["config", "phrase_type"]))
        }
    }
}
