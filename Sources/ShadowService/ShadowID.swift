import ByteKit

/// Names one shadow: a thing and, for all but the classic shadow, a name.
public struct ShadowID: Hashable, Sendable {
    /// 1 to 128 of `a-z A-Z 0-9 : _ -` (1.1).
    public let thing: String
    /// 1 to 64 of the same and `$`; nil for the classic shadow.
    public let name: String?

    /// Nil where a name breaks the rules of 1.1.
    public init?(thing: String, name: String?) {
        guard (1...128).contains(thing.utf8.count), thing.utf8.allSatisfy({ Self.isAllowed($0) }) else { return nil }
        if let name {
            guard (1...64).contains(name.utf8.count),
                name.utf8.allSatisfy({ Self.isAllowed($0) || $0 == UInt8(ascii: "$") })
            else { return nil }
        }
        self.thing = thing
        self.name = name
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x5A, 0x5F, 0x61...0x7A, 0x2D: true
        default: false
        }
    }

    /// How a refusal calls it: `thing` or `thing~name` (2.8).
    public var label: String { name.map { "\(thing)~\($0)" } ?? thing }
}

/// What is asked of a shadow.
public enum ShadowOperation: Sendable, Equatable {
    /// Read it.
    case get
    /// Change it.
    case update
    /// Delete it.
    case delete
}

/// A request to one shadow.
public struct ShadowRequest: Equatable, Sendable {
    /// Which shadow.
    public var id: ShadowID
    /// What of it.
    public var operation: ShadowOperation

    /// Names a request.
    public init(id: ShadowID, operation: ShadowOperation) {
        self.id = id
        self.operation = operation
    }

    /// Reads a request topic of section 3; nil for every other topic and for names that break the rules.
    public static func parse(topic: Span<UInt8>) -> ShadowRequest? {
        guard topic.starts(with: "$aws/things/") else { return nil }
        let levels = topic.copy().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard levels.count == 5 || levels.count == 7, levels[3] == "shadow" else { return nil }
        if levels.count == 7, levels[4] != "name" { return nil }
        let operation: ShadowOperation
        switch levels[levels.count - 1] {
        case "get": operation = .get
        case "update": operation = .update
        case "delete": operation = .delete
        default: return nil
        }
        return ShadowID(thing: levels[2], name: levels.count == 7 ? levels[5] : nil)
            .map { ShadowRequest(id: $0, operation: operation) }
    }
}

/// The last words of the answer topics.
public enum ShadowSuffix: String, Sendable {
    /// `get/accepted`
    case getAccepted = "get/accepted"
    /// `get/rejected`
    case getRejected = "get/rejected"
    /// `update/accepted`
    case updateAccepted = "update/accepted"
    /// `update/delta`
    case updateDelta = "update/delta"
    /// `update/documents`
    case updateDocuments = "update/documents"
    /// `update/rejected`
    case updateRejected = "update/rejected"
    /// `delete/accepted`
    case deleteAccepted = "delete/accepted"
    /// `delete/rejected`
    case deleteRejected = "delete/rejected"
}
