import ByteKit
import ImageFormat
import Testing

/// A little-endian number of `count` bytes.
private func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// The smallest whole 64-bit executable: header, one program header, 16 bytes to load.
private func executable(type: Int = 2, machine: Int = 183) -> [UInt8] {
    var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    bytes += little(type, 2) + little(machine, 2) + little(1, 4)
    bytes += little(0x10000, 8) + little(64, 8) + little(0, 8)
    bytes += little(0, 4) + little(64, 2) + little(56, 2) + little(1, 2) + little(64, 2) + little(0, 4)
    bytes += little(1, 4) + little(5, 4) + little(120, 8) + little(0x10000, 8) + little(0x10000, 8)
    bytes += little(16, 8) + little(16, 8) + little(4096, 8)
    return bytes + [UInt8](repeating: 0x13, count: 16)
}

@Suite("the policy decides on programs")
struct PolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let firmware: ImageVerdict
        let program: ImageVerdict
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "executable", bytes: executable(), firmware: .reject(.elf), program: .accept),
        Case(
            name: "position-independent",
            bytes: executable(type: 3),
            firmware: .reject(.elf),
            program: .accept
        ),
        Case(
            name: "object file",
            bytes: executable(type: 1),
            firmware: .reject(.elf),
            program: .reject(.notExecutable)
        ),
        Case(
            name: "executable without its end",
            bytes: executable().dropLast(),
            firmware: .reject(.elf),
            program: .reject(.truncatedBody)
        ),
        Case(
            name: "executable without its table",
            bytes: Array(executable().prefix(119)),
            firmware: .reject(.elf),
            program: .reject(.truncatedHeader)
        ),
        Case(
            name: "half an ELF header",
            bytes: Array(executable().prefix(40)),
            firmware: .reject(.elf),
            program: .reject(.truncatedHeader)
        ),
        Case(
            name: "unknown class",
            bytes: Array(executable().prefix(4)) + [UInt8](repeating: 9, count: 60),
            firmware: .reject(.elf),
            program: .reject(.badELFHeader)
        ),
        Case(name: "script", bytes: Array("#! /bin/sh -e \necho\n".utf8), firmware: .raw, program: .accept),
        Case(name: "one line", bytes: Array("#!/bin/sh".utf8), firmware: .raw, program: .accept),
        Case(
            name: "script from Windows",
            bytes: Array("#!/bin/sh\r\n".utf8),
            firmware: .raw,
            program: .reject(.badScriptLine)
        ),
        Case(
            name: "no interpreter",
            bytes: Array("#! \n/bin/sh\n".utf8),
            firmware: .raw,
            program: .reject(.badScriptLine)
        ),
        Case(
            name: "endless line",
            bytes: Array("#!/".utf8) + [UInt8](repeating: 0x61, count: 300),
            firmware: .raw,
            program: .reject(.badScriptLine)
        ),
        Case(name: "text", bytes: Array("hello".utf8), firmware: .raw, program: .reject(.notAProgram)),
        Case(name: "one byte", bytes: [0x1f], firmware: .raw, program: .reject(.notAProgram)),
        Case(name: "zip", bytes: [0x50, 0x4b, 3, 4], firmware: .reject(.zip), program: .reject(.zip)),
        Case(name: "gzip", bytes: [0x1f, 0x8b], firmware: .reject(.gzip), program: .reject(.gzip)),
        Case(name: "nothing", bytes: [], firmware: .reject(.empty), program: .reject(.empty)),
        Case(
            name: "E9 alone",
            bytes: [0xe9],
            firmware: .reject(.truncatedHeader),
            program: .reject(.notAProgram)
        ),
    ]

    @Test("each file gets both verdicts", arguments: cases)
    func verdicts(_ row: Case) {
        #expect(inspect(row.bytes).verdict == row.firmware)
        #expect(inspect(row.bytes, policy: .linuxProgram).verdict == row.program)
    }

    @Test("an ELF names its machine, a script its interpreter")
    func names() throws {
        let elf = try #require(inspect(executable()).elf)
        #expect("\(elf.machineName)" == "aarch64")
        #expect(elf.bits == 64)
        let sample = try #require(inspect(Samples.bytes("bad-elf.elf")).elf)
        #expect("\(sample.machineName)" == "riscv32")
        #expect(sample.bits == 32)
        let script = Array("#! /bin/sh -e \necho\n".utf8)
        let line = inspect(script, policy: .linuxProgram).interpreter
        #expect(line == ByteRange(start: 3, count: 10))
    }

    @Test("the sample ELF is a whole program")
    func sampleProgram() throws {
        let report = try inspect(Samples.bytes("bad-elf.elf"), policy: .linuxProgram)
        #expect(report.verdict == .accept)
    }

    @Test(
        "a flash dump with its bootloader at 1000h or 2000h is told apart from raw",
        arguments: [0x1000, 0x2000]
    )
    func flashDump(offset: Int) throws {
        var dump =
            [UInt8](repeating: 0xff, count: 0x8000) + [0xaa, 0x50] + [UInt8](repeating: 0xff, count: 64)
        #expect(inspect(dump).verdict == .raw)
        dump.replaceSubrange(offset..<offset + 176, with: try Samples.bytes("bad-bootloader.bin"))
        #expect(inspect(dump).verdict == .reject(.mergedFlashImage))
    }

    @Test("an MCUboot image may be padded, and its slot unconfirmed")
    func slots() throws {
        let padded = try Samples.bytes("mcuboot-ed25519.bin") + [UInt8](repeating: 0xff, count: 100)
        #expect(inspect(padded).mcuboot?.trailer == .padding)
        var slot = try Samples.bytes("mcuboot-padded-confirmed.bin")
        slot[slot.count - 24] = 0xff
        let report = inspect(slot)
        #expect(report.verdict == .accept)
        #expect(report.mcuboot?.trailer == .swapMagic)
        slot[4000] = 0
        #expect(inspect(slot).verdict == .reject(.trailingData))
    }

    @Test("codes are unique")
    func codes() {
        let codes = ImageRejection.allCases.map { "\($0.code)" }
        #expect(Set(codes).count == codes.count)
    }
}
