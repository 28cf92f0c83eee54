import GRDB
import Releases
import Store

//  What an operator orders for one device, without its owner.

extension Operations {
    /// Orders an update, in place of one that is on its way.
    package func orderUpdate(_ version: String, of thing: String) async throws -> DeviceSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            try Self.orderUpdate(version, of: thing, transaction, now)
            return try Self.device(thing, transaction)
        }
    }

    /// Orders the version of the last update once more; it must have ended without success.
    package func retryUpdate(of thing: String) async throws -> DeviceSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            let device = try Self.device(thing, transaction)
            guard let update = device.update, let phase = UpdatePhase(rawValue: update.state), phase.needsReturn else {
                throw Refusal(
                    .conflict, "Nothing to retry", "device \(thing) has no update that ended without success",
                    advice: "Order a version: apus device update \(thing) VERSION")
            }
            try Self.orderUpdate(update.version, of: thing, transaction, now)
            return try Self.device(thing, transaction)
        }
    }

    /// Takes back the update that is on its way.
    package func cancelUpdate(of thing: String) async throws -> DeviceSummary {
        let now = Self.now()
        return try await store.perform { transaction in
            _ = try Self.deviceRow(thing, transaction)
            guard try Self.openUpdate(thing, transaction) != nil else {
                throw Refusal(
                    .conflict, "Nothing to cancel", "device \(thing) has no update on its way",
                    advice: "See it: apus device show \(thing)")
            }
            try Self.takeBack(thing, "an operator took it back", transaction, now)
            return try Self.device(thing, transaction)
        }
    }

    /// Removes a device with its history and log, and closes its connection; its shadows stay, as AWS's do.
    package func removeDevice(_ thing: String) async throws {
        let now = Self.now()
        try await store.perform { transaction in
            _ = try Self.deviceRow(thing, transaction)
            var desk = JobDesk(transaction)
            try desk.leave(thing)
            try Self.remove(device: thing, transaction, now)
        }
    }

    /// Removes a device's rows; its jobs have been told.
    static func remove(device thing: String, _ transaction: Transaction, _ now: Int64) throws {
        let db = transaction.db
        try db.execute(sql: "UPDATE users SET device_id = NULL WHERE device_id = ?", arguments: [thing])
        try db.execute(sql: "DELETE FROM logs WHERE thing = ?", arguments: [thing])
        try db.execute(sql: "DELETE FROM presence WHERE thing = ?", arguments: [thing])
        try db.execute(sql: "DELETE FROM devices WHERE thing = ?", arguments: [thing])
        try note(.deviceRemoved, thing: thing, transaction, now)
        transaction.afterCommit(.disconnect(thing: thing))
    }

    private static func orderUpdate(
        _ version: String, of thing: String, _ transaction: Transaction, _ now: Int64
    ) throws {
        let change = UserChange(firmwareVersion: .value(version), phraseType: .absent)
        try wish(change, for: deviceRow(thing, transaction), transaction, now)
    }
}
