import ByteKit
import JSONText

extension DeviceCore {
    // MARK: Link

    mutating func linkUp(_ now: UInt64) {
        linkDown(now)
        link.up()
        machine.link(is: .up, now: now)
    }

    mutating func linkDown(_ now: UInt64) {
        guard link.isUp else { return }
        link.down()
        machine.link(is: .down, now: now)
        configDelivery.linkDown()
        reportDelivery.linkDown()
    }

    // MARK: Messages

    mutating func heard(_ topic: ShadowTopic, _ payload: Span<UInt8>, _ now: UInt64) {
        guard let message = ShadowMessage(topic, payload) else {
            logs.add(.shadowUnreadable)
            return
        }
        switch topic {
        case .getAccepted: heardDocument(message, payload, now)
        case .getRejected: heardNoDocument(message, now)
        case .updateDelta: heardDelta(message, payload, now)
        case .updateAccepted: heardAccepted(message, payload)
        case .updateRejected: heardRefusal(message, now)
        case .get, .update: break
        }
    }

    /// The whole document: what is not desired in it is not desired.
    private mutating func heardDocument(_ message: ShadowMessage, _ payload: Span<UInt8>, _ now: UInt64) {
        answered()
        guard isNews(message) else { return }
        if case .config(let config) = message.desired {
            merge(config, in: payload, onto: .nothing)
        } else {
            forgetDesired()
        }
        if !reportedMatches(message.reported, in: payload) {
            configDelivery.want(notBefore: now)
        }
    }

    /// Code 404 means that nothing is desired, and nothing of us is known there.
    private mutating func heardNoDocument(_ message: ShadowMessage, _ now: UInt64) {
        guard message.code == 404 else {
            logs.add(.shadowRejected(code: message.code))
            return
        }
        answered()
        forgetDesired()
        configDelivery.want(notBefore: now)
    }

    /// A delta that names only what we have reported shows that the server missed our report.
    private mutating func heardDelta(_ message: ShadowMessage, _ payload: Span<UInt8>, _ now: UInt64) {
        guard isNews(message), case .config(let config) = message.desired else { return }
        merge(config, in: payload, onto: .own)
        if isReported(config, in: payload), !configDelivery.isOpen {
            configDelivery.want(notBefore: now + Delivery.answerMilliseconds)
        }
    }

    /// Our own report was taken, or somebody changed what is desired.
    private mutating func heardAccepted(_ message: ShadowMessage, _ payload: Span<UInt8>) {
        if let token = message.token {
            _ = configDelivery.accepted(token)
            if reportDelivery.accepted(token) {
                reportTaken()
            }
        }
        guard isNews(message) else { return }
        switch message.desired {
        case .silent: return
        case .none: forgetDesired()
        case .config(let config): merge(config, in: payload, onto: .own)
        }
    }

    private mutating func heardRefusal(_ message: ShadowMessage, _ now: UInt64) {
        guard let token = message.token else { return }
        let config = configDelivery.rejected(token, now: now)
        let report = reportDelivery.rejected(token, now: now)
        if config || report {
            logs.add(.reportRejected(code: message.code))
        }
    }

    private mutating func answered() {
        link.answerBy = nil
        link.isShadowKnown = true
        trial?.reached()
    }

    private mutating func reportTaken() {
        guard !reportDelivery.isOpen, state.report.state.isFinal, !state.report.isAcknowledged else { return }
        state.report.isAcknowledged = true
        needs.save = true
    }

    /// Whether the message is at least as new as what was heard in this session (aws-iot 3.7).
    private mutating func isNews(_ message: ShadowMessage) -> Bool {
        guard let version = message.version else { return true }
        guard version >= link.shadowVersion else { return false }
        link.shadowVersion = version
        return true
    }

    // MARK: Own desired settings

    private mutating func forgetDesired() {
        changeDesired(wanted: RawValue(), settings: Settings())
    }

    /// What `config` is laid over: a document says everything, a delta or an update some of it.
    private enum Ground {
        case nothing
        case own
    }

    /// Takes over what `config` says; null removes.
    private mutating func merge(_ config: ByteRange, in text: Span<UInt8>, onto ground: Ground) {
        var wanted = ground == .own ? state.wanted : RawValue()
        var settings = ground == .own ? state.desired : Settings()
        var isComplete = true
        var members = JSONScanner.members(of: config)
        while let member = members.next(in: text) {
            if JSONScanner.keyEquals(member, "firmware_version", in: text) {
                wanted = wantedVersion(member.value, in: text)
            } else if !Self.take(member, in: text, into: &settings) {
                isComplete = false
            }
        }
        if !isComplete, !link.didLogRefusal {
            link.didLogRefusal = true
            logs.add(.settingRefused)
        }
        changeDesired(wanted: wanted, settings: settings)
    }

    private func wantedVersion(_ place: ByteRange, in text: Span<UInt8>) -> RawValue {
        switch JSONScanner.kind(of: place, in: text) {
        case .null: return RawValue()
        case .object, .array: return DeviceState.unreadable
        default:
            let value = RawValue(text.slice(place))
            return value.overflowed ? DeviceState.unreadable : value
        }
    }

    /// Whether one member could be taken over.
    private static func take(
        _ member: JSONMember,
        in text: Span<UInt8>,
        into settings: inout Settings
    ) -> Bool {
        guard !member.keyHasEscape else { return false }
        let key = text.slice(member.key)
        switch JSONScanner.kind(of: member.value, in: text) {
        case .object, .array: return false
        case .null: return settings.remove(key) != .refused
        default: return settings.set(key, to: text.slice(member.value)) != .refused
        }
    }

    private mutating func changeDesired(wanted: RawValue, settings: Settings) {
        guard wanted != state.wanted || settings != state.desired else { return }
        if settings != state.desired, needs.applying == .running {
            needs.applying = .stale
        }
        state.wanted = wanted
        state.desired = settings
        needs.save = true
    }

    // MARK: Comparing with own reported settings

    /// Whether every member of a delta is what we report.
    private func isReported(_ config: ByteRange, in text: Span<UInt8>) -> Bool {
        var members = JSONScanner.members(of: config)
        while let member = members.next(in: text) {
            guard isReported(text.slice(member.key), text.slice(member.value)) else { return false }
        }
        return true
    }

    private func isReported(_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        if key.equals("firmware_version") {
            let version = versionText(RawValue(value))
            return !version.isEmpty && version == state.version
        }
        guard let index = state.reported.index(of: key) else { return false }
        return state.reported[index].value.span.equals(value)
    }

    /// Whether the shadow has all that we report.
    private func reportedMatches(_ config: ByteRange?, in text: Span<UInt8>) -> Bool {
        guard let config, let version = JSONScanner.member("firmware_version", of: config, in: text),
            isReported(text.slice(version), as: "firmware_version")
        else { return false }
        var known = Settings()
        var members = JSONScanner.members(of: config)
        while let member = members.next(in: text) {
            let key = text.slice(member.key)
            if state.reported.index(of: key) != nil {
                _ = known.set(key, to: text.slice(member.value))
            }
        }
        return known.includes(state.reported)
    }

    private func isReported(_ value: Span<UInt8>, as key: StaticString) -> Bool {
        isReported(FixedBytes<32>(key).span, value)
    }

    /// The version text in a raw JSON value, or empty where it is none.
    func versionText(_ raw: RawValue) -> BootSlots.Version { DeviceState.versionText(raw) }
}
