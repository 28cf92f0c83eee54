import Releases
import Testing

private func update() -> Update {
    Update(thing: "lamp-1", version: "1.0.5", fromVersion: "1.0.4", now: 0)
}

private func status(_ state: String, _ percent: Int? = nil, _ error: String? = nil) -> UpdateInput {
    .status(version: "1.0.5", state: state, percent: percent, error: error)
}

@Suite("An update as the server sees it")
struct UpdateTests {
    @Test("a device that reports goes through its phases and succeeds when the version runs")
    func reports() {
        var update = update()
        for (state, percent) in [("downloading", 10), ("downloading", 60), ("verifying", 100), ("installing", 100)] {
            #expect({ update.take(status(state, percent)) }())
            #expect(update.phase.rawValue == state)
        }
        #expect(update.percent == 99)
        #expect({ !update.take(status("succeeded")) }())
        #expect({ update.take(.runs(version: "1.0.5")) }())
        #expect(update.phase == .succeeded && update.percent == 100)
        #expect({ !update.take(status("failed", nil, "late")) }())
    }

    @Test("progress never goes back within an attempt", arguments: UInt64(0)..<50)
    func monotonic(seed: UInt64) {
        var update = update()
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        var last = 0
        for _ in 0..<40 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            _ = update.take(status("downloading", Int(state >> 40) % 130))
            #expect(update.percent >= last && update.percent <= 99)
            last = update.percent
        }
    }

    @Test("three failed attempts end in failed, and a report that comes twice counts once")
    func threeFailures() {
        var update = update()
        for attempt in 1...3 {
            #expect(update.phase == .queued)
            _ = update.take(status("downloading", 5))
            #expect({ update.take(status("failed", nil, "wrong digest")) }())
            #expect(update.attempts == attempt)
            #expect({ !update.take(status("failed", nil, "wrong digest")) }())
        }
        #expect(update.phase == .failed && update.reason == "wrong digest" && update.phase.needsReturn)
    }

    @Test("a roll-back ends the update at once")
    func rollBack() {
        var update = update()
        _ = update.take(status("confirming"))
        #expect({ update.take(status("rolledBack", nil, "exited with code 3")) }())
        #expect(update.phase == .rolledBack && update.reason == "exited with code 3" && update.phase.needsReturn)
    }

    @Test("the status of another version says nothing")
    func otherVersion() {
        var update = update()
        #expect({ !update.take(.status(version: "1.0.3", state: "failed", percent: nil, error: "x")) }())
        #expect(update == self.update2)
    }

    private var update2: Update { update() }

    @Test("a stock device's progress comes from the bytes and stays at 99 until the version runs")
    func stockProgress() {
        var update = update()
        _ = update.take(.fetchBegan)
        var seen: [Int] = []
        for bytes in stride(from: 0, through: 4000, by: 400) {
            _ = update.take(.handedOut(bytes: bytes, of: 4000))
            seen.append(update.percent)
        }
        #expect(seen == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99])
        #expect(update.phase == .restarting)
        _ = update.take(.runs(version: "1.0.5"))
        #expect(update.phase == .succeeded)
    }

    @Test("a label that lies: after three hand-outs a person must decide")
    func lyingLabel() {
        var update = update()
        for _ in 0..<3 {
            _ = update.take(.fetchBegan)
            _ = update.take(.handedOut(bytes: 10, of: 10))
            _ = update.take(.runs(version: "1.0.4"))
        }
        #expect(update.phase == .failed && update.reason == "reports 1.0.4 after installing 1.0.5")
    }

    @Test("a fourth hand-out without a word from the device fails")
    func fourthHandOut() {
        var update = update()
        for _ in 0..<3 { _ = update.take(.fetchBegan) }
        #expect(!update.phase.isEnd)
        _ = update.take(.fetchBegan)
        #expect(update.phase == .failed)
    }

    @Test("an old version reported in the middle of a download is no failure")
    func oldVersionMeanwhile() {
        var update = update()
        _ = update.take(.fetchBegan)
        _ = update.take(.handedOut(bytes: 5, of: 10))
        #expect({ !update.take(.runs(version: "1.0.4")) }())
    }

    @Test("the deadline ends it, and only from then on")
    func deadline() {
        var update = update()
        #expect({ !update.take(.clock(now: Update.patience - 1)) }())
        #expect({ update.take(.clock(now: Update.patience)) }())
        #expect(update.phase == .timedOut && update.phase.needsReturn)
    }
}
