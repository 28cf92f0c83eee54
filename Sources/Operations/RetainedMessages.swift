package import Foundation
import GRDB
import Store

/// A retained message without its payload.
package struct RetainedTopic: Sendable, Encodable {
    package var topic: String
    package var payloadSize: Int
    package var qos: Int
    /// Milliseconds since 1970.
    package var lastModifiedTime: Int64
}

/// A retained message as it is stored.
package struct RetainedBody: Sendable {
    package var payload: Data
    package var qos: Int
    /// Encoded MQTT 5 properties.
    package var properties: [UInt8]
    /// Milliseconds since 1970.
    package var stored: Int64
}

extension Operations {
    /// Topics with a retained message, in the order of their bytes.
    package func retainedTopics(after topic: String, limit: Int) async throws -> [RetainedTopic] {
        let now = Self.now()
        return try await store.read { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT topic, length(payload) AS size, qos, stored FROM retained
                    WHERE topic > ? AND (expires IS NULL OR expires > ?) ORDER BY topic LIMIT ?
                    """, arguments: [Data(topic.utf8), now, limit]
            ).map {
                RetainedTopic(
                    topic: String(decoding: $0["topic"] as Data, as: UTF8.self), payloadSize: $0["size"],
                    qos: $0["qos"],
                    lastModifiedTime: $0["stored"])
            }
        }
    }

    /// The retained message of a topic.
    package func retainedMessage(topic: String) async throws -> RetainedBody? {
        let now = Self.now()
        return try await store.read { transaction in
            try Row.fetchOne(
                transaction.db,
                sql: "SELECT * FROM retained WHERE topic = ? AND (expires IS NULL OR expires > ?)",
                arguments: [Data(topic.utf8), now]
            ).map {
                RetainedBody(
                    payload: $0["payload"], qos: $0["qos"], properties: [UInt8]($0["properties"] as Data),
                    stored: $0["stored"])
            }
        }
    }
}
