//  One device on its way to one release, as the server sees it.
//
//  Two kinds of devices feed this machine. Ours reports `reported.update` with its phases. A stock device reports nothing
//  on the way: the bytes handed out stand for its download. For both, `reported.config.firmware_version` is the only
//  proof of success. Three failed attempts end an update; so does a roll-back, at once, since the same image would only
//  be rolled back again. Whoever holds the record sets `desired` back when it ends without success.

/// Where an update stands.
package enum UpdatePhase: String, Sendable, CaseIterable, Codable {
    case queued, downloading, verifying, installing, restarting, confirming
    case succeeded, failed, rolledBack, cancelled, timedOut

    /// Whether the update is over.
    package var isEnd: Bool {
        switch self {
        case .queued, .downloading, .verifying, .installing, .restarting, .confirming: false
        case .succeeded, .failed, .rolledBack, .cancelled, .timedOut: true
        }
    }

    /// Whether the device is still on the old version and should be left there.
    package var needsReturn: Bool { isEnd && self != .succeeded }
}

/// The record of one update.
package struct Update: Sendable, Equatable {
    /// Failed attempts after which the update ends.
    package static let attemptLimit = 3
    /// Milliseconds from acceptance until the update ends as timed out: 7 days.
    package static let patience: Int64 = 7 * 24 * 3600 * 1000

    package var thing: String
    package var version: String
    package var fromVersion: String?
    package var phase = UpdatePhase.queued
    /// From 0 to 100, never smaller within one attempt.
    package var percent = 0
    /// Attempts that have failed; for a stock device, downloads begun.
    package var attempts = 0
    /// Whether the device reports its phases itself.
    package var reports = false
    /// Why it ended, or why the last attempt failed.
    package var reason: String?
    package var deadline: Int64

    package init(thing: String, version: String, fromVersion: String?, now: Int64) {
        self.thing = thing
        self.version = version
        self.fromVersion = fromVersion
        deadline = now + Self.patience
    }
}

/// What happens to an update.
package enum UpdateInput: Sendable, Equatable {
    /// The device says which version runs.
    case runs(version: String)
    /// `reported.update` of a device that reports.
    case status(version: String, state: String, percent: Int?, error: String?)
    /// A download of the image began at its first byte.
    case fetchBegan
    /// So many bytes of the image have been handed out.
    case handedOut(bytes: Int, of: Int)
    /// The device will not have it: no use in trying again.
    case refused(reason: String)
    /// The owner or an operator wants something else.
    case cancelled(reason: String)
    /// The time is `now`, milliseconds.
    case clock(now: Int64)
}

extension Update {
    /// Takes one input; true if anything changed that an owner would see.
    package mutating func take(_ input: UpdateInput) -> Bool {
        guard !phase.isEnd else { return false }
        let before = self
        switch input {
        case .runs(let running): runs(running)
        case .status(let version, let state, let percent, let error):
            guard version == self.version else { return false }
            // What was counted from the bytes handed out does not count for a device that reports by itself.
            if !reports { attempts = 0 }
            reports = true
            status(state, percent, error)
        case .fetchBegan: fetchBegan()
        case .handedOut(let bytes, let total): handedOut(bytes, total)
        case .refused(let why): finish(.failed, why)
        case .cancelled(let why): finish(.cancelled, why)
        case .clock(let now):
            if now >= deadline { finish(.timedOut, "the device did not finish in time") }
        }
        return self != before
    }

    private mutating func runs(_ running: String) {
        if running == version {
            finish(.succeeded, nil)
            percent = 100
        } else if !reports, phase == .restarting || (phase == .downloading && percent >= 99) {
            failAttempt("reports \(running) after installing \(version)")
        }
    }

    private mutating func status(_ state: String, _ percent: Int?, _ error: String?) {
        switch state {
        case "failed":
            // The report of an attempt that was counted already comes again after a reconnect.
            guard !(phase == .queued && attempts > 0) else { return }
            attempts += 1
            failAttempt(error ?? "the device gave no reason")
        case "rolledBack":
            finish(.rolledBack, error ?? "the new version did not prove healthy")
        default:
            guard let reached = UpdatePhase(rawValue: state), !reached.isEnd else { return }
            if phase == .queued || reached == .downloading && phase != .downloading { self.percent = 0 }
            phase = reached
            let shown = reached == .downloading ? min(percent ?? 0, 99) : 99
            self.percent = max(self.percent, shown, 0)
        }
    }

    private mutating func fetchBegan() {
        guard !reports else { return }
        guard attempts < Self.attemptLimit else {
            return finish(.failed, reason ?? "the image was handed out \(attempts) times and never ran")
        }
        attempts += 1
        phase = .downloading
        percent = 0
    }

    private mutating func handedOut(_ bytes: Int, _ total: Int) {
        guard !reports, total > 0, phase == .downloading else { return }
        percent = max(percent, Int(min(99, Double(bytes) * 100 / Double(total))))
        if bytes >= total { phase = .restarting }
    }

    private mutating func failAttempt(_ why: String) {
        reason = why
        phase = .queued
        percent = 0
        if attempts >= Self.attemptLimit { finish(.failed, why) }
    }

    private mutating func finish(_ end: UpdatePhase, _ why: String?) {
        phase = end
        reason = why
    }
}
