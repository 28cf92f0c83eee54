//  A device that keeps itself up to date over its shadow: the whole of it without sockets, flash and clocks.
//
//  Three layers: the shadow's `desired` → the device's own desired settings → the device's own reported
//  settings. Messages only ever move the second; a loop compares second and third and acts:
//  `firmware_version` by an update, every other setting by applying it. `firmware_version` is reported from
//  the confirmed slot and nowhere else, so `reported` is always true.
//
//  Rules:
//  - Linked: subscribe to the answers, ask with `get`, then act; no update begins before the shadow has
//    answered once.
//  - Order of steps: save, tell, act. What was promised or begun survives a power cut at any point, because
//    the record is written before; a save that fails holds back everything but the confirmed program.
//  - A report is told until `update/accepted` answers its very token: after a broken link, after 10 s of
//    silence, and a minute after a refusal. Phases at once, progress per 5 % and at most once a second.
//  - A new firmware stays only when it has said that it works, has lived on for a while, and the server was
//    reached meanwhile. Else the device goes back to the confirmed slot and remembers the failure.
//  - An order that is taken back ends the update: before the restart by forgetting it, during the trial by
//    going back.
//
//  The shell hands over what happens (`handle`, `received`), then draws steps with `nextStep` until there
//  are none, then sleeps until `deadline` and says `.timeUp`. After `.restart` it makes a new core from the
//  saved record, as after a power cut. It may lose steps that were not carried out, but must never reorder
//  them.
//
//  Not handled here: MQTT, HTTP, digests, files, processes. Named shadows and jobs.

public import ByteKit

/// The decisions of one device; see the top of this file.
public struct DeviceCore: Sendable {
    /// What a device is told once.
    public struct Configuration: Sendable {
        /// Whether a desired version may precede the running one.
        public enum Downgrades: Sendable {
            /// It may not.
            case refused
            /// It may.
            case allowed
        }

        /// The own name.
        public var thing: ThingName
        /// Whether older versions are installed.
        public var downgrades = Downgrades.refused
        /// Limits of an update.
        public var update = UpdateMachine.Configuration()
        /// Time a new firmware has to say that it works.
        public var readyMilliseconds: UInt64 = 30_000
        /// Time it must live on after that.
        public var healthMilliseconds: UInt64 = 5_000
        /// Time to reach the server in a trial.
        public var reachMilliseconds: UInt64 = 60_000

        /// The defaults for the device `thing`.
        public init(thing: ThingName) {
            self.thing = thing
        }
    }

    /// Something that happened outside.
    public enum Event: Equatable, Sendable {
        /// The session with the broker is up.
        case linkUp
        /// It is gone.
        case linkDown
        /// The server gives `totalBytes` in all, now from `offset` on: 0 where it did not honour the range.
        case downloadStarted(totalBytes: UInt64, offset: UInt64)
        /// So many bytes are stored, from the start of the image.
        case downloadProgress(receivedBytes: UInt64)
        /// The connection broke or could not be made.
        case downloadBroken
        /// The server answered with another status than 200 and 206.
        case downloadRefused(httpStatus: UInt16)
        /// The last byte is stored.
        case downloadFinished
        /// The image is what the server named.
        case verified
        /// It is not.
        case verifyFailed(Reason)
        /// The image is safely in its slot.
        case installed
        /// Storing, verifying or installing the image failed for lack of storage.
        case ioFailed
        /// The record could not be saved.
        case saveFailed
        /// The settings of the last `apply` are in force.
        case applied
        /// They could not be stored.
        case applyFailed
        /// The program says that it works.
        case programReady
        /// The program ended by itself; never told of one that was stopped.
        case programExited(code: Int32)
        /// `deadline` has come.
        case timeUp
    }

    /// Something to do.
    ///
    /// What goes with it lies in the payload of `nextStep`.
    public enum Step: Equatable, Sendable {
        /// Save the record (payload) so that it survives a power cut.
        case save
        /// Log the sentence (payload).
        case log(LogLevel, LogCode?)
        /// End the program; no `programExited` follows.
        case stopProgram
        /// End the download; no event of it follows.
        case cancelDownload
        /// Subscribe at QoS 1.
        case subscribe(ShadowTopic)
        /// Publish the payload at QoS 1.
        case publish(ShadowTopic)
        /// Put the settings (payload, a JSON object) in force.
        case apply
        /// Fetch the image of the version (payload) from this byte on.
        case download(offset: UInt64)
        /// Compare the image with the digest the server named.
        case verify
        /// Put the image into the slot.
        case install(Slot)
        /// End this core and everything it began, then begin anew with the saved record.
        case restart
        /// Run what is in the slot.
        case startProgram(Slot, Run)
    }

    /// What must survive a power cut.
    public internal(set) var state: DeviceState
    let configuration: Configuration
    var machine: UpdateMachine
    var trial: TrialWatch?
    var needs = Needs()
    var logs = LogQueue()
    var link = LinkState()
    var configDelivery = Delivery()
    var reportDelivery = Delivery()
    var token: UInt64
    var toldPercent: UInt8 = 0
    var toldAt: UInt64 = 0
    var program = ProgramWatch()
    /// Bytes of the target's image that were stored before the start.
    var partialBytes: UInt64

    /// A device that is starting.
    ///
    /// - Parameters:
    ///   - configuration: what the device is told once.
    ///   - state: the saved record, or a factory state.
    ///   - partialBytes: bytes of an unfinished download that are still there and belong to the record's
    ///     target.
    ///   - now: milliseconds of the clock that all events carry.
    public init(_ configuration: Configuration, state: DeviceState, partialBytes: UInt64, now: UInt64) {
        self.configuration = configuration
        self.state = state
        self.partialBytes = partialBytes
        machine = UpdateMachine(configuration.update, failures: state.failures)
        token = now
        if state.report.state.isFinal, !state.report.isAcknowledged {
            reportDelivery.want(notBefore: 0)
        }
        boot(now)
    }

    /// Takes something that happened at `now` milliseconds of any clock that never goes back.
    public mutating func handle(_ event: Event, now: UInt64) {
        guard !needs.isOver else { return }
        switch event {
        case .linkUp: linkUp(now)
        case .linkDown: linkDown(now)
        case .saveFailed: saveFailed(now)
        case .applied: applied()
        case .applyFailed: applyFailed(now)
        case .programReady: trial?.ready(now: now)
        case .programExited(let code): programExited(code, now)
        case .timeUp: break
        default: handleUpdate(event, now)
        }
        advance(now)
    }

    /// Takes a message of the broker.
    public mutating func received(topic: Span<UInt8>, payload: Span<UInt8>, now: UInt64) {
        guard !needs.isOver, let topic = ShadowTopic.parse(topic, for: configuration.thing) else { return }
        heard(topic, payload, now)
        advance(now)
    }

    /// When to say `.timeUp`, or `nil` for never.
    public var deadline: UInt64? {
        guard !needs.isOver else { return nil }
        var earliest = owesVerdict ? nil : machine.deadline
        Self.lower(&earliest, trial?.deadline)
        Self.lower(&earliest, program.restartAt)
        Self.lower(&earliest, needs.applyAt)
        if needs.save {
            Self.lower(&earliest, needs.saveAt)
        } else if link.isUp {
            Self.lower(&earliest, link.answerBy)
            Self.lower(&earliest, configDelivery.deadline)
            Self.lower(&earliest, reportDelivery.deadline)
        }
        return earliest
    }

    /// Whether the server has yet to hear how the last attempt ended.
    ///
    /// Only then, and if the version is desired still, may
    /// the next one begin.
    private var owesVerdict: Bool {
        guard case .waiting = machine.phase else { return false }
        return state.report.state.isFinal && !state.report.isAcknowledged
    }

    private static func lower(_ earliest: inout UInt64?, _ time: UInt64?) {
        guard let time else { return }
        earliest = min(earliest ?? time, time)
    }

    /// The loop: own desired against own reported settings, and everything that time alone can bring about.
    private mutating func advance(_ now: UInt64) {
        judgeTrial(now)
        if !owesVerdict { obey(machine.timeUp(now: now), now) }
        evaluate(now)
        if let time = program.restartAt, now >= time {
            program.restartAt = nil
            needs.start = .confirmed
        }
        link.timeUp(now)
        configDelivery.timeUp(now)
        reportDelivery.timeUp(now)
        settle(now)
    }
}
