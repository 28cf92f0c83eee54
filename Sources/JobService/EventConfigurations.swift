//  Which events of jobs and of the registry are sent (10, 16): all of them, unless an operator switches some off.
import ByteKit

/// A kind of event, as UpdateEventConfigurations names it.
package enum EventKind: String, CaseIterable, Sendable {
    /// `$aws/events/thing/…`
    case thing = "THING"
    /// `$aws/events/thingGroup/…`
    case thingGroup = "THING_GROUP"
    /// Types are labels here: none are sent.
    case thingType = "THING_TYPE"
    /// `$aws/events/thingGroupMembership/…`
    case thingGroupMembership = "THING_GROUP_MEMBERSHIP"
    /// `$aws/events/thingGroupHierarchy/…`
    case thingGroupHierarchy = "THING_GROUP_HIERARCHY"
    /// None are sent.
    case thingTypeAssociation = "THING_TYPE_ASSOCIATION"
    /// `$aws/events/job/…`
    case job = "JOB"
    /// `$aws/events/jobExecution/…`
    case jobExecution = "JOB_EXECUTION"
    /// None are sent.
    case policy = "POLICY"
    /// None are sent.
    case certificate = "CERTIFICATE"
    /// None are sent.
    case caCertificate = "CA_CERTIFICATE"

    /// The third level of its topics; nil where none are sent.
    var family: String? {
        switch self {
        case .thing: "thing"
        case .thingGroup: "thingGroup"
        case .thingGroupMembership: "thingGroupMembership"
        case .thingGroupHierarchy: "thingGroupHierarchy"
        case .job: "job"
        case .jobExecution: "jobExecution"
        case .thingType, .thingTypeAssociation, .policy, .certificate, .caCertificate: nil
        }
    }
}

/// Which kinds are sent.
package struct EventConfigurations: Equatable, Sendable {
    /// Kinds that an operator has switched off.
    package private(set) var off: Set<EventKind>
    /// When an operator last changed them, seconds since 1970.
    package private(set) var changedAt: UInt64?

    /// All are sent, or all but some.
    package init(off: Set<EventKind> = [], changedAt: UInt64? = nil) {
        self.off = off
        self.changedAt = changedAt
    }

    /// UpdateEventConfigurations: kinds that are not named stay as they are.
    package mutating func update(_ changes: [EventKind: Bool], at seconds: UInt64) {
        for (kind, isOn) in changes {
            if isOn { off.remove(kind) } else { off.insert(kind) }
        }
        changedAt = seconds
    }

    /// Whether a message may be published to a topic: everywhere but where an event is switched off.
    package func allows(topic: String) -> Bool {
        !off.contains { $0.family.map { topic.hasPrefix("$aws/events/\($0)/") } ?? false }
    }

    /// The answer to DescribeEventConfigurations.
    package var description: [UInt8] {
        var kinds = JSONObject()
        for kind in EventKind.allCases {
            kinds.raw(named: kind.rawValue, .object { $0.flag("Enabled", !off.contains(kind)) })
        }
        return .object {
            $0.raw("eventConfigurations", kinds.text)
            $0.number("lastModifiedDate", changedAt)
        }
    }
}
