import Accounts
import Broker
import BrokerNIO
import Foundation
import HTTPAPI
import Logging
import MQTTWire
import Operations
import ServiceLifecycle
import Store
import NIOCore

/// Connects the parts of the server, which do not know each other.
enum Wiring {
    /// Sends what a commit causes to the broker and to the owners' pages, in the order of the commits.
    static func route(_ store: Store, to broker: BrokerServer, _ hub: EventHub) {
        store.deliverEffects { effects in
            var messages: [(topic: [UInt8], payload: [UInt8])] = []
            for effect in effects {
                switch effect {
                case .publish(let topic, let payload): messages.append((topic, payload))
                case .event(let event): hub.publish(event)
                case .changed(let thing): hub.changed(thing)
                case .disconnect(let thing): broker.disconnect(thing: thing)
                case .revoked(let credential): broker.disconnect(credential: credential)
                case .logged(let lines): hub.publish(lines)
                }
            }
            if !messages.isEmpty { broker.publish(messages) }
        }
    }

    /// What programs ask of the broker over HTTP.
    static func programs(_ broker: BrokerServer) -> BrokerCalls {
        BrokerCalls(
            publish: { try await broker.publish($0, as: $1) }, send: { try await broker.send($0, to: $1) },
            client: { try await broker.client($0) },
            disconnect: { try await broker.disconnect(client: $0, endsSession: $1, dropsWill: $2) })
    }

    /// What the broker asks of the rest.
    static func hooks(_ operations: Operations, _ logs: LogCollector, sendWindow: Int, isDevelopment: Bool)
        -> BrokerHooks
    {
        BrokerHooks(
            authenticate: { credentials, answer in
                if isDevelopment { return answer(.accepted(.administrator)) }
                Task { answer(await Doorkeeper.judge(credentials, operations)) }
            },
            request: { request, answer in carryOut(request, operations, answer) },
            deviceLog: { thing, payload in logs.take(thing: thing, payload: payload) },
            presence: { thing, isConnected, address, reason in
                operations.notePresence(
                    thing: String(decoding: thing, as: UTF8.self), isConnected: isConnected, address: address,
                    reason: reason)
            },
            commit: { changes, answer in operations.store(changes) { answer($0.completion) } },
            read: { read, answer in operations.read(read) { answer(try? $0.get()) } },
            restore: { answer in
                Task {
                    // A full disk can still be read: letting clients in before it takes a write would throw them out again.
                    let isWritable = (try? await operations.proveWritable()) != nil
                    answer(isWritable ? try? await operations.restoredBrokerState(sendWindow: sendWindow) : nil)
                }
            })
    }
}

extension Wiring {
    private static func carryOut(
        _ request: ServiceRequest, _ operations: Operations, _ answer: @escaping @Sendable (RequestOutcome) -> Void
    ) {
        switch request.service {
        case .shadow, .shadowThrottled:
            let isThrottled = request.service == .shadowThrottled
            operations.shadowRequest(topic: request.topic, payload: request.payload, isThrottled: isThrottled) {
                answer($0.completion == .done ? .done : .failed)
            }
        case .jobs:
            operations.jobRequest(topic: request.topic, payload: request.payload) { result in
                switch result {
                case .success(let message?): answer(.answered(topic: message.topic, payload: message.payload))
                case .success(nil): answer(.done)
                case .failure: answer(.failed)
                }
            }
        }
    }
}

extension Result {
    fileprivate var completion: Completion {
        switch self {
        case .success: .done
        case .failure: .failed
        }
    }
}

/// Judges MQTT clients: access key, device certificate, device token, or an operator's token as password.
enum Doorkeeper {
    static func judge(_ credentials: Credentials, _ operations: Operations) async -> Verdict {
        do {
            if let key = credentials.signer { return .accepted(.administrator, credential: key) }
            if let thing = credentials.certificateThing {
                let name = String(decoding: thing, as: UTF8.self)
                guard try await operations.authenticateDevice(thing: name, token: nil) else {
                    return .refused(
                        .notAuthorized,
                        why:
                            "the certificate names \"\(name)\", which is no device here or was revoked: apus device add"
                    )
                }
                return .accepted(.device(thing: thing))
            }
            guard let password = credentials.password.flatMap({ String(validating: $0, as: UTF8.self) }) else {
                return .refused(
                    .notAuthorized, why: "no certificate and no password; register it: apus device add NAME --token")
            }
            if let user = credentials.userName.flatMap({ String(validating: $0, as: UTF8.self) }),
                try await operations.authenticateDevice(thing: user, token: password)
            {
                return .accepted(.device(thing: Array(user.utf8)))
            }
            if let caller = try await operations.caller(secret: password), caller.role.covers(.operator) {
                return .accepted(.administrator, credential: caller.label)
            }
            return .refused(.badUserNameOrPassword, why: "user name and token fit no device and no operator")
        } catch {
            return .refused(.serverUnavailable, why: "\(error)")
        }
    }
}

/// Looks after deadlines, old logs and quiet streams.
struct Maintenance: Service {
    let operations: Operations
    let hub: EventHub
    let logger: Logger

    func run() async throws {
        var rounds = 0
        for await _ in AsyncTimer(every: .seconds(10)).cancelOnGracefulShutdown() {
            hub.tick()
            rounds += 1
            do {
                try await operations.wakeOffers()
                guard rounds % 6 == 0 else { continue }
                try await operations.lookAfterDeadlines()
                try await operations.trimLogs()
            } catch {
                logger.error("maintenance failed", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// Carries out what jobs ask for: rollouts, timers, schedules.
struct JobClock: Service {
    let operations: Operations
    let logger: Logger

    func run() async throws {
        for await _ in AsyncTimer(every: .seconds(1)).cancelOnGracefulShutdown() {
            do {
                try await operations.lookAfterJobs()
            } catch {
                logger.error("jobs could not be looked after", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// Ticks at a fixed interval.
struct AsyncTimer: AsyncSequence, Sendable {
    typealias Element = Void
    let interval: Duration

    init(every interval: Duration) {
        self.interval = interval
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let interval: Duration

        mutating func next() async -> Void? {
            do {
                try await Task.sleep(for: interval)
                return ()
            } catch {
                return nil
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(interval: interval)
    }
}

/// Says goodbye to MQTT clients and ends open streams when the server is told to stop.
struct Farewell: Service {
    let broker: BrokerServer
    let hub: EventHub
    let listeners: [any Channel]

    func run() async throws {
        try? await gracefulShutdown()
        for listener in listeners {
            try? await listener.close()
        }
        await broker.shutDown()
        hub.close()
    }
}
