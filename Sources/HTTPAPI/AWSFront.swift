import Broker
import Foundation
import HTTPTypes
import Hummingbird
import JobService
import Logging
import Operations
import ShadowService

//  AWS IoT's services at the root: `iot-data`, `iot-jobs-data` and `iot` behind one address (spec 6).
//
//  A request is read whole, then it is found out who asks and which service it is for, then the service answers. Paths of
//  two services collide: the signature's scope tells them apart, and without one the path decides.

/// Which of AWS's services a request is for.
enum AWSService {
    /// Shadows, messages, connections: `iot-data`.
    case data
    /// What a device asks of its jobs: `iot-jobs-data`.
    case jobs
    /// Things, groups and jobs: `iot`, the control plane.
    case control

    /// The service for a path.
    ///
    /// - Parameter scope: the service in the signature's scope, if there is one.
    init(path: [String], scope: String?) {
        switch path.first {
        case "topics", "retainedMessage", "connections", "api": self = .data
        case "things" where path.count > 2 && path[2] == "shadow": self = .data
        case "things" where path.count > 2 && path[2] == "jobs": self = scope == "iot" ? .control : .jobs
        default: self = .control
        }
    }
}

/// One request to a service of AWS, read and judged.
struct AWSCall {
    let method: String
    let target: HTTPTarget
    let request: Request
    let body: [UInt8]
    /// Whose rights it has.
    let principal: Principal

    /// A parameter of the query.
    func query(_ name: String) -> String? { target.query.last { $0.name == name }?.value }

    /// Lets a device go on only where it asks about its own thing.
    func admit(to thing: String) throws(AWSFault) {
        switch principal {
        case .administrator: break
        case .device(let own): guard own == Array(thing.utf8) else { throw .forbidden }
        }
    }

    /// Lets operators go on and no devices.
    func admitOperator() throws(AWSFault) {
        guard principal == .administrator else { throw .forbidden }
    }
}

/// The front door of AWS's services.
struct AWSFront {
    /// Bytes of a body: a job's document with every byte escaped, and what stands around it.
    private static let bodyLimit = IoTRequest.maximumBodyBytes

    let access: AWSAccess
    let data: IoTData
    let jobs: IoTJobsData
    let control: IoTControl

    func add(to router: Router<APIContext>) {
        let roots = [
            "things", "jobs", "thing-groups", "topics", "retainedMessage", "connections", "endpoint",
            "event-configurations", "api/things",
        ]
        for root in roots {
            for method in [HTTPRequest.Method.get, .post, .put, .patch, .delete] {
                router.on("\(root)", method: method, use: respond)
                router.on("\(root)/**", method: method, use: respond)
            }
        }
    }

    @Sendable private func respond(_ request: Request, _ context: APIContext) async -> Response {
        do {
            return try await answer(request, context)
        } catch let fault as AWSFault {
            return fault.response
        } catch let refusal as IoTRefusal {
            return AWSFault(refusal).response
        } catch {
            context.logger.error(
                "an AWS request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return AWSFault.internalFailure.response
        }
    }

    private func answer(_ request: Request, _ context: APIContext) async throws -> Response {
        let text = Array((request.head.path ?? "").utf8)
        guard let target = HTTPTarget(text.span) else { throw AWSFault.invalid("The path or the query is malformed") }
        guard let body = try? await request.bodyBytes(limit: Self.bodyLimit) else { throw AWSFault.tooLarge }
        let (principal, scope) = try await access.judge(request, context, body)
        let call = AWSCall(
            method: request.method.rawValue, target: target, request: request, body: body, principal: principal)
        switch AWSService(path: target.segments, scope: scope) {
        case .data: return try await data.answer(call)
        case .jobs: return try await jobs.answer(call)
        case .control: return try await control.answer(call)
        }
    }
}

/// What a device asks of its jobs over HTTP (spec 13).
struct IoTJobsData {
    let operations: Operations

    func answer(_ call: AWSCall) async throws -> Response {
        let asked: JobRequest?
        do throws(JobRefusal) {
            asked = try JobRequest.parse(method: call.method, call.target)
        } catch {
            throw AWSFault(error, body: JobService.body(of: error))
        }
        guard let asked else { throw AWSFault.methodNotAllowed }
        try call.admit(to: asked.thing)
        switch try await operations.jobRequest(asked, payload: call.body) {
        case .success(let body): return AWSAnswer.success(body)
        case .refusal(let refusal, let body): throw AWSFault(refusal, body: body)
        }
    }
}

/// Things, groups and jobs for a maker's programs (spec 10, 14).
struct IoTControl {
    let operations: Operations

    func answer(_ call: AWSCall) async throws -> Response {
        guard call.principal == .administrator else { throw AWSFault.unauthorized }
        if let asked = try IoTSettings.parse(method: call.method, call.target, body: call.body.span) {
            return AWSAnswer.success(try await answer(asked, call))
        }
        let seconds = UInt64(Date().timeIntervalSince1970)
        let asked = try IoTRequest.parse(method: call.method, call.target, body: call.body.span, seconds: seconds)
        guard let asked else { throw AWSFault.unknownOperation }
        return AWSAnswer.success(try await operations.iot(asked))
    }

    private func answer(_ asked: IoTSettings, _ call: AWSCall) async throws -> [UInt8] {
        switch asked {
        // All services are where this request came to.
        case .describeEndpoint: return IoTSettings.endpoint(call.request.head.authority ?? "localhost")
        case .describeEvents: return try await operations.eventConfigurations().description
        case .updateEvents(let changes):
            try await operations.switchEvents(changes)
            return []
        }
    }
}
