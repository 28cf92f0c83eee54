//  Things of the registry (10).
import ByteKit

/// One thing.
package struct Thing: Equatable, Sendable {
    /// Attributes of one thing or group (our bound; as a thing with a type on AWS).
    package static let maximumAttributes = 50

    /// 1 to 128 of `a-z A-Z 0-9 : _ -`.
    package let name: String
    /// `thingId`.
    package let id: String
    /// What kind it is of, if any; types need not exist.
    package private(set) var type: String?
    /// Names and values.
    package private(set) var attributes: [String: String]
    /// 1, and 1 more with each update.
    package private(set) var version: UInt64

    /// Takes the parts as they were stored.
    package init(name: String, id: String, type: String?, attributes: [String: String], version: UInt64) {
        self.name = name
        self.id = id
        self.type = type
        self.attributes = attributes
        self.version = version
    }
}

/// What CreateThing and UpdateThing ask for.
package struct ThingChange: Equatable, Sendable {
    /// The type to have.
    package let type: String?
    /// Whether to have none.
    package let removesType: Bool
    /// Names and values; an empty value removes one.
    package let attributes: [String: String]?
    /// Whether other attributes stay.
    package let merges: Bool
    /// The version that the thing must have.
    package let expectedVersion: UInt64?

    init(_ fields: Fields) throws(IoTRefusal) {
        type = try fields.name("thingTypeName")
        removesType = try fields.flag("removeThingType") ?? false
        let payload = try fields.object("attributePayload")
        attributes = try payload.flatMap { payload throws(IoTRefusal) in try payload.attributes() }
        merges = try payload.flatMap { payload throws(IoTRefusal) in try payload.flag("merge") } ?? false
        expectedVersion = try fields.integer("expectedVersion", 0...UInt64(Int64.max))
        guard type == nil || !removesType else {
            throw fields.invalid("removeThingType", "not together with thingTypeName")
        }
    }
}

extension Fields {
    /// The member `attributes` of an `attributePayload`.
    func attributes() throws(IoTRefusal) -> [String: String]? {
        try map("attributes", Thing.maximumAttributes) {
            IoTNames.isAttributeName($0) && IoTNames.isAttributeValue($1)
        }
    }
}

extension [String: String] {
    /// Attributes after an update: replaced, or merged; empty values remove.
    func changed(by new: [String: String]?, merging: Bool) throws(IoTRefusal) -> [String: String] {
        guard let new else { return self }
        let all = (merging ? merged(with: new) : new).filter { !$0.value.isEmpty }
        guard all.count <= Thing.maximumAttributes else {
            throw .invalid("attributePayload.attributes", "at most \(Thing.maximumAttributes)")
        }
        return all
    }

    private func merged(with new: [String: String]) -> [String: String] {
        merging(new) { $1 }
    }
}

extension Thing {
    /// CreateThing: the thing, new or the same again.
    package static func create(
        _ name: String, _ request: ThingChange, existing: Thing?, _ context: inout JobContext
    ) throws(IoTRefusal) -> (thing: Thing, publications: [JobPublication]) {
        let attributes = try [:].changed(by: request.attributes, merging: false)
        if let existing {
            if existing.type == request.type, existing.attributes == attributes { return (existing, []) }
            let resource = IoTRefusal.Resource(id: existing.id, arn: context.arns.thing(name))
            throw IoTRefusal(
                .resourceAlreadyExists, "Thing '\(name)' already exists with another configuration",
                resource: resource)
        }
        let thing = Thing(
            name: name, id: context.identifier(), type: request.type, attributes: attributes, version: 1)
        return (thing, [thing.event(.created, &context)])
    }

    /// UpdateThing.
    package mutating func update(
        _ request: ThingChange, _ context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        try check(request.expectedVersion)
        attributes = try attributes.changed(by: request.attributes, merging: request.merges)
        type = request.removesType ? nil : request.type ?? type
        version &+= 1
        return [event(.updated, &context)]
    }

    /// DeleteThing; the shell removes executions and memberships, and a thing that does not exist is no mistake.
    package func delete(
        expectedVersion: UInt64?, _ context: inout JobContext
    ) throws(IoTRefusal) -> [JobPublication] {
        try check(expectedVersion)
        return [event(.deleted, &context)]
    }

    private func check(_ expected: UInt64?) throws(IoTRefusal) {
        guard expected ?? version == version else { throw .versionConflict }
    }

    /// The refusal for a thing that does not exist.
    package static func notFound(_ name: String) -> IoTRefusal { .notFound("Thing", name) }
}

// MARK: - Answers

extension Thing {
    /// The answer to CreateThing.
    package func named(_ arns: ARNs) -> [UInt8] {
        .object {
            $0.string("thingName", name)
            $0.string("thingArn", arns.thing(name))
            $0.string("thingId", id)
        }
    }

    /// The answer to DescribeThing.
    package func description(_ arns: ARNs) -> [UInt8] {
        .object {
            $0.string("defaultClientId", name)
            $0.string("thingName", name)
            $0.string("thingId", id)
            $0.string("thingArn", arns.thing(name))
            $0.string("thingTypeName", type)
            $0.map("attributes", attributes)
            $0.number("version", version)
        }
    }

    /// The answer to ListThings: things that the filter shows, in the order of their names.
    package static func list(_ things: some Sequence<Thing>, _ page: Page, _ arns: ARNs) -> [UInt8] {
        page.body("things", things, key: \.name) { thing in
            .object {
                $0.string("thingName", thing.name)
                $0.string("thingTypeName", thing.type)
                $0.string("thingArn", arns.thing(thing.name))
                $0.map("attributes", thing.attributes)
                $0.number("version", thing.version)
            }
        }
    }
}

/// Which things ListThings shows.
package struct ThingFilter: Equatable, Sendable {
    /// With an attribute of this name.
    package let attributeName: String?
    /// And of this value.
    package let attributeValue: String?
    /// Whether the value need only begin so.
    package let isPrefix: Bool
    /// Of this type.
    package let type: String?

    init(_ query: [HTTPTarget.Parameter]) throws(IoTRefusal) {
        attributeName = try query.text("attributeName", "a legal name", IoTNames.isAttributeName)
        attributeValue = try query.text("attributeValue", "a legal value", IoTNames.isAttributeValue)
        isPrefix = try query.flag("usePrefixAttributeValue") ?? false
        type = try query.text("thingTypeName", "1 to 128 of a-z A-Z 0-9 : _ -", IoTNames.isGroup)
    }

    /// Whether it shows a thing.
    package func shows(_ thing: Thing) -> Bool {
        guard type == nil || thing.type == type else { return false }
        let values = thing.attributes.filter { attributeName ?? $0.key == $0.key }.map(\.value)
        guard let wanted = attributeValue else { return attributeName == nil || !values.isEmpty }
        return values.contains { isPrefix ? $0.hasPrefix(wanted) : $0 == wanted }
    }
}
