public import ByteKit
import JSONText
import VersionText

/// Everything about a device that must survive a power cut.
///
/// The version that is reported is that of the confirmed slot and stands nowhere else, so it cannot lie.
public struct DeviceState: Equatable, Sendable {
    /// The slots, what they hold and which may run.
    public internal(set) var slots: BootSlots
    /// The desired `firmware_version` as received; empty where none is desired.
    public internal(set) var wanted = RawValue()
    /// The other settings that are desired.
    public internal(set) var desired = Settings()
    /// The other settings that are in force.
    public internal(set) var reported = Settings()
    /// The desired value that the present or latest update is about; empty where there is none.
    public internal(set) var target = RawValue()
    /// Attempts at `target` that failed.
    public internal(set) var failures: UInt8 = 0
    /// What is told about the update.
    public internal(set) var report = UpdateReport()

    /// A device fresh from the factory that runs `version` from slot A.
    ///
    /// `nil` where `version` is no version text.
    public init?(factoryVersion version: Span<UInt8>) {
        guard VersionText.isValid(version) else { return nil }
        slots = BootSlots(factory: .a, version: FixedBytes(version))
    }

    /// A device with these slots that has heard of nothing yet.
    init(slots: BootSlots) {
        self.slots = slots
    }

    /// The version that runs and is reported.
    public var version: BootSlots.Version { slots.version(of: slots.confirmed) }

    /// The version that `target` names; empty where there is none, or no version.
    public var targetVersion: BootSlots.Version { Self.versionText(target) }

    /// The version text in a raw JSON value, or empty where it is none.
    static func versionText(_ raw: RawValue) -> BootSlots.Version {
        var version = BootSlots.Version()
        let range = ByteRange(start: 0, count: raw.count)
        guard !raw.isEmpty, JSONScanner.string(of: range, in: raw.span, into: &version), !version.overflowed,
            VersionText.isValid(version.span)
        else { return BootSlots.Version() }
        return version
    }

    /// Stands for a desired version that is no scalar or too long to be held.
    static var unreadable: RawValue { RawValue("[]") }
}
