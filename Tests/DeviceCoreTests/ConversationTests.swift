import DeviceCore
import Testing

private func world(_ image: Image? = nil, seed: UInt64 = 1) -> World {
    let world = World(factory: Image(version: "1.0.4"), seed: seed)
    if let image { world.images[image.version] = image }
    return world
}

private let newer = Image(version: "1.0.5")

@Suite("Conversations of a device with its server")
struct ConversationTests {
    @Test("a device without a shadow subscribes, asks and reports what it runs")
    func firstContact() {
        let world = world()
        world.run(seconds: 5)
        let talk = world.steps.filter { if case .log = $0 { false } else { true } }
        #expect(
            talk.prefix(8) == [
                .startProgram(.a, .confirmed), .subscribe(.getAccepted), .subscribe(.getRejected),
                .subscribe(.updateDelta), .subscribe(.updateAccepted), .subscribe(.updateRejected),
                .publish(.get),
                .publish(.update),
            ]
        )
        #expect(world.server.reported == ["firmware_version": "\"1.0.4\""])
        #expect(world.server.configReports == 1)
    }

    @Test("an update goes through all its phases, is confirmed, saved and reported")
    func update() {
        let world = world(newer)
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 60)
        #expect(world.version == "1.0.5")
        #expect(world.running?.version == "1.0.5")
        #expect(world.server.reported["firmware_version"] == "\"1.0.5\"")
        #expect(
            world.server.updates == [
                "downloading", "verifying", "installing", "restarting", "confirming", "succeeded",
            ]
        )
        #expect(world.server.errors.isEmpty)
        #expect(world.server.percents == world.server.percents.sorted())
        #expect(world.broken.isEmpty)
        #expect((try? DeviceState.decode(world.record.span))?.version == world.core.state.version)
        #expect(world.core.deadline == nil)
    }

    @Test("progress is told per 5 % and at most once a second")
    func pace() {
        var big = newer
        big.bytes = 40_000_000
        let world = world(big)
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 130)
        let told = world.server.percents
        #expect(told.count <= 21)
        #expect(zip(told, told.dropFirst()).allSatisfy { $1 - $0 >= 5 })
    }

    @Test("an order given while the device was away is found with get")
    func offline() {
        let world = world(newer)
        world.isServerReachable = false
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 5)
        #expect(world.running?.version == "1.0.4")
        world.isServerReachable = true
        world.run(seconds: 60)
        #expect(world.version == "1.0.5")
    }

    private static let bad: [(Image.Manner, String, String)] = [
        (.exits, "rolledBack", "exited with code 3"), (.diesYoung, "rolledBack", "exited with code 139"),
        (.silent, "rolledBack", "no health in time"),
        (.corrupt, "failed", "image has another digest than the server named"),
    ]

    @Test("a bad image is tried three times, never stays, and its error is told", arguments: bad)
    func badImage(_ manner: Image.Manner, _ state: String, _ error: String) {
        let world = world(Image(version: "1.0.5", manner: manner))
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 900)
        #expect(world.version == "1.0.4")
        #expect(world.running?.version == "1.0.4")
        #expect(world.server.reported["firmware_version"] == "\"1.0.4\"")
        #expect(world.server.updates.last == state)
        #expect(world.server.errors == [error, error, error])
        #expect(world.server.updates.filter { $0 == "downloading" }.count == 3)
        #expect(world.log.filter { $0.hasSuffix("[OTA_UPDATE_FAILED]") }.count == 3)
        #expect(world.broken.isEmpty)
        #expect(world.core.deadline == nil)
    }

    @Test("a trial that cannot reach the server is rolled back")
    func unreached() {
        let world = world(newer)
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 1)
        world.isServerReachable = false
        world.run(seconds: 20)
        #expect(world.running?.version == "1.0.5")
        world.run(seconds: 60)
        #expect(world.running?.version == "1.0.4")
        #expect(world.core.state.report.reason == .notReached)
        world.run(seconds: 600)
        #expect(world.core.state.failures == 1)
        world.isServerReachable = true
        world.run(seconds: 60)
        #expect(world.running?.version == "1.0.5")
    }

    private static let refused: [(String, String)] = [
        ("\"1.0.3\"", "older version"), ("\"v1.0.5\"", "not a version of at most 64 bytes"),
        ("105", "not a version of at most 64 bytes"), ("\"\"", "not a version of at most 64 bytes"),
        ("\"1.0.5-\(String(repeating: "x", count: 80))\"", "not a version of at most 64 bytes"),
        ("\"1.0.5-\(String(repeating: "x", count: 180))\"", "not a version of at most 64 bytes"),
        ("{\"a\":1}", "not a version of at most 64 bytes"),
    ]

    @Test("a version that may not be installed is refused once, without a download", arguments: refused)
    func refusedVersion(_ raw: String, _ error: String) {
        let world = world(Image(version: "1.0.3"))
        world.run(seconds: 2)
        world.desire(["firmware_version": raw])
        world.run(seconds: 60)
        world.dropLink()
        world.run(seconds: 600)
        #expect(world.offsets.isEmpty)
        #expect(world.server.updates == ["failed"])
        #expect(world.server.errors == [error])
        world.images["1.0.5"] = newer
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 60)
        #expect(world.version == "1.0.5")
    }

    @Test("an older version is installed where downgrades are allowed")
    func downgrade() {
        let world = world(Image(version: "1.0.3"))
        world.allowsDowngrade = .allowed
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.3\""])
        world.run(seconds: 60)
        #expect(world.version == "1.0.3")
    }

    @Test("a missing image fails three times with its status, until another version is desired")
    func missing() {
        let world = world()
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.6\""])
        world.run(seconds: 400)
        #expect(world.server.errors.count == 3)
        #expect(world.server.errors.last == "download refused with HTTP status 404")
        world.images["1.0.6"] = Image(version: "1.0.6")
        world.desire(["firmware_version": "\"1.0.4\""])
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.6\""])
        world.run(seconds: 60)
        #expect(world.version == "1.0.6")
    }

    @Test("an order taken back during the download ends it")
    func withdrawn() {
        var slow = newer
        slow.bytes = 40_000_000
        let world = world(slow)
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 20)
        world.desire(["firmware_version": "\"1.0.4\""])
        world.run(seconds: 300)
        #expect(world.steps.contains(.cancelDownload))
        #expect(world.server.updates == ["downloading", "cancelled"])
        #expect(world.version == "1.0.4")
        #expect(world.running?.version == "1.0.4")
    }

    @Test("an order taken back during the trial brings the old firmware back")
    func withdrawnInTrial() {
        let world = world(newer)
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        while world.core.state.report.state != .confirming { world.run(seconds: 1) }
        world.desire(["firmware_version": "\"1.0.4\""])
        world.run(seconds: 60)
        #expect(world.running?.version == "1.0.4")
        #expect(world.server.updates.last == "cancelled")
        #expect(world.broken.isEmpty)
    }

    @Test("another version ordered during a download replaces it")
    func replaced() {
        var slow = newer
        slow.bytes = 40_000_000
        let world = world(slow)
        world.images["1.0.6"] = Image(version: "1.0.6")
        world.run(seconds: 2)
        world.desire(["firmware_version": "\"1.0.5\""])
        world.run(seconds: 10)
        world.desire(["firmware_version": "\"1.0.6\""])
        world.run(seconds: 60)
        #expect(world.version == "1.0.6")
        #expect(world.server.updates.last == "succeeded")
    }
}

@Suite("Settings and reports")
struct ReportTests {
    @Test("other settings are applied, saved and reported")
    func settings() {
        let world = world()
        world.run(seconds: 2)
        world.desire(["phrase_type": "\"hakata\"", "volume": "7", "rate": "12"])
        world.run(seconds: 2)
        #expect(world.server.reported["phrase_type"] == "\"hakata\"")
        #expect(world.server.reported["volume"] == "7")
        #expect(world.settings.contains("\"phrase_type\":\"hakata\""))
        #expect((try? DeviceState.decode(world.record.span))?.reported.count == 3)
        world.cutPower()
        world.run(seconds: 5)
        #expect(world.core.state.reported.count == 3)
        #expect(world.server.configReports == 2)
    }

    @Test("what cannot be held is left out, the rest works, and nothing runs hot")
    func unusable() {
        let world = world()
        world.run(seconds: 2)
        var changes: [String: String?] = [
            "nested": "{\"a\":1}", "long": "\"\(String(repeating: "x", count: 99))\"",
        ]
        for number in 0..<12 { changes["k\(number)"] = "\(number)" }
        world.desire(changes)
        world.run(seconds: 600)
        #expect(world.core.state.reported.count == Settings.capacity)
        #expect(world.steps.count < 200)
        #expect(world.log.filter { $0.contains("setting ignored") }.count == 1)
    }

    @Test("a final report is told again after a reconnect until it is acknowledged")
    func unacknowledged() {
        let world = world()
        world.run(seconds: 2)
        world.server.losesAnswers = true
        world.desire(["firmware_version": "\"1.0.3\""])
        world.run(seconds: 2)
        world.cutPower()
        world.run(seconds: 2)
        let before = world.server.errors.count
        #expect(before >= 2)
        world.server.losesAnswers = false
        world.dropLink()
        world.run(seconds: 5)
        #expect(world.server.errors.count == before + 1)
        world.dropLink()
        world.run(seconds: 60)
        #expect(world.server.errors.count == before + 1)
    }

    @Test("a refused report is logged and repeated slowly")
    func refusedReport() {
        let world = world()
        world.server.refusal = 413
        world.run(seconds: 300)
        let refusals = world.log.filter { $0 == "report refused, code 413 [CONFIG_REPORT_FAILED]" }
        #expect(refusals.count == 5)
        world.server.refusal = nil
        world.run(seconds: 61)
        #expect(world.server.reported["firmware_version"] == "\"1.0.4\"")
    }

    @Test(
        "hostile messages change nothing",
        arguments: [
            "", "{", "[]", "null", "7", "{\"state\":7}", "{\"state\":{\"config\":7}}",
            "{\"state\":{\"config\":{\"firmware_version\"",
            "{\"state\":{\"desired\":[]}}", "{\"code\":-1}", "{\"version\":99999999999999999999999}",
            "{\"clientToken\":7}",
            "{\"clientToken\":\"\"}", "{\"clientToken\":\"99999999999999999999\"}",
        ]
    )
    func hostile(_ payload: String) {
        let world = world()
        world.run(seconds: 2)
        let state = world.core.state
        for topic in ShadowTopic.allCases where topic != .get && topic != .update && topic != .getAccepted {
            world.send(topic, payload)
        }
        world.run(seconds: 1)
        #expect(world.core.state == state)
    }
}
