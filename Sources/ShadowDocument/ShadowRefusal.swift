/// Why a request was refused: AWS's code and text.
public struct ShadowRefusal: Error, Equatable, Sendable {
    /// A number like an HTTP status.
    public var code: Int
    /// Words that clients match on.
    public var message: String

    /// Takes code and text.
    public init(_ code: Int, _ message: String) {
        self.code = code
        self.message = message
    }

    static let notUTF8 = ShadowRefusal(415, "Unsupported documented encoding; supported encoding is UTF-8")
    static let invalidJSON = ShadowRefusal(400, "Invalid JSON")
    static let invalidToken = ShadowRefusal(400, "Invalid clientToken")
    static let missingState = ShadowRefusal(400, "Missing required node: state")
    static let stateNotObject = ShadowRefusal(400, "State node must be an object")
    static let tooDeep = ShadowRefusal(400, "JSON contains too many levels of nesting; maximum is 8")
    static let invalidVersion = ShadowRefusal(400, "Invalid version")
    static let versionConflict = ShadowRefusal(409, "Version conflict")
    static let tooLarge = ShadowRefusal(413, "The payload exceeds the maximum size allowed")
    static let failure = ShadowRefusal(500, "Internal service failure")
}
