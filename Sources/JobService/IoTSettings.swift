//  Requests to the control plane about the service itself (10): where its endpoints are, and which events it sends.
import ByteKit

/// What a client asks of the service itself.
package enum IoTSettings: Equatable, Sendable {
    /// DescribeEndpoint
    case describeEndpoint(EndpointType)
    /// DescribeEventConfigurations
    case describeEvents
    /// UpdateEventConfigurations
    case updateEvents([EventKind: Bool])

    /// Endpoints that clients ask for; all of them are one address here.
    package enum EndpointType: String, CaseIterable, Sendable {
        /// The data plane, where it is not said.
        case data = "iot:Data"
        /// The data plane with a certificate of Amazon's authority.
        case dataATS = "iot:Data-ATS"
        /// Credentials for devices.
        case credentialProvider = "iot:CredentialProvider"
        /// The data plane of jobs.
        case jobs = "iot:Jobs"
    }

    /// Reads a request; nil for an operation that is none of these.
    ///
    /// - Throws: InvalidRequestException for the first member that breaks its rule.
    package static func parse(
        method: String, _ target: HTTPTarget, body: Span<UInt8>
    ) throws(IoTRefusal) -> IoTSettings? {
        guard body.count <= IoTRequest.maximumBodyBytes else {
            throw IoTRefusal(.invalidRequest, "The body is too large")
        }
        switch (method, target.segments) {
        case ("GET", ["endpoint"]):
            return .describeEndpoint(try target.query.word("endpointType", EndpointType.self) ?? .data)
        case ("GET", ["event-configurations"]): return .describeEvents
        case ("PATCH", ["event-configurations"]): return .updateEvents(try changes(try Fields(body)))
        default: return nil
        }
    }

    private static func changes(_ fields: Fields) throws(IoTRefusal) -> [EventKind: Bool] {
        guard let kinds = try fields.object("eventConfigurations") else { return [:] }
        var changes: [EventKind: Bool] = [:]
        for (name, change) in try kinds.objects() {
            guard let kind = EventKind(rawValue: name) else {
                let words = EventKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw fields.invalid("eventConfigurations", "keys are \(words)")
            }
            changes[kind] = try change.flag("Enabled") ?? false
        }
        return changes
    }

    /// The answer to DescribeEndpoint.
    package static func endpoint(_ address: String) -> [UInt8] {
        .object { $0.string("endpointAddress", address) }
    }
}
