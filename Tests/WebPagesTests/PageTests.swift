import Foundation
import Operations
import Releases
import Testing
import WebPages

private func device(
    running: String? = "1.0.4", connected: Bool = true, offer: DeviceFacts.Offer? = nil,
    update: UpdateHistory? = nil, notes: String = "- Brighter."
) -> OwnerDevice {
    let facts = DeviceFacts(
        thing: "lamp-1", product: "lamp", hardware: "hw1", owner: "mira", running: running, isRevoked: false,
        isConnected: connected, lastSeen: 1_000_000, newest: "1.0.5", offer: offer,
        update: update.map {
            .init(
                version: $0.version, phase: $0.state, attempts: $0.attempts, reason: $0.reason, isDismissed: false)
        })
    return OwnerDevice(
        facts: facts, standing: Standing.of(facts), name: "<img src=x onerror=alert(1)>", picture: "lamp",
        offSeconds: 20, supportUntil: "2031-06", updateSeconds: 120,
        offer: offer.map { OwnerDevice.Candidate(version: $0.version, notes: notes, size: 1_100_000) }, update: update,
        updateTarget: update.map { OwnerDevice.Candidate(version: $0.version, notes: "- Brighter.", size: 1_100_000) },
        runningNotes: notes, runningSince: nil, settings: [])
}

private func update(_ phase: UpdatePhase, percent: Int = 0, reason: String? = nil) -> UpdateHistory {
    .init(
        id: 7, from: "1.0.4", version: "1.0.5", state: phase, percent: percent, attempts: 0, reason: reason,
        created: 900_000, ended: phase.isEnd ? 960_000 : nil, steps: [])
}

private func page(_ device: OwnerDevice, _ language: String = "en") -> String {
    let snapshot = OwnerSnapshot(uid: "mira", timeZone: "UTC", lastEventID: 9, now: 1_060_000, devices: [device])
    return OwnerPages().device(.init(words: Words(language), csrf: "token"), snapshot, notice: nil)
}

@Test("each standing has its headline")
func headlines() {
    #expect(page(device(offer: .init(version: "1.0.5", until: nil, answer: nil))).contains("Update 1.0.5 is ready"))
    #expect(page(device(update: update(.downloading, percent: 62))).contains("<title>62 %: "))
    #expect(page(device(update: update(.rolledBack))).contains("Your device is back on 1.0.4 and works"))
    #expect(page(device(update: update(.timedOut))).contains("Your device still runs 1.0.4 and works"))
    #expect(page(device(running: "1.0.5", update: update(.succeeded))).contains("1.0.5 runs and works."))
    #expect(page(device(running: "1.0.5")).contains("Your device is up to date"))
    #expect(page(device(running: nil)).contains("Your device was never connected"))
    #expect(page(device(), "de").contains("<html lang=\"de\">"))
}

@Test("no name, note or reason reaches the page as markup")
func hostileTexts() {
    let texts = page(
        device(update: update(.failed, reason: "<script>alert(2)</script>"), notes: "<script>alert(3)</script>"))
    #expect(!texts.contains("<img src=x"))
    #expect(!texts.contains("<script>alert"))
    #expect(texts.contains("&lt;img src=x onerror=alert(1)&gt;"))
}

@Test("a page has no inline style, script or handler, and no empty placeholder")
func strictPolicy() {
    for device in [device(), device(update: update(.downloading, percent: 5)), device(update: update(.failed))] {
        let html = page(device)
        #expect(!html.contains(" style="))
        #expect(!html.contains("<style"))
        #expect(html.firstMatch(of: /<script>|\son[a-z]+=/.ignoresCase()) == nil || html.contains("&lt;img"))
        #expect(!html.contains("{{"))
        #expect(html.firstMatch(of: /\{[a-z]+\}[^"]*<\//) == nil)
    }
}

@Test("both languages have the same texts with the same placeholders, short and without jargon")
func strings() throws {
    let english = Words("en").strings
    let german = Words("de").strings
    #expect(english.count > 150)
    #expect(Set(english.keys) == Set(german.keys))
    for (key, text) in english {
        let other = german[key] ?? ""
        func placeholders(_ text: String) -> Set<String> { Set(text.matches(of: /\{[a-z]+\}/).map { String($0.0) }) }
        #expect(placeholders(text) == placeholders(other), "\(key)")
        for wording in [text, other] {
            #expect(wording.count <= 140, "\(key)")
            #expect(wording.firstMatch(of: /(?i)\b(ota|mqtt|shadow|firmware)\b/) == nil, "\(key)")
        }
    }
}

@Test(
    "Accept-Language chooses",
    arguments: [
        (nil, "en"), ("de", "de"), ("de-AT,en;q=0.5", "de"), ("en-GB,de;q=0.9", "en"), ("fr,de;q=0.3", "de"),
        ("fr", "en"), ("de;q=0", "en"), (";;;q=,,", "en"),
    ] as [(String?, String)])
func languages(_ header: String?, _ expected: String) {
    #expect(Words.preferred(header).language == expected)
}

@Test(
    "technical reasons get plain words",
    arguments: [
        ("IO_FAILED", "could not store"), ("sha256 mismatch", "arrived damaged"), ("no space left", "did not fit"),
        ("release 1.0.5 was withdrawn", "took this update back"), ("???", "did not say more"),
        ("reports 1.0.4 after installing 1.0.5", "did not start properly"),
    ])
func reasons(_ reason: String, _ words: String) {
    #expect(Reasons.plain(reason, Words("en")).contains(words))
}

@Test("an older version is never called up to date, whether offered or not")
func behind() {
    #expect(page(device()).contains("Your device works"))
    #expect(!page(device()).contains("Your device is up to date"))
    #expect(page(device(running: "1.0.5")).contains("Your device is up to date"))
}
