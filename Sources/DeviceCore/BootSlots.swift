//  Two places for firmware, and which of them may run.
//
//  States: *settled* (the confirmed slot runs), *pending* (the other slot holds a whole, verified image
//  that has not run yet), *started n* (it was started n times and has neither been confirmed nor rolled
//  back).
//
//  Rules:
//  - The confirmed slot is never written: downloads go to the passive one, and only while no trial is on.
//  - A start is counted and saved before the program runs. A trial that was started `maximumStarts` times
//    without a verdict is over: one power cut in a trial is bad luck, three are a firmware that kills its
//    device.
//  - A slot that is being written has no version; nothing starts a slot without one.
//
//  Not handled here: bytes, files, flash, and who judges the trial.

public import ByteKit

/// One of the two places that hold an image.
public enum Slot: UInt8, Equatable, Sendable {
    /// The first place; the factory image lies here.
    case a = 0
    /// The second place.
    case b = 1

    /// The place that is not this one.
    public var other: Slot { self == .a ? .b : .a }

    /// Name in records and files: `a` or `b`.
    public var name: StaticString { self == .a ? "a" : "b" }
}

/// How an image is run.
public enum Run: Equatable, Sendable {
    /// It has proved itself.
    case confirmed
    /// It has yet to prove itself.
    case trial
}

/// Which slot is confirmed, which on trial, and what they hold.
public struct BootSlots: Equatable, Sendable {
    /// Starts of one trial before it is given up.
    public static let maximumStarts: UInt8 = 3

    /// Where the passive slot stands.
    public enum Trial: Equatable, Sendable {
        /// No trial.
        case none
        /// Installed, not started yet.
        case pending
        /// Started that many times, 1 ... `maximumStarts`, without a verdict.
        case started(UInt8)
    }

    /// What to run after power came back.
    public enum Choice: Equatable, Sendable {
        /// The slot that worked.
        case confirmed(Slot)
        /// The new one; its start is counted, save before running it.
        case trial(Slot)
        /// The trial got no verdict in `maximumStarts` starts and is over; the slot that worked.
        case rolledBack(Slot)
    }

    /// A version text; empty for a slot whose content is unknown or being written.
    public typealias Version = FixedBytes<64>

    /// The slot that worked.
    public private(set) var confirmed: Slot
    /// The other slot's standing.
    public private(set) var trial: Trial
    private var versions: InlineArray<2, Version>

    /// A device fresh from the factory: one confirmed slot, the other empty.
    public init(factory slot: Slot, version: Version) {
        confirmed = slot
        trial = .none
        versions = [Version(), Version()]
        versions[Int(slot.rawValue)] = version
    }

    /// What a record says; a trial of a slot without a version counts as none.
    init(confirmed: Slot, trial: Trial, a: Version, b: Version) {
        self.confirmed = confirmed
        self.trial = trial
        versions = [a, b]
        if version(of: confirmed.other).isEmpty {
            self.trial = .none
        }
    }

    /// The slot that may be written, while there is no trial.
    public var passive: Slot { confirmed.other }

    /// What a slot holds, or empty.
    public func version(of slot: Slot) -> Version { versions[Int(slot.rawValue)] }

    /// The passive slot is going to be written: its old content counts no more.
    public mutating func beginWriting() {
        trial = .none
        versions[Int(passive.rawValue)] = Version()
    }

    /// The passive slot holds a whole, verified image of `version`.
    public mutating func installed(_ version: Version) {
        guard !version.isEmpty else { return }
        versions[Int(passive.rawValue)] = version
        trial = .pending
    }

    /// Chooses what to run after a start of the device, and counts it.
    public mutating func start() -> Choice {
        switch trial {
        case .none:
            return .confirmed(confirmed)
        case .started(let count) where count >= Self.maximumStarts:
            rollBack()
            return .rolledBack(confirmed)
        case .started(let count):
            trial = .started(count + 1)
        case .pending:
            trial = .started(1)
        }
        return .trial(passive)
    }

    /// The trial went well: its slot is the confirmed one from now on.
    public mutating func confirm() {
        guard trial != .none else { return }
        confirmed = passive
        trial = .none
    }

    /// The trial failed: its slot holds nothing that counts.
    public mutating func rollBack() {
        trial = .none
        versions[Int(passive.rawValue)] = Version()
    }

    /// Whether both say the same.
    public static func == (left: BootSlots, right: BootSlots) -> Bool {
        left.confirmed == right.confirmed && left.trial == right.trial
            && left.version(of: .a) == right.version(of: .a) && left.version(of: .b) == right.version(of: .b)
    }
}
