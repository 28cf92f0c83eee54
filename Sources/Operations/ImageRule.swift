import ByteKit
import ImageFormat

/// Which files a product takes as firmware.
package enum ImageRule: String, Sendable, Codable, CaseIterable {
    /// Any known image format, and binary data of an unknown one; not text, archives or pictures.
    case any
    /// Images of microcontrollers only (ESP-IDF application, MCUboot), complete and with right checksums.
    case microcontroller
    /// Programs only: ELF executables and scripts.
    case linux
    /// Whatever is not empty.
    case raw

    /// What was found in a file.
    enum Finding: Equatable {
        /// Taken; `version` is the one that the image names inside, if its format carries one.
        case accepted(format: String, version: String?)
        case refused(why: String)
    }

    /// Judges a whole file.
    func judge(_ file: UnsafeRawBufferPointer) -> Finding {
        guard !file.isEmpty else { return .refused(why: "it is empty") }
        guard self != .raw else { return .accepted(format: "raw", version: nil) }
        let image = Span<UInt8>(_unsafeBytes: file)
        let report = ImageInspector.inspect(image, policy: self == .linux ? .linuxProgram : .microcontroller)
        switch report.verdict {
        case .accept:
            return .accepted(format: "\(report.kind.name)", version: Self.version(report, image))
        case .raw:
            guard self == .any else { return .refused(why: "its format is not known") }
            if Self.isProgram(image) { return .accepted(format: "\(report.kind.name)", version: nil) }
            if let other = Self.recognise(image) { return .refused(why: "it is \(other)") }
            return .accepted(format: "raw", version: nil)
        case .reject(let reason):
            if self == .any, Self.isProgram(image) { return .accepted(format: "\(report.kind.name)", version: nil) }
            return .refused(why: "\(reason.explanation) (\(reason.code))")
        }
    }

    private static func isProgram(_ image: Span<UInt8>) -> Bool {
        ImageInspector.inspect(image, policy: .linuxProgram).verdict == .accept
    }

    /// The version inside, unless it belongs to the build system rather than to the firmware.
    private static func version(_ report: ImageReport, _ image: Span<UInt8>) -> String? {
        if let app = report.esp?.app, image.slice(app.project).equals("arduino-lib-builder") { return nil }
        var text: [UInt8] = []
        report.writeVersion(of: image, to: &text)
        return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
    }

    /// Names files that are no firmware whatever their product.
    private static func recognise(_ image: Span<UInt8>) -> String? {
        let known: [(StaticString, String)] = [
            ("PK\u{3}\u{4}", "a ZIP archive"), ("%PDF", "a PDF document"), ("GIF8", "a GIF picture"),
            ("7z\u{BC}", "a 7z archive"), ("BZh", "a bzip2 archive"),
        ]
        if let match = known.first(where: { image.starts(with: $0.0) }) { return match.1 }
        let head = image.extracting(first: min(image.count, 8)).copy()
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return "a PNG picture" }
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return "a JPEG picture" }
        if head.starts(with: [0xFD, 0x37, 0x7A, 0x58]) { return "an XZ archive" }
        return isText(image) ? "a text file" : nil
    }

    /// Whether the first 4 KiB have no byte that text does not have.
    private static func isText(_ image: Span<UInt8>) -> Bool {
        for index in 0..<min(image.count, 4096) {
            let byte = image[index]
            guard byte >= 0x20 && byte != 0x7F || (9...13).contains(byte) || byte == 0x1B else { return false }
        }
        let head = image.extracting(first: min(image.count, 4096)).copy()
        return image.count > 4096 ? head.allSatisfy { $0 < 0x80 } : String(validating: head, as: UTF8.self) != nil
    }
}
