import Accounts
import Foundation
import GRDB
import Store

/// A setting of a product that its owners may change.
package struct ProductSetting: Sendable, Codable, Equatable {
    /// The member of the device's configuration: `phrase_type`.
    package var name: String
    /// What owners read.
    package var label: String
    /// What they may choose; empty for any text.
    package var choices: [String]
}

/// What owners are shown of a product.
package struct ProductFace: Sendable, Codable, Equatable {
    /// `device`, `lamp`, `clock`, `sensor` or `plug`.
    package var picture = "device"
    /// Minutes of an update, where fewer than three were measured.
    package var minutes: Int?
    /// Seconds that the device is off meanwhile.
    package var offSeconds: Int?
    /// Year and month, `2031-06`.
    package var supportUntil: String?
    package var settings: [ProductSetting] = []

    package static let pictures = ["device", "lamp", "clock", "sensor", "plug"]

    enum CodingKeys: String, CodingKey {
        case picture, minutes, settings
        case offSeconds = "off_seconds"
        case supportUntil = "support_until"
    }

    static func read(_ product: String?, _ transaction: Transaction) throws -> ProductFace {
        guard let product,
            let row = try Row.fetchOne(
                transaction.db, sql: "SELECT * FROM products WHERE slug = ?", arguments: [product])
        else { return ProductFace() }
        return ProductFace(row)
    }

    init() {}

    init(_ row: Row) {
        picture = row["picture"]
        minutes = row["minutes"]
        offSeconds = row["off_seconds"]
        supportUntil = row["support_until"]
        let text: String = row["settings"]
        settings = (try? JSONDecoder().decode([ProductSetting].self, from: Data(text.utf8))) ?? []
    }
}

/// The members that a `PUT /api/v1/products/{slug}` named; absent ones stay as they are, null clears.
package struct ProductChange: Sendable, Decodable {
    /// Absent, null, or a value.
    package enum Field<Value: Decodable & Sendable>: Sendable {
        case absent
        case value(Value?)
    }

    package var name: Field<String> = .absent
    package var picture: Field<String> = .absent
    package var minutes: Field<Int> = .absent
    package var offSeconds: Field<Int> = .absent
    package var supportUntil: Field<String> = .absent
    package var settings: Field<[ProductSetting]> = .absent
    package var delivery: Field<String> = .absent

    private enum CodingKeys: String, CodingKey {
        case name, picture, minutes, settings, delivery
        case offSeconds = "off_seconds"
        case supportUntil = "support_until"
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func field<Value>(_ key: CodingKeys) throws -> Field<Value> {
            guard members.contains(key) else { return .absent }
            return .value(try members.decodeIfPresent(Value.self, forKey: key))
        }
        name = try field(.name)
        picture = try field(.picture)
        minutes = try field(.minutes)
        offSeconds = try field(.offSeconds)
        supportUntil = try field(.supportUntil)
        // An empty field of a form says the same as null.
        if case .value("") = supportUntil { supportUntil = .value(nil) }
        settings = try field(.settings)
        delivery = try field(.delivery)
    }
}

extension Operations {
    /// Changes what owners are shown of a product, and how its devices are handed updates.
    package func changeProduct(_ slug: String, _ change: ProductChange) async throws -> ProductSummary {
        try Self.validate(change)
        return try await store.perform { transaction in
            _ = try Self.product(slug, transaction)
            func set(_ column: String, _ value: (any DatabaseValueConvertible)?) throws {
                try transaction.db.execute(
                    sql: "UPDATE products SET \(column) = ? WHERE slug = ?", arguments: [value, slug])
            }
            if case .value(let name) = change.name { try set("name", name ?? slug) }
            if case .value(let picture) = change.picture { try set("picture", picture ?? "device") }
            if case .value(let minutes) = change.minutes { try set("minutes", minutes) }
            if case .value(let seconds) = change.offSeconds { try set("off_seconds", seconds) }
            if case .value(let month) = change.supportUntil { try set("support_until", month) }
            if case .value(let delivery) = change.delivery { try set("delivery", delivery ?? Delivery.shadow.rawValue) }
            if case .value(let settings) = change.settings {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                try set("settings", String(decoding: try encoder.encode(settings ?? []), as: UTF8.self))
            }
            transaction.afterCommit(.changed(thing: nil))
            return try Self.product(slug, transaction)
        }
    }

    private static func validate(_ change: ProductChange) throws {
        func refuse(_ title: String, _ detail: String) -> Refusal { Refusal(.invalid, title, detail) }
        if case .value(let name?) = change.name, !(1...128).contains(name.utf8.count) {
            throw refuse("Name too long", "a product's name has 1 to 128 bytes, this has \(name.utf8.count)")
        }
        if case .value(let picture?) = change.picture, !ProductFace.pictures.contains(picture) {
            throw refuse(
                "Unknown picture", "\"\(picture)\" is none of \(ProductFace.pictures.joined(separator: ", "))")
        }
        if case .value(let minutes?) = change.minutes, !(1...1440).contains(minutes) {
            throw refuse("Not a duration", "minutes is \(minutes); expected 1 to 1440")
        }
        if case .value(let seconds?) = change.offSeconds, !(1...86400).contains(seconds) {
            throw refuse("Not a duration", "off_seconds is \(seconds); expected 1 to 86400")
        }
        if case .value(let month?) = change.supportUntil, month.wholeMatch(of: /20[0-9]{2}-(0[1-9]|1[0-2])/) == nil {
            throw refuse("Not a month", "support_until is \"\(month)\"; expected a month such as 2031-06")
        }
        if case .value(let delivery?) = change.delivery, Delivery(rawValue: delivery) == nil {
            throw refuse("Unknown delivery", "delivery is \"\(delivery)\"; expected shadow or job")
        }
        guard case .value(let settings?) = change.settings else { return }
        for setting in settings where setting.name != "phrase_type" {
            throw refuse("Unknown setting", "\"\(setting.name)\" cannot be set; owners can set phrase_type")
        }
        let isBounded =
            settings.count <= 1
            && settings.allSatisfy { setting in
                (1...64).contains(setting.label.utf8.count) && setting.choices.count <= 50
                    && setting.choices.allSatisfy { (1...64).contains($0.utf8.count) }
            }
        guard isBounded else {
            throw refuse(
                "Setting too large", "a setting has a label of 1 to 64 bytes and at most 50 choices of 1 to 64 bytes")
        }
    }
}
