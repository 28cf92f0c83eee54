package import Broker
package import MQTTWire

/// How a client's credentials were judged.
package enum Verdict: Sendable {
    /// Let in, with the rights of the principal; `credential` names the operator's token or access key.
    case accepted(Principal, credential: String? = nil)
    /// Kept out, and why, for the log.
    case refused(ReasonCode, why: String)
}

/// Whether something that was asked for is done and on disk.
package enum Completion: Sendable {
    case done
    case failed
}

/// What became of a request to a service.
package enum RequestOutcome: Sendable {
    /// Carried out or refused, and told to whoever subscribed.
    case done
    /// The same, with a message for the connection that asked alone.
    case answered(topic: [UInt8], payload: [UInt8])
    /// The server could not.
    case failed
}

/// What the broker needs from the rest of the server.
///
/// Each hook returns at once; answers may come from any thread.
package struct BrokerHooks: Sendable {
    /// Judges a CONNECT.
    package var authenticate: @Sendable (Credentials, _ answer: @escaping @Sendable (Verdict) -> Void) -> Void
    /// Carries out a request to a service; the messages it causes come back through `BrokerServer.publish` before the
    /// outcome.
    package var request: @Sendable (ServiceRequest, _ answer: @escaping @Sendable (RequestOutcome) -> Void) -> Void
    /// Takes a line of a device's log.
    package var deviceLog: @Sendable (_ thing: [UInt8], _ payload: [UInt8]) -> Void
    /// Takes note of a thing that came or went, and why it went, in AWS's words.
    package var presence:
        @Sendable (_ thing: [UInt8], _ isConnected: Bool, _ address: String, _ reason: String?) -> Void
    /// Stores changes of sessions, queues and retained messages.
    package var commit: @Sendable ([DurableChange], _ answer: @escaping @Sendable (Completion) -> Void) -> Void
    /// Reads a page of a queue that is stored; nil where it cannot be read.
    package var read: @Sendable (QueueRead, _ answer: @escaping @Sendable (QueuePage?) -> Void) -> Void
    /// Reads what is stored, after a commit failed; nil where it cannot be read.
    package var restore: @Sendable (_ answer: @escaping @Sendable (RestoredState?) -> Void) -> Void

    package init(
        authenticate: @escaping @Sendable (Credentials, _ answer: @escaping @Sendable (Verdict) -> Void) -> Void,
        request: @escaping @Sendable (ServiceRequest, @escaping @Sendable (RequestOutcome) -> Void) -> Void,
        deviceLog: @escaping @Sendable ([UInt8], [UInt8]) -> Void,
        presence: @escaping @Sendable ([UInt8], Bool, String, String?) -> Void,
        commit: @escaping @Sendable ([DurableChange], @escaping @Sendable (Completion) -> Void) -> Void,
        read: @escaping @Sendable (QueueRead, @escaping @Sendable (QueuePage?) -> Void) -> Void,
        restore: @escaping @Sendable (@escaping @Sendable (RestoredState?) -> Void) -> Void
    ) {
        self.authenticate = authenticate
        self.request = request
        self.deviceLog = deviceLog
        self.presence = presence
        self.commit = commit
        self.read = read
        self.restore = restore
    }
}
