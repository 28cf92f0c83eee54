//  The dull loop around the core: keeps what must be stored, does the work that jobs ask for, and shows messages as text.
import ByteKit
import JobService

struct Desk {
    var things: [String: Thing] = [:]
    var groups: [String: ThingGroup] = [:]
    /// The groups of each thing.
    var memberships: [String: [String]] = [:]
    var jobs: [String: Job] = [:]
    var executions: [String: [JobExecution]] = [:]
    /// Targets that a rollout has not reached.
    var waiting: [String: [String]] = [:]
    var now: UInt64
    /// `TOPIC PAYLOAD`, with all event identifiers alike.
    var published: [String] = []
    /// The body of the last refusal of the control plane.
    var refusalBody = ""
    private var seed: UInt64 = 0
    private let arns = ARNs()

    init(at now: UInt64 = 1, things: [String] = []) {
        self.now = now
        for thing in things {
            _ = iot("POST", "/things/\(thing)")
        }
        published = []
    }

    mutating func context() -> JobContext {
        seed += 1
        return JobContext(seconds: now, seed: seed)
    }

    // MARK: - Devices

    /// A request on `$aws/things/THING/jobs/SUFFIX`; the answer as `accepted {…}`.
    mutating func mqtt(_ suffix: String, _ payload: String = "", thing: String = "T") -> String {
        mqtt(suffix, bytes: Array(payload.utf8), thing: thing)
    }

    mutating func mqtt(_ suffix: String, bytes: [UInt8], thing: String = "T") -> String {
        let topic = Array("$aws/things/\(thing)/jobs/\(suffix)".utf8)
        guard let request = JobRequest.parse(topic: topic.span) else { return "no request" }
        let outcome = JobService.answer(request, payload: bytes.span, load(request.thing), from: .mqtt)
        store(outcome.changes, request.thing)
        let (isAccepted, body): (Bool, [UInt8]) =
            switch outcome.answer {
            case .success(let body): (true, body)
            case .refusal(_, let body): (false, body)
            }
        let word = request.answerTopic(isAccepted: isAccepted).dropFirst(topic.count + 1)
        return "\(word) \(String(decoding: body, as: UTF8.self))"
    }

    /// A request of `iot-jobs-data`; the answer as `200 {…}` or `404 ResourceNotFoundException {…}`.
    mutating func http(_ method: String, _ path: String, _ payload: String = "") -> String {
        func text(_ refusal: JobRefusal, _ body: [UInt8]) -> String {
            let name = refusal.code.exception.rawValue
            return "\(refusal.code.status) \(name) \(String(decoding: body, as: UTF8.self))"
        }
        let bytes = Array(path.utf8)
        let body = Array(payload.utf8)
        guard let target = HTTPTarget(bytes.span) else { return "no target" }
        do throws(JobRefusal) {
            guard let request = try JobRequest.parse(method: method, target) else { return "no request" }
            let outcome = JobService.answer(request, payload: body.span, load(request.thing), from: .http)
            store(outcome.changes, request.thing)
            switch outcome.answer {
            case .success(let body): return "200 \(String(decoding: body, as: UTF8.self))"
            case .refusal(let refusal, let body): return text(refusal, body)
            }
        } catch {
            return text(error, JobService.body(of: error))
        }
    }

    // MARK: - One thing's transaction

    mutating func load(_ thing: String) -> ThingJobs {
        let mine = executions[thing, default: []]
        let ids = Set(mine.map(\.key.jobID))
        return ThingJobs(
            thing: thing, executions: mine.reversed(), jobs: jobs.values.filter { ids.contains($0.id) },
            context: context())
    }

    mutating func store(_ changes: JobChanges, _ thing: String) {
        for execution in changes.executions {
            executions[thing, default: []].removeAll { $0.key == execution.key }
            executions[thing, default: []].append(execution)
        }
        executions[thing]?.removeAll { changes.deleted.contains($0.key) }
        for job in changes.jobs {
            jobs[job.id] = job
        }
        publish(changes.publications)
    }

    mutating func publish(_ publications: [JobPublication]) {
        for publication in publications {
            let text = String(decoding: publication.payload, as: UTF8.self)
            let plain = text.replacing(#/"eventId":"[0-9a-f-]{36}"/#, with: #""eventId":"E""#)
            published.append("\(publication.topic) \(plain)")
        }
    }

    /// What was published since the last call.
    mutating func heard() -> [String] {
        defer { published = [] }
        return published
    }

    /// What was heard on topics under a prefix, without it.
    mutating func heard(_ prefix: String) -> [String] {
        heard().filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    // MARK: - Work

    /// Lets time pass, from deadline to deadline, doing what is due.
    mutating func wait(seconds: UInt64) {
        let end = now + seconds
        while now < end {
            let timers = executions.values.joined().compactMap(\.deadline)
            let due = (timers + jobs.values.compactMap { $0.deadline(at: now) }).min() ?? end
            now = min(end, max(now + 1, due))
            clock()
        }
    }

    mutating func clock() {
        for thing in executions.keys.sorted() {
            var things = load(thing)
            guard let deadline = things.deadline, deadline <= now else { continue }
            things.clock()
            store(things.changes(), thing)
        }
        for id in jobs.keys.sorted() {
            if let deadline = jobs[id]?.deadline(at: now), deadline <= now { advance(id) }
        }
    }

    /// Does all that a job asks for, until it asks for nothing or a portion finds nothing.
    mutating func advance(_ id: String) {
        var context = context()
        if let publications = jobs[id]?.clock(&context) { publish(publications) }
        while let work = jobs[id]?.work(at: now), carryOut(work, for: id, &context) {}
    }

    /// Whether a portion found something to do.
    private mutating func carryOut(_ work: JobWork, for id: String, _ context: inout JobContext) -> Bool {
        let found: [String]
        switch work {
        case .queue(let count):
            found = Array(waiting[id, default: []].prefix(count))
            waiting[id]?.removeFirst(found.count)
            for thing in found {
                queue(id, on: thing, .rollout)
            }
        case .cancel(let status, let count):
            found = things(with: id, count, status)
            for thing in found {
                change(thing) { $0.cancel(id) }
            }
        case .delete(let count):
            found = things(with: id, count, nil)
            for thing in found {
                change(thing) { $0.delete(id) }
            }
        case .forget:
            if let job = jobs.removeValue(forKey: id) { publish([job.deleted(&context)]) }
            waiting[id] = nil
            return true
        }
        return !found.isEmpty
    }

    mutating func queue(_ id: String, on thing: String, _ reason: QueueReason) {
        let mine = executions[thing, default: []]
        let ids = Set(mine.map(\.key.jobID) + [id])
        var things = ThingJobs(
            thing: thing, executions: mine, jobs: jobs.values.filter { ids.contains($0.id) }, context: context())
        things.queue(id, reason)
        store(things.changes(), thing)
    }

    mutating func change(_ thing: String, _ change: (inout ThingJobs) -> Void) {
        var things = load(thing)
        change(&things)
        store(things.changes(), thing)
    }

    private func things(with id: String, _ count: Int, _ status: ExecutionStatus?) -> [String] {
        let holders = executions.filter { $0.value.contains { $0.key.jobID == id && status ?? $0.status == $0.status } }
        return Array(holders.keys.sorted().prefix(count))
    }

    /// Names and statuses of a thing's executions of a job: `1:FAILED 2:QUEUED`.
    func statuses(_ job: String = "J", on thing: String = "T") -> String {
        executions[thing, default: []].filter { $0.key.jobID == job }.sorted { $0.key.number < $1.key.number }
            .map { "\($0.key.number):\($0.status.rawValue)" }.joined(separator: " ")
    }
}

/// Names of things.
func fleet(_ count: Int) -> [String] { (0..<count).map { "T\(1000 + $0)" } }

/// A rollout as CreateJob takes it.
func rollout(_ members: String) -> String { #""jobExecutionsRolloutConfig":{\#(members)}"# }
