import DeviceCore
import Testing

private let rough = Roughness(breaks: 4, linkDrops: 2, kills: 3, saveFailures: 3)

@Suite("A device in a rough world")
struct RoughWorldTests {
    @Test("a good image gets in finally, whatever happens on the way", arguments: UInt64(0)..<200)
    func good(seed: UInt64) {
        let world = World(factory: Image(version: "1.0.4"), seed: seed)
        world.images["1.0.5"] = Image(version: "1.0.5")
        world.roughness = rough
        world.desire(["firmware_version": "\"1.0.5\"", "phrase_type": "\"hakata\""])
        world.run(seconds: 300)
        #expect(world.version == "1.0.4" || world.version == "1.0.5")
        world.roughness = .calm
        world.run(seconds: 700)
        if world.version == "1.0.4" {
            // Attempts used up: the server takes the order back and the owner presses again.
            #expect(world.core.state.failures == 3)
            world.desire(["firmware_version": "\"1.0.4\""])
            world.run(seconds: 5)
            world.desire(["firmware_version": "\"1.0.5\""])
            world.run(seconds: 100)
        }
        #expect(world.version == "1.0.5")
        #expect(world.running?.version == "1.0.5")
        #expect(world.server.reported == ["firmware_version": "\"1.0.5\"", "phrase_type": "\"hakata\""])
        #expect(world.server.updates.last == "succeeded")
        #expect(world.broken.isEmpty, "\(world.broken)")
    }

    private static let manners: [Image.Manner] = [.exits, .silent, .diesYoung, .corrupt]

    @Test("a bad image never stays and is never reported", arguments: UInt64(0)..<200)
    func bad(seed: UInt64) {
        let world = World(factory: Image(version: "1.0.4"), seed: seed)
        world.images["1.0.5"] = Image(version: "1.0.5", manner: Self.manners[Int(seed % 4)])
        world.roughness = rough
        world.desire(["firmware_version": "\"1.0.5\""])
        for _ in 0..<300 {
            world.run(seconds: 1)
            #expect(world.version == "1.0.4")
        }
        world.roughness = .calm
        world.run(seconds: 900)
        #expect(world.version == "1.0.4")
        #expect(world.running?.version == "1.0.4")
        #expect(world.server.reported["firmware_version"] == "\"1.0.4\"")
        #expect(["failed", "rolledBack"].contains(world.server.updates.last ?? ""))
        #expect(world.broken.isEmpty, "\(world.broken)")
    }

    @Test("one power cut at any step of an update is no failure", arguments: 0..<60)
    func oneCut(step: Int) {
        let world = World(factory: Image(version: "1.0.4"))
        world.images["1.0.5"] = Image(version: "1.0.5")
        world.desire(["firmware_version": "\"1.0.5\""])
        while world.steps.count < step, world.now < 60_000 { world.run(seconds: 1) }
        world.cutPower()
        world.run(seconds: 100)
        #expect(world.version == "1.0.5")
        #expect(world.server.errors.isEmpty)
        #expect(world.broken.isEmpty)
    }

    @Test("a cut download resumes where it stopped")
    func resumes() {
        let world = World(factory: Image(version: "1.0.4"))
        world.images["1.0.5"] = Image(version: "1.0.5", bytes: 10_000_000)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 15)
        world.cutPower()
        world.run(seconds: 100)
        #expect(world.offsets.count == 2)
        #expect(world.offsets.last ?? 0 > 1_000_000)
        #expect(world.version == "1.0.5")
    }

    @Test("breaks are no failure while bytes get through")
    func breaks() {
        let world = World(factory: Image(version: "1.0.4"))
        world.images["1.0.5"] = Image(version: "1.0.5", bytes: 10_000_000)
        world.roughness.breaks = 15
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 600)
        #expect(world.offsets.count > 10)
        #expect(world.offsets == world.offsets.sorted())
        #expect(world.version == "1.0.5")
        #expect(world.server.errors.isEmpty)
    }
}
