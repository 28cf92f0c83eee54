import ByteKit
import CAgent
import DeviceCore
import Glibc
import JSONText
import Synchronization

/// Log lines as JSON, one each: on standard output, and on the device's log topic while there is a link.
///
/// Lines from before the first link wait, at most `maximumWaiting`; the oldest go first.
final class AgentLog: Sendable {
    /// Lines that wait for a link.
    static let maximumWaiting = 64

    private struct State {
        var waiting: [[UInt8]] = []
        var publish: (@Sendable ([UInt8]) -> Void)?
    }

    private let thing: [UInt8]
    private let state = Mutex(State())

    init(thing: String) {
        self.thing = Array(thing.utf8)
    }

    /// Where lines go besides standard output; `nil` while there is no link.
    func connect(_ publish: (@Sendable ([UInt8]) -> Void)?) {
        let waiting = state.withLock { state in
            state.publish = publish
            guard publish != nil else { return [[UInt8]]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for line in waiting {
            publish?(line)
        }
    }

    func info(_ message: String) { write(.info, nil, Array(message.utf8)) }

    func warning(_ message: String, _ code: LogCode? = nil) { write(.warning, code, Array(message.utf8)) }

    func error(_ message: String, _ code: LogCode? = nil) { write(.error, code, Array(message.utf8)) }

    /// Writes one line.
    func write(_ level: LogLevel, _ code: LogCode?, _ message: [UInt8]) {
        let line = line(level, code, message)
        var output = line
        output.append(UInt8(ascii: "\n"))
        output.withUnsafeBytes { try? Files.append($0, to: STDOUT_FILENO, "standard output") }
        let publish = state.withLock { state in
            guard state.publish == nil else { return state.publish }
            if state.waiting.count >= Self.maximumWaiting {
                state.waiting.removeFirst()
            }
            state.waiting.append(line)
            return nil
        }
        publish?(line)
    }

    private func line(_ level: LogLevel, _ code: LogCode?, _ message: [UInt8]) -> [UInt8] {
        let thing = thing
        var line: [UInt8] = []
        line.append("{\"timestamp\":")
        line.appendDecimal(Clock.date())
        line.append(",\"level\":\"")
        line.append(level.word)
        line.append("\",\"message\":")
        JSONWriter.string(message.span, to: &line)
        if let code {
            line.append(",\"code\":\"")
            line.append(code.word)
            line.append("\"")
        }
        line.append(",\"thingName\":")
        JSONWriter.string(thing.span, to: &line)
        line.append(",\"freeHeap\":")
        line.appendDecimal(apus_agent_free_bytes())
        line.append(",\"usedBytes\":")
        line.appendDecimal(apus_agent_used_bytes())
        line.append("}")
        return line
    }
}
