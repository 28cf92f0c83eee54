public import ByteKit

/// Where an update stands, in the words of `reported.update.state`.
public enum UpdateState: UInt8, Equatable, Sendable {
    /// No update was ever heard of.
    case none = 0
    /// The image is on its way.
    case downloading = 1
    /// The image is compared with its digest.
    case verifying = 2
    /// The image is put into its slot.
    case installing = 3
    /// The device starts again.
    case restarting = 4
    /// The new firmware runs and has to prove itself.
    case confirming = 5
    /// The new firmware runs and stays.
    case succeeded = 6
    /// The attempt failed before the new firmware ran.
    case failed = 7
    /// The new firmware ran and was taken back.
    case rolledBack = 8
    /// The order was taken back.
    case cancelled = 9

    /// Whether the update stands still in this state.
    public var isFinal: Bool { rawValue >= UpdateState.succeeded.rawValue }

    /// The word on the wire.
    public var word: StaticString {
        switch self {
        case .none: "none"
        case .downloading: "downloading"
        case .verifying: "verifying"
        case .installing: "installing"
        case .restarting: "restarting"
        case .confirming: "confirming"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .rolledBack: "rolledBack"
        case .cancelled: "cancelled"
        }
    }
}

/// What the device tells about its latest update, in `reported.update`.
public struct UpdateReport: Equatable, Sendable {
    /// The desired version as it was received, JSON; empty where it could not be held.
    public internal(set) var version = RawValue()
    /// Where the update stands.
    public internal(set) var state = UpdateState.none
    /// Share of the image that has arrived, 0 to 100.
    public internal(set) var percent: UInt8 = 0
    /// Why it failed, was rolled back or cancelled.
    public internal(set) var reason: Reason?
    /// Whether `update/accepted` has answered this very report.
    public internal(set) var isAcknowledged = true
}
