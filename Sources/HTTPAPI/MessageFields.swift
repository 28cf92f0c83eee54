import ByteKit
import Foundation
import HTTPTypes
import HummingbirdCore
import JobService
import MQTTWire

/// The MQTT 5 properties of a message as AWS's HTTP calls carry them (spec 5.1): in the query and in header fields.
struct MessageFields {
    /// Bytes of all user properties as JSON.
    private static let userPropertiesLimit = 8 << 10

    /// The properties, encoded; without expiry, which runs down.
    let block: [UInt8]

    init(_ call: AWSCall) throws {
        var block: [UInt8] = []
        switch call.request.headers[.payloadFormat] {
        case nil, "UNSPECIFIED_BYTES": break
        case "UTF8_DATA": Property.append(.payloadFormatIndicator, byte: 1, to: &block)
        default: throw AWSFault.invalid("Invalid payloadFormatIndicator: UNSPECIFIED_BYTES or UTF8_DATA")
        }
        if let type = call.query("contentType") { try Self.append(.contentType, Array(type.utf8), &block) }
        if let topic = call.query("responseTopic") {
            let name = Array(topic.utf8)
            guard TopicName.isValid(name.span) else { throw AWSFault.invalid("Invalid responseTopic") }
            try Self.append(.responseTopic, name, &block)
        }
        if let text = call.request.headers[.correlationData] {
            guard let data = Data(base64Encoded: text) else {
                throw AWSFault.invalid("Invalid correlationData: base64")
            }
            try Self.append(.correlationData, Array(data), &block)
        }
        for (name, value) in try Self.pairs(call.request.headers[.userProperties]) {
            do {
                let (name, value) = (Array(name.utf8), Array(value.utf8))
                try Property.appendUserProperty(name: name.span, value: value.span, to: &block)
            } catch { throw AWSFault.invalid("Invalid userProperties: \(error)") }
        }
        self.block = block
    }

    private static func append(_ id: PropertyID, _ value: [UInt8], _ block: inout [UInt8]) throws {
        guard id.kind == .binary || !value.contains(0) else { throw AWSFault.invalid("Invalid \(id): has a zero") }
        do { try Property.append(id, bytes: value.span, to: &block) } catch {
            throw AWSFault.invalid("Invalid \(id): \(error)")
        }
    }

    /// Names and values of `x-amz-mqtt5-user-properties`: base64 of a JSON array of objects with one member each.
    ///
    /// An SDK that is handed that array as a text sends it as a JSON text: both are taken.
    private static func pairs(_ field: String?) throws -> [(String, String)] {
        guard let field else { return [] }
        let rule = AWSFault.invalid("Invalid userProperties: base64 of a JSON array of objects with one text each")
        guard field.utf8.count <= userPropertiesLimit * 4 / 3, let data = Data(base64Encoded: field),
            let list = list(data)
        else { throw rule }
        return try list.map { object in
            guard object.count == 1, let pair = object.first, !pair.key.contains("\0"), !pair.value.contains("\0")
            else {
                throw rule
            }
            return (pair.key, pair.value)
        }
    }

    private static func list(_ json: Data) -> [[String: String]]? {
        let decoder = JSONDecoder()
        if let text = try? decoder.decode(String.self, from: json) {
            return try? decoder.decode([[String: String]].self, from: Data(text.utf8))
        }
        return try? decoder.decode([[String: String]].self, from: json)
    }

    /// The user properties of a stored message, as GetRetainedMessage shows them: JSON, or nil where there are none.
    static func userProperties(in block: [UInt8]) -> Data? {
        var list: [[String: String]] = []
        var cursor = PropertyCursor(ByteRange(start: 0, count: block.count))
        while let property = cursor.next(in: block.span) {
            guard case .pair(let name, let value) = property.value else { continue }
            list.append([text(block, name): text(block, value)])
        }
        return list.isEmpty ? nil : try? JSONEncoder().encode(list)
    }

    private static func text(_ block: [UInt8], _ range: ByteRange) -> String {
        String(decoding: block[range.start..<range.end], as: UTF8.self)
    }
}

extension HTTPField.Name {
    fileprivate static let payloadFormat = known("x-amz-mqtt5-payload-format-indicator")
    fileprivate static let correlationData = known("x-amz-mqtt5-correlation-data")
    fileprivate static let userProperties = known("x-amz-mqtt5-user-properties")
}

// MARK: - The query

extension AWSCall {
    /// A number of the query within bounds; `usual` where it is not there.
    func integer(_ name: String, _ bounds: ClosedRange<Int> = 0...Int.max, or usual: Int? = 0) throws(AWSFault) -> Int?
    {
        guard let text = query(name) else { return usual }
        guard text.utf8.allSatisfy({ $0 &- 0x30 <= 9 }), let number = Int(text), bounds.contains(number) else {
            throw .invalid("Invalid \(name): \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }

    /// True or false; false where it is not there.
    func flag(_ name: String) throws(AWSFault) -> Bool {
        switch query(name) {
        case nil, "false": return false
        case "true": return true
        default: throw .invalid("Invalid \(name): true or false")
        }
    }

    /// What `nextToken` names: the last row of the page before; empty on the first page.
    func token() throws(AWSFault) -> String {
        guard let token = query("nextToken") else { return "" }
        guard let key = Token.key(of: token) else { throw .invalid("Invalid nextToken") }
        return key
    }
}

/// `nextToken`: opaque to clients, it names the last row of a page.
enum Token {
    static func of(_ key: String) -> String { Data(key.utf8).base64EncodedString() }

    static func key(of token: String) -> String? {
        guard token.utf8.count <= 4096, let data = Data(base64Encoded: token), !data.isEmpty else { return nil }
        return String(validating: data, as: UTF8.self)
    }
}
