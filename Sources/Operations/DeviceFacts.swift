import GRDB
package import Releases
import Store

extension Operations {
    /// The row of a device that must exist.
    static func deviceRow(_ thing: String, _ transaction: Transaction) throws -> Row {
        guard
            let row = try Row.fetchOne(transaction.db, sql: "SELECT * FROM devices WHERE thing = ?", arguments: [thing])
        else {
            throw Refusal(
                .notFound, "No such device", "there is no device \"\(thing)\"", advice: "apus device list")
        }
        return row
    }

    /// The row of a device's newest update.
    static func newestUpdate(of thing: String, _ transaction: Transaction) throws -> Row? {
        try Row.fetchOne(
            transaction.db, sql: "SELECT * FROM updates WHERE thing = ? ORDER BY id DESC LIMIT 1", arguments: [thing])
    }

    /// Gathers what the cores need to judge one device.
    static func facts(_ device: Row, _ transaction: Transaction) throws -> DeviceFacts {
        let thing: String = device["thing"]
        return try facts(device, update: newestUpdate(of: thing, transaction), transaction)
    }

    /// The same where the newest update is at hand.
    static func facts(_ device: Row, update: Row?, _ transaction: Transaction) throws -> DeviceFacts {
        let thing: String = device["thing"]
        return DeviceFacts(
            thing: thing, product: device["product"], hardware: device["hardware"], owner: device["owner"],
            running: device["reported_version"], isRevoked: device["revoked"], isConnected: device["connected"],
            lastSeen: device["last_seen"],
            newest: try newest(product: device["product"], hardware: device["hardware"], transaction)?.text,
            offer: try offer(to: thing, transaction),
            update: update.map {
                DeviceFacts.LastUpdate(
                    version: $0["version"], phase: UpdatePhase(rawValue: $0["phase"]) ?? .queued,
                    attempts: $0["attempts"], reason: $0["reason"], isDismissed: ($0["dismissed"] as Int64?) != nil)
            })
    }

    /// The offer that stands for a device.
    static func offer(to thing: String, _ transaction: Transaction) throws -> DeviceFacts.Offer? {
        try Row.fetchOne(
            transaction.db,
            sql: "SELECT version, until, answer FROM offers WHERE thing = ? AND ended IS NULL ORDER BY created DESC",
            arguments: [thing]
        ).map {
            DeviceFacts.Offer(
                version: $0["version"], until: $0["until"],
                answer: ($0["answer"] as String?).flatMap(OfferAnswer.init))
        }
    }

    /// The highest active release with an image for a hardware model.
    static func newest(
        product: String?, hardware: String?, _ transaction: Transaction
    ) throws -> ReleaseVersion? {
        guard let product, let hardware else { return nil }
        return try String.fetchAll(
            transaction.db,
            sql: """
                SELECT r.version FROM releases r JOIN artifacts a USING (product, version)
                WHERE r.product = ? AND a.hardware = ? AND r.state = 'active'
                """, arguments: [product, hardware]
        ).compactMap { ReleaseVersion($0) }.max()
    }

    /// The rules that decide what a device is offered, each with its input.
    package func explain(_ thing: String) async throws -> Explanation {
        let now = Self.now()
        return try await store.read { transaction in
            Explanation(try Self.facts(Self.deviceRow(thing, transaction), transaction), now: now)
        }
    }
}
