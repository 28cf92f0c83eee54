//  Whatever a device says, in whatever order: the record stays sensible.
import ApusTestKit
import Releases
import Testing

extension SeededRandom {
    fileprivate mutating func text(_ choices: [String]) -> String {
        choices.randomElement(using: &self) ?? ""
    }

    fileprivate mutating func input(reports: Bool) -> UpdateInput {
        switch Int.random(in: 0..<10, using: &self) {
        case 0: return .runs(version: text(["1.0.4", "1.0.4", "dev", ""]))
        case 1, 2: return .fetchBegan
        case 3...5:
            let total = text(["0", "-1", "1000", "1000", "\(Int.max)"])
            return .handedOut(bytes: Int.random(in: 0...1200, using: &self), of: Int(total) ?? 0)
        case 6 where reports: return .status(version: "1.0.4", state: "failed", percent: 5, error: nil)
        case 7... where reports:
            let phases = UpdatePhase.allCases.map(\.rawValue) + ["idle", "", "Downloading"]
            return .status(
                version: "1.0.5", state: text(phases),
                percent: [nil, -7, 0, 50, 101, .max, .min].randomElement(using: &self) ?? 0,
                error: nil)
        default: return .clock(now: Int64.random(in: 0..<Update.patience, using: &self))
        }
    }
}

@Suite("Random histories of updates")
struct HistoryTests {
    @Test("percent stays in its bounds and only a new attempt lowers it", arguments: UInt64(0)..<200)
    func sensible(seed: UInt64) {
        var random = SeededRandom(seed)
        var update = Update(thing: "lamp-1", version: "1.0.5", fromVersion: "1.0.4", now: 0)
        for _ in 0..<60 {
            let input = random.input(reports: seed.isMultiple(of: 2))
            let before = update
            let isChanged = update.take(input)
            #expect(isChanged == (update != before), "\(input)")
            #expect((0...99).contains(update.percent) && update.attempts <= Update.attemptLimit, "\(input)")
            #expect(update.phase != .succeeded, "nothing but the running version proves success")
            #expect(update.thing == before.thing && update.version == before.version)
            if before.phase.isEnd { #expect(update == before, "\(input) after the end") }
            if update.phase.needsReturn { #expect(update.reason != nil) }
            if update.phase == before.phase, update.phase == .downloading, update.attempts == before.attempts {
                #expect(update.percent >= before.percent, "\(input)")
            }
        }
        let wasOver = update.phase.isEnd
        #expect({ update.take(.runs(version: "1.0.5")) != wasOver }())
        #expect(update.phase.isEnd && (wasOver || update.phase == .succeeded && update.percent == 100))
    }

    @Test("what an end means for the device")
    func ends() {
        let ends = UpdatePhase.allCases.filter(\.isEnd)
        #expect(ends == [.succeeded, .failed, .rolledBack, .cancelled, .timedOut])
        #expect(UpdatePhase.allCases.filter(\.needsReturn) == [.failed, .rolledBack, .cancelled, .timedOut])
    }

    @Test("somebody who wants something else ends it, and says why")
    func cancelled() {
        var update = Update(thing: "lamp-1", version: "1.0.5", fromVersion: nil, now: 7)
        #expect({ update.take(.cancelled(reason: "1.0.6 is wanted")) }())
        #expect(update.phase == .cancelled && update.reason == "1.0.6 is wanted")
        #expect({ !update.take(.clock(now: .max)) }())
        #expect({ !update.take(.runs(version: "1.0.5")) }())
        #expect(update.phase == .cancelled)
    }

    @Test("a device that begins to report starts with three attempts, whatever was handed out before")
    func beginsToReport() {
        var update = Update(thing: "lamp-1", version: "1.0.5", fromVersion: "1.0.4", now: 0)
        for _ in 0..<3 { _ = update.take(.fetchBegan) }
        _ = update.take(.status(version: "1.0.5", state: "downloading", percent: 3, error: nil))
        #expect(update.reports && update.attempts == 0)
        for _ in 0..<5 { #expect({ !update.take(.fetchBegan) }()) }
        #expect({ !update.take(.handedOut(bytes: 1, of: 2)) }(), "its own reports count, not the bytes")
        #expect({ !update.take(.runs(version: "1.0.4")) }(), "it runs the old version until it restarts")
        #expect(update.phase == .downloading && update.percent == 3)
    }

    @Test("part of an image that is asked for again does not lower the percentage")
    func ranges() {
        var update = Update(thing: "lamp-1", version: "1.0.5", fromVersion: nil, now: 0)
        _ = update.take(.fetchBegan)
        for (bytes, percent) in [(500, 50), (300, 50), (0, 50), (999, 99), (1000, 99)] {
            _ = update.take(.handedOut(bytes: bytes, of: 1000))
            #expect(update.percent == percent)
        }
        #expect(update.phase == .restarting)
        _ = update.take(.fetchBegan)
        #expect(update.phase == .downloading && update.percent == 0 && update.attempts == 2)
    }

    @Test("versions that differ only in build metadata are neither older nor newer [SemVer 2.0, 10]")
    func buildMetadata() throws {
        let (one, two) = (try #require(ReleaseVersion("1.0.0+a")), try #require(ReleaseVersion("1.0.0+b")))
        #expect(!(one < two) && !(two < one) && one != two)
        #expect("\(one)" == "1.0.0+a")
        #expect(!UpgradeRule.isNews(two, running: "1.0.0+a"))
        #expect(ReleaseVersion("1.0." + String(repeating: "9", count: 60)) != nil)
        #expect(ReleaseVersion("1.0." + String(repeating: "9", count: 61)) == nil, "65 bytes")
    }
}
