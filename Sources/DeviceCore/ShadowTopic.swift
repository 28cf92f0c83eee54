public import ByteKit

/// The thing name: at most 128 bytes of `[a-zA-Z0-9:_-]` (aws-iot 1.1).
public typealias ThingName = FixedBytes<128>

/// The topics of the own thing's classic shadow (aws-iot 3).
public enum ShadowTopic: UInt8, Equatable, Sendable, CaseIterable {
    /// Answer to `get`: the whole document.
    case getAccepted = 0
    /// Answer to `get`: there is none, or not for us.
    case getRejected = 1
    /// What of `desired` is not yet reported.
    case updateDelta = 2
    /// An update by anybody was accepted; also the acknowledgement of ours.
    case updateAccepted = 3
    /// Our update was refused.
    case updateRejected = 4
    /// Asks for the document.
    case get = 5
    /// Reports.
    case update = 6

    /// Number of topics to subscribe: those with the lowest raw values.
    public static let subscriptions: UInt8 = 5

    /// What follows `$aws/things/THING/shadow/`.
    public var suffix: StaticString {
        switch self {
        case .getAccepted: "get/accepted"
        case .getRejected: "get/rejected"
        case .updateDelta: "update/delta"
        case .updateAccepted: "update/accepted"
        case .updateRejected: "update/rejected"
        case .get: "get"
        case .update: "update"
        }
    }

    /// Writes the whole topic for `thing`.
    public func write(for thing: ThingName, into sink: inout some ByteSink) {
        sink.append("$aws/things/")
        sink.append(thing.span)
        sink.append("/shadow/")
        sink.append(suffix)
    }

    /// Which of the topics of `thing` this is, or `nil`.
    public static func parse(_ topic: Span<UInt8>, for thing: ThingName) -> ShadowTopic? {
        for number in 0...ShadowTopic.update.rawValue {
            guard let candidate = ShadowTopic(rawValue: number) else { continue }
            var whole = FixedBytes<170>()
            candidate.write(for: thing, into: &whole)
            if whole.span.equals(topic) {
                return candidate
            }
        }
        return nil
    }
}
