import Logging
import Synchronization

extension LoggingSystem {
    private static let isDone = Mutex(false)

    /// Sends all log lines to standard error: standard output belongs to results.
    static func bootstrapOnce() {
        let isFirst = isDone.withLock { done in
            defer { done = true }
            return !done
        }
        guard isFirst else { return }
        bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .notice
            return handler
        }
    }
}
