import ApusTestKit
import ByteKit
import ImageFormat
import Testing

@Suite("hostile images never trap")
struct HostileImageTests {
    @Test("every truncation is refused", arguments: ["esp32c3-1.2.3.bin", "mcuboot-ed25519.bin"])
    func truncations(file: String) throws {
        let whole = try Samples.bytes(file)
        for count in 4..<whole.count {
            let report = inspect(Array(whole.prefix(count)))
            #expect(isTruncation(report.verdict), "\(file) cut at \(count)")
        }
        for count in 0..<4 {
            let report = inspect(Array(whole.prefix(count)), policy: .linuxProgram)
            #expect(report.verdict != .accept)
        }
    }

    private func isTruncation(_ verdict: ImageVerdict) -> Bool {
        guard case .reject(let rejection) = verdict else { return false }
        return "\(rejection.code)".hasPrefix("truncated:")
    }

    @Test("a signed sample cut anywhere is refused or merely padded")
    func signedTruncations() throws {
        let whole = try Samples.bytes("esp32c3-1.2.3-sbv2-ecdsa.bin")
        for count in stride(from: 593, to: whole.count, by: 37) {
            let report = inspect(Array(whole.prefix(count)))
            let expected: ImageVerdict = count <= 4096 ? .accept : .reject(.truncatedSignatureSector)
            #expect(report.verdict == expected, "cut at \(count)")
            #expect(report.signature == .absent)
        }
    }

    /// Small samples of every format, for mutation.
    static let seeds = [
        "esp32c3-1.2.3.bin", "esp32-0.9.0-nohash.bin", "bad-bootloader.bin", "mcuboot-ed25519.bin",
        "mcuboot-hash-only.bin", "mcuboot-pure.bin", "bad-uf2.uf2", "bad-trunc-hash.bin",
    ]

    @Test("50,000 mutations give a report", arguments: UInt64(0)..<50)
    func mutations(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let file = Self.seeds[Int(seed) % Self.seeds.count]
        let whole = try Samples.bytes(file)
        for round in 0..<1000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                mutate(&bytes, &random)
            }
            let policy: ImagePolicy = round % 8 == 0 ? .linuxProgram : .microcontroller
            let report = inspect(bytes, policy: policy)
            var version: [UInt8] = []
            report.writeVersion(of: bytes.span, to: &version)
            #expect(version.count <= 32)
            if let esp = report.esp, report.verdict == .accept, esp.hash == .valid {
                #expect(bytes.prefix(whole.count) == whole[...], "a changed image passed")
            }
        }
    }

    @Test("mutated ELF headers give a report", arguments: UInt64(0)..<5)
    func elfMutations(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let whole = try Samples.bytes("bad-elf.elf")
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 4..<180, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let report = inspect(bytes, policy: .linuxProgram)
            #expect(report.kind == .elf)
        }
    }

    /// Changes, cuts or grows the bytes a little; half of the changes hit the first 64 bytes.
    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let reach = Bool.random(using: &random) ? min(64, bytes.count) : bytes.count
        let index = Int.random(in: 0..<reach, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[index] = 0xff
        case 2: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 3: bytes.removeSubrange(index...)
        case 4: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
        default:
            for place in index..<min(index + 4, bytes.count) { bytes[place] = 0xff }
        }
    }
}
