import ByteKit
import Foundation
import ImageFormat
import Testing

/// What the two samples with a wrong signature get: only the product's key can tell, and none is known here.
private let needsTheKey: Set = ["bad-sbv2-signature.bin", "bad-sbv2-ecdsa-signature.bin"]

@Suite("every sample gets the verdict and the fields of the table")
struct ImageInspectorTests {
    @Test("the table is there")
    func table() {
        #expect(Samples.rows.count >= 60, "no samples in \(Samples.folder.path); set APUS_TESTDATA")
    }

    @Test("format, verdict and reason are those of the table", arguments: Samples.rows)
    func verdict(_ row: Samples.Row) throws {
        let report = try inspect(Samples.bytes(row.file))
        #expect("\(report.kind.name)" == row.format)
        if needsTheKey.contains(row.file) {
            #expect(report.verdict == .accept)
            #expect(report.signature == .unverified)
            return
        }
        switch report.verdict {
        case .accept: #expect(row.verdict == "accept")
        case .raw: #expect(row.verdict == "raw")
        case .reject(let rejection):
            #expect(row.verdict == "reject")
            #expect("\(rejection.code)" == row.reason)
            #expect(rejection.explanation.utf8CodeUnitCount > 10)
        }
    }

    @Test("ESP-IDF fields are those of the table", arguments: Samples.rows.filter { $0.format == "esp-app" })
    func espFields(_ row: Samples.Row) throws {
        let fields = try row.fields()
        let bytes = try Samples.bytes(row.file)
        guard let chip = fields["chip_id"] as? Int else { return }
        let esp = try #require(inspect(bytes).esp)
        #expect(Int(esp.chipID) == chip)
        #expect(esp.chipName.map { "\($0)" } == fields["chip"] as? String)
        #expect("0x" + padded(esp.entry) == fields["entry"] as? String)
        #expect(Int(esp.minimumChipRevision) == fields["min_chip_rev"] as? Int)
        #expect(Int(esp.maximumChipRevision) == fields["max_chip_rev"] as? Int)
        try segments(esp, fields["segments"] as? [[String: Any]])
        if let checksum = fields["checksum"] as? [String: Int] {
            #expect(esp.checksumOffset == checksum["offset"])
            #expect(Int(esp.storedChecksum) == checksum["stored"])
            #expect(Int(esp.computedChecksum) == checksum["computed"])
        }
        if let length = fields["image_len"] as? Int { #expect(esp.imageBytes == length) }
        if let hash = fields["image_sha256"] as? String { #expect(hex(bytes, esp.hashBytes) == hash) }
        #expect(esp.paddingBytes == fields["padding"] as? Int ?? 0)
        try signatures(esp, fields, row)
        try app(esp.app, fields["app"] as? [String: Any], bytes)
    }

    private func segments(_ esp: ESPImage, _ expected: [[String: Any]]?) throws {
        let expected = try #require(expected)
        #expect(esp.segmentCount == expected.count)
        for (index, row) in expected.enumerated() where index < esp.segmentCount {
            #expect("0x" + padded(esp.segments[index].address) == row["addr"] as? String)
            #expect(esp.segments[index].data.start == row["offset"] as? Int)
            #expect(esp.segments[index].data.count == row["length"] as? Int)
        }
    }

    private func signatures(_ esp: ESPImage, _ fields: [String: Any], _ row: Samples.Row) throws {
        guard !needsTheKey.contains(row.file) else { return }
        let expected = fields["signatures"] as? [[String: String]] ?? []
        #expect(esp.signatureCount == expected.count)
        for (index, row) in expected.enumerated() {
            let signature = try #require(esp.signatures[index])
            #expect("\(signature.scheme.name)" == row["scheme"])
            #expect(SHATests.text(signature.keyDigest) == row["key_digest"])
        }
    }

    private func app(_ app: ESPAppDescriptor?, _ expected: [String: Any]?, _ bytes: [UInt8]) throws {
        guard let expected else { return #expect(app == nil) }
        let app = try #require(app)
        #expect(text(bytes, app.version) == expected["version"] as? String ?? "")
        #expect(text(bytes, app.project) == expected["project"] as? String)
        #expect(text(bytes, app.time) == expected["time"] as? String)
        #expect(text(bytes, app.date) == expected["date"] as? String)
        #expect(text(bytes, app.framework) == expected["idf"] as? String)
        #expect(hex(bytes, app.elfHash) == expected["elf_sha256"] as? String)
        #expect(Int(app.secureVersion) == expected["secure_version"] as? Int)
        #expect(Int(app.minimumFuseRevision) == expected["min_efuse_blk_rev"] as? Int)
        #expect(Int(app.maximumFuseRevision) == expected["max_efuse_blk_rev"] as? Int)
        #expect(Int(app.pageSizeLog2) == expected["mmu_page_log2"] as? Int)
        #expect(Int(app.flashMode) == expected["spi_flash_mode"] as? Int)
    }

    @Test("MCUboot fields are those of the table", arguments: Samples.rows.filter { $0.format == "mcuboot" })
    func mcubootFields(_ row: Samples.Row) throws {
        let fields = try row.fields()
        let bytes = try Samples.bytes(row.file)
        guard let version = fields["version"] as? String else { return }
        let report = inspect(bytes)
        let mcuboot = try #require(report.mcuboot)
        var written: [UInt8] = []
        report.writeVersion(of: bytes.span, to: &written)
        #expect(String(decoding: written, as: UTF8.self) == version)
        #expect("0x" + padded(mcuboot.loadAddress) == fields["load_addr"] as? String)
        #expect(mcuboot.headerBytes == fields["hdr_size"] as? Int)
        #expect(Int(mcuboot.bodyBytes) == fields["img_size"] as? Int)
        #expect(mcuboot.protectedBytes == fields["prot_tlv_size"] as? Int)
        #expect("0x" + String(mcuboot.flags, radix: 16) == fields["flags"] as? String)
        guard let records = fields["tlvs"] as? [[String: Any]] else { return }
        #expect(mcuboot.recordCount == records.count)
        for (index, row) in records.enumerated() {
            let record = mcuboot.records[index]
            #expect("0x" + hex([UInt8(record.type)]) == row["type"] as? String)
            #expect(record.value.count == row["len"] as? Int)
            #expect(record.isProtected == row["protected"] as? Bool ?? false)
        }
        checks(mcuboot, fields, bytes)
    }

    private func checks(_ mcuboot: MCUbootImage, _ fields: [String: Any], _ bytes: [UInt8]) {
        #expect(mcuboot.imageBytes == fields["image_len"] as? Int)
        #expect(hex(bytes, mcuboot.hashBytes) == fields["image_hash"] as? String)
        if let signature = fields["signature"] as? String {
            #expect("\(mcuboot.signature.name)" == signature)
        }
        if let key = fields["keyhash"] as? String { #expect(hex(bytes, mcuboot.keyHash) == key) }
        #expect(mcuboot.securityCounter.map(Int.init) == fields["security_counter"] as? Int)
        let dependencies = fields["dependencies"] as? [[String: Any]] ?? []
        #expect(mcuboot.dependencyCount == dependencies.count)
        for (index, row) in dependencies.enumerated() {
            var version: [UInt8] = []
            mcuboot.dependencies[index]?.minimum.write(to: &version)
            #expect(mcuboot.dependencies[index].map { Int($0.image) } == row["image"] as? Int)
            #expect(String(decoding: version, as: UTF8.self) == row["min"] as? String)
        }
        if fields["trailer"] != nil { #expect(mcuboot.trailer == .confirmed) }
    }
}

/// The bytes of a range as text.
private func text(_ bytes: [UInt8], _ range: ByteRange) -> String {
    String(decoding: bytes[range.start..<range.end], as: UTF8.self)
}

/// The bytes of a range as hexadecimal digits.
private func hex(_ bytes: [UInt8], _ range: ByteRange?) -> String? {
    range.map { hex(bytes[$0.start..<$0.end]) }
}

/// Eight hexadecimal digits.
private func padded(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}
