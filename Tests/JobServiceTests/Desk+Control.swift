//  The control plane of the desk: each operation loads values, asks the core, and stores.
import ByteKit
import JobService

extension Desk {
    /// A request of the service `iot`; the answer as `200 {…}` or `404 ResourceNotFoundException …`.
    mutating func iot(_ method: String, _ path: String, _ payload: String = "") -> String {
        iot(method, path, bytes: Array(payload.utf8))
    }

    mutating func iot(_ method: String, _ path: String, bytes body: [UInt8]) -> String {
        let bytes = Array(path.utf8)
        guard let target = HTTPTarget(bytes.span) else { return "no target" }
        do throws(IoTRefusal) {
            let request = try IoTRequest.parse(method: method, target, body: body.span, seconds: now)
            guard let request else { return "no request" }
            var context = context()
            let answer = try carryOut(request, &context)
            clock()
            return answer.isEmpty ? "200" : "200 \(String(decoding: answer, as: UTF8.self))"
        } catch {
            refusalBody = String(decoding: error.body, as: UTF8.self)
            let ids = error.resource.map { " \($0.arn)" } ?? ""
            return "\(error.exception.status) \(error.exception.rawValue) \(error.message)\(ids)"
        }
    }

    /// Creates a job with `{"op":"x"}` for things, and more members.
    mutating func create(_ id: String = "J", for things: [String] = ["T"], _ more: String = "") -> String {
        let targets = things.map { "\"arn:aws:iot:us-east-1:000000000000:thing/\($0)\"" }.joined(separator: ",")
        let members = more.isEmpty ? "" : "," + more
        return iot("PUT", "/jobs/\(id)", #"{"targets":[\#(targets)],"document":"{\"op\":\"x\"}"\#(members)}"#)
    }

    private mutating func carryOut(_ request: IoTRequest, _ context: inout JobContext) throws(IoTRefusal) -> [UInt8] {
        let arns = context.arns
        switch request {
        case .createJob(let create):
            let found = members(of: create.targets)
            let (job, publications) = try Job.create(
                create, existing: jobs[create.id], unknown: unknown(create.targets), things: UInt64(found.count),
                fetched: create.documentSource.map { _ in Array(#"{"from":"source"}"#.utf8) }, &context)
            jobs[job.id] = job
            waiting[job.id] = found
            publish(publications)
            return job.named(arns)
        case .describeJob(let id): return try job(id).description(arns)
        case .getJobDocument(let id): return try job(id).documentAnswer
        case .updateJob(let id, let update):
            var job = try job(id)
            try job.update(update, context)
            jobs[id] = job
            return []
        case .cancelJob(let id, let cancellation, let force):
            var job = try job(id)
            publish(try job.cancel(cancellation, force: force, by: &context))
            jobs[id] = job
            return job.named(arns)
        case .deleteJob(let id, let force):
            var job = try job(id)
            publish(try job.delete(force: force, by: &context))
            jobs[id] = job
            return []
        case .associateTargets(let id, let targets, let comment):
            var job = try job(id)
            let had = members(of: job.targets)
            let new = members(of: targets).filter { !had.contains($0) }
            try job.associate(
                targets, comment: comment, unknown: unknown(targets), things: UInt64(new.count), context)
            jobs[id] = job
            waiting[id, default: []] += new
            return job.named(arns)
        case .listJobs(let filter, let page):
            let group = groups.values.first { $0.name == filter.groupName || $0.id == filter.groupID }
            let rows = jobs.values.filter { filter.shows($0, group: group) && $0.id > page.after ?? "" }
            return Job.list(rows.sorted { $0.id < $1.id }, page, group: group, arns)
        case .listExecutionsForJob, .listExecutionsForThing, .describeExecution, .cancelExecution, .deleteExecution:
            return try executions(request, context)
        default:
            return try registry(request, &context)
        }
    }

    private mutating func executions(_ request: IoTRequest, _ context: JobContext) throws(IoTRefusal) -> [UInt8] {
        switch request {
        case .listExecutionsForJob(let id, let status, let page):
            _ = try job(id)
            let rows = executions.values.joined().filter {
                $0.key.jobID == id && status ?? $0.status == $0.status && $0.keyInJob > page.after ?? ""
            }
            return JobExecution.listForJob(rows.sorted { $0.keyInJob < $1.keyInJob }, page, context.arns)
        case .listExecutionsForThing(let thing, let status, let jobID, let page):
            let rows = executions[thing, default: []].filter {
                status ?? $0.status == $0.status && jobID ?? $0.key.jobID == $0.key.jobID
                    && $0.keyOnThing > page.after ?? ""
            }
            return JobExecution.listForThing(rows.sorted { $0.keyOnThing < $1.keyOnThing }, page)
        case .describeExecution(let thing, let id, let number):
            return try load(thing).find(id, number).description(context)
        case .cancelExecution(let thing, let id, let cancellation):
            var things = load(thing)
            try things.cancel(id, cancellation)
            store(things.changes(), thing)
        case .deleteExecution(let thing, let key, let force):
            var things = load(thing)
            try things.delete(key, force: force)
            store(things.changes(), thing)
        default: break
        }
        return []
    }

    private func job(_ id: String) throws(IoTRefusal) -> Job {
        guard let job = jobs[id] else { throw Job.notFound(id) }
        return job
    }

    // MARK: - Targets

    private func unknown(_ targets: [JobTarget]) -> JobTarget? {
        targets.first { target in
            switch target {
            case .thing(let name): things[name] == nil
            case .group(let name): groups[name] == nil
            }
        }
    }

    private func members(of targets: [JobTarget]) -> [String] {
        var found: Set<String> = []
        for target in targets {
            switch target {
            case .thing(let name): found.insert(name)
            case .group(let name):
                found.formUnion(
                    things.keys.filter { thing in
                        memberships[thing, default: []].contains { path(of: $0).contains(name) }
                    })
            }
        }
        return found.sorted()
    }

    /// A group and those around it, from the root.
    func path(of group: String) -> [String] {
        guard let parent = groups[group]?.parent else { return [group] }
        return path(of: parent) + [group]
    }

    /// The groups that a thing is in, and those around them.
    func surroundings(_ thing: String) -> Set<String> {
        Set(memberships[thing, default: []].flatMap { path(of: $0) })
    }

    /// Tells all jobs that a thing was in other groups.
    mutating func regroup(_ thing: String, from old: Set<String>) {
        let new = surroundings(thing)
        for id in jobs.keys.sorted() {
            switch jobs[id]?.regroup(thing, from: old, to: new) {
            case .queue: queue(id, on: thing, .joined)
            case .wait: waiting[id, default: []].append(thing)
            case .remove:
                forget(thing, of: id)
                change(thing) { $0.remove(id) }
            case .some(.none), nil: break
            }
        }
    }

    /// Takes a thing off a list of waiting targets.
    mutating func forget(_ thing: String, of id: String) {
        guard let place = waiting[id]?.firstIndex(of: thing) else { return }
        waiting[id]?.remove(at: place)
        var context = context()
        if let publications = jobs[id]?.forgetWaiting(&context) { publish(publications) }
    }
}
