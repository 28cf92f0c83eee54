//  Tells what an uploaded file is, and refuses what is none of the formats a device can take.
//
//  Recognition is by the first bytes. Each format then has a fixed order of checks, and the first failure is
//  the answer, so that the same file always gets the same code. All numbers in a file are hostile: lengths
//  are compared with what is left and never added up first. The work is bounded by the size of the file,
//  nothing allocates, nothing traps. Signatures are checked for form here, not against keys.

internal import ByteKit

/// Recognises and checks firmware images.
public enum ImageInspector {
    /// Inspects a whole file.
    ///
    /// - Parameters:
    ///   - image: The complete file.
    ///   - policy: What the product takes; decides on ELF files and scripts, and turns other formats away for
    ///     Linux programs.
    /// - Returns: The kind, the verdict and the fields read, also of a refused file.
    public static func inspect(_ image: Span<UInt8>, policy: ImagePolicy = .microcontroller) -> ImageReport {
        let kind = kind(of: image)
        var report = ImageReport(kind: kind, verdict: .accept)
        do throws(ImageRejection) {
            switch policy {
            case .microcontroller: try inspectFirmware(image, &report)
            case .linuxProgram: try inspectProgram(image, &report)
            }
        } catch {
            report.verdict = .reject(error)
        }
        return report
    }

    /// The format by the first bytes.
    public static func kind(of image: Span<UInt8>) -> ImageKind {
        guard let first = image.count > 0 ? image[0] : nil else { return .empty }
        switch image.littleUInt32(at: 0) {
        case 0x96f3_b83d: return .mcuboot
        case 0x464c_457f: return .elf
        case 0x0403_4b50: return .zip
        case 0x0a32_4655 where image.littleUInt32(at: 4) == 0x9e5d_5157: return .uf2
        default: break
        }
        switch (first, image.count > 1 ? image[1] : 0) {
        case (0xe9, _): return .espApp
        case (0x1f, 0x8b): return .gzip
        case (UInt8(ascii: "#"), UInt8(ascii: "!")): return .script
        default: return isFlashDump(image) ? .espApp : .raw
        }
    }

    /// The rules for devices that take a firmware image.
    private static func inspectFirmware(
        _ image: Span<UInt8>,
        _ report: inout ImageReport
    ) throws(ImageRejection) {
        switch report.kind {
        case .espApp:
            if image[0] != 0xe9 { throw .mergedFlashImage }
            try ESPInspection.inspect(image, &report.esp)
        case .mcuboot:
            try MCUbootInspection.inspect(image, &report.mcuboot)
        case .elf:
            report.elf = ELFProgram(image)
            throw .elf
        case .script:
            report.interpreter = ScriptLine.interpreter(of: image)
            report.verdict = .raw
        case .raw: report.verdict = .raw
        case .empty: throw .empty
        case .uf2: throw .uf2
        case .gzip: throw .gzip
        case .zip: throw .zip
        }
    }

    /// The rules for devices that run one program.
    private static func inspectProgram(
        _ image: Span<UInt8>,
        _ report: inout ImageReport
    ) throws(ImageRejection) {
        switch report.kind {
        case .elf:
            report.elf = ELFProgram(image)
            try ELFInspection.inspect(image)
        case .script:
            report.interpreter = ScriptLine.interpreter(of: image)
            if report.interpreter == nil { throw .badScriptLine }
        case .empty: throw .empty
        case .gzip: throw .gzip
        case .zip: throw .zip
        case .espApp, .mcuboot, .uf2, .raw: throw .notAProgram
        }
    }

    /// Whether a file that begins with erased flash is a dump with a bootloader at 1000h or 2000h.
    private static func isFlashDump(_ image: Span<UInt8>) -> Bool {
        guard image[0] == 0xff, ESPInspection.hasPartitionTable(image) else { return false }
        return isErased(image, upToBootloaderAt: 0x1000) || isErased(image, upToBootloaderAt: 0x2000)
    }

    /// Whether an image header stands at `offset`, which must be inside, and only FF before it.
    private static func isErased(_ image: Span<UInt8>, upToBootloaderAt offset: Int) -> Bool {
        image[offset] == 0xe9 && 1...16 ~= image[offset + 1] && image.extracting(first: offset).isErased
    }
}
