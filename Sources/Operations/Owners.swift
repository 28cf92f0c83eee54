import Foundation
import GRDB
import Releases
import ShadowDocument
import ShadowService
import Store
import SwiftProtobuf

/// The article's user: what `GET /app/user` answers.
package struct UserView: Sendable, Equatable {
    package var uid: String
    package var deviceID: String?
    package var firmwareVersion: String?
    package var phraseType: String?
}

/// The members that a `PUT /app/user` named; absent ones stay as they are.
package struct UserChange: Sendable, Equatable {
    /// Absent, or the new value, which may be null.
    package enum Field: Sendable, Equatable {
        case absent
        case value(String?)
    }

    package var firmwareVersion: Field
    package var phraseType: Field

    package init(firmwareVersion: Field, phraseType: Field) {
        self.firmwareVersion = firmwareVersion
        self.phraseType = phraseType
    }
}

extension Operations {
    /// The user's row.
    package func user(_ uid: String) async throws -> UserView {
        try await store.perform { try Self.user(uid, $0) }
    }

    /// The article's `updateUser`: the row, the desired state and the update begin together, or nothing does.
    package func updateUser(_ uid: String, _ change: UserChange) async throws -> UserView {
        let now = Self.now()
        return try await store.perform { transaction in
            try Self.change("uid", uid, change, transaction)
            let user = try Self.user(uid, transaction)
            let device = try user.deviceID.flatMap {
                try Row.fetchOne(transaction.db, sql: "SELECT * FROM devices WHERE thing = ?", arguments: [$0])
            }
            if let device { try Self.wish(change, for: device, transaction, now) }
            return user
        }
    }

    /// The same wishes for one of the user's devices, whichever it is.
    package func updateDevice(_ thing: String, of uid: String, _ change: UserChange) async throws -> DeviceSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            try Self.wish(change, for: Self.owned(thing, by: uid, transaction), transaction, now)
            return try Self.device(thing, transaction)
        }
    }

    /// Lets a device have what somebody wishes for it, if the one rule allows it; its owner's row says the same.
    static func wish(_ change: UserChange, for device: Row, _ transaction: Transaction, _ now: Int64) throws {
        if case .value(let version?) = change.firmwareVersion { try check(version, for: device, transaction) }
        try Self.change("device_id", device["thing"], change, transaction)
        try order(change, from: device, transaction, now)
    }

    /// Writes the wishes that `change` names into the rows of the users whose `column` is `key`.
    private static func change(
        _ column: String, _ key: String, _ change: UserChange, _ transaction: Transaction
    ) throws {
        for (name, field) in [("firmware_version", change.firmwareVersion), ("phrase_type", change.phraseType)] {
            guard case .value(let value) = field else { continue }
            try transaction.db.execute(
                sql: "UPDATE users SET \(name) = ? WHERE \(column) = ?", arguments: [value, key])
        }
    }

    /// Hands what was just wished to the device: as desired state of its shadow, and as an update where the version differs.
    ///
    /// Columns that the change does not name stay out: one from before the device, or from before it went further by
    /// another way, would be an unchecked order.
    private static func order(
        _ change: UserChange, from device: Row, _ transaction: Transaction, _ now: Int64
    ) throws {
        let thing: String = device["thing"]
        let delivery = try delivery(to: device, transaction)
        switch change.firmwareVersion {
        case .absent: break
        case .value(let version?):
            try beginUpdate(version, for: device, delivery, transaction, now)
        case .value(nil): try takeBack(thing, "the owner took it back", transaction, now)
        }
        guard let id = ShadowID(thing: thing, name: nil) else { return }
        if delivery == .job, case .value = change.firmwareVersion,
            try transaction.shadow(id)?.string(.desired, ["config", "firmware_version"]) != nil
        {
            try update(
                id, payload: Array(#"{"state":{"desired":{"config":{"firmware_version":null}}}}"#.utf8), transaction,
                now)
        }
        if change.phraseType == .value(nil) {
            try update(
                id, payload: Array(#"{"state":{"desired":{"config":{"phrase_type":null}}}}"#.utf8), transaction, now)
        }
        if let payload = try desired(change, delivery) {
            try update(id, payload: Array(payload.utf8), transaction, now)
        }
    }

    /// The wishes as the desired state of a shadow, in the JSON form of their Protocol Buffers message; nil without any.
    ///
    /// A version that goes out as a job is no part of it: the device would have it from two sides.
    private static func desired(_ change: UserChange, _ delivery: Delivery) throws -> String? {
        var config = ProtoDeviceConfig()
        if delivery == .shadow, case .value(let version?) = change.firmwareVersion { config.firmwareVersion = version }
        if case .value(let phrase?) = change.phraseType { config.phraseType = phrase }
        guard config.hasFirmwareVersion || config.hasPhraseType else { return nil }
        var message = ProtoPublishShadowDesired()
        message.state.desired.config = config
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return try message.jsonString(options: options)
    }

    private static func user(_ uid: String, _ transaction: Transaction) throws -> UserView {
        guard let row = try Row.fetchOne(transaction.db, sql: "SELECT * FROM users WHERE uid = ?", arguments: [uid])
        else {
            throw Refusal(.notFound, "No such account", "there is no account \"\(uid)\"")
        }
        return UserView(
            uid: uid, deviceID: row["device_id"], firmwareVersion: row["firmware_version"],
            phraseType: row["phrase_type"])
    }
}
