//  The state as a record: JSON text, with a layout number and a CRC-32 over the body.
//
//      {"apus":1,"crc":2774213,"body":{"confirmed":"a","trial":0,"a":"1.0.4","b":"", … }}
//
//  A record is taken whole or not at all. Which copy to use when one is unreadable is the shell's business.

public import ByteKit
import JSONText
import VersionText

/// Why a record cannot be used.
public enum RecordFault: Error, Equatable, Sendable {
    /// It is longer than `DeviceState.maximumRecordBytes`.
    case tooLong
    /// It is not the JSON of a record.
    case malformed
    /// It was written by another layout.
    case unknownLayout(UInt64)
    /// The body is not the one that was written.
    case wrongChecksum
    /// A member is missing or makes no sense.
    case badMember
}

extension DeviceState {
    /// Longest record, in bytes.
    public static let maximumRecordBytes = 4096
    /// Number of the layout that is written and read.
    public static let layout: UInt64 = 1

    /// Writes the record, at most `maximumRecordBytes` bytes.
    public func encode(into sink: inout some ByteSink) {
        var checksum = Checksum()
        writeBody(into: &checksum)
        sink.append("{\"apus\":")
        sink.appendDecimal(Self.layout)
        sink.append(",\"crc\":")
        sink.appendDecimal(UInt64(checksum.value))
        sink.append(",\"body\":")
        writeBody(into: &sink)
        sink.append("}")
    }

    /// Reads a record.
    public static func decode(_ text: Span<UInt8>) throws(RecordFault) -> DeviceState {
        guard text.count <= maximumRecordBytes else { throw .tooLong }
        let root = try root(of: text)
        guard let layout = number("apus", of: root, in: text) else { throw .malformed }
        guard layout == Self.layout else { throw .unknownLayout(layout) }
        guard let crc = number("crc", of: root, in: text),
            let body = JSONScanner.member("body", of: root, in: text)
        else { throw .malformed }
        var checksum = Checksum()
        checksum.append(text.slice(body))
        guard UInt64(checksum.value) == crc else { throw .wrongChecksum }
        guard let state = state(from: body, in: text) else { throw .badMember }
        return state
    }

    private static func root(of text: Span<UInt8>) throws(RecordFault) -> ByteRange {
        do {
            return try JSONScanner.validate(text, maximumDepth: 4)
        } catch {
            throw .malformed
        }
    }
}

// MARK: - Body

extension DeviceState {
    private func writeBody(into sink: inout some ByteSink) {
        sink.append("{\"confirmed\":\"")
        sink.append(slots.confirmed.name)
        sink.append("\",\"a\":\"")
        sink.append(slots.version(of: .a).span)
        sink.append("\",\"b\":\"")
        sink.append(slots.version(of: .b).span)
        sink.append("\",\"trial\":")
        sink.appendDecimal(slots.trial.number)
        writeValue(wanted, after: ",\"wanted\":", into: &sink)
        writeValue(target, after: ",\"target\":", into: &sink)
        sink.append(",\"failures\":")
        sink.appendDecimal(UInt64(failures))
        sink.append(",\"desired\":{")
        desired.write(after: .brace, into: &sink)
        sink.append("},\"reported\":{")
        reported.write(after: .brace, into: &sink)
        sink.append("},\"update\":")
        writeReport(into: &sink)
        sink.append("}")
    }

    private func writeReport(into sink: inout some ByteSink) {
        writeValue(report.version, after: "{\"version\":", into: &sink)
        sink.append(",\"state\":")
        sink.appendDecimal(UInt64(report.state.rawValue))
        sink.append(",\"percent\":")
        sink.appendDecimal(UInt64(report.percent))
        sink.append(",\"reason\":")
        sink.appendDecimal(UInt64(report.reason?.number ?? 0))
        sink.append(",\"detail\":")
        sink.appendDecimal(UInt64(report.reason?.detail ?? 0))
        sink.append(",\"acknowledged\":")
        sink.appendDecimal(report.isAcknowledged ? 1 : 0)
        sink.append("}")
    }

    private func writeValue(_ value: RawValue, after key: StaticString, into sink: inout some ByteSink) {
        sink.append(key)
        if value.isEmpty {
            sink.append("null")
        } else {
            sink.append(value.span)
        }
    }

    private static func state(from body: ByteRange, in text: Span<UInt8>) -> DeviceState? {
        guard let slots = slots(from: body, in: text),
            let wanted = value("wanted", of: body, in: text),
            let target = value("target", of: body, in: text),
            let failures = number("failures", of: body, in: text), failures <= UInt8.max,
            let desired = settings("desired", of: body, in: text),
            let reported = settings("reported", of: body, in: text),
            let update = JSONScanner.member("update", of: body, in: text),
            let report = report(from: update, in: text)
        else { return nil }
        var state = DeviceState(slots: slots)
        state.wanted = wanted
        state.target = target
        state.failures = UInt8(failures)
        state.desired = desired
        state.reported = reported
        state.report = report
        return state
    }

    private static func slots(from body: ByteRange, in text: Span<UInt8>) -> BootSlots? {
        guard let a = version("a", of: body, in: text), let b = version("b", of: body, in: text),
            let trial = number("trial", of: body, in: text).flatMap(BootSlots.Trial.init(number:)),
            let name = JSONScanner.member("confirmed", of: body, in: text)
        else { return nil }
        let quoted = text.slice(name)
        guard quoted.equals("\"a\"") || quoted.equals("\"b\"") else { return nil }
        let confirmed = quoted.equals("\"a\"") ? Slot.a : Slot.b
        guard !(confirmed == .a ? a : b).isEmpty else { return nil }
        return BootSlots(confirmed: confirmed, trial: trial, a: a, b: b)
    }

    private static func report(from update: ByteRange, in text: Span<UInt8>) -> UpdateReport? {
        guard let version = value("version", of: update, in: text),
            let state = number("state", of: update, in: text).flatMap(UpdateState.init(number:)),
            let percent = number("percent", of: update, in: text), percent <= 100,
            let reason = number("reason", of: update, in: text),
            let detail = number("detail", of: update, in: text).flatMap(UInt32.init(exactly:)),
            let acknowledged = number("acknowledged", of: update, in: text)
        else { return nil }
        var report = UpdateReport()
        report.version = version
        report.state = state
        report.percent = UInt8(percent)
        report.reason = Reason(number: reason, detail: detail)
        report.isAcknowledged = acknowledged == 1
        return report
    }
}

// MARK: - Members

extension DeviceState {
    private static func number(_ name: StaticString, of object: ByteRange, in text: Span<UInt8>) -> UInt64? {
        guard let place = JSONScanner.member(name, of: object, in: text) else { return nil }
        return JSONScanner.unsigned(of: place, in: text)
    }

    /// A raw value; empty for `null`, `nil` where it is missing or too long.
    private static func value(_ name: StaticString, of object: ByteRange, in text: Span<UInt8>) -> RawValue? {
        guard let place = JSONScanner.member(name, of: object, in: text) else { return nil }
        let raw = text.slice(place)
        guard !raw.equals("null") else { return RawValue() }
        let value = RawValue(raw)
        return value.overflowed ? nil : value
    }

    private static func version(
        _ name: StaticString,
        of object: ByteRange,
        in text: Span<UInt8>
    ) -> BootSlots.Version? {
        guard let place = JSONScanner.member(name, of: object, in: text) else { return nil }
        var version = BootSlots.Version()
        guard JSONScanner.string(of: place, in: text, into: &version), !version.overflowed else { return nil }
        return version.isEmpty || VersionText.isValid(version.span) ? version : nil
    }

    private static func settings(_ name: StaticString, of object: ByteRange, in text: Span<UInt8>)
        -> Settings?
    {
        guard let place = JSONScanner.member(name, of: object, in: text) else { return nil }
        var settings = Settings()
        var members = JSONScanner.members(of: place)
        while let member = members.next(in: text) {
            guard !member.keyHasEscape,
                settings.set(text.slice(member.key), to: text.slice(member.value)) == .changed
            else { return nil }
        }
        return settings
    }
}

extension UpdateState {
    fileprivate init?(number: UInt64) {
        guard let value = UInt8(exactly: number) else { return nil }
        self.init(rawValue: value)
    }
}

extension BootSlots.Trial {
    /// Number in the record: 0 none, 1 pending, 1 + n for n starts.
    fileprivate var number: UInt64 {
        switch self {
        case .none: 0
        case .pending: 1
        case .started(let count): 1 + UInt64(count)
        }
    }

    fileprivate init?(number: UInt64) {
        switch number {
        case 0: self = .none
        case 1: self = .pending
        case 2...UInt64(BootSlots.maximumStarts) + 1: self = .started(UInt8(number - 1))
        default: return nil
        }
    }
}
