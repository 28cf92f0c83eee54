import ByteKit
import JSONText

/// What a message of the shadow service says to a device, as places in its payload (aws-iot 3).
struct ShadowMessage: Equatable, Sendable {
    /// What the message says about the desired settings.
    enum Desired: Equatable, Sendable {
        /// Nothing.
        case silent
        /// There are none (any more).
        case none
        /// Those of this object.
        case config(ByteRange)
    }

    /// What is desired.
    private(set) var desired = Desired.silent
    /// `state.reported.config`, in a whole document.
    private(set) var reported: ByteRange?
    /// Version of the shadow.
    private(set) var version: UInt64?
    /// Token of the update that this answers, where it has the form of ours.
    private(set) var token: UInt64?
    /// Error code of a refusal; 0 where there is none.
    private(set) var code: UInt64 = 0

    /// Reads a message that came on `topic`, or `nil` where it is no JSON object or nested too deeply.
    init?(_ topic: ShadowTopic, _ text: Span<UInt8>) {
        guard let root = try? JSONScanner.validate(text, maximumDepth: Self.maximumDepth),
            JSONScanner.kind(of: root, in: text) == .object
        else { return nil }
        version = JSONScanner.member("version", of: root, in: text)
            .flatMap { JSONScanner.unsigned(of: $0, in: text) }
        code =
            JSONScanner.member("code", of: root, in: text)
            .flatMap { JSONScanner.unsigned(of: $0, in: text) } ?? 0
        token = Self.token(of: root, in: text)
        guard let state = JSONScanner.member("state", of: root, in: text) else { return }
        readState(state, on: topic, in: text)
    }

    /// Deepest nesting that is read: 8 levels of settings, their metadata and what is around them.
    static let maximumDepth = 32

    private mutating func readState(_ state: ByteRange, on topic: ShadowTopic, in text: Span<UInt8>) {
        switch topic {
        case .getAccepted:
            desired = Self.config(of: "desired", of: state, in: text)
            if desired == .silent {
                desired = .none
            }
            if case .config(let place) = Self.config(of: "reported", of: state, in: text) {
                reported = place
            }
        case .updateDelta:
            if let place = Self.object("config", of: state, in: text) {
                desired = .config(place)
            }
        case .updateAccepted:
            desired = Self.isNull(state, in: text) ? .none : Self.config(of: "desired", of: state, in: text)
        default:
            break
        }
    }

    /// `config` of a section; a section or `config` that is null means that there is none.
    private static func config(
        of section: StaticString,
        of state: ByteRange,
        in text: Span<UInt8>
    ) -> Desired {
        guard isObject(state, in: text), let place = JSONScanner.member(section, of: state, in: text) else {
            return .silent
        }
        guard !isNull(place, in: text) else { return .none }
        guard isObject(place, in: text), let config = JSONScanner.member("config", of: place, in: text) else {
            return .silent
        }
        if isNull(config, in: text) { return .none }
        return isObject(config, in: text) ? .config(config) : .silent
    }

    private static func object(_ name: StaticString, of place: ByteRange, in text: Span<UInt8>) -> ByteRange? {
        guard isObject(place, in: text), let found = JSONScanner.member(name, of: place, in: text),
            isObject(found, in: text)
        else { return nil }
        return found
    }

    private static func isObject(_ place: ByteRange, in text: Span<UInt8>) -> Bool {
        JSONScanner.kind(of: place, in: text) == .object
    }

    private static func isNull(_ place: ByteRange, in text: Span<UInt8>) -> Bool {
        JSONScanner.kind(of: place, in: text) == .null
    }

    /// Our tokens are strings of up to 19 digits.
    private static func token(of root: ByteRange, in text: Span<UInt8>) -> UInt64? {
        guard let place = JSONScanner.member("clientToken", of: root, in: text),
            place.count > 2, place.count <= 21
        else { return nil }
        let digits = text.extracting((place.start + 1)..<(place.end - 1))
        var number: UInt64 = 0
        for index in digits.indices {
            guard digits[index] >= 0x30, digits[index] <= 0x39 else { return nil }
            number = number * 10 + UInt64(digits[index] - 0x30)
        }
        return number
    }
}
