import ByteKit
import DeviceCore
import Testing

@Suite("Boot slots")
struct BootSlotsTests {
    private func slots() -> BootSlots { BootSlots(factory: .a, version: FixedBytes("1.0.4")) }

    @Test("a trial is started three times before it is given up")
    func trial() {
        var slots = slots()
        #expect(slots.start() == .confirmed(.a))
        slots.beginWriting()
        slots.installed(FixedBytes("1.0.5"))
        #expect(slots.trial == .pending)
        for count in UInt8(1)...3 {
            #expect(slots.start() == .trial(.b))
            #expect(slots.trial == .started(count))
        }
        #expect(slots.start() == .rolledBack(.a))
        #expect(slots.start() == .confirmed(.a))
        #expect(slots.version(of: .b).isEmpty)
    }

    @Test("a confirmed trial changes sides, and only then")
    func confirm() {
        var slots = slots()
        slots.confirm()
        #expect(slots.confirmed == .a)
        slots.installed(FixedBytes("1.0.5"))
        _ = slots.start()
        #expect(slots.confirmed == .a)
        slots.confirm()
        #expect(slots.confirmed == .b)
        #expect(slots.passive == .a)
        #expect(slots.start() == .confirmed(.b))
    }

    @Test("a slot without a version is never started")
    func empty() {
        var slots = slots()
        slots.installed(FixedBytes())
        #expect(slots.start() == .confirmed(.a))
        slots.installed(FixedBytes("1.0.5"))
        slots.beginWriting()
        #expect(slots.start() == .confirmed(.a))
    }
}

@Suite("Update machine")
struct UpdateMachineTests {
    @Test("pauses double from 1 s to 30 s and start anew with progress")
    func pauses() {
        var configuration = UpdateMachine.Configuration()
        configuration.maximumBreaks = 9
        var machine = UpdateMachine(configuration, failures: 0)
        machine.link(is: .up, now: 0)
        #expect(machine.begin(from: 0) == .download(offset: 0))
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] as [UInt64] {
            #expect(machine.downloadBroken(now: 50) == .rest)
            #expect(machine.deadline == 50 + pause)
            #expect(machine.timeUp(now: 49 + pause) == .rest)
            #expect(machine.timeUp(now: 50 + pause) == .download(offset: 0))
        }
        #expect(machine.downloadStarted(totalBytes: 1_000) == .rest)
        machine.progress(received: 10)
        #expect(machine.downloadBroken(now: 50) == .rest)
        #expect(machine.deadline == 1_050)
        #expect(machine.timeUp(now: 1_050) == .download(offset: 10))
    }

    @Test("five breaks without a new byte end an attempt, but not while the link is down")
    func breaks() {
        var machine = UpdateMachine(UpdateMachine.Configuration(), failures: 0)
        _ = machine.begin(from: 0)
        for _ in 0..<20 {
            #expect(machine.downloadBroken(now: 0) == .rest)
            #expect(machine.timeUp(now: 30_000) == .download(offset: 0))
        }
        machine.link(is: .up, now: 0)
        for _ in 0..<4 {
            #expect(machine.downloadBroken(now: 0) == .rest)
            #expect(machine.timeUp(now: 30_000) == .download(offset: 0))
        }
        #expect(machine.downloadBroken(now: 0) == .failed(.noProgress))
        #expect(machine.phase == .waiting(until: 10_000))
    }

    @Test("a server that always begins at 0 makes no progress by that")
    func noRange() {
        var machine = UpdateMachine(UpdateMachine.Configuration(), failures: 0)
        machine.link(is: .up, now: 0)
        _ = machine.begin(from: 0)
        var orders: [UpdateMachine.Order] = []
        for _ in 0..<6 {
            _ = machine.downloadStarted(totalBytes: 1_000)
            machine.progress(received: 500)
            orders.append(machine.downloadBroken(now: 0))
            _ = machine.timeUp(now: 9_000)
        }
        #expect(orders.contains(.failed(.noProgress)))
    }

    @Test(
        "4xx ends an attempt, except those that pass",
        arguments: [
            (UInt16(400), true), (404, true), (410, true), (416, true), (408, false), (425, false),
            (429, false), (500, false),
            (503, false), (302, false),
        ]
    )
    func status(_ status: UInt16, _ isFailure: Bool) {
        var machine = UpdateMachine(UpdateMachine.Configuration(), failures: 0)
        machine.link(is: .up, now: 0)
        _ = machine.begin(from: 0)
        let order = machine.downloadRefused(httpStatus: status, now: 0)
        #expect(order == (isFailure ? .failed(.refused(httpStatus: status)) : .rest))
    }

    @Test("attempts are repeated after 10 s and 60 s, then given up")
    func attempts() {
        var machine = UpdateMachine(UpdateMachine.Configuration(), failures: 0)
        machine.link(is: .up, now: 0)
        _ = machine.begin(from: 0)
        _ = machine.fail(.storage, now: 0)
        #expect(machine.deadline == 10_000)
        machine.link(is: .down, now: 0)
        #expect(machine.deadline == nil)
        #expect(machine.timeUp(now: 20_000) == .rest)
        machine.link(is: .up, now: 0)
        #expect(machine.timeUp(now: 10_000) == .download(offset: 0))
        _ = machine.fail(.storage, now: 0)
        #expect(machine.deadline == 60_000)
        #expect(machine.timeUp(now: 60_000) == .download(offset: 0))
        _ = machine.fail(.storage, now: 0)
        #expect(machine.phase == .givenUp)
        #expect(machine.deadline == nil)
    }

    @Test(
        "sizes that make no sense never trap",
        arguments: [
            (UInt64(0), UInt64(0)), (1, 2), (.max, 0), (.max, .max), (1 << 40, 0),
        ]
    )
    func sizes(_ total: UInt64, _ offset: UInt64) {
        var machine = UpdateMachine(UpdateMachine.Configuration(), failures: 0)
        _ = machine.begin(from: 0)
        _ = machine.downloadStarted(total: total, from: offset, now: 0)
        machine.progress(received: .max)
        #expect(machine.percent == 0)
        _ = machine.downloadFinished(now: 0)
        #expect(machine.phase != .verifying)
    }
}

extension UpdateMachine {
    fileprivate mutating func downloadStarted(totalBytes: UInt64) -> Order {
        downloadStarted(total: totalBytes, from: 0, now: 0)
    }
}

@Suite("Records")
struct RecordTests {
    /// A record with every member in use.
    private func record() -> [UInt8] {
        let world = World(factory: Image(version: "1.0.4"))
        world.images["1.0.5-rc.1+7"] = Image(version: "1.0.5-rc.1+7", manner: .exits)
        world.desire([
            "firmware_version": "\"1.0.5-rc.1+7\"", "phrase_type": "\"hak\\u0061ta\"", "on": "true",
        ])
        world.run(seconds: 8)
        return world.record
    }

    @Test("what was encoded is decoded, and encodes alike")
    func roundTrip() throws {
        let record = record()
        let state = try DeviceState.decode(record.span)
        #expect(state.failures == 1)
        #expect(state.report.reason == .exited(code: 3))
        var again: [UInt8] = []
        state.encode(into: &again)
        #expect(again == record)
    }

    @Test("a truncated record is a fault")
    func truncated() {
        let record = record()
        for count in 0..<record.count {
            #expect(decoded(Array(record.prefix(count))) == nil)
        }
    }

    @Test("a record with any bit flipped is a fault")
    func flipped() {
        let record = record()
        for place in record.indices {
            for bit in 0..<8 {
                var bent = record
                bent[place] ^= 1 << UInt8(bit)
                #expect(decoded(bent) == nil, "bit \(bit) of byte \(place)")
            }
        }
    }

    @Test("another layout and a record too long are told apart")
    func faults() {
        #expect(throws: RecordFault.unknownLayout(2)) { try decode("{\"apus\":2,\"crc\":0,\"body\":{}}") }
        #expect(throws: RecordFault.wrongChecksum) { try decode("{\"apus\":1,\"crc\":0,\"body\":{}}") }
        #expect(throws: RecordFault.badMember) { try decode("{\"apus\":1,\"crc\":2745614147,\"body\":{}}") }
        #expect(throws: RecordFault.malformed) { try decode("{}") }
        #expect(throws: RecordFault.malformed) { try decode("") }
        #expect(throws: RecordFault.tooLong) { try decode(String(repeating: " ", count: 5_000)) }
    }

    @Test("the fullest record fits")
    func fullest() {
        let world = World(factory: Image(version: "1.0.4"))
        let long = "\"\(String(repeating: "x", count: 94))\""
        var changes: [String: String?] = ["firmware_version": long]
        for number in 0..<8 { changes["key-of-thirty-two-bytes-length-\(number)"] = long }
        world.desire(changes)
        world.run(seconds: 20)
        #expect(world.broken.isEmpty)
        #expect(world.core.state.reported.count == 8)
        #expect(decoded(world.record) == world.core.state)
    }

    private func decode(_ text: String) throws -> DeviceState {
        try DeviceState.decode(Array(text.utf8).span)
    }

    private func decoded(_ bytes: [UInt8]) -> DeviceState? {
        try? DeviceState.decode(bytes.span)
    }
}
