import Foundation
import GRDB
package import Releases
import Store

//  The list of devices: filtered, sorted, in pages. Made for 100,000 rows, beside the writer.

/// Which devices are listed, and in which order.
package struct FleetQuery: Sendable {
    /// Whether a device is connected.
    package enum Presence: String, Sendable, CaseIterable {
        case online, offline
        /// Not connected, and not for a day.
        case silent
    }

    /// What the list is sorted by.
    package enum Order: String, Sendable, CaseIterable {
        case thing, product, version, owner
        case lastSeen = "last_seen"

        /// What SQLite compares; never NULL.
        fileprivate var column: String {
            switch self {
            case .thing: "thing"
            case .product: "COALESCE(product, '')"
            case .version: "COALESCE(reported_version, '')"
            case .owner: "COALESCE(owner, '')"
            case .lastSeen: "COALESCE(last_seen, 0)"
            }
        }
    }

    package var product: String?
    package var owner: String?
    package var version: String?
    package var state: FleetState?
    /// A version that a device is on its way to, was last tried with, or is offered.
    package var target: String?
    package var presence: Presence?
    /// A part of the thing's name, its given name or its owner, upper and lower case alike; or a code for support.
    package var text: String?
    package var order = Order.thing
    package var isDescending = false
    /// From 1 to 1000.
    package var limit = 100
    /// Where the page before ended.
    package var cursor: String?

    package init() {}
}

/// One page of the list.
package struct FleetPage: Sendable, Codable {
    package var devices: [DeviceSummary]
    /// How many devices the filters match.
    package var total: Int
    /// The cursor of the next page; nil on the last.
    package var next: String?

    package init(devices: [DeviceSummary], total: Int, next: String?) {
        self.devices = devices
        self.total = total
        self.next = next
    }
}

extension Operations {
    /// Milliseconds after which a device that is not connected counts as silent: a day.
    static let silence: Int64 = 24 * 3600 * 1000

    /// One page of the devices that a query matches.
    ///
    /// - Throws: `.invalid` for a cursor that this list never gave.
    package func fleet(_ query: FleetQuery) async throws -> FleetPage {
        let now = Self.now()
        return try await store.read { transaction in
            let db = transaction.db
            var filter = try Filter(query, transaction, now)
            let total =
                try Int.fetchOne(
                    db, sql: "SELECT COUNT(*) FROM devices WHERE \(filter.sql)", arguments: filter.arguments) ?? 0
            try filter.continueBehind(query)
            let direction = query.isDescending ? "DESC" : "ASC"
            let column = query.order.column
            let order = query.order == .thing ? "" : "\(column) \(direction), "
            let limit = min(max(query.limit, 1), 1000)
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT *, \(column) AS place FROM devices WHERE \(filter.sql)
                    ORDER BY \(order)thing \(direction) LIMIT \(limit + 1)
                    """,
                arguments: filter.arguments)
            let page = rows.prefix(limit)
            return FleetPage(
                devices: try page.map { try Self.summary($0, transaction) }, total: total,
                next: rows.count > limit ? page.last.map { Self.cursor($0, query.order) } : nil)
        }
    }

    /// The order, and its column and the name of the last device, as JSON in base 64 for URLs.
    private static func cursor(_ row: Row, _ order: FleetQuery.Order) -> String {
        let place = row["place"] as DatabaseValue
        let value = Int64.fromDatabaseValue(place).map(String.init) ?? String.fromDatabaseValue(place) ?? ""
        let parts = [order.rawValue, value, row["thing"] as String]
        let text = (try? JSONEncoder().encode(parts)) ?? Data()
        return text.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// The conditions of a query with their values.
    private struct Filter {
        var conditions = ["1"]
        var arguments = StatementArguments()

        var sql: String { conditions.joined(separator: " AND ") }

        init(_ query: FleetQuery, _ transaction: Transaction, _ now: Int64) throws {
            add("product = ?", query.product)
            add("owner = ?", query.owner)
            add("reported_version = ?", query.version)
            if let text = query.text {
                let pattern =
                    "%" + text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
                    + "%"
                conditions.append(
                    """
                    (thing LIKE ? ESCAPE '\\' OR name LIKE ? ESCAPE '\\' OR owner LIKE ? ESCAPE '\\'
                        OR thing = (SELECT thing FROM updates WHERE id = ?))
                    """)
                arguments += [pattern, pattern, pattern, SupportCode.update(text)]
            }
            switch query.presence {
            // The plus as below: read through all rows rather than look up a tenth of them one by one.
            case .online: conditions.append("+connected = 1")
            case .offline: conditions.append("+connected = 0")
            case .silent:
                conditions.append("+connected = 0 AND last_seen < ?")
                arguments += [now - Operations.silence]
            case nil: break
            }
            if let target = query.target { add(target: target) }
            if let state = query.state { try add(state, transaction) }
        }

        private mutating func add(target: String) {
            conditions.append(
                """
                (EXISTS (SELECT 1 FROM offers o WHERE o.thing = devices.thing AND o.version = ? AND o.ended IS NULL)
                    OR (phase IS NOT NULL AND phase NOT IN ('succeeded', 'cancelled') AND
                        (SELECT version FROM updates u WHERE u.thing = devices.thing ORDER BY id DESC LIMIT 1) = ?))
                """)
            arguments += [target, target]
        }

        private mutating func add(_ condition: String, _ value: String?) {
            guard let value else { return }
            conditions.append(condition)
            arguments += [value]
        }

        private mutating func add(_ state: FleetState, _ transaction: Transaction) throws {
            func phases(_ isMeant: (UpdatePhase) -> Bool) -> String {
                UpdatePhase.allCases.filter(isMeant).map { "'\($0.rawValue)'" }.joined(separator: ",")
            }
            let quiet = "(phase IS NULL OR phase IN (\(phases { $0.isEnd && !$0.isTrouble })))"
            switch state {
            case .revoked: conditions.append("revoked = 1")
            case .updating: conditions.append("revoked = 0 AND phase IN (\(phases { !$0.isEnd }))")
            case .attention: conditions.append("revoked = 0 AND phase IN (\(phases { $0.isTrouble }))")
            case .unseen: conditions.append("revoked = 0 AND \(quiet) AND reported_version IS NULL")
            case .behind, .current, .unassigned:
                conditions.append("revoked = 0 AND \(quiet) AND reported_version IS NOT NULL")
                try addCompared(state, transaction)
            }
        }

        /// Versions have no order in SQL: which of those in the field are behind is found out first.
        private mutating func addCompared(_ state: FleetState, _ transaction: Transaction) throws {
            let groups = try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT DISTINCT product, hardware, reported_version FROM devices
                    WHERE reported_version IS NOT NULL
                    """)
            let models = Dictionary(grouping: groups) { [$0["product"] as String?, $0["hardware"] as String?] }
            var matches: [String] = []
            for (model, groups) in models {
                let newest = try Operations.newest(product: model[0], hardware: model[1], transaction)
                let versions = groups.map { $0["reported_version"] as String }.filter {
                    FleetState.compared(running: $0, newest: newest) == state
                }
                guard !versions.isEmpty else { continue }
                // One value, however many versions are in the field: a statement has a limit of values. The plus keeps SQLite
                // from an index whose matches it would look up one by one: reading through all rows is faster here.
                matches.append(
                    "(+product IS ? AND hardware IS ? AND reported_version IN (SELECT value FROM json_each(?)))")
                arguments += [model[0], model[1], String(decoding: try JSONEncoder().encode(versions), as: UTF8.self)]
            }
            conditions.append(matches.isEmpty ? "0" : "(" + matches.joined(separator: " OR ") + ")")
        }

        mutating func continueBehind(_ query: FleetQuery) throws {
            guard let text = query.cursor else { return }
            let padded =
                text.replacing("-", with: "+").replacing("_", with: "/")
                + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
            let parts = Data(base64Encoded: padded).flatMap { try? JSONDecoder().decode([String].self, from: $0) }
            guard let parts, parts.count == 3, parts[0] == query.order.rawValue else {
                throw Refusal(
                    .invalid, "Unknown cursor", "the cursor is none that this list gave",
                    advice: "Begin again without a cursor")
            }
            conditions.append("(\(query.order.column), thing) \(query.isDescending ? "<" : ">") (?, ?)")
            if query.order == .lastSeen {
                arguments += [Int64(parts[1]) ?? 0, parts[2]]
            } else {
                arguments += [parts[1], parts[2]]
            }
        }
    }
}
