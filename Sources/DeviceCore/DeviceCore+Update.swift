import ByteKit
import VersionText

extension DeviceCore {
    // MARK: The loop

    /// Compares the desired version with the one that runs, and begins, goes on with or ends an update.
    mutating func evaluate(_ now: UInt64) {
        guard link.isShadowKnown else { return }
        switch machine.phase {
        case .verifying, .installing, .restarting:
            return
        case .confirming:
            if isWithdrawn, !state.wanted.isEmpty {
                rollBack(.withdrawn, now)
            }
        default:
            if isWithdrawn {
                withdraw()
            } else if state.wanted != state.target {
                takeUp(now)
            } else if machine.phase == .idle {
                goOn(now)
            }
        }
    }

    /// Whether nothing but the running version is desired.
    private var isWithdrawn: Bool {
        guard !state.wanted.isEmpty else { return true }
        return versionText(state.wanted) == state.version
    }

    /// Begins with a version that was not desired before.
    private mutating func takeUp(_ now: UInt64) {
        endDownload()
        machine.reset()
        state.target = state.wanted
        state.failures = 0
        state.report.percent = 0
        let version = versionText(state.target)
        guard !version.isEmpty else { return obey(machine.fail(.notAVersion, now: now), now) }
        if configuration.downgrades == .refused,
            VersionText.compare(version.span, state.version.span) == .older
        {
            return obey(machine.fail(.olderVersion, now: now), now)
        }
        obey(machine.begin(from: 0), now)
    }

    /// Goes on with the record's target after a start of the device.
    private mutating func goOn(_ now: UInt64) {
        let isUnfinished = !state.report.state.isFinal && state.report.state != .none
        if isUnfinished || state.failures == 0 {
            obey(machine.begin(from: isUnfinished ? partialBytes : 0), now)
        } else {
            machine.wait(now)
        }
        partialBytes = 0
    }

    /// Ends what is no longer desired; failures are forgotten with it.
    private mutating func withdraw() {
        guard !state.target.isEmpty else { return }
        endDownload()
        machine.reset()
        if !state.report.state.isFinal, state.report.state != .none {
            tell(.cancelled)
            logs.add(.cancelled)
        }
        state.target = RawValue()
        state.failures = 0
        needs.save = true
    }

    private mutating func endDownload() {
        needs.action = .none
        guard needs.isDownloadRunning else { return }
        needs.isDownloadRunning = false
        needs.cancelDownload = true
    }

    // MARK: Events

    mutating func handleUpdate(_ event: Event, _ now: UInt64) {
        switch event {
        case .downloadStarted(let total, let offset):
            logs.add(.downloadStarted(total: total, offset: offset))
            obey(machine.downloadStarted(total: total, from: offset, now: now), now)
        case .downloadProgress(let received):
            machine.progress(received: received)
            tellProgress()
        case .downloadBroken:
            downloadEnded(.downloadBroken(received: machine.received))
            obey(machine.downloadBroken(now: now), now)
        case .downloadRefused(let status):
            needs.isDownloadRunning = false
            obey(machine.downloadRefused(httpStatus: status, now: now), now)
        case .downloadFinished:
            needs.isDownloadRunning = false
            obey(machine.downloadFinished(now: now), now)
        default:
            handleImage(event, now)
        }
    }

    private mutating func handleImage(_ event: Event, _ now: UInt64) {
        switch event {
        case .verified:
            guard isStillWanted() else { return }
            obey(machine.verified(), now)
        case .verifyFailed(let reason) where machine.phase == .verifying:
            obey(machine.fail(reason, now: now), now)
        case .installed:
            guard isStillWanted() else { return }
            obey(machine.installed(), now)
        case .ioFailed:
            storageFailed(now)
        default:
            break
        }
    }

    private mutating func downloadEnded(_ line: LogLine) {
        guard needs.isDownloadRunning else { return }
        needs.isDownloadRunning = false
        logs.add(line)
    }

    private mutating func storageFailed(_ now: UInt64) {
        switch machine.phase {
        case .downloading, .verifying, .installing: obey(machine.fail(.storage, now: now), now)
        default: break
        }
    }

    /// Whether the target is desired still; else the machine rests, before anything was promised.
    private mutating func isStillWanted() -> Bool {
        guard machine.phase == .verifying || machine.phase == .installing else { return false }
        guard state.wanted != state.target else { return true }
        machine.reset()
        return false
    }

    // MARK: Orders of the machine

    mutating func obey(_ order: UpdateMachine.Order, _ now: UInt64) {
        switch order {
        case .rest:
            break
        case .download(let offset):
            needs.action = .download(offset: offset)
            beginDownload()
        case .verify:
            needs.action = .verify
            tell(.verifying)
        case .install:
            needs.action = .install
            tell(.installing)
        case .restart:
            state.slots.installed(versionText(state.target))
            needs.action = .restart
            tell(.restarting)
        case .failed(let reason):
            endDownload()
            state.failures = machine.failures
            tell(.failed, because: reason)
            logs.add(.failed(reason))
        }
    }

    private mutating func beginDownload() {
        guard state.report.state != .downloading || state.report.version != state.target else { return }
        state.slots.beginWriting()
        tell(.downloading)
        logs.add(.downloadBegins)
    }

    // MARK: Reports

    /// Makes a phase known; the record carries it too.
    mutating func tell(_ phase: UpdateState, because reason: Reason? = nil) {
        var report = UpdateReport()
        report.version = state.target
        report.state = phase
        report.percent = phase == .downloading ? machine.percent : phase.isEarly ? 100 : state.report.percent
        report.reason = reason
        report.isAcknowledged = false
        state.report = report
        reportDelivery.want(notBefore: 0)
        needs.save = true
    }

    /// Makes progress known per 5 %, at most once a second; not worth a save.
    private mutating func tellProgress() {
        guard machine.phase == .downloading, state.report.state == .downloading else { return }
        state.report.percent = machine.percent
        guard machine.percent >= toldPercent + 5 else { return }
        reportDelivery.want(notBefore: toldAt + 1_000)
    }
}

extension UpdateState {
    /// Whether the whole image is there in this state, as long as nothing failed.
    fileprivate var isEarly: Bool {
        switch self {
        case .verifying, .installing, .restarting, .confirming, .succeeded: true
        default: false
        }
    }
}
