import ByteKit

extension DeviceCore {
    // MARK: Start

    /// Chooses what runs now, and takes up a trial where the record has one.
    mutating func boot(_ now: UInt64) {
        switch state.slots.start() {
        case .confirmed(let slot):
            needs.start = .confirmed
            logs.add(.started(slot, .confirmed))
        case .trial(let slot):
            needs.start = .trial
            logs.add(.started(slot, .trial))
            machine.trialStarted()
            trial = TrialWatch(
                now: now,
                ready: configuration.readyMilliseconds,
                health: configuration.healthMilliseconds,
                reach: configuration.reachMilliseconds
            )
            tell(.confirming)
        case .rolledBack(let slot):
            needs.start = .confirmed
            logs.add(.started(slot, .confirmed))
            rememberRollBack(.noVerdict, now)
        }
    }

    // MARK: Trial

    mutating func judgeTrial(_ now: UInt64) {
        guard let verdict = trial?.verdict(now: now) else { return }
        switch verdict {
        case .open: break
        case .confirmed: confirm(now)
        case .failed(let reason): rollBack(reason, now)
        }
    }

    private mutating func confirm(_ now: UInt64) {
        trial = nil
        state.slots.confirm()
        tell(.succeeded)
        logs.add(.confirmed)
        configDelivery.want(notBefore: now)
        state.target = RawValue()
        state.failures = 0
        machine.reset()
        program.started(now)
    }

    /// Goes back to the confirmed slot.
    mutating func rollBack(_ reason: Reason, _ now: UInt64) {
        trial = nil
        state.slots.rollBack()
        needs.stopProgram = true
        needs.start = .confirmed
        rememberRollBack(reason, now)
    }

    private mutating func rememberRollBack(_ reason: Reason, _ now: UInt64) {
        logs.add(.rolledBack(reason))
        if reason == .withdrawn {
            tell(.cancelled, because: reason)
            machine.reset()
            state.target = RawValue()
        } else {
            _ = machine.fail(reason, now: now)
            tell(.rolledBack, because: reason)
        }
        state.failures = machine.failures
    }

    mutating func programExited(_ code: Int32, _ now: UInt64) {
        guard machine.phase != .restarting else { return }
        guard trial == nil else { return rollBack(.exited(code: code), now) }
        logs.add(.programExited(code: code))
        program.exited(now)
    }

    // MARK: Storage and settings

    mutating func saveFailed(_ now: UInt64) {
        needs.save = true
        needs.saveAt = now + 5_000
        logs.add(.saveFailed)
    }

    /// Puts own desired settings in force where they differ from those reported.
    mutating func settle(_ now: UInt64) {
        if let time = needs.applyAt {
            guard now >= time else { return }
            needs.applyAt = nil
        }
        guard needs.applying == .no else { return }
        needs.apply = !state.reported.includes(state.desired)
    }

    mutating func applied() {
        guard needs.applying == .running else {
            needs.applying = .no
            return
        }
        needs.applying = .no
        var settings = state.desired
        settings.fill(from: state.reported)
        state.reported = settings
        needs.save = true
        configDelivery.want(notBefore: 0)
        logs.add(.settingsApplied)
    }

    mutating func applyFailed(_ now: UInt64) {
        needs.applying = .no
        needs.applyAt = now + 10_000
        logs.add(.applyFailed)
    }
}
