//  Registry events (16). All their times are milliseconds.

/// What happened to a thing or a group.
enum RegistryEvent: String {
    case created, updated, deleted
}

/// What happened to a membership.
enum MembershipEvent: String {
    case added, removed
}

extension JobContext {
    /// The members that begin every registry event.
    fileprivate mutating func begin(_ object: inout JSONObject, _ type: String, _ operation: String) {
        object.string("eventType", type)
        object.string("eventId", identifier())
        object.number("timestamp", seconds.milliseconds)
        object.string("operation", operation.uppercased())
        object.string("accountId", arns.account)
    }
}

extension Thing {
    /// An event on `$aws/events/thing/NAME/…`.
    func event(_ event: RegistryEvent, _ context: inout JobContext) -> JobPublication {
        var object = JSONObject()
        context.begin(&object, "THING_EVENT", event.rawValue)
        object.string("thingId", id)
        object.string("thingName", name)
        object.number("versionNumber", version)
        object.string("thingTypeName", type)
        object.map("attributes", attributes)
        return JobPublication(topic: "$aws/events/thing/\(name)/\(event.rawValue)", payload: object.text)
    }
}

extension ThingGroup {
    /// An event on `$aws/events/thingGroup/NAME/…`.
    func event(_ event: RegistryEvent, _ parent: ThingGroup?, _ context: inout JobContext) -> JobPublication {
        var object = JSONObject()
        context.begin(&object, "THING_GROUP_EVENT", event.rawValue)
        object.string("thingGroupId", id)
        object.string("thingGroupName", name)
        object.number("versionNumber", version)
        object.string("parentGroupName", parent?.name)
        object.string("parentGroupId", parent?.id)
        object.string("description", words)
        object.map("attributes", attributes)
        return JobPublication(topic: "$aws/events/thingGroup/\(name)/\(event.rawValue)", payload: object.text)
    }

    /// An event on `$aws/events/thingGroupMembership/thingGroup/G/thing/N/…`.
    func membership(_ thing: Thing, _ event: MembershipEvent, _ context: inout JobContext) -> JobPublication {
        var object = JSONObject()
        context.begin(&object, "THING_GROUP_MEMBERSHIP_EVENT", event.rawValue)
        object.string("groupArn", context.arns.group(name))
        object.string("groupId", id)
        object.string("thingArn", context.arns.thing(thing.name))
        object.string("thingId", thing.id)
        return JobPublication(
            topic: "$aws/events/thingGroupMembership/thingGroup/\(name)/thing/\(thing.name)/\(event.rawValue)",
            payload: object.text)
    }

    /// An event on `$aws/events/thingGroupHierarchy/thingGroup/P/childThingGroup/C/…`.
    func hierarchy(_ child: ThingGroup, _ event: MembershipEvent, _ context: inout JobContext) -> JobPublication {
        var object = JSONObject()
        context.begin(&object, "THING_GROUP_HIERARCHY_EVENT", event.rawValue)
        object.string("thingGroupId", id)
        object.string("thingGroupName", name)
        object.string("childGroupId", child.id)
        object.string("childGroupName", child.name)
        return JobPublication(
            topic: "$aws/events/thingGroupHierarchy/thingGroup/\(name)/childThingGroup/\(child.name)/\(event.rawValue)",
            payload: object.text)
    }
}
