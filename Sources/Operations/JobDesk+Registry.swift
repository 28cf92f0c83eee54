import Foundation
import GRDB
import JobService
import Store

//  AWS IoT's registry. A thing is a device: the row that `apus device add` makes, or one that has no product yet.

extension Thing {
    init(_ row: Row) {
        self.init(
            name: row["thing"], id: row["thing_id"] ?? "", type: row["thing_type"],
            attributes: Attributes.read(row["thing_attributes"]), version: row.seconds("thing_version"))
    }
}

extension ThingGroup {
    init(_ row: Row) {
        self.init(
            name: row["name"], id: row["id"], parent: row["parent"], createdAt: row.seconds("created"),
            words: row["description"], attributes: Attributes.read(row["attributes"]), version: row.seconds("version"))
    }
}

/// Names and values as a JSON object.
private enum Attributes {
    static func read(_ text: String) -> [String: String] {
        (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
    }

    static func text(_ attributes: [String: String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(attributes)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

extension JobDesk {
    func find(thing name: String) throws -> Thing? {
        try Row.fetchOne(db, sql: "SELECT * FROM devices WHERE thing = ?", arguments: [name]).map(Thing.init)
    }

    func find(group name: String) throws -> ThingGroup? {
        try Row.fetchOne(db, sql: "SELECT * FROM thing_groups WHERE name = ?", arguments: [name]).map(ThingGroup.init)
    }

    private func thing(_ name: String) throws -> Thing {
        guard let thing = try find(thing: name) else { throw Thing.notFound(name) }
        return thing
    }

    private func group(_ name: String) throws -> ThingGroup {
        guard let group = try find(group: name) else { throw ThingGroup.notFound(name) }
        return group
    }

    mutating func changeRegistry(_ request: IoTRequest) throws -> [UInt8] {
        switch request {
        case .createThing(let name, let change): return try create(name, change)
        case .updateThing(let name, let change):
            var thing = try thing(name)
            try publish(thing.update(change, &context))
            try save(thing)
        case .deleteThing(let name, let version): try delete(thing: name, version)
        case .createGroup(let name, let parent, let change): return try create(group: name, parent, change)
        case .updateGroup(let name, let change):
            var group = try group(name)
            try publish(group.update(change, parent: try parent(of: group), &context))
            try save(group)
            return group.versionAnswer
        case .deleteGroup(let name, let version): try delete(group: name, version)
        case .addToGroup(let name, let group): try move(name, to: [group], from: [])
        case .removeFromGroup(let name, let group): try move(name, to: [], from: [group])
        case .updateGroups(let name, let added, let removed): try move(name, to: added, from: removed)
        default: break
        }
        return []
    }

    func answerRegistry(_ request: IoTRequest) throws -> [UInt8] {
        switch request {
        case .describeThing(let name): return try thing(name).description(context.arns)
        case .listThings(let filter, let page):
            let found = try rows(
                "SELECT * FROM devices WHERE thing > ? ORDER BY thing", [page.after ?? ""], page, Thing.init,
                where: filter.shows)
            return Thing.list(found, page, context.arns)
        case .describeGroup(let name):
            return try group(name).description(parents: try path(of: name).dropLast(), context.arns)
        case .listGroups(let filter, let page): return try list(filter, page)
        case .listThingsInGroup(let name, let recursive, let page):
            let names = try things(
                in: group(name).name, recursive: recursive, after: page.after ?? "", limit: page.rows)
            return ThingGroup.listThings(names, page)
        case .listGroupsForThing(let name, let page):
            let names = try groups(of: thing(name).name).filter { $0 > page.after ?? "" }
            return ThingGroup.list(names, page, context.arns)
        default: return []
        }
    }

    // MARK: Things

    private mutating func create(_ name: String, _ change: ThingChange) throws -> [UInt8] {
        let existing = try find(thing: name)
        let (thing, publications) = try Thing.create(name, change, existing: existing, &context)
        if existing == nil {
            let now = Operations.now()
            try db.execute(
                sql: "INSERT INTO devices (thing, created, enrolled) VALUES (?, ?, 0)", arguments: [name, now])
            try Operations.note(.deviceAdded, thing: name, transaction, now)
            try save(thing)
        }
        try publish(publications)
        return thing.named(context.arns)
    }

    private func save(_ thing: Thing) throws {
        try db.execute(
            sql: """
                UPDATE devices SET thing_id = ?, thing_type = ?, thing_attributes = ?, thing_version = ? WHERE thing = ?
                """,
            arguments: [
                thing.id, thing.type, Attributes.text(thing.attributes), Int64(clamping: thing.version), thing.name,
            ])
    }

    /// With the thing goes the device, its rights, its updates and its log; its shadows stay (2.1).
    private mutating func delete(thing name: String, _ version: UInt64?) throws {
        guard let thing = try find(thing: name) else { return }
        try publish(thing.delete(expectedVersion: version, &context))
        try leave(name)
        try Operations.remove(device: name, transaction, Operations.now())
    }

    /// Tells all jobs that a thing is deleted.
    mutating func leave(_ name: String) throws {
        for id in try String.fetchAll(db, sql: "SELECT job FROM job_waiting WHERE thing = ?", arguments: [name]) {
            try forget(name, of: id)
        }
        try change(name) { $0.removeAll() }
    }

    // MARK: Groups

    private mutating func create(group name: String, _ parent: String?, _ change: GroupChange) throws -> [UInt8] {
        let existing = try find(group: name)
        let parents = try parent.map { try path(of: $0).compactMap { try find(group: $0) } } ?? []
        let siblings = try Int.fetchOne(
            db, sql: "SELECT COUNT(*) FROM thing_groups WHERE parent = ?", arguments: [parent])
        let (group, publications) = try ThingGroup.create(
            name, parent: parent, change, existing: existing, parents: parents, siblings: siblings ?? 0, &context)
        if existing == nil {
            try db.execute(
                sql: """
                    INSERT INTO thing_groups (name, id, parent, attributes, version, created) VALUES (?, ?, ?, '{}', 1, ?)
                    """, arguments: [name, group.id, parent, Int64(clamping: group.createdAt)])
            try save(group)
        }
        try publish(publications)
        return group.named(context.arns)
    }

    private func save(_ group: ThingGroup) throws {
        try db.execute(
            sql: "UPDATE thing_groups SET description = ?, attributes = ?, version = ? WHERE name = ?",
            arguments: [group.words, Attributes.text(group.attributes), Int64(clamping: group.version), group.name])
    }

    private mutating func delete(group name: String, _ version: UInt64?) throws {
        guard let group = try find(group: name) else { return }
        let hasChildren = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM thing_groups WHERE parent = ?)", arguments: [name])
        try publish(
            try group.delete(
                expectedVersion: version, hasChildren: hasChildren ?? false, parent: try parent(of: group), &context))
        let mustTell = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (
                    SELECT 1 FROM jobs WHERE selection = 'CONTINUOUS' AND status IN ('IN_PROGRESS', 'SCHEDULED'))
                """)
        let members = mustTell == true ? try things(in: name, recursive: false, after: "", limit: .max) : []
        let old = try members.map { ($0, try surroundings(of: $0)) }
        try db.execute(sql: "DELETE FROM thing_groups WHERE name = ?", arguments: [name])
        for (thing, old) in old {
            try regroup(thing, from: old)
        }
    }

    /// Changes the groups of a thing in one step: who moves within a job's targets keeps the job.
    private mutating func move(_ name: String, to added: [String], from removed: [String]) throws {
        let thing = try thing(name)
        let old = try surroundings(of: name)
        for group in try removed.map(group) {
            try publish(group.remove(thing, groups: try groups(of: name), &context))
            try db.execute(
                sql: "DELETE FROM group_members WHERE thing = ? AND name = ?", arguments: [name, group.name])
        }
        for group in try added.map(group) {
            try publish(group.add(thing, groups: try groups(of: name), &context))
            try db.execute(
                sql: "INSERT OR IGNORE INTO group_members (thing, name) VALUES (?, ?)", arguments: [name, group.name])
        }
        try regroup(name, from: old)
    }

    private func list(_ filter: GroupFilter, _ page: Page) throws -> [UInt8] {
        let names = try rows(
            "SELECT * FROM thing_groups WHERE name > ? ORDER BY name", [page.after ?? ""], page, ThingGroup.init
        ) { group in
            let parents = try? path(of: group.name).dropLast()
            return filter.shows(group, parents: Array(parents ?? []))
        }.map(\.name)
        return ThingGroup.list(names, page, context.arns)
    }

    // MARK: Who is where

    private func parent(of group: ThingGroup) throws -> ThingGroup? {
        try group.parent.flatMap { try find(group: $0) }
    }

    /// A group and those around it, from the root; empty where it does not exist.
    private func path(of group: String) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                WITH RECURSIVE around (name, parent, level) AS (
                    SELECT name, parent, 0 FROM thing_groups WHERE name = ?
                    UNION ALL SELECT g.name, g.parent, level + 1 FROM thing_groups g JOIN around ON g.name = around.parent)
                SELECT name FROM around ORDER BY level DESC
                """, arguments: [group])
    }

    /// The groups that a thing is directly in, by name.
    private func groups(of thing: String) throws -> [String] {
        try String.fetchAll(
            db, sql: "SELECT name FROM group_members WHERE thing = ? ORDER BY name", arguments: [thing])
    }

    /// The groups that a thing is in, and those around them.
    func surroundings(of thing: String) throws -> Set<String> {
        Set(try groups(of: thing).flatMap { try path(of: $0) })
    }

    /// Things in a group, by name.
    func things(in group: String, recursive: Bool, after: String, limit: Int) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                WITH RECURSIVE inside (name) AS (
                    SELECT ?1 UNION SELECT g.name FROM thing_groups g JOIN inside ON ?2 AND g.parent = inside.name)
                SELECT DISTINCT thing FROM group_members WHERE name IN inside AND thing > ?3 ORDER BY thing LIMIT ?4
                """, arguments: [group, recursive, after, Int64(limit)])
    }
}
