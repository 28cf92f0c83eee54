import ByteKit

/// AWS's exceptions of the `iot` and `iot-jobs-data` services (6.3).
package enum IoTException: String, CaseIterable, Sendable {
    /// A member is missing or breaks its rule.
    case invalidRequest = "InvalidRequestException"
    /// No such thing, group, job or execution.
    case resourceNotFound = "ResourceNotFoundException"
    /// The name is in use for something else.
    case resourceAlreadyExists = "ResourceAlreadyExistsException"
    /// The expected version is not the current one.
    case versionConflict = "VersionConflictException"
    /// What was asked for cannot follow the present state.
    case invalidStateTransition = "InvalidStateTransitionException"
    /// A describe of an execution that is over (data plane).
    case terminalState = "TerminalStateException"
    /// Too many requests.
    case throttling = "ThrottlingException"
    /// The server could not.
    case serviceUnavailable = "ServiceUnavailableException"

    /// The HTTP status; throttling is 429 on the data plane and 400 on the control plane.
    package var status: Int {
        switch self {
        case .invalidRequest, .throttling: 400
        case .resourceNotFound: 404
        case .resourceAlreadyExists, .versionConflict, .invalidStateTransition: 409
        case .terminalState: 410
        case .serviceUnavailable: 503
        }
    }
}

/// Why a request of the control plane was refused: AWS's exception and words.
package struct IoTRefusal: Error, Equatable, Sendable {
    /// What goes into the status and into `x-amzn-ErrorType`.
    package var exception: IoTException
    /// Words for people.
    package var message: String
    /// `resourceId` and `resourceArn` of what has the name already.
    package var resource: Resource?

    /// What a ResourceAlreadyExistsException names.
    package struct Resource: Equatable, Sendable {
        /// `resourceId`.
        package var id: String
        /// `resourceArn`.
        package var arn: String
    }

    /// Takes exception and words.
    package init(_ exception: IoTException, _ message: String, resource: Resource? = nil) {
        self.exception = exception
        self.message = message
        self.resource = resource
    }

    /// The body of the HTTP answer.
    package var body: [UInt8] {
        .object {
            $0.string("message", message)
            $0.string("resourceId", resource?.id)
            $0.string("resourceArn", resource?.arn)
        }
    }

    static func invalid(_ path: String, _ rule: String) -> IoTRefusal {
        IoTRefusal(.invalidRequest, "Invalid value at '\(path)': \(rule)")
    }

    static func missing(_ path: String) -> IoTRefusal {
        IoTRefusal(
            .invalidRequest, "Value null at '\(path)' failed to satisfy constraint: Member must not be null")
    }

    static func notFound(_ kind: String, _ name: String) -> IoTRefusal {
        IoTRefusal(.resourceNotFound, "\(kind) '\(name)' does not exist")
    }

    static let versionConflict = IoTRefusal(.versionConflict, "Version conflict")
}

/// Why a device's request was refused: code and words of 12.2.
package struct JobRefusal: Error, Equatable, Sendable {
    /// The member `code` of a rejected message.
    package enum Code: String, CaseIterable, Sendable {
        /// A topic under `…/jobs/` that is no request.
        case invalidTopic = "InvalidTopic"
        /// The payload is no JSON object.
        case invalidJSON = "InvalidJson"
        /// A member breaks its rule.
        case invalidRequest = "InvalidRequest"
        /// The execution is over and cannot be updated.
        case invalidStateTransition = "InvalidStateTransition"
        /// No such job, or no execution of it for this thing.
        case resourceNotFound = "ResourceNotFound"
        /// The expected version is not the current one.
        case versionMismatch = "VersionMismatch"
        /// The execution is over and is not described any more.
        case terminalStateReached = "TerminalStateReached"
        /// Too many requests.
        case requestThrottled = "RequestThrottled"
        /// The server could not.
        case internalError = "InternalError"

        /// What it is called over HTTP (13).
        package var exception: IoTException {
            switch self {
            case .invalidTopic, .invalidJSON, .invalidRequest: .invalidRequest
            case .invalidStateTransition, .versionMismatch: .invalidStateTransition
            case .resourceNotFound: .resourceNotFound
            case .terminalStateReached: .terminalState
            case .requestThrottled: .throttling
            case .internalError: .serviceUnavailable
            }
        }

        /// The HTTP status on the data plane.
        package var status: Int { self == .requestThrottled ? 429 : exception.status }
    }

    /// Which one.
    package var code: Code
    /// Words for people.
    package var message: String
    /// The execution whose state goes along.
    package var execution: JobExecution?

    /// Takes code and words.
    package init(_ code: Code, _ message: String, execution: JobExecution? = nil) {
        self.code = code
        self.message = message
        self.execution = execution
    }

    static let noRequest = JobRefusal(.invalidTopic, "The topic is no request of the jobs service")
    static let tooLarge = JobRefusal(
        .invalidRequest, "The payload has more than \(JobRequestBody.maximumBytes) bytes")
    static let notJSON = JobRefusal(.invalidJSON, "The payload is not a JSON object in UTF-8")
    static let missingStatus = JobRefusal(
        .invalidRequest, "Value null at 'status' failed to satisfy constraint: Member must not be null")

    static func invalid(_ member: String, _ rule: String) -> JobRefusal {
        JobRefusal(.invalidRequest, "Invalid value at '\(member)': \(rule)")
    }

    static func over(_ execution: JobExecution) -> JobRefusal {
        JobRefusal(
            .invalidStateTransition, "The execution of job '\(execution.key.jobID)' is \(execution.status.rawValue)",
            execution: execution)
    }

    static func otherVersion(_ execution: JobExecution) -> JobRefusal {
        JobRefusal(
            .versionMismatch, "Expected version does not match the current version \(execution.version)",
            execution: execution)
    }
}
