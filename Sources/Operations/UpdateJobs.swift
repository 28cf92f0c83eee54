import ByteKit
import Foundation
import GRDB
import JobService
import Releases
import Store

//  The second way to hand a device its update: as a job of AWS IoT, one for each update.
//
//  What the device says of the job goes to the same machine as what others report in their shadow; an update that ends
//  otherwise cancels its job.

/// How a product's devices are handed their updates.
package enum Delivery: String, Sendable, Codable, CaseIterable {
    /// As `desired.config.firmware_version` of the classic shadow.
    case shadow
    /// As a job, `apus-update-N`.
    case job
}

/// The job of one update.
struct UpdateJob {
    static let prefix = "apus-update-"
    /// Attempts of a device on one update, as for those that report in their shadow.
    private static let retries = Update.attemptLimit - 1

    let id: String

    init(update: Int64) { id = Self.prefix + String(update) }

    /// Whether a job carries an update.
    static func isOne(_ id: String) -> Bool { id.hasPrefix(prefix) }

    /// What the device has to do.
    struct Document: Encodable {
        var operation = "install"
        var product: String
        var hardware: String
        var version: String
        var url: String
        var size: Int64
        var sha256: String
    }

    private struct Request: Encodable {
        struct Retry: Encodable {
            var failureType = "FAILED"
            var numberOfRetries = UpdateJob.retries
        }

        var targets: [String]
        var document: String
        var description: String
        var jobExecutionsRetryConfig: [String: [Retry]] = ["criteriaList": [Retry()]]
    }

    /// The request that a program would send to create it.
    func request(_ document: Document, for thing: String, _ context: JobContext) throws -> IoTRequest? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(document), as: UTF8.self)
        let body = Array(
            try encoder.encode(
                Request(
                    targets: [context.arns.thing(thing)], document: text,
                    description: "Install \(document.version) on \(thing)")))
        let path = Array("/jobs/\(id)".utf8)
        guard let target = HTTPTarget(path.span) else { return nil }
        return try IoTRequest.parse(method: "PUT", target, body: body.span, seconds: context.seconds)
    }
}

extension Operations {
    static func delivery(to device: Row, _ transaction: Transaction) throws -> Delivery {
        let text = try String.fetchOne(
            transaction.db, sql: "SELECT delivery FROM products WHERE slug = ?",
            arguments: [device["product"] as String?])
        return text.flatMap(Delivery.init(rawValue:)) ?? .shadow
    }

    /// Remembers where links to this server begin, without a slash at the end.
    package func notePublicURL(_ url: String) async throws {
        try await store.perform { transaction in
            try transaction.db.execute(
                sql: "INSERT OR REPLACE INTO settings (name, value) VALUES ('public URL', ?)", arguments: [url])
        }
    }

    /// Creates the job of an update that has just begun, and queues it for the device.
    static func handOut(
        _ update: Int64, _ version: String, to device: Row, _ transaction: Transaction
    ) throws {
        guard let product: String = device["product"], let hardware: String = device["hardware"],
            let image = try Row.fetchOne(
                transaction.db,
                sql: "SELECT size, sha256 FROM artifacts WHERE product = ? AND version = ? AND hardware = ?",
                arguments: [product, version, hardware])
        else { return }
        let thing: String = device["thing"]
        let sha256: Data = image["sha256"]
        let server = try String.fetchOne(transaction.db, sql: "SELECT value FROM settings WHERE name = 'public URL'")
        let document = UpdateJob.Document(
            product: product, hardware: hardware, version: version,
            url: "\(server ?? "")/firmware/\(product)/\(hardware)/\(version).bin", size: image["size"],
            sha256: sha256.map { String(format: "%02x", $0) }.joined())
        var desk = JobDesk(transaction)
        let job = UpdateJob(update: update)
        guard let request = try job.request(document, for: thing, desk.context) else { return }
        _ = try desk.carryOut(request)
        try desk.lookAfter(job: job.id)
    }

    /// Takes back the job of an update that ended in another way.
    static func takeBackJob(of update: Int64, on thing: String, _ why: String?, _ transaction: Transaction) throws {
        var desk = JobDesk(transaction)
        try desk.cancel(UpdateJob(update: update).id, of: thing, why ?? "the update is over")
    }

    /// Follows what became of an update's job.
    static func follow(_ execution: JobExecution, _ transaction: Transaction) throws {
        let thing = execution.thing
        guard UpdateJob.isOne(execution.key.jobID), let (id, update) = try openUpdate(thing, transaction),
            UpdateJob(update: id).id == execution.key.jobID,
            let input = input(of: execution, version: update.version)
        else { return }
        let now = Self.now()
        if case .runs(let version) = input {
            try transaction.db.execute(
                sql: "UPDATE devices SET reported_version = ? WHERE thing = ?", arguments: [version, thing])
            try endOldOffers(of: thing, running: version, transaction, now)
        }
        try feed(input, to: thing, transaction, now)
        // A cancelled job is not tried again, whatever attempts are left.
        guard execution.status == .failed || execution.status == .timedOut,
            try Job.find(execution.key.jobID, transaction)?.status != .inProgress
        else { return }
        try feed(.cancelled(reason: "its job was cancelled"), to: thing, transaction, now)
    }

    /// An update whose execution is gone will never end by itself.
    static func followDeletion(of job: String, on thing: String, _ transaction: Transaction) throws {
        guard UpdateJob.isOne(job), let (id, _) = try openUpdate(thing, transaction), UpdateJob(update: id).id == job
        else { return }
        try feed(.cancelled(reason: "its job was deleted"), to: thing, transaction, now())
    }

    /// What an execution says, in the words of the update machine: `statusDetails` may have `state` (one of its phases),
    /// `percent` and `error`.
    private static func input(of execution: JobExecution, version: String) -> UpdateInput? {
        let details = (try? JSONDecoder().decode([String: String].self, from: Data(execution.details.text))) ?? [:]
        switch execution.status {
        case .queued: return nil
        case .inProgress:
            return .status(
                version: version, state: details["state"] ?? "downloading",
                percent: details["percent"].flatMap { Int($0) },
                error: nil)
        case .succeeded: return .runs(version: version)
        case .failed, .timedOut:
            return .status(version: version, state: "failed", percent: nil, error: details["error"])
        case .rejected: return .refused(reason: details["error"] ?? "the device refused it")
        case .canceled, .removed: return .cancelled(reason: "its job was cancelled")
        }
    }
}
