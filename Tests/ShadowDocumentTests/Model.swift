//  The shadow rules once more, as plainly as they can be said: trees, no bytes. Slow and obviously right.

/// A JSON value with its strings decoded and its numbers as they are spelled.
indirect enum JSON: Equatable {
    case object([String: JSON])
    case array([JSON])
    case string(String)
    case number(String)
    case bool(Bool)
    case null

    var members: [String: JSON]? {
        if case .object(let members) = self { return members }
        return nil
    }

    subscript(name: String) -> JSON? { members?[name] }
}

/// A value's times, in its shape.
indirect enum Times: Equatable {
    case object([String: Times])
    case array([Times])
    case leaf(Int)

    var members: [String: Times] {
        if case .object(let members) = self { return members }
        return [:]
    }

    /// All leaves of a value named at one time.
    init(of value: JSON, at seconds: Int) {
        switch value {
        case .object(let members): self = .object(members.mapValues { Times(of: $0, at: seconds) })
        case .array(let elements): self = .array(elements.map { Times(of: $0, at: seconds) })
        default: self = .leaf(seconds)
        }
    }

    /// How clients see them.
    var json: JSON {
        switch self {
        case .object(let members): .object(members.mapValues(\.json))
        case .array(let elements): .array(elements.map(\.json))
        case .leaf(let seconds): .object(["timestamp": .number(String(seconds))])
        }
    }
}

/// A section or a part of one: a value and its times.
struct Timed: Equatable {
    var value: JSON
    var times: Times

    init(_ value: JSON, _ times: Times) {
        (self.value, self.times) = (value, times)
    }

    static let empty = Timed(.object([:]), .object([:]))

    /// 2.3, word by word.
    func merged(_ patch: [String: JSON], at seconds: Int) -> Timed {
        var (members, times) = (value.members ?? [:], times.members)
        for (key, change) in patch {
            switch change {
            case .null:
                members[key] = nil
                times[key] = nil
            case .object(let inner):
                var base = Timed.empty
                if let old = members[key], old.members != nil, let oldTimes = times[key] {
                    base = Timed(old, oldTimes)
                }
                let result = base.merged(inner, at: seconds)
                members[key] = result.value
                times[key] = result.times
            default:
                members[key] = change
                times[key] = Times(of: change, at: seconds)
            }
        }
        return Timed(.object(members), .object(times))
    }

    /// 2.4, word by word, with desired's times.
    func delta(_ reported: JSON) -> Timed? {
        var (members, kept) = ([String: JSON](), [String: Times]())
        for (key, wanted) in value.members ?? [:] {
            guard let time = times.members[key] else { continue }
            guard let other = reported[key] else {
                (members[key], kept[key]) = (wanted, time)
                continue
            }
            if wanted.members != nil, other.members != nil {
                guard let inner = Timed(wanted, time).delta(other) else { continue }
                (members[key], kept[key]) = (inner.value, inner.times)
            } else if !same(wanted, other) {
                (members[key], kept[key]) = (wanted, time)
            }
        }
        return members.isEmpty ? nil : Timed(.object(members), .object(kept))
    }
}

/// Equality in the sense of 2.4; the numbers of the tests are small enough for a Double.
func same(_ left: JSON, _ right: JSON) -> Bool {
    switch (left, right) {
    case (.number(let a), .number(let b)): Double(a) == Double(b)
    case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(same)
    case (.object(let a), .object(let b)):
        a.count == b.count && a.allSatisfy { key, value in b[key].map { same(value, $0) } ?? false }
    default: left == right
    }
}

/// Whether `reported` has all that is desired: the delta's definition from the other side.
func covers(_ reported: JSON, _ desired: JSON) -> Bool {
    guard let wanted = desired.members, let has = reported.members else { return same(desired, reported) }
    return wanted.allSatisfy { key, value in has[key].map { covers($0, value) } ?? false }
}

/// A whole shadow.
struct ModelShadow: Equatable {
    var desired = Timed.empty
    var reported = Timed.empty
    var version = 0

    mutating func update(_ state: JSON, at seconds: Int) {
        version += 1
        guard let sections = state.members else {
            (desired, reported) = (.empty, .empty)
            return
        }
        desired = Self.section(desired, sections["desired"], at: seconds)
        reported = Self.section(reported, sections["reported"], at: seconds)
    }

    private static func section(_ old: Timed, _ change: JSON?, at seconds: Int) -> Timed {
        guard let change else { return old }
        guard let patch = change.members else { return .empty }
        return old.merged(patch, at: seconds)
    }

    private var sections: [(String, Timed)] {
        [("desired", desired), ("reported", reported)].filter { $0.1 != .empty }
    }

    var state: JSON { .object(Dictionary(uniqueKeysWithValues: sections.map { ($0.0, $0.1.value) })) }
    var metadata: JSON { .object(Dictionary(uniqueKeysWithValues: sections.map { ($0.0, $0.1.times.json) })) }
    var delta: Timed? { desired.delta(reported.value) }

    /// What `update/documents` shows of it.
    var snapshot: JSON {
        .object(["state": state, "metadata": metadata, "version": .number(String(version))])
    }
}
