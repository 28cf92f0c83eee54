import ByteKit

/// How much a log line matters.
public enum LogLevel: Equatable, Sendable {
    /// The course of things.
    case info
    /// Something that mends itself.
    case warning
    /// Something that somebody may want to look at.
    case error

    /// The word in the log.
    public var word: StaticString {
        switch self {
        case .info: "info"
        case .warning: "warn"
        case .error: "error"
        }
    }
}

/// The error codes of the device's log.
public enum LogCode: Equatable, Sendable {
    /// The shadow could not be read.
    case shadowFailed
    /// An update attempt failed.
    case updateFailed
    /// The server did not take a report.
    case reportFailed
    /// Local storage failed.
    case storageFailed

    /// The code in the log.
    public var word: StaticString {
        switch self {
        case .shadowFailed: "SHADOW_FAILED"
        case .updateFailed: "OTA_UPDATE_FAILED"
        case .reportFailed: "CONFIG_REPORT_FAILED"
        case .storageFailed: "IO_FAILED"
        }
    }
}

/// What the core has to say about one thing that happened.
enum LogLine: Equatable, Sendable {
    case started(Slot, Run)
    case downloadBegins
    case downloadStarted(total: UInt64, offset: UInt64)
    case downloadBroken(received: UInt64)
    case confirmed
    case failed(Reason)
    case rolledBack(Reason)
    case cancelled
    case settingsApplied
    case settingRefused
    case shadowUnreadable
    case shadowRejected(code: UInt64)
    case reportRejected(code: UInt64)
    case programExited(code: Int32)
    case saveFailed
    case applyFailed
}

extension LogLine {
    var level: LogLevel {
        switch self {
        case .started, .downloadBegins, .downloadStarted, .confirmed, .cancelled, .settingsApplied: .info
        case .downloadBroken, .settingRefused: .warning
        default: .error
        }
    }

    var code: LogCode? {
        switch self {
        case .failed, .rolledBack: .updateFailed
        case .settingRefused, .shadowUnreadable, .shadowRejected: .shadowFailed
        case .reportRejected: .reportFailed
        case .saveFailed, .applyFailed: .storageFailed
        default: nil
        }
    }

    /// Writes the sentence; plain ASCII apart from version texts, which need no escaping either.
    func write(into sink: inout some ByteSink) {
        switch self {
        case .started(let slot, let run):
            sink.append(run == .trial ? "starting on trial from slot " : "starting from slot ")
            sink.append(slot.name)
        case .downloadBegins: sink.append("downloading")
        case .downloadStarted(let total, let offset): writeDownload(total, offset, into: &sink)
        case .downloadBroken(let received):
            sink.append("download interrupted at byte ")
            sink.appendDecimal(received)
        case .confirmed: sink.append("update confirmed")
        case .failed(let reason): write(reason, after: "update failed: ", into: &sink)
        case .rolledBack(let reason): write(reason, after: "update rolled back: ", into: &sink)
        case .cancelled: sink.append("update cancelled: no longer desired")
        case .settingsApplied: sink.append("settings applied")
        case .settingRefused: sink.append("setting ignored: not a scalar, too long, or one too many")
        case .shadowUnreadable: sink.append("shadow message is unreadable")
        case .applyFailed: sink.append("settings could not be stored")
        case .saveFailed: sink.append("record could not be saved")
        default: writeCode(into: &sink)
        }
    }

    private func writeDownload(_ total: UInt64, _ offset: UInt64, into sink: inout some ByteSink) {
        sink.append("download runs from byte ")
        sink.appendDecimal(offset)
        sink.append(" of ")
        sink.appendDecimal(total)
    }

    private func write(_ reason: Reason, after words: StaticString, into sink: inout some ByteSink) {
        sink.append(words)
        reason.write(into: &sink)
    }

    private func writeCode(into sink: inout some ByteSink) {
        switch self {
        case .shadowRejected(let code):
            sink.append("shadow not given, code ")
            sink.appendDecimal(code)
        case .reportRejected(let code):
            sink.append("report refused, code ")
            sink.appendDecimal(code)
        case .programExited(let code):
            sink.append("firmware exited with code ")
            sink.appendSigned(code)
        default: break
        }
    }
}

/// A few log lines that wait to be drawn; more are counted out.
struct LogQueue: Sendable {
    private var lines = InlineArray<8, LogLine>(repeating: .cancelled)
    private var count = 0

    mutating func add(_ line: LogLine) {
        guard count < lines.count else { return }
        lines[count] = line
        count += 1
    }

    mutating func next() -> LogLine? {
        guard count > 0 else { return nil }
        let first = lines[0]
        for index in 1..<count {
            lines[index - 1] = lines[index]
        }
        count -= 1
        return first
    }
}
