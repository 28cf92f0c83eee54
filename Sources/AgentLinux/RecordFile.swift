import ByteKit
import DeviceCore

/// The device's record on disk, in two copies that are written one after the other.
///
/// A copy that cannot be read is set aside as `.bad`, and the other one is used. Nothing else in the
/// directory is touched.
struct RecordFile {
    /// What was found.
    struct Finding {
        /// The state, if a copy could be read.
        var state: DeviceState?
        /// What was set aside, and why.
        var faults: [String] = []
    }

    private let copies: [String]

    init(directory: String) {
        copies = [directory + "/state.json", directory + "/state.backup.json"]
    }

    /// Reads the first copy that can be read.
    func load() throws -> Finding {
        var finding = Finding()
        for copy in copies {
            guard let bytes = try Files.read(copy, maximumBytes: DeviceState.maximumRecordBytes) else {
                continue
            }
            do {
                let state = try DeviceState.decode(bytes.span)
                finding.state = finding.state ?? state
            } catch {
                try Files.move(copy, to: copy + ".bad")
                finding.faults.append("\(copy) is unreadable (\(error)); set aside as .bad")
            }
        }
        return finding
    }

    /// Writes both copies.
    func save(_ record: [UInt8]) throws {
        for copy in copies {
            try Files.replace(copy, with: record)
        }
    }

    /// Writes both copies of a new state.
    func save(_ state: DeviceState) throws {
        var record: [UInt8] = []
        state.encode(into: &record)
        try save(record)
    }
}
