//  "Why?": the rules that decide what a device is offered, each with what it looked at.

/// One rule with its input and verdict.
package struct ExplainedRule: Sendable, Equatable, Codable {
    /// What the rule means for an update.
    package enum Verdict: String, Sendable, Codable {
        /// It lets an update pass.
        case ok
        /// It stands in the way.
        case blocks
        /// It says something and decides nothing.
        case info
    }

    /// The rule, in a few words.
    package var name: String
    /// What it looked at.
    package var input: String
    package var verdict: Verdict

    init(_ name: String, _ input: String, _ verdict: Verdict) {
        self.name = name
        self.input = input
        self.verdict = verdict
    }
}

/// Why a device is, or is not, offered an update.
package struct Explanation: Sendable, Equatable, Codable {
    /// In one sentence.
    package var decision: String
    /// Every rule, in the order in which they are asked; the first that blocks decides.
    package var rules: [ExplainedRule]

    /// Asks every rule, also behind the one that decides: each may be the next to stand in the way.
    package init(_ facts: DeviceFacts, now: Int64) {
        let newest = facts.newest.flatMap(ReleaseVersion.init)
        rules = [
            ExplainedRule("Rights", facts.isRevoked ? "taken back" : "valid", facts.isRevoked ? .blocks : .ok),
            Self.assignment(facts), Self.running(facts), Self.release(facts),
            Self.newer(facts, newest), Self.update(facts), Self.owner(facts), Self.offer(facts, now),
            Self.presence(facts),
        ]
        decision = Self.decision(facts, rules)
    }

    private static func assignment(_ facts: DeviceFacts) -> ExplainedRule {
        guard let product = facts.product, let hardware = facts.hardware else {
            return ExplainedRule("Product and hardware", "not assigned", .blocks)
        }
        return ExplainedRule("Product and hardware", "\(product), \(hardware)", .ok)
    }

    private static func running(_ facts: DeviceFacts) -> ExplainedRule {
        guard let running = facts.running else {
            return ExplainedRule("Reported version", "none yet", .blocks)
        }
        guard ReleaseVersion(running) != nil else {
            return ExplainedRule("Reported version", "\"\(running)\" is no version", .blocks)
        }
        return ExplainedRule("Reported version", running, .ok)
    }

    private static func release(_ facts: DeviceFacts) -> ExplainedRule {
        guard let newest = facts.newest else {
            return ExplainedRule("Active release for this hardware", "none", .blocks)
        }
        return ExplainedRule("Active release for this hardware", newest, .ok)
    }

    private static func newer(_ facts: DeviceFacts, _ newest: ReleaseVersion?) -> ExplainedRule {
        guard let newest, let running = facts.running else {
            return ExplainedRule("Newer than what runs", "cannot be told", .info)
        }
        let isNews = UpgradeRule.isNews(newest, running: running)
        let sign = isNews ? "to" : newest.text == running ? "is" : "is newer than"
        return ExplainedRule("Newer than what runs", "\(running) \(sign) \(newest)", isNews ? .ok : .blocks)
    }

    private static func update(_ facts: DeviceFacts) -> ExplainedRule {
        guard let update = facts.update else { return ExplainedRule("Update", "none so far", .info) }
        let attempts = update.attempts == 0 ? "" : ", \(update.attempts) of \(Update.attemptLimit) attempts failed"
        return ExplainedRule("Update", "\(update.version) \(update.phase.rawValue)\(attempts)", .info)
    }

    private static func owner(_ facts: DeviceFacts) -> ExplainedRule {
        guard let owner = facts.owner else {
            return ExplainedRule("Owner who is asked", "none: only an operator can update it", .info)
        }
        return ExplainedRule("Owner who is asked", owner, .ok)
    }

    private static func offer(_ facts: DeviceFacts, _ now: Int64) -> ExplainedRule {
        guard let offer = facts.offer else { return ExplainedRule("Offer", "none open", .info) }
        switch (offer.answer, offer.until) {
        case (.tonight, .some): return ExplainedRule("Offer", "\(offer.version), owner chose Tonight", .info)
        case (.later, .some(let until)) where until > now:
            return ExplainedRule("Offer", "\(offer.version), owner chose Later", .info)
        default: return ExplainedRule("Offer", "\(offer.version), waits for the owner", .ok)
        }
    }

    private static func presence(_ facts: DeviceFacts) -> ExplainedRule {
        if facts.isConnected { return ExplainedRule("Connection", "connected", .ok) }
        return ExplainedRule("Connection", facts.lastSeen == nil ? "never connected" : "not connected", .info)
    }

    private static func decision(_ facts: DeviceFacts, _ rules: [ExplainedRule]) -> String {
        if let update = facts.update, !update.phase.isEnd {
            let wait = facts.isConnected ? "" : "; it goes on when the device is back"
            return "Updates to \(update.version): \(update.phase.rawValue)\(wait)."
        }
        if let blocker = rules.first(where: { $0.verdict == .blocks }) {
            if blocker.name == "Newer than what runs" { return "Nothing to offer: it runs the newest release." }
            return "Nothing is offered: \(blocker.name.lowercased()): \(blocker.input)."
        }
        guard let offer = facts.offer else {
            guard let newest = facts.newest else { return "Nothing to offer." }
            return facts.owner == nil
                ? "\(newest) fits, but the device has no owner to ask."
                : "\(newest) fits; its offer was answered or has expired."
        }
        switch offer.answer {
        case .tonight: return "\(offer.version) is installed tonight, as the owner chose."
        case .later: return "\(offer.version) is offered again later, as the owner chose."
        case nil: return "\(offer.version) is offered and waits for the owner."
        }
    }
}
