//  Thing groups of the registry (10): trees of groups, and the things in them.
import ByteKit

/// One thing group.
package struct ThingGroup: Equatable, Sendable {
    /// Groups from the root to a leaf.
    package static let maximumDepth = 7
    /// Groups directly in one group.
    package static let maximumChildren = 100
    /// Groups that a thing may be in.
    package static let groupsOfThing = 10

    /// 1 to 128 of `a-z A-Z 0-9 : _ -`.
    package let name: String
    /// `thingGroupId`.
    package let id: String
    /// The group that it is in, fixed at creation.
    package let parent: String?
    /// Seconds since 1970.
    package let createdAt: UInt64
    /// Words for people.
    package private(set) var words: String?
    /// Names and values.
    package private(set) var attributes: [String: String]
    /// 1, and 1 more with each update.
    package private(set) var version: UInt64

    /// Takes the parts as they were stored.
    package init(
        name: String, id: String, parent: String?, createdAt: UInt64, words: String?, attributes: [String: String],
        version: UInt64
    ) {
        self.name = name
        self.id = id
        self.parent = parent
        self.createdAt = createdAt
        self.words = words
        self.attributes = attributes
        self.version = version
    }
}

/// What CreateThingGroup and UpdateThingGroup ask for.
package struct GroupChange: Equatable, Sendable {
    /// The description.
    package let words: String?
    /// Names and values; an empty value removes one.
    package let attributes: [String: String]?
    /// Whether other attributes stay.
    package let merges: Bool
    /// The version that the group must have.
    package let expectedVersion: UInt64?

    init(_ fields: Fields) throws(IoTRefusal) {
        let properties = try fields.object("thingGroupProperties")
        words = try properties.flatMap { properties throws(IoTRefusal) in
            try properties.text("thingGroupDescription", "at most 2028 characters") { IoTNames.isText($0, 0...2028) }
        }
        let payload = try properties.flatMap { properties throws(IoTRefusal) in
            try properties.object("attributePayload")
        }
        attributes = try payload.flatMap { payload throws(IoTRefusal) in try payload.attributes() }
        merges = try payload.flatMap { payload throws(IoTRefusal) in try payload.flag("merge") } ?? false
        expectedVersion = try fields.integer("expectedVersion", 0...UInt64(Int64.max))
    }
}

extension ThingGroup {
    /// CreateThingGroup: the group, new or the same again.
    ///
    /// - Parameters:
    ///   - parent: the name that the request gives.
    ///   - parents: that group and those around it, from the root; empty where it does not exist.
    ///   - siblings: groups that are directly in the parent.
    package static func create(
        _ name: String, parent: String?, _ request: GroupChange, existing: ThingGroup?, parents: [ThingGroup],
        siblings: Int, _ context: inout JobContext
    ) throws(IoTRefusal) -> (group: ThingGroup, publications: [JobPublication]) {
        let attributes = try [:].changed(by: request.attributes, merging: false)
        if let existing {
            if existing.parent == parent, existing.words == request.words, existing.attributes == attributes {
                return (existing, [])
            }
            let resource = IoTRefusal.Resource(id: existing.id, arn: context.arns.group(name))
            throw IoTRefusal(
                .resourceAlreadyExists, "Thing group '\(name)' already exists with another configuration",
                resource: resource)
        }
        if let parent { try check(parent, parents, siblings) }
        let group = ThingGroup(
            name: name, id: context.identifier(), parent: parent, createdAt: context.seconds, words: request.words,
            attributes: attributes, version: 1)
        var publications = [group.event(.created, parents.last, &context)]
        if let parent = parents.last { publications.append(parent.hierarchy(group, .added, &context)) }
        return (group, publications)
    }

    private static func check(_ parent: String, _ parents: [ThingGroup], _ siblings: Int) throws(IoTRefusal) {
        guard parents.last?.name == parent else { throw notFound(parent) }
        guard parents.count < maximumDepth else { throw .invalid("parentGroupName", "at most \(maximumDepth) levels") }
        guard siblings < maximumChildren else {
            throw .invalid("parentGroupName", "at most \(maximumChildren) groups in one")
        }
    }

    /// UpdateThingGroup.
    package mutating func update(
        _ request: GroupChange, parent: ThingGroup?, _ context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        try check(request.expectedVersion)
        attributes = try attributes.changed(by: request.attributes, merging: request.merges)
        words = request.words ?? words
        version &+= 1
        return [event(.updated, parent, &context)]
    }

    /// DeleteThingGroup; members stay things, and a group that does not exist is no mistake.
    package func delete(
        expectedVersion: UInt64?, hasChildren: Bool, parent: ThingGroup?, _ context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        try check(expectedVersion)
        guard !hasChildren else {
            throw IoTRefusal(.invalidRequest, "Thing group '\(name)' has child groups")
        }
        var publications = [event(.deleted, parent, &context)]
        if let parent { publications.append(parent.hierarchy(self, .removed, &context)) }
        return publications
    }

    /// AddThingToThingGroup; repeating it is harmless.
    ///
    /// - Parameter groups: groups that the thing is in.
    package func add(
        _ thing: Thing, groups: [String], _ context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        guard !groups.contains(name) else { return [] }
        guard groups.count < Self.groupsOfThing else {
            throw IoTRefusal(.invalidRequest, "A thing can be in at most \(Self.groupsOfThing) groups")
        }
        return [membership(thing, .added, &context)]
    }

    /// RemoveThingFromThingGroup; repeating it is harmless.
    package func remove(_ thing: Thing, groups: [String], _ context: inout JobContext) -> [JobPublication] {
        groups.contains(name) ? [membership(thing, .removed, &context)] : []
    }

    private func check(_ expected: UInt64?) throws(IoTRefusal) {
        guard expected ?? version == version else { throw .versionConflict }
    }

    /// The refusal for a group that does not exist.
    package static func notFound(_ name: String) -> IoTRefusal { .notFound("Thing group", name) }
}

// MARK: - Answers

extension ThingGroup {
    /// The answer to CreateThingGroup.
    package func named(_ arns: ARNs) -> [UInt8] {
        .object { names(&$0, arns) }
    }

    private func names(_ object: inout JSONObject, _ arns: ARNs) {
        object.string("thingGroupName", name)
        object.string("thingGroupArn", arns.group(name))
        object.string("thingGroupId", id)
    }

    /// The answer to DescribeThingGroup; `parents` are the groups around it, from the root.
    package func description(parents: [String], _ arns: ARNs) -> [UInt8] {
        let properties = [UInt8].object {
            $0.string("thingGroupDescription", words)
            $0.raw("attributePayload", .object { $0.map("attributes", attributes) })
        }
        let metadata = [UInt8].object {
            $0.string("parentGroupName", parent)
            $0.list("rootToParentThingGroups", parents.isEmpty ? nil : parents.map { Self.reference($0, arns) })
            $0.number("creationDate", createdAt)
        }
        return .object {
            names(&$0, arns)
            $0.number("version", version)
            $0.raw("thingGroupProperties", properties)
            $0.raw("thingGroupMetadata", metadata)
        }
    }

    /// The answer to UpdateThingGroup.
    package var versionAnswer: [UInt8] { .object { $0.number("version", version) } }

    private static func reference(_ name: String, _ arns: ARNs) -> [UInt8] {
        .object {
            $0.string("groupName", name)
            $0.string("groupArn", arns.group(name))
        }
    }

    /// The answer to ListThingGroups and ListThingGroupsForThing: names in their order.
    package static func list(_ names: some Sequence<String>, _ page: Page, _ arns: ARNs) -> [UInt8] {
        page.body("thingGroups", names, key: \.self) { reference($0, arns) }
    }

    /// The answer to ListThingsInThingGroup: names in their order.
    package static func listThings(_ names: some Sequence<String>, _ page: Page) -> [UInt8] {
        page.body("things", names, key: \.self) { [UInt8](json: $0) }
    }
}

/// Which groups ListThingGroups shows.
package struct GroupFilter: Equatable, Sendable {
    /// In this group.
    package let parent: String?
    /// Whose names begin so.
    package let prefix: String?
    /// Whether groups in groups are shown: so it is where it is not said.
    package let recursive: Bool

    init(_ query: [HTTPTarget.Parameter]) throws(IoTRefusal) {
        parent = try query.text("parentGroup", "1 to 128 of a-z A-Z 0-9 : _ -", IoTNames.isGroup)
        prefix = try query.text("namePrefixFilter", "1 to 128 of a-z A-Z 0-9 : _ -", IoTNames.isGroup)
        recursive = try query.flag("recursive") ?? true
    }

    /// Whether it shows a group that lies in these groups, from the root.
    package func shows(_ group: ThingGroup, parents: [String]) -> Bool {
        if let prefix, !group.name.hasPrefix(prefix) { return false }
        guard let parent else { return recursive || parents.isEmpty }
        return recursive ? parents.contains(parent) : parents.last == parent
    }
}
