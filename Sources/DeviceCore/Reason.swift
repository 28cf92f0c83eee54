public import ByteKit

/// Why an update did not reach its end.
public enum Reason: Equatable, Sendable {
    /// The desired value is no version text of at most 64 bytes.
    case notAVersion
    /// The desired version precedes the running one, and downgrades are not allowed.
    case olderVersion
    /// The server answered the download with a status that another try does not mend (4xx).
    case refused(httpStatus: UInt16)
    /// Several breaks in a row without a new byte.
    case noProgress
    /// The image has not the digest the server named.
    case wrongDigest
    /// The server named no digest to check the image against.
    case noDigest
    /// The image has no byte.
    case imageEmpty
    /// The image is larger than a slot.
    case imageTooLarge
    /// Local storage failed.
    case storage
    /// The new firmware ended during its trial, with this exit code (128 + N for signal N).
    case exited(code: Int32)
    /// The new firmware did not say in time that it works.
    case notReady
    /// The server was not reached in time during the trial.
    case notReached
    /// The trial was started several times and interrupted each time.
    case noVerdict
    /// The server took its order back during the trial.
    case withdrawn

    /// Whether another attempt at the same version must fail alike.
    public var isPermanent: Bool {
        switch self {
        case .notAVersion, .olderVersion: true
        default: false
        }
    }

    /// Writes the reason in words, plain ASCII that needs no escaping in JSON.
    public func write(into sink: inout some ByteSink) {
        switch self {
        case .notAVersion: sink.append("not a version of at most 64 bytes")
        case .olderVersion: sink.append("older version")
        case .refused(let status):
            sink.append("download refused with HTTP status ")
            sink.appendDecimal(UInt64(status))
        case .noProgress: sink.append("download broken too often without progress")
        case .wrongDigest: sink.append("image has another digest than the server named")
        case .noDigest: sink.append("server named no digest of the image")
        case .imageEmpty: sink.append("image is empty")
        case .imageTooLarge: sink.append("image is larger than a slot")
        case .storage: sink.append("storage failed")
        case .exited(let code):
            sink.append("exited with code ")
            sink.appendSigned(code)
        case .notReady: sink.append("no health in time")
        case .notReached: sink.append("server not reached in time")
        case .noVerdict: sink.append("trial interrupted too often")
        case .withdrawn: sink.append("withdrawn")
        }
    }
}

extension Reason {
    /// Number of the case in the record; numbers are never given to another case.
    var number: UInt8 {
        switch self {
        case .notAVersion: 1
        case .olderVersion: 2
        case .refused: 3
        case .noProgress: 4
        case .wrongDigest: 5
        case .noDigest: 6
        case .imageEmpty: 7
        case .imageTooLarge: 8
        case .storage: 9
        case .exited: 10
        case .notReady: 11
        case .notReached: 12
        case .noVerdict: 13
        case .withdrawn: 14
        }
    }

    /// The number that a case carries, as 32 bits; 0 for most.
    var detail: UInt32 {
        switch self {
        case .refused(let status): UInt32(status)
        case .exited(let code): UInt32(bitPattern: code)
        default: 0
        }
    }

    /// The case with that number, or `nil` for one this version does not know.
    init?(number: UInt64, detail: UInt32) {
        switch number {
        case 1: self = .notAVersion
        case 2: self = .olderVersion
        case 3: self = .refused(httpStatus: UInt16(truncatingIfNeeded: detail))
        case 4: self = .noProgress
        case 5: self = .wrongDigest
        case 6: self = .noDigest
        case 7: self = .imageEmpty
        case 8: self = .imageTooLarge
        case 9: self = .storage
        case 10: self = .exited(code: Int32(bitPattern: detail))
        case 11: self = .notReady
        case 12: self = .notReached
        case 13: self = .noVerdict
        case 14: self = .withdrawn
        default: return nil
        }
    }
}

extension ByteSink {
    /// Takes `value` in decimal digits, with a minus where it is negative.
    mutating func appendSigned(_ value: Int32) {
        if value < 0 {
            append(UInt8(ascii: "-"))
        }
        appendDecimal(UInt64(value.magnitude))
    }
}
