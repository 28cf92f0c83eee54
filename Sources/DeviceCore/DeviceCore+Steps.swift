public import ByteKit

extension DeviceCore {
    /// Draws the next step.
    ///
    /// - Parameters:
    ///   - now: milliseconds of the clock that all events carry.
    ///   - payload: emptied by the caller; takes what goes with the step, at most
    ///     `DeviceState.maximumRecordBytes` bytes.
    /// - Returns: the step, or `nil` where there is nothing to do at `now`.
    public mutating func nextStep(now: UInt64, into payload: inout some ByteSink) -> Step? {
        guard !needs.isOver else { return nil }
        if needs.save {
            if now >= needs.saveAt {
                needs.save = false
                state.encode(into: &payload)
                return .save
            }
            return log(into: &payload) ?? endings() ?? startConfirmed(now)
        }
        return log(into: &payload) ?? endings() ?? words(now, into: &payload) ?? deeds(now, into: &payload)
    }

    private mutating func log(into payload: inout some ByteSink) -> Step? {
        guard let line = logs.next() else { return nil }
        line.write(into: &payload)
        return .log(line.level, line.code)
    }

    private mutating func endings() -> Step? {
        if needs.stopProgram {
            needs.stopProgram = false
            return .stopProgram
        }
        if needs.cancelDownload {
            needs.cancelDownload = false
            return .cancelDownload
        }
        return nil
    }

    // MARK: Words

    private mutating func words(_ now: UInt64, into payload: inout some ByteSink) -> Step? {
        guard link.isUp else { return nil }
        if let topic = ShadowTopic(rawValue: link.nextSubscription),
            topic.rawValue < ShadowTopic.subscriptions
        {
            link.nextSubscription += 1
            return .subscribe(topic)
        }
        if link.needsGet {
            link.needsGet = false
            link.answerBy = now + LinkState.answerMilliseconds
            return .publish(.get)
        }
        guard configDelivery.isDue(now) || reportDelivery.isDue(now) else { return nil }
        publishReports(now, into: &payload)
        return .publish(.update)
    }

    private mutating func publishReports(_ now: UInt64, into payload: inout some ByteSink) {
        token &+= 1
        let hasConfig = configDelivery.isDue(now)
        payload.append("{\"state\":{\"reported\":{")
        if hasConfig {
            writeConfig(into: &payload)
            configDelivery.sent(token, now: now)
        }
        if reportDelivery.isDue(now) {
            payload.append(hasConfig ? ",\"update\":" : "\"update\":")
            writeReport(into: &payload)
            reportDelivery.sent(token, now: now)
            toldPercent = state.report.percent
            toldAt = now
        }
        payload.append("}},\"clientToken\":\"")
        payload.appendDecimal(token)
        payload.append("\"}")
    }

    private func writeConfig(into payload: inout some ByteSink) {
        payload.append("\"config\":{\"firmware_version\":\"")
        payload.append(state.version.span)
        payload.append("\"")
        state.reported.write(after: .member, into: &payload)
        payload.append("}")
    }

    private func writeReport(into payload: inout some ByteSink) {
        let report = state.report
        payload.append("{\"version\":")
        if report.version.isEmpty || report.version == DeviceState.unreadable {
            payload.append("null")
        } else {
            payload.append(report.version.span)
        }
        payload.append(",\"state\":\"")
        payload.append(report.state.word)
        payload.append("\",\"percent\":")
        payload.appendDecimal(UInt64(report.percent))
        payload.append(",\"error\":")
        if let reason = report.reason {
            payload.append("\"")
            reason.write(into: &payload)
            payload.append("\"}")
        } else {
            payload.append("null}")
        }
    }

    // MARK: Deeds

    private mutating func deeds(_ now: UInt64, into payload: inout some ByteSink) -> Step? {
        if needs.apply {
            needs.apply = false
            needs.applying = .running
            writeSettings(into: &payload)
            return .apply
        }
        return startConfirmed(now) ?? startTrial() ?? act(into: &payload)
    }

    private mutating func startConfirmed(_ now: UInt64) -> Step? {
        guard needs.start == .confirmed, !needs.stopProgram else { return nil }
        needs.start = nil
        program.started(now)
        return .startProgram(state.slots.confirmed, .confirmed)
    }

    private mutating func startTrial() -> Step? {
        guard needs.start == .trial else { return nil }
        needs.start = nil
        return .startProgram(state.slots.passive, .trial)
    }

    private mutating func act(into payload: inout some ByteSink) -> Step? {
        let action = needs.action
        needs.action = .none
        switch action {
        case .none:
            return nil
        case .download(let offset):
            needs.isDownloadRunning = true
            payload.append(versionText(state.target).span)
            return .download(offset: offset)
        case .verify:
            return .verify
        case .install:
            return .install(state.slots.passive)
        case .restart:
            needs.isOver = true
            return .restart
        }
    }

    private func writeSettings(into payload: inout some ByteSink) {
        var settings = state.desired
        settings.fill(from: state.reported)
        payload.append("{")
        settings.write(after: .brace, into: &payload)
        payload.append("}")
    }
}
