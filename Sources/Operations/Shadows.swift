import ByteKit
import Foundation
import GRDB
import JSONText
import ShadowDocument
package import ShadowService
import Store

extension Operations {
    /// Answers a shadow request that came over MQTT; what it publishes leaves after the commit.
    ///
    /// `completion` hears, after the commit, whether the request was carried out (a refusal to the client counts as that).
    ///
    /// - Parameter isThrottled: the connection has too many requests open: this one is refused.
    package func shadowRequest(
        topic: [UInt8], payload: [UInt8], isThrottled: Bool,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        guard let request = ShadowRequest.parse(topic: topic.span) else { return completion(.success(())) }
        if isThrottled {
            return store.submit(isolation: .singleWrite) { transaction in
                let seconds = UInt64(Self.now() / 1000)
                let outcome = ShadowService.throttled(request, payload: payload.span, timestampSeconds: seconds)
                Self.publish(outcome.publications, of: request.id, transaction)
            } completion: {
                completion($0)
            }
        }
        // The common update writes one row: only where more follows from it a savepoint is worth its statements.
        let report = request.operation == .update && request.id.name == nil ? NamedReport(payload) : nil
        store.submit(isolation: report == nil ? .singleWrite : .savepoint) { transaction in
            _ = try Self.answer(request, payload, from: .mqtt, transaction)
        } completion: {
            completion($0)
        }
    }

    /// Carries out a shadow request that came over HTTP as a message to its topic.
    package func shadowRequest(topic: [UInt8], payload: [UInt8]) async throws {
        try await withCheckedThrowingContinuation { continuation in
            shadowRequest(topic: topic, payload: payload, isThrottled: false) { continuation.resume(with: $0) }
        }
    }

    /// Answers a shadow request that came over HTTP.
    package func shadowRequest(_ request: ShadowRequest, payload: [UInt8]) async throws -> ShadowAnswer {
        try await store.perform { try Self.answer(request, payload, from: .http, $0) }
    }

    /// Names of the named shadows of a thing that exist, sorted.
    package func namedShadows(thing: String) async throws -> [String] {
        try await store.perform { transaction in
            try String.fetchAll(
                transaction.db,
                sql: "SELECT name FROM shadows WHERE thing = ? AND name <> '' AND deleted = 0 ORDER BY name",
                arguments: [thing])
        }
    }

    private static func answer(
        _ request: ShadowRequest, _ payload: [UInt8], from origin: ShadowOrigin, _ transaction: Transaction
    ) throws -> ShadowAnswer {
        let now = Self.now()
        let outcome = ShadowService.answer(
            request, payload: payload.span, current: try transaction.shadow(request.id),
            timestampSeconds: UInt64(now / 1000), from: origin)
        if let stored = outcome.stored {
            try transaction.store(stored, as: request.id)
            transaction.afterCommit(.changed(thing: request.id.thing))
        }
        publish(outcome.publications, of: request.id, transaction)
        if let stored = outcome.stored, request.operation == .update, request.id.name == nil {
            try follow(payload, stored, by: request.id.thing, transaction, now)
        }
        return outcome.answer
    }

    private static func publish(_ publications: [ShadowPublication], of id: ShadowID, _ transaction: Transaction) {
        for publication in publications {
            transaction.afterCommit(
                .publish(topic: ShadowService.topic(for: id, publication.suffix), payload: publication.payload))
        }
    }

    /// An update by the server itself; it must be legal.
    @discardableResult
    static func update(
        _ id: ShadowID, payload: [UInt8], _ transaction: Transaction, _ now: Int64
    ) throws -> ShadowAnswer {
        let answer = try answer(ShadowRequest(id: id, operation: .update), payload, from: .http, transaction)
        if case .refusal(let refusal) = answer {
            throw Refusal(
                .storage, "Shadow update failed", "the device's shadow refused the change: \(refusal.message)",
                advice: "Look at it: GET /things/\(id.thing)/shadow")
        }
        return answer
    }
}
