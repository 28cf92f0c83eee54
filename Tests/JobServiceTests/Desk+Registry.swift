//  The registry of the desk.
import JobService

extension Desk {
    mutating func registry(_ request: IoTRequest, _ context: inout JobContext) throws(IoTRefusal) -> [UInt8] {
        let arns = context.arns
        switch request {
        case .createThing(let name, let change):
            let (thing, publications) = try Thing.create(name, change, existing: things[name], &context)
            things[name] = thing
            publish(publications)
            return thing.named(arns)
        case .describeThing(let name): return try thing(name).description(arns)
        case .updateThing(let name, let change):
            var thing = try thing(name)
            publish(try thing.update(change, &context))
            things[name] = thing
        case .deleteThing(let name, let version):
            guard let thing = things[name] else { return [] }
            publish(try thing.delete(expectedVersion: version, &context))
            things[name] = nil
            memberships[name] = nil
            for id in jobs.keys.sorted() {
                forget(name, of: id)
            }
            self.change(name) { $0.removeAll() }
        case .listThings(let filter, let page):
            let rows = things.values.filter { filter.shows($0) && $0.name > page.after ?? "" }
            return Thing.list(rows.sorted { $0.name < $1.name }, page, arns)
        case .listGroupsForThing(let name, let page):
            let names = memberships[try thing(name).name, default: []].filter { $0 > page.after ?? "" }
            return ThingGroup.list(names.sorted(), page, arns)
        default: return try groups(request, &context)
        }
        return []
    }

    private mutating func groups(_ request: IoTRequest, _ context: inout JobContext) throws(IoTRefusal) -> [UInt8] {
        let arns = context.arns
        switch request {
        case .createGroup(let name, let parent, let change):
            let parents = parent.map { path(of: $0) }?.compactMap { groups[$0] } ?? []
            let siblings = groups.values.count { $0.parent == parent }
            let (group, publications) = try ThingGroup.create(
                name, parent: parent, change, existing: groups[name], parents: parents, siblings: siblings, &context)
            groups[name] = group
            publish(publications)
            return group.named(arns)
        case .describeGroup(let name): return try group(name).description(parents: path(of: name).dropLast(), arns)
        case .updateGroup(let name, let change):
            var group = try group(name)
            publish(try group.update(change, parent: group.parent.flatMap { groups[$0] }, &context))
            groups[name] = group
            return group.versionAnswer
        case .deleteGroup(let name, let version):
            guard let group = groups[name] else { return [] }
            let hasChildren = groups.values.contains { $0.parent == name }
            publish(
                try group.delete(
                    expectedVersion: version, hasChildren: hasChildren, parent: group.parent.flatMap { groups[$0] },
                    &context))
            let members = things.keys.filter { memberships[$0, default: []].contains(name) }
            let old = members.sorted().map { ($0, surroundings($0)) }
            groups[name] = nil
            for (thing, old) in old {
                memberships[thing]?.removeAll { $0 == name }
                regroup(thing, from: old)
            }
        case .listGroups(let filter, let page):
            let names = groups.values.filter { filter.shows($0, parents: path(of: $0.name).dropLast()) }.map(\.name)
            return ThingGroup.list(names.filter { $0 > page.after ?? "" }.sorted(), page, arns)
        case .addToGroup(let name, let group): try add(thing(name), to: self.group(group), &context)
        case .removeFromGroup(let name, let group): try remove(thing(name), from: self.group(group), &context)
        case .updateGroups(let name, let added, let removed):
            for group in removed {
                try remove(thing(name), from: self.group(group), &context)
            }
            for group in added {
                try add(thing(name), to: self.group(group), &context)
            }
        case .listThingsInGroup(let name, let recursive, let page):
            let group = try group(name).name
            let names = things.keys.filter { thing in
                memberships[thing, default: []].contains { recursive ? path(of: $0).contains(group) : $0 == group }
            }
            return ThingGroup.listThings(names.filter { $0 > page.after ?? "" }.sorted(), page)
        default: break
        }
        return []
    }

    private mutating func add(
        _ thing: Thing, to group: ThingGroup, _ context: inout JobContext
    ) throws(IoTRefusal) {
        let groups = memberships[thing.name, default: []]
        let publications = try group.add(thing, groups: groups, &context)
        guard !publications.isEmpty else { return }
        publish(publications)
        let old = surroundings(thing.name)
        memberships[thing.name] = groups + [group.name]
        regroup(thing.name, from: old)
    }

    private mutating func remove(
        _ thing: Thing, from group: ThingGroup, _ context: inout JobContext
    ) throws(IoTRefusal) {
        publish(group.remove(thing, groups: memberships[thing.name, default: []], &context))
        let old = surroundings(thing.name)
        memberships[thing.name]?.removeAll { $0 == group.name }
        regroup(thing.name, from: old)
    }

    private func thing(_ name: String) throws(IoTRefusal) -> Thing {
        guard let thing = things[name] else { throw Thing.notFound(name) }
        return thing
    }

    private func group(_ name: String) throws(IoTRefusal) -> ThingGroup {
        guard let group = groups[name] else { throw ThingGroup.notFound(name) }
        return group
    }
}
