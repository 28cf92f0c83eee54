import ByteKit
import Foundation
import GRDB
import JSONText
import Releases
import ShadowDocument
import ShadowService
import Store

//  What devices report through their shadow: version, progress, settings.

extension Operations {
    /// Follows an accepted update of a thing's classic shadow, within its transaction.
    ///
    /// Only what this request named counts: an unrelated report says nothing about the version that runs.
    static func follow(
        _ payload: [UInt8], _ stored: StoredShadow, by thing: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        guard let named = NamedReport(payload) else { return }
        guard
            let device = try Row.fetchOne(
                transaction.db, sql: "SELECT * FROM devices WHERE thing = ?", arguments: [thing])
        else { return }
        if named.update { try followProgress(stored, thing, transaction, now) }
        if named.version { try followVersion(stored, device, transaction, now) }
        if named.settings { try followSettings(stored, device, transaction, now) }
    }

    private static func followProgress(
        _ stored: StoredShadow, _ thing: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        guard let version = stored.string(.reported, ["update", "version"]),
            let state = stored.string(.reported, ["update", "state"])
        else { return }
        let percent = stored.value(.reported, ["update", "percent"])
            .flatMap { Int(String(decoding: $0, as: UTF8.self)) }
        let error = stored.string(.reported, ["update", "error"])
        try feed(
            .status(version: version, state: state, percent: percent, error: error), to: thing, transaction, now)
    }

    static func followVersion(
        _ stored: StoredShadow, _ device: Row, _ transaction: Transaction, _ now: Int64
    ) throws {
        let thing: String = device["thing"]
        guard let running = stored.string(.reported, ["config", "firmware_version"]) else { return }
        let before: String? = device["reported_version"]
        let isNew = running != before
        if isNew {
            try transaction.db.execute(
                sql: "UPDATE devices SET reported_version = ? WHERE thing = ?", arguments: [running, thing])
        }
        try feed(.runs(version: running), to: thing, transaction, now)
        if isNew {
            try endOldOffers(of: thing, running: running, transaction, now)
            try offerNewest(to: device, running: running, transaction, now)
        }
    }

    private static func followSettings(
        _ stored: StoredShadow, _ device: Row, _ transaction: Transaction, _ now: Int64
    ) throws {
        guard let owner: String = device["owner"], let config = stored.value(.reported, ["config"]) else { return }
        try emit(
            "config", to: owner,
            EventBody(
                device: device["thing"], version: stored.string(.reported, ["config", "firmware_version"]),
                state: "reported", config: String(decoding: config, as: UTF8.self)),
            transaction, now)
    }
}

/// Which parts of `state.reported` an update names.
struct NamedReport {
    var update = false
    var version = false
    var settings = false

    /// Nil where the update reports nothing that is followed.
    init?(_ payload: [UInt8]) {
        let text = payload.span
        guard let top = try? JSONScanner.validate(text, maximumDepth: 64),
            let state = JSONScanner.member("state", of: top, in: text),
            let reported = JSONScanner.member("reported", of: state, in: text),
            JSONScanner.kind(of: reported, in: text) == .object
        else { return nil }
        update = JSONScanner.member("update", of: reported, in: text) != nil
        if let config = JSONScanner.member("config", of: reported, in: text),
            JSONScanner.kind(of: config, in: text) == .object
        {
            version = JSONScanner.member("firmware_version", of: config, in: text) != nil
            var members = JSONScanner.members(of: config)
            while let member = members.next(in: text) {
                if !JSONScanner.keyEquals(member, "firmware_version", in: text) { settings = true }
            }
        }
        guard update || version || settings else { return nil }
    }
}
