import Releases
import Testing

@Suite("Which versions a device may go to")
struct UpgradeTests {
    @Test("versions follow Semantic Versioning 2.0, section 11")
    func order() throws {
        let ascending = [
            "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0", "1.0.9", "1.0.10", "3.9.0", "3.10.0",
        ]
        for (index, left) in ascending.enumerated() {
            for (other, right) in ascending.enumerated() {
                let (a, b) = (try #require(ReleaseVersion(left)), try #require(ReleaseVersion(right)))
                #expect((a < b) == (index < other), "\(left) < \(right)")
            }
        }
    }

    @Test(
        "what is no version is refused", arguments: ["", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "latest"])
    func notAVersion(text: String) {
        #expect(ReleaseVersion(text) == nil)
    }

    private func facts(_ version: String, running: String?) -> UpgradeRule.Facts {
        UpgradeRule.Facts(
            thing: "lamp-1", product: "lamp", hardware: "esp32", running: running, version: version,
            releaseIsActive: true,
            hasArtifact: true)
    }

    @Test("the first reason that forbids it is told")
    func reasons() {
        var facts = facts("1.0.5", running: "1.0.4")
        #expect(throws: Never.self) { try UpgradeRule.check(facts) }
        #expect(throws: UpgradeRefusal.downgrade(running: "1.0.6", version: "1.0.5")) {
            try UpgradeRule.check(self.facts("1.0.5", running: "1.0.6"))
        }
        #expect(throws: UpgradeRefusal.notAVersion("next")) { try UpgradeRule.check(self.facts("next", running: nil)) }
        facts.hasArtifact = false
        #expect(throws: UpgradeRefusal.noArtifact(product: "lamp", version: "1.0.5", hardware: "esp32")) {
            try UpgradeRule.check(facts)
        }
        facts.releaseIsActive = false
        #expect(throws: UpgradeRefusal.noRelease(product: "lamp", version: "1.0.5")) { try UpgradeRule.check(facts) }
        facts.hardware = nil
        #expect(throws: UpgradeRefusal.unassigned(thing: "lamp-1")) { try UpgradeRule.check(facts) }
    }

    @Test("what a device reports and is no version never counts as old")
    func unknownIsNotOld() throws {
        let version = try #require(ReleaseVersion("1.0.5"))
        #expect(UpgradeRule.isNews(version, running: "1.0.4"))
        #expect(!UpgradeRule.isNews(version, running: "1.0.5"))
        #expect(!UpgradeRule.isNews(version, running: "dev-build"))
        #expect(!UpgradeRule.isNews(version, running: nil))
        #expect(throws: Never.self) { try UpgradeRule.check(self.facts("1.0.5", running: "dev-build")) }
    }
}
