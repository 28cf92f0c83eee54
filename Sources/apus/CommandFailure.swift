import ArgumentParser
import Foundation

/// A failure that the user sees: what, why, what to do.
struct CommandFailure: Error, CustomStringConvertible {
    /// Exit codes of the command line.
    enum Code: Int32 {
        case failed = 1
        case cancelled = 2
        case notFound = 3
        case signIn = 4
        case refused = 5
        case usage = 64
        case unreachable = 69
    }

    var what: String
    var why: String
    var advice: String
    var code: Code

    init(_ what: String, _ why: String, _ advice: String, code: Code = .failed) {
        self.what = what
        self.why = why
        self.advice = advice
        self.code = code
    }

    var description: String {
        "\(what): \(why)" + (advice.isEmpty ? "" : "\n  -> \(advice)")
    }
}

/// Writes lines to standard error; standard output is for results.
enum Console {
    static func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    static func result(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    static func isTerminal(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1
    }
}
