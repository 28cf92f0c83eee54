package import Operations
import Releases
package import Store

//  One device.

extension ConsolePages {
    struct DevicePageView {
        struct Progress {
            var percent: String
            var text: String
            var label: String
        }

        struct Actions {
            var canUpdate: Bool
            var canRetry: Bool
            var canCancel: Bool
            var canRevoke: Bool
            var canRemove = true
            var hasMenu = true
            var versions: [Choice]
        }

        struct Why {
            struct Rule {
                var key: String
                var name: String
                var input: String
                var tone: String
                var icon: String
                var word: String
                var decides: Bool
            }

            var headline: String
            var summary: String
            var tone: String
            var rules: [Rule]
        }

        struct Shadow {
            struct Tab {
                var label: String
                var url: String
                var isCurrent: Bool
            }

            var hasTabs: Bool
            var tabs: [Tab]
            var version: String?
            var changed: When?
            var hasRows: Bool
            var rows: [ShadowTable.Row]
            var differences: String?
            var raw: String?
        }

        struct Log {
            var followUrl: String
            var listUrl: String
            var search: String
            var hasLines: Bool
            var lines: [ConsoleLogLine]
        }

        struct Step {
            var key: String
            var at: When
            var icon: String
            var tone: String
            var sentence: String
            var took: String?
            /// The device's own words.
            var quote: String?
        }

        struct Update {
            var key: String
            var title: String
            var chip: Chip
            var at: When
            var steps: [Step]
        }

        struct Presence {
            var key: String
            var at: When
            var word: String
            var icon: String
            var tone: String
            var detail: String?
            var address: String?
        }

        struct Fact {
            var term: String
            var value: String
            var link: String?
            var isMono = false
        }

        var thing: String
        var api: String
        var url: String
        var chips: [Chip]
        var sentence: String
        var progress: Progress?
        var actions: Actions
        var why: Why
        var shadow: Shadow
        var log: Log
        var hasUpdates: Bool
        var timeline: Update?
        var hasOlder: Bool
        var older: [Update]
        var hasPresence: Bool
        var presence: [Presence]
        var facts: [Fact]
    }

    package func device(
        _ reader: Reader, _ device: ConsoleDevice, log: [LogLine], search: String?, shadow: String?
    ) -> String {
        let thing = device.facts.thing
        let url = Place.device(thing)
        let api = "/api/v1/devices/\(Place.part(thing))"
        var shell = shell(reader, title: thing)
        shell.nav.isDevices = true
        shell.crumbs = .init(parent: .init(label: "Devices", url: "/console/devices"), here: thing)
        shell.listenUrl = "/api/v1/listen?thing=\(Place.part(thing))"
        let updates = device.updates.map { Self.update($0, now: reader.now) }
        let phase = device.facts.update?.phase
        let isOpen = phase.map { !$0.isEnd } ?? false
        let view = DevicePageView(
            thing: thing, api: api, url: url,
            chips: [
                .of(device.summary),
                device.facts.isConnected
                    ? Chip(word: "Online", icon: "dot", tone: "good bare")
                    : Chip(word: "Offline", icon: "offline", tone: "bare"),
            ],
            sentence: Self.sentence(device, now: reader.now),
            progress: isOpen
                ? device.updates.first.map {
                    .init(percent: "\($0.percent)", text: "\($0.percent) %", label: "Update to \($0.version)")
                } : nil,
            actions: .init(
                canUpdate: !device.versions.isEmpty && !isOpen && !device.facts.isRevoked,
                canRetry: phase?.needsReturn == true && !device.facts.isRevoked, canCancel: isOpen,
                canRevoke: !device.facts.isRevoked, versions: device.versions.map { Choice($0, $0) }),
            why: Self.why(device), shadow: Self.shadow(device, url: url, current: shadow),
            log: .init(
                followUrl: api + "/logs/follow", listUrl: api + "/logs", search: search ?? "", hasLines: !log.isEmpty,
                lines: log.map(ConsoleLogLine.init)),
            hasUpdates: !updates.isEmpty, timeline: updates.first, hasOlder: updates.count > 1,
            older: Array(updates.dropFirst()), hasPresence: !device.presence.isEmpty,
            presence: device.presence.prefix(20).map { Self.presence($0, now: reader.now) },
            facts: Self.facts(device))
        return render("device", shell, view)
    }

    /// Where it stands, in one sentence.
    private static func sentence(_ device: ConsoleDevice, now: Int64) -> String {
        let facts = device.facts
        let running = facts.running ?? "an unknown version"
        if facts.isRevoked { return "Its rights were taken back; it cannot connect any more." }
        guard facts.lastSeen != nil else {
            return "It never connected. Start its agent, or look for a refused connection in the server's log."
        }
        if let update = facts.update {
            let attempt = update.attempts > 0 ? ", attempt \(update.attempts + 1) of \(Update.attemptLimit)" : ""
            let reason = update.reason.map { ": \($0)" } ?? ""
            switch update.phase {
            case .queued where !facts.isConnected:
                return "Waits for the device to come back. Then it goes from \(running) to \(update.version)."
            case .queued: return "Is about to go from \(running) to \(update.version)\(attempt)."
            case .downloading: return "Downloads \(update.version), runs \(running)."
            case .verifying, .installing: return "Checks and installs \(update.version), runs \(running)."
            case .restarting: return "Restarts with \(update.version)."
            case .confirming: return "Tries out \(update.version); it goes back to the old one unless all is well."
            case .failed: return "Could not install \(update.version) and runs \(running)\(reason)."
            case .rolledBack: return "Went back from \(update.version) and runs \(running)\(reason)."
            case .timedOut: return "Did not finish \(update.version) in time and runs \(running)."
            case .succeeded, .cancelled: break
            }
        }
        guard facts.running != nil else { return "Has not reported a version yet." }
        return facts.isBehind ? "Runs \(running). \(device.why.decision)" : "Runs \(running)."
    }

    private static func why(_ device: ConsoleDevice) -> DevicePageView.Why {
        let isUpdating = device.facts.update.map { !$0.phase.isEnd } ?? false
        let rules = device.why.rules
        let blocker = rules.firstIndex { $0.verdict == .blocks }
        let decider = isUpdating ? rules.firstIndex { $0.name == "Update" } : blocker
        var views = rules.enumerated().map { index, rule in
            let (tone, icon, word) = sign(rule.verdict, isWaiting: isUpdating && index == decider)
            return DevicePageView.Why.Rule(
                key: rule.name, name: rule.name, input: rule.input, tone: tone, icon: icon, word: word,
                decides: index == decider)
        }
        if let decider { views.insert(views.remove(at: decider), at: 0) }
        let blocks = rules.count { $0.verdict == .blocks }
        return DevicePageView.Why(
            headline: device.why.decision,
            summary: "\(rules.count) rules, "
                + (blocks == 0 ? "none blocks" : "\(blocks) block\(blocks == 1 ? "s" : "")"),
            tone: isUpdating ? "busy" : device.facts.offer != nil ? "wait" : blocker == nil ? "yes" : "no", rules: views
        )
    }

    private static func sign(
        _ verdict: ExplainedRule.Verdict, isWaiting: Bool
    ) -> (tone: String, icon: String, word: String) {
        if isWaiting { return ("wait", "clock", "waits") }
        switch verdict {
        case .ok: return ("yes", "check", "fine")
        case .blocks: return ("no", "x", "blocks")
        case .info: return ("note", "info", "note")
        }
    }

    private static func shadow(_ device: ConsoleDevice, url: String, current: String?) -> DevicePageView.Shadow {
        let rows = device.shadow.map { ShadowTable($0.document).rows } ?? []
        let differences = rows.count(where: \.differs)
        let names: [String?] = [nil] + device.shadowNames.map(Optional.init)
        return DevicePageView.Shadow(
            hasTabs: names.count > 1,
            tabs: names.map { name in
                .init(
                    label: name ?? "Classic", url: url + (name.map { "?shadow=\(Place.part($0))" } ?? "") + "#shadow",
                    isCurrent: name == current)
            },
            version: device.shadow.map { "version \($0.version)" },
            changed: device.shadow?.changed.map { .ago($0, now: device.now) }, hasRows: !rows.isEmpty, rows: rows,
            differences: differences == 0 ? nil : differences == 1 ? "1 differs" : "\(differences) differ",
            raw: device.shadow.map { ShadowTable.indented($0.document) })
    }

    // MARK: History

    private static func update(_ update: UpdateHistory, now: Int64) -> DevicePageView.Update {
        let steps = update.steps.enumerated().map { index, step in
            let next = index + 1 < update.steps.count ? update.steps[index + 1] : nil
            return Self.step(step, number: index, until: next, of: update, now: now)
        }
        return DevicePageView.Update(
            key: "u\(update.id)", title: "\(update.from ?? "–") → \(update.version)", chip: .of(update.state),
            at: .at(update.ended ?? update.created, now: now), steps: steps.reversed())
    }

    private static func step(
        _ step: UpdateHistory.Step, number: Int, until next: UpdateHistory.Step?, of update: UpdateHistory, now: Int64
    ) -> DevicePageView.Step {
        let (sentence, icon, tone): (String, String, String) =
            switch step.phase {
            case .queued where number == 0: ("Ordered \(update.version)", "new", "")
            case .queued: ("Attempt \(step.attempt) failed", "undo", "warn")
            case .downloading: ("Download began", "down", "busy")
            case .verifying: ("Downloaded, checks it", "check", "good")
            case .installing: ("Checked, installs it", "check", "good")
            case .restarting: ("Installed, restarts", "restart", "busy")
            case .confirming: ("Runs \(update.version) on trial", "clock", "busy")
            case .succeeded: ("Runs \(update.version)", "check", "good")
            case .failed: ("Gave up", "alert", "bad")
            case .rolledBack: ("Went back to \(update.from ?? "the old version")", "undo", "warn")
            case .cancelled: ("Cancelled", "slash", "")
            case .timedOut: ("Time ran out", "clock", "bad")
            }
        let isTrouble = step.phase.isEnd && step.phase != .succeeded || step.phase == .queued && number > 0
        return DevicePageView.Step(
            key: "\(number)", at: .at(step.at, now: now), icon: icon, tone: tone, sentence: sentence,
            took: next.map { Figures.duration($0.at - step.at) }, quote: isTrouble ? step.reason : nil)
    }

    private static func presence(_ entry: PresenceEntry, now: Int64) -> DevicePageView.Presence {
        let reasons = [
            "CLIENT_INITIATED_DISCONNECT": "closed by the device", "CONNECTION_LOST": "connection lost",
            "MQTT_KEEP_ALIVE_TIMEOUT": "silent for longer than its keep-alive",
            "DUPLICATE_CLIENTID": "another connection took its place",
            "SERVER_INITIATED_DISCONNECT": "closed by the server", "AUTH_ERROR": "not allowed",
            "FORBIDDEN_ACCESS": "not allowed", "CLIENT_ERROR": "closed after a protocol error",
            "SERVER_ERROR": "closed after a fault of the server",
        ]
        return DevicePageView.Presence(
            key: "p\(entry.id)", at: .at(entry.at, now: now), word: entry.connected ? "Connected" : "Disconnected",
            icon: entry.connected ? "dot" : "offline", tone: entry.connected ? "good" : "",
            detail: entry.reason.map { reasons[$0] ?? $0.lowercased().replacing("_", with: " ") },
            address: entry.connected ? host(entry.address) : nil)
    }

    private static func host(_ address: String) -> String {
        address.lastIndex(of: ":").map { String(address[..<$0]) } ?? address
    }

    private static func facts(_ device: ConsoleDevice) -> [DevicePageView.Fact] {
        let summary = device.summary
        var facts: [DevicePageView.Fact] = []
        func add(_ term: String, _ value: String?, link: String? = nil, isMono: Bool = false) {
            if let value { facts.append(.init(term: term, value: value, link: link, isMono: isMono)) }
        }
        add(
            "Product",
            summary.product.map { "\(device.productName ?? $0), hardware \(summary.hardware ?? "–")" }
                ?? "not assigned",
            link: summary.product.map(Place.product))
        add("Owner", summary.owner ?? "nobody", link: summary.owner.map { Place.devices(["owner": $0]) })
        add("Called", summary.name)
        add("Address", device.address.map(host), isMono: true)
        add("Credential", device.usesToken ? "Token" : "Certificate")
        add("Added", Moment(summary.created).date)
        add("Support code", device.updates.first?.code, isMono: true)
        return facts
    }
}
