import Releases
import Testing

private struct Case: Sendable {
    var revoked = false
    var phase: UpdatePhase?
    var running: String?
    var newest: String?
    let state: FleetState
}

private let cases = [
    Case(revoked: true, phase: .downloading, running: "1.0.4", newest: "1.0.5", state: .revoked),
    Case(phase: .downloading, running: "1.0.4", newest: "1.0.5", state: .updating),
    Case(phase: .rolledBack, running: "1.0.4", newest: "1.0.5", state: .attention),
    Case(phase: .timedOut, running: "1.0.4", newest: "1.0.5", state: .attention),
    Case(phase: .cancelled, running: "1.0.4", newest: "1.0.5", state: .behind),
    Case(phase: .succeeded, running: "1.0.5", newest: "1.0.5", state: .current),
    Case(running: "1.0.10", newest: "1.0.9", state: .current),
    Case(running: "1.0.4", newest: nil, state: .unassigned),
    Case(running: "nightly", newest: "1.0.5", state: .unassigned),
    Case(running: nil, newest: "1.0.5", state: .unseen),
]

@Test("a device is in the first state that fits", arguments: cases)
private func fleetState(_ row: Case) {
    let newest = row.newest.flatMap { ReleaseVersion($0) }
    let state = FleetState.of(isRevoked: row.revoked, phase: row.phase, running: row.running, newest: newest)
    #expect(state == row.state)
}

private func facts(
    offer: DeviceFacts.Offer? = nil, update: DeviceFacts.LastUpdate? = nil, running: String? = "1.0.4",
    newest: String? = "1.0.5", owner: String? = "ann", revoked: Bool = false
) -> DeviceFacts {
    DeviceFacts(
        thing: "lamp", product: "lamp", hardware: "hw1", owner: owner, running: running, isRevoked: revoked,
        isConnected: true, lastSeen: 1, newest: newest, offer: offer, update: update)
}

private func ended(_ phase: UpdatePhase, dismissed: Bool = false) -> DeviceFacts.LastUpdate {
    .init(version: "1.0.5", phase: phase, attempts: 1, reason: nil, isDismissed: dismissed)
}

private let open = DeviceFacts.Offer(version: "1.0.5", until: nil, answer: nil)
private let newer = DeviceFacts.Offer(version: "1.0.6", until: nil, answer: nil)
private let later = DeviceFacts.Offer(version: "1.0.5", until: 9, answer: .later)

@Test(
    "an owner is shown what matters most",
    arguments: [
        (facts(offer: open), .offered), (facts(offer: open, update: ended(.downloading)), .updating),
        (facts(update: ended(.failed)), .failed), (facts(update: ended(.failed, dismissed: true)), .current),
        (facts(offer: later, update: ended(.failed)), .offered),
        (facts(offer: newer, update: ended(.failed)), .offered),
        (facts(update: ended(.succeeded), running: "1.0.5"), .done),
        (facts(update: ended(.succeeded), running: "1.0.4"), .current), (facts(update: ended(.cancelled)), .current),
        (facts(running: nil), .unknown), (facts(newest: nil), .current),
    ] as [(DeviceFacts, Standing)])
private func standing(_ facts: DeviceFacts, _ expected: Standing) {
    #expect(Standing.of(facts) == expected)
}

@Test(
    "why: the first rule that blocks decides",
    arguments: [
        (facts(offer: open), "waits for the owner"), (facts(offer: later), "offered again later"),
        (facts(revoked: true), "rights"), (facts(running: nil), "none yet"), (facts(running: "x"), "no version"),
        (facts(newest: nil), "none"), (facts(running: "1.0.5"), "runs the newest"),
        (facts(owner: nil), "no owner to ask"), (facts(update: ended(.downloading)), "Updates to 1.0.5"),
    ] as [(DeviceFacts, String)])
private func why(_ facts: DeviceFacts, _ words: String) {
    let explanation = Explanation(facts, now: 0)
    #expect(explanation.decision.contains(words))
    #expect(explanation.rules.count == 9)
}

@Test("a device is offline after five minutes, and not while it restarts with a new version")
func offline() {
    var device = facts()
    #expect(!device.isOffline(now: 1_000_000_000))
    device.isConnected = false
    device.lastSeen = 1000
    #expect(!device.isOffline(now: 300_999))
    #expect(device.isOffline(now: 301_000))
    device.update = ended(.restarting)
    #expect(!device.isOffline(now: 301_000))
    device.update = ended(.downloading)
    device.lastSeen = nil
    #expect(device.isOffline(now: 0))
}

@Test("only the offered version, or the one that did not work, is asked about")
func asked() {
    #expect(facts(offer: newer, update: ended(.failed)).isAsked(about: "1.0.6"))
    #expect(!facts(offer: newer, update: ended(.failed)).isAsked(about: "1.0.5"))
    #expect(facts(update: ended(.failed)).isAsked(about: "1.0.5"))
    #expect(!facts(update: ended(.succeeded)).isAsked(about: "1.0.5"))
    #expect(!facts().isAsked(about: "1.0.5"))
}
