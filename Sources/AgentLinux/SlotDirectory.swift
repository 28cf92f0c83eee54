import DeviceCore
import Glibc

/// The two slots as files: `slots/a`, `slots/b`, and beside them `slots/a.part` while an image is coming in.
///
/// A slot's file appears whole or not at all. What is known about a `.part` stands in `.part.info`, so that
/// a download can go on after a restart.
struct SlotDirectory: Sendable {
    /// What is known about an image that is coming in.
    struct Part: Equatable, Sendable {
        /// The version it was asked for as.
        var version: String
        /// Entity tag of the answer, with its quotes; empty where there was none.
        var entityTag: String
        /// Size of the whole image, in bytes.
        var totalBytes: UInt64
        /// What it must hash to.
        var digest: ImageDigest?
    }

    private let directory: String

    init(directory: String) throws {
        self.directory = directory + "/slots"
        try Files.makeDirectory(self.directory)
    }

    /// The program of a slot.
    func program(of slot: Slot) -> String { "\(directory)/\(slot == .a ? "a" : "b")" }

    /// Where the image for a slot comes in.
    func partFile(of slot: Slot) -> String { program(of: slot) + ".part" }

    private func infoFile(of slot: Slot) -> String { partFile(of: slot) + ".info" }

    // MARK: Coming in

    /// What is known about the image that is coming in, if it is of `version`.
    func part(of slot: Slot, version: String) -> Part? {
        guard let bytes = try? Files.read(infoFile(of: slot), maximumBytes: 4_096) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        guard lines.count >= 4, lines[0] == version, let total = UInt64(lines[2]) else { return nil }
        return Part(
            version: version,
            entityTag: String(lines[1]),
            totalBytes: total,
            digest: ImageDigest(hexadecimal: String(lines[3]))
        )
    }

    /// Bytes of it that are there; 0 where it is another version's.
    func partBytes(of slot: Slot, version: String) -> UInt64 {
        guard let part = part(of: slot, version: version) else { return 0 }
        return min(Files.size(partFile(of: slot)) ?? 0, part.totalBytes)
    }

    /// Forgets what came in before, and begins with `part`.
    func begin(_ part: Part, of slot: Slot) throws {
        unlink(partFile(of: slot))
        let info =
            "\(part.version)\n\(part.entityTag)\n\(part.totalBytes)\n\(part.digest?.hexadecimal ?? "")\n"
        try Files.replace(infoFile(of: slot), with: Array(info.utf8))
    }

    /// Forgets what came in.
    func forgetPart(of slot: Slot) {
        unlink(infoFile(of: slot))
        unlink(partFile(of: slot))
    }

    // MARK: Checking and installing

    /// What is wrong with the image that came in, or `nil`.
    func check(_ slot: Slot, version: String) throws -> Reason? {
        guard let part = part(of: slot, version: version) else { return .noDigest }
        guard Files.size(partFile(of: slot)) == part.totalBytes else { return .wrongDigest }
        guard let digest = part.digest else { return .noDigest }
        return try digest.matches(partFile(of: slot)) ? nil : .wrongDigest
    }

    /// Makes the image that came in the program of the slot.
    func install(_ slot: Slot) throws {
        try Files.flush(partFile(of: slot), mode: 0o755)
        try Files.move(partFile(of: slot), to: program(of: slot))
        unlink(infoFile(of: slot))
    }

    /// Copies a file into a slot.
    func install(_ slot: Slot, copying path: String) throws {
        let source = open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw FileFault("open", path) }
        defer { close(source) }
        try copy(source, path, to: partFile(of: slot))
        try install(slot)
    }

    private func copy(_ source: Int32, _ path: String, to part: String) throws {
        let file = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileFault("create", part) }
        defer { close(file) }
        while true {
            let piece = try Files.readPiece(source, path, maximumBytes: 1 << 18)
            guard !piece.isEmpty else { return }
            try piece.withUnsafeBytes { try Files.append($0, to: file, part) }
        }
    }
}
