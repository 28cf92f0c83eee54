import Foundation
import Operations
import Releases

/// Says one device in words: for the list and for its own page.
struct DeviceWriter {
    let device: OwnerDevice
    let words: Words
    let times: Times
    let now: Int64

    var facts: DeviceFacts { device.facts }
    var name: String { device.name ?? facts.thing }
    var running: String { facts.running ?? "" }
    var path: String {
        "/my/devices/" + (facts.thing.addingPercentEncoding(withAllowedCharacters: .urlHostAllowed) ?? "")
    }

    var isOff: Bool { facts.isOffline(now: now) }

    /// The owner's four phases, and waiting.
    var phase: String {
        switch facts.update?.phase {
        case .downloading: "download"
        case .verifying, .installing: "check"
        case .restarting: "restart"
        case .confirming: "confirm"
        default: "queued"
        }
    }

    var percent: Int {
        phase == "queued" ? 0 : phase == "download" ? min(device.update?.percent ?? 0, 99) : 99
    }

    /// Whether the new version had run before the device went back.
    var wentBack: Bool { facts.update?.phase == .rolledBack }

    // MARK: The row

    var row: DeviceRow {
        var row = DeviceRow(key: facts.thing, path: path, name: name, art: device.picture, isOff: isOff)
        switch device.standing {
        case .updating: row.progress = rowProgress
        case .offered:
            row.chip = .init(
                word: words("rowReady", ["version": facts.offer?.version ?? ""]), tone: "busy", icon: "new")
            switch (facts.offer?.until, facts.offer?.answer) {
            case (.some, .tonight): row.meta = words("rowTonight")
            case (.some, .later): row.meta = words("rowLater")
            default: row.meta = words("rowNow", ["version": running])
            }
        case .failed:
            row.chip = .init(
                word: words(wentBack ? "rowBack" : "rowStill", ["version": running]), tone: "warn", icon: "undo")
            row.meta = words(isOff ? "rowOffline" : "rowWorks")
        case .done, .current:
            row.chip =
                isOff
                ? .init(word: words("rowOffline"), tone: "", icon: "offline")
                : facts.isBehind
                    ? .init(word: words("rowWorks"), tone: "good", icon: "check")
                    : .init(word: words("rowCurrent"), tone: "good", icon: "check")
            row.meta = isOff ? facts.lastSeen.map(times.since) : running
        case .unknown: row.chip = .init(word: words("rowUnknown"), tone: "", icon: "clock")
        }
        return row
    }

    private var rowProgress: DeviceRow.Progress {
        let version = facts.update?.version ?? ""
        let key = "row" + phase.prefix(1).uppercased() + phase.dropFirst()
        return DeviceRow.Progress(
            version: version, text: words(key, ["version": version]), phase: phase, percent: "\(percent)",
            percentText: phase == "download" ? words("rowPercent", ["percent": "\(percent)"]) : nil)
    }

    // MARK: The page

    func page(notice: DeviceView.Notice?) -> DeviceView {
        var view = DeviceView(
            notice: notice, thing: facts.thing, path: path, name: name, givenName: device.name ?? "",
            usualName: facts.thing, art: device.picture, isOff: isOff, state: "", headline: "", lede: "",
            hasSettings: !device.settings.isEmpty, settings: device.settings.enumerated().map(setting))
        switch device.standing {
        case .offered: describeOffer(&view)
        case .updating: describeProgress(&view)
        case .done: describeDone(&view)
        case .failed: describeFailure(&view)
        case .current: describeCurrent(&view)
        case .unknown:
            view.state = "unknown"
            view.headline = words("unknownHeadline")
            view.lede = words("unknownLede")
            view.unknown = true
        }
        return view
    }

    /// The tab's title.
    func title(_ view: DeviceView) -> String {
        let version = ["version": running] as KeyValuePairs
        if let progress = view.progress, progress.phase == "download" {
            return words("tabPercent", ["percent": progress.percent, "name": name])
        }
        let state =
            switch view.state {
            case "offer": words("offerTab")
            case "progress": words("progressTab")
            case "done": words("doneTab")
            case "failed": words(wentBack ? "failedTabBack" : "failedTabStill", version)
            case "current": words(isOff ? "offlineTab" : facts.isBehind ? "rowWorks" : "currentTab")
            default: words("unknownTab")
            }
        return words("tabState", ["state": state, "name": name])
    }

    private func describeOffer(_ view: inout DeviceView) {
        guard let offer = device.offer else { return }
        view.state = "offer"
        view.headline = words("offerHeadline", ["version": offer.version])
        view.lede = words("offerLede", ["version": running])
        var postponed: String?
        if let until = facts.offer?.until {
            postponed =
                facts.offer?.answer == .tonight
                ? words("offerTonight") : words("offerLater", ["date": times.day(until)])
        }
        let facts = self.offerFacts(offer)
        view.offer = DeviceView.Offer(
            version: offer.version, notesHtml: notes(offer.notes), hasFacts: !facts.isEmpty, facts: facts,
            assurance: words("assurance", ["version": running]), postponed: postponed)
        let isTonight = self.facts.offer?.answer == .tonight
        noteOffline(
            &view, then: isTonight ? words("offlineStarts") : words("offlineKept", ["version": offer.version]))
    }

    private func offerFacts(_ offer: OwnerDevice.Candidate) -> [DeviceView.Fact] {
        var facts: [DeviceView.Fact] = []
        if let seconds = device.updateSeconds {
            facts.append(.init(value: words.duration(seconds), label: words("factTotal")))
        }
        if let seconds = device.offSeconds {
            facts.append(.init(value: words.duration(seconds), label: words("factOff")))
        }
        if let size = offer.size { facts.append(.init(value: words.size(size), label: words("factDownload"))) }
        return facts
    }

    private func describeProgress(_ view: inout DeviceView) {
        guard let update = device.update else { return }
        let version = ["version": update.version] as KeyValuePairs
        let name = phase.prefix(1).uppercased() + phase.dropFirst()
        view.state = "progress"
        view.headline = words(phase + "Headline", version)
        view.lede =
            switch phase {
            case "queued": update.attempts > 0 ? words("queuedAgain") : words("queuedLede", version)
            case "restart": words("restartLede")
            case "confirm": words("confirmLede")
            default: words("worksLede")
            }
        let order = ["queued", "download", "check", "restart", "confirm"]
        let place = order.firstIndex(of: phase) ?? 0
        func arc(_ index: Int) -> String {
            index < place ? "100" : index > place ? "0" : index == 1 ? "\(percent)" : "100"
        }
        view.progress = DeviceView.Progress(
            version: update.version, attempt: "\(update.id).\(update.attempts)", phase: phase, percent: "\(percent)",
            word: phase == "download" ? nil : words("\(name.prefix(1).lowercased())\(name.dropFirst())Word"),
            bytes: device.updateTarget?.size.map(String.init), canStop: update.state.isRevocable,
            arcDownload: arc(1), arcCheck: arc(2), arcRestart: arc(3), arcConfirm: arc(4),
            steps: (1...4).map { progressStep($0, place, update) })
        noteOffline(&view, then: words(phase == "queued" ? "offlineStarts" : "offlineContinues"))
    }

    private func progressStep(
        _ number: Int, _ place: Int, _ update: UpdateHistory
    ) -> DeviceView.ProgressStep {
        let key = ["download", "check", "restart", "confirm"][number - 1]
        let name = ["stepDownload", "stepCheck", "stepRestart", "stepConfirm"][number - 1]
        var when: String?
        if number == 1, place == 1, let size = device.updateTarget?.size {
            when = words("amountOf", ["done": amount(size * percent / 100, of: size), "total": words.size(size)])
        } else if number > place {
            switch number {
            case 2: when = words("stepSeconds")
            case 3: when = device.offSeconds.map { words("stepOff", ["duration": words.duration($0)]) }
            default: break
            }
        }
        return DeviceView.ProgressStep(
            key: key, number: "\(number)", name: words(name), when: when,
            state: number < place ? "done" : number == place ? "now" : "next", isDone: number < place,
            isNow: number == place)
    }

    /// A part of a size, in the unit of the whole.
    private func amount(_ done: Int, of total: Int) -> String {
        switch total {
        case ..<1_000_000: "\((done + 500) / 1000)"
        case ..<1_000_000_000: words.tenths(Double(done) / 1e6)
        default: words.tenths(Double(done) / 1e9)
        }
    }

    private func describeDone(_ view: inout DeviceView) {
        guard let update = device.update else { return }
        view.state = "done"
        view.headline = words("doneHeadline")
        view.lede = words("doneLede", ["version": update.version])
        if let ended = update.ended {
            let took = words.duration(Int((ended - update.created) / 1000))
            view.lede = words("doneLedeTook", ["version": update.version, "duration": took])
        }
        view.done = DeviceView.Done(version: update.version, notesHtml: device.updateTarget.flatMap { notes($0.notes) })
        view.supportUntil = support
    }

    private func describeFailure(_ view: inout DeviceView) {
        guard let update = device.update else { return }
        view.state = "failed"
        view.headline = words(wentBack ? "failedHeadlineBack" : "failedHeadlineStill", ["version": running])
        view.lede = words(update.state == .timedOut ? "failedLedeTime" : "failedLede", ["version": update.version])
        let reached: [(UpdatePhase, String, String)] = [
            (.verifying, "download", "happenedDownload"), (.restarting, "check", "happenedCheck"),
            (.confirming, "restart", "happenedRestart"),
        ]
        view.failed = DeviceView.Failed(
            version: update.version,
            steps: reached.compactMap { phase, key, text in
                update.steps.last { $0.phase == phase }.map {
                    .init(key: key, name: words(text), when: times.clock($0.at))
                }
            },
            lastStep: words(wentBack ? "happenedBack" : "happenedStopped", ["version": running]),
            lastWhen: update.ended.map(times.clock), reason: Reasons.plain(update.reason, words),
            supportCode: update.code)
        noteOffline(&view, then: words("offlineKept", ["version": update.version]))
    }

    private func describeCurrent(_ view: inout DeviceView) {
        view.state = "current"
        // An offer that has expired is not asked again, but the page must not call an older version the newest.
        view.headline = words(isOff ? "offlineHeadline" : facts.isBehind ? "worksHeadline" : "currentHeadline")
        let seen = facts.lastSeen.map(times.when)
        if isOff {
            view.lede = words("offlineSince", ["when": seen ?? ""])
        } else if let since = device.runningSince, facts.isConnected {
            view.lede = words("currentLedeSince", ["version": running, "date": times.day(since)])
        } else {
            view.lede = words("currentLede", ["version": running, "when": seen ?? words("whenNow")])
        }
        view.current = DeviceView.Current(
            version: running, newTitle: words("newInVersion", ["version": running]),
            notesHtml: device.runningNotes.flatMap(notes))
        view.supportUntil = support
        if isOff { view.offline = DeviceView.Offline(heading: words("whatYouCanDo")) }
    }

    private func noteOffline(_ view: inout DeviceView, then: String) {
        guard isOff else { return }
        view.offline = DeviceView.Offline(
            heading: words("offlineHeadline"),
            since: facts.lastSeen.map { words("offlineSince", ["when": times.when($0)]) }, then: then)
    }

    private var support: DeviceView.Support? {
        device.supportUntil.map {
            .init(text: words(times.isOver(month: $0) ? "promisedEnded" : "promisedUntil"), date: words.month($0))
        }
    }

    private func notes(_ text: String) -> String? {
        let html = Markdown.html(text)
        return html.isEmpty ? nil : html
    }

    private func setting(_ index: Int, _ view: OwnerDevice.SettingView) -> DeviceView.Setting {
        let setting = view.setting
        let wished = view.desired ?? view.reported
        var choices = setting.choices.map { DeviceView.Choice(value: $0, label: $0, isSelected: $0 == wished) }
        if !choices.isEmpty, !choices.contains(where: \.isSelected) {
            choices.insert(.init(value: wished ?? "", label: wished ?? words("settingNone"), isSelected: true), at: 0)
        }
        let isChoice = !choices.isEmpty
        return DeviceView.Setting(
            key: setting.name, id: "setting-\(index + 1)", label: setting.label, isChoice: isChoice, choices: choices,
            value: isChoice ? nil : wished ?? "", saveLabel: words("saveNamed", ["label": setting.label]),
            waiting: view.desired != nil && view.desired != view.reported ? words("waitingForDevice") : nil)
    }
}
