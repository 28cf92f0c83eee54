//  What one device's row, offer and newest update mean together.
//
//  The owner's page asks for the `Standing`, "why?" for the rules with their inputs (`Explanation`). Both read the same
//  facts, so that no page says what another denies.

/// What is known of one device when somebody looks at it.
package struct DeviceFacts: Sendable, Equatable {
    /// An offer that has not ended.
    package struct Offer: Sendable, Equatable {
        package var version: String
        /// Milliseconds since 1970 until which it was put off; nil when it waits for an answer.
        package var until: Int64?
        /// What happens then.
        package var answer: OfferAnswer?

        package init(version: String, until: Int64?, answer: OfferAnswer?) {
            self.version = version
            self.until = until
            self.answer = answer
        }
    }

    /// The newest update, open or ended.
    package struct LastUpdate: Sendable, Equatable {
        package var version: String
        package var phase: UpdatePhase
        package var attempts: Int
        package var reason: String?
        /// Whether the owner has seen how it ended.
        package var isDismissed: Bool

        package init(version: String, phase: UpdatePhase, attempts: Int, reason: String?, isDismissed: Bool) {
            self.version = version
            self.phase = phase
            self.attempts = attempts
            self.reason = reason
            self.isDismissed = isDismissed
        }
    }

    package var thing: String
    package var product: String?
    package var hardware: String?
    package var owner: String?
    /// As the device reports it, whatever text it is.
    package var running: String?
    package var isRevoked: Bool
    package var isConnected: Bool
    /// Milliseconds since 1970; nil for a device that never connected.
    package var lastSeen: Int64?
    /// The highest active release with an image for the device.
    package var newest: String?
    package var offer: Offer?
    package var update: LastUpdate?

    package init(
        thing: String, product: String?, hardware: String?, owner: String?, running: String?, isRevoked: Bool,
        isConnected: Bool, lastSeen: Int64?, newest: String?, offer: Offer?, update: LastUpdate?
    ) {
        self.thing = thing
        self.product = product
        self.hardware = hardware
        self.owner = owner
        self.running = running
        self.isRevoked = isRevoked
        self.isConnected = isConnected
        self.lastSeen = lastSeen
        self.newest = newest
        self.offer = offer
        self.update = update
    }
}

/// What an owner may answer to an offer beside installing at once.
package enum OfferAnswer: String, Sendable, Codable {
    /// Install at the next 02:00 of the owner's time zone.
    case tonight
    /// Ask again after three days.
    case later
}

extension DeviceFacts {
    /// Milliseconds without a connection after which a device is called offline: five minutes.
    private static let patience: Int64 = 5 * 60 * 1000

    /// Whether the device is away; not while it restarts with a new version, which takes its connection.
    package func isOffline(now: Int64) -> Bool {
        guard !isConnected else { return false }
        if let phase = update?.phase, phase == .restarting || phase == .confirming { return false }
        return lastSeen.map { now - $0 >= Self.patience } ?? true
    }

    /// Whether there is a release that the device should go to, offered or not.
    package var isBehind: Bool {
        newest.flatMap { ReleaseVersion($0) }.map { UpgradeRule.isNews($0, running: running) } ?? false
    }

    /// Whether the owner is being asked about `version`: by an open offer, or by the end of an update that did not work.
    package func isAsked(about version: String) -> Bool {
        if let offer { return offer.version == version }
        return update.map { $0.phase.isTrouble && $0.version == version } ?? false
    }
}

extension UpdatePhase {
    /// Whether the update can be taken back: nothing was changed on the device yet.
    package var isRevocable: Bool { self == .queued || self == .downloading }

    /// Whether the update ended in a way that somebody should look at.
    package var isTrouble: Bool {
        switch self {
        case .failed, .rolledBack, .timedOut: true
        default: false
        }
    }
}

/// What the owner of a device is shown; always exactly one of these.
package enum Standing: String, Sendable, Codable {
    /// An update is on its way.
    case updating
    /// The last update succeeded and the owner has not seen it yet.
    case done
    /// The last update did not work and the owner has not seen it yet.
    case failed
    /// A newer version may be installed.
    case offered
    /// Nothing to do.
    case current
    /// The device has not said yet what it runs.
    case unknown

    /// - Returns: what comes first: a running update, its end, a newer version, silence.
    package static func of(_ facts: DeviceFacts) -> Standing {
        if let update = facts.update {
            if !update.phase.isEnd { return .updating }
            // A newer version than the one that just ended is better news than the end itself.
            let isOld = facts.offer.map { $0.version != update.version } ?? false
            if !update.isDismissed, !isOld {
                if update.phase == .succeeded, update.version == facts.running { return .done }
                if update.phase.isTrouble, facts.offer?.until == nil { return .failed }
            }
        }
        if facts.offer != nil { return .offered }
        return facts.running == nil ? .unknown : .current
    }
}
