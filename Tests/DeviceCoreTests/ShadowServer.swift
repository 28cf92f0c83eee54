import DeviceCore
import Foundation

/// The shadow service of one thing, as far as a device notices it; values are raw JSON scalars.
struct ShadowServer {
    typealias Answer = (topic: ShadowTopic, payload: String)

    private(set) var desired: [String: String] = [:]
    private(set) var reported: [String: String] = [:]
    /// Every accepted `reported.update`: state, percent, error.
    private(set) var updates: [String] = []
    private(set) var errors: [String] = []
    private(set) var percents: [Int] = []
    private(set) var configReports = 0
    private(set) var version = 0
    /// Answers to lose, and a code to refuse updates with.
    var losesAnswers = false
    var refusal: Int?

    var exists: Bool { version > 0 }

    mutating func desire(_ changes: [String: String?]) -> [Answer] {
        for (key, value) in changes {
            desired[key] = value
        }
        version += 1
        let section = changes.map { "\"\($0.key)\":\($0.value ?? "null")" }.joined(separator: ",")
        let accepted =
            "{\"state\":{\"desired\":{\"config\":{\(section)}}},\"version\":\(version),\"timestamp\":1}"
        return delta() + [(.updateAccepted, accepted)]
    }

    mutating func take(_ topic: ShadowTopic, _ payload: String) -> [Answer] {
        topic == .get ? document() : update(payload)
    }

    private func document() -> [Answer] {
        guard exists else {
            return [(.getRejected, "{\"code\":404,\"message\":\"No shadow exists with name: 'press-17'\"}")]
        }
        let body = "\"desired\":{\"config\":\(object(desired))},\"reported\":{\"config\":\(object(reported))}"
        return [
            (.getAccepted, "{\"state\":{\(body)},\"metadata\":{},\"version\":\(version),\"timestamp\":1}")
        ]
    }

    private mutating func update(_ payload: String) -> [Answer] {
        guard let root = try? JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any],
            let token = root["clientToken"] as? String, let state = root["state"] as? [String: Any],
            let section = state["reported"] as? [String: Any]
        else { return [(.updateRejected, "{\"code\":400,\"message\":\"Invalid JSON\"}")] }
        if let refusal {
            return [(.updateRejected, "{\"code\":\(refusal),\"clientToken\":\"\(token)\"}")]
        }
        version += 1
        if let config = section["config"] as? [String: Any] {
            configReports += 1
            for (key, value) in config {
                reported[key] = raw(value)
            }
        }
        if let update = section["update"] as? [String: Any] { note(update) }
        guard !losesAnswers else { return [] }
        return delta() + [(.updateAccepted, accepted(token))]
    }

    private func accepted(_ token: String) -> String {
        "{\"state\":{\"reported\":{}},\"version\":\(version),\"timestamp\":1,\"clientToken\":\"\(token)\"}"
    }

    private mutating func note(_ update: [String: Any]) {
        let state = update["state"] as? String ?? "?"
        percents.append(update["percent"] as? Int ?? -1)
        if updates.last != state { updates.append(state) }
        if let error = update["error"] as? String { errors.append(error) }
    }

    private func delta() -> [Answer] {
        let difference = desired.filter { reported[$0.key] != $0.value }
        guard !difference.isEmpty else { return [] }
        let payload = "{\"version\":\(version),\"timestamp\":1,\"state\":{\"config\":\(object(difference))}}"
        return [(.updateDelta, payload)]
    }

    private func object(_ values: [String: String]) -> String {
        "{" + values.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
            + "}"
    }

    private func raw(_ value: Any) -> String {
        if let text = value as? String { return "\"\(text)\"" }
        if let number = value as? NSNumber { return "\(number)" }
        return "null"
    }
}
