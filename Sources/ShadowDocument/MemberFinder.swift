import ByteKit
import JSONText

/// Finds members of one object by the names of another one.
///
/// Documents keep their order, so each search starts behind the last hit. Once that has cost more than an
/// index would, an index is made: no choice of names makes a walk over two objects slow.
struct MemberFinder {
    /// Comparisons that may miss before an index is made.
    private static let patience = 256

    private let document: JSONDocument
    private let all: JSONTapeMembers
    private var rest: JSONTapeMembers
    private var misses = 0
    /// Names in order, once made.
    private var index: [UInt32] = []

    /// Searches the object at `object` of `document`.
    init(_ object: Int, of document: JSONDocument) {
        self.document = document
        all = document.tape.members(of: object)
        rest = all
    }

    /// The value of the member called as the name at `name` of `other`.
    mutating func find(_ name: Int, of other: JSONDocument) -> Int? {
        if misses > Self.patience { return search(name, of: other) }
        let here = rest
        while let member = rest.next(in: document.tape) {
            if equal(member.name, name, other) { return member.value }
        }
        rest = all
        while let member = rest.next(in: document.tape), member.name < here.position {
            if equal(member.name, name, other) { return member.value }
        }
        rest = here
        return nil
    }

    private mutating func equal(_ own: Int, _ name: Int, _ other: JSONDocument) -> Bool {
        if order(own, name, other) == 0 { return true }
        misses += 1
        return false
    }

    private func order(_ own: Int, _ name: Int, _ other: JSONDocument) -> Int {
        document.tape.compareNames(own, in: document.text.span, other.tape, name, in: other.text.span)
    }

    private mutating func search(_ name: Int, of other: JSONDocument) -> Int? {
        if index.isEmpty { makeIndex() }
        var (low, high) = (0, index.count)
        while low < high {
            let middle = (low + high) / 2
            let order = order(Int(index[middle]), name, other)
            if order == 0 { return Int(index[middle]) + 1 }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    private mutating func makeIndex() {
        var members = all
        var names: [UInt32] = []
        while let member = members.next(in: document.tape) {
            names.append(UInt32(member.name))
        }
        names.sort { order(Int($0), Int($1), document) < 0 }
        index = names
    }
}

/// Equality of JSON values: arrays in order, objects in any, numbers by value, `true` is not 1 (2.4).
enum JSONEquality {
    static func equal(_ left: Int, _ right: Int, in document: JSONDocument) -> Bool {
        let kind = document.kind(left)
        guard kind == document.kind(right) else { return false }
        let tape = document.tape
        switch kind {
        case .true, .false, .null:
            return true
        case .number:
            let text = document.text.span
            return JSONNumber.equal(text.slice(tape.tokens[left].range), text.slice(tape.tokens[right].range))
        case .string:
            return tape.stringEquals(left, right, in: document.text.span)
        case .array:
            return arrays(left, right, document)
        case .object:
            return objects(left, right, document)
        }
    }

    private static func arrays(_ left: Int, _ right: Int, _ document: JSONDocument) -> Bool {
        let tape = document.tape
        var (a, b) = (left + 1, right + 1)
        while a < tape.end(of: left), b < tape.end(of: right) {
            guard equal(a, b, in: document) else { return false }
            (a, b) = (tape.end(of: a), tape.end(of: b))
        }
        return a == tape.end(of: left) && b == tape.end(of: right)
    }

    private static func objects(_ left: Int, _ right: Int, _ document: JSONDocument) -> Bool {
        guard count(left, document) == count(right, document) else { return false }
        var finder = MemberFinder(right, of: document)
        var members = document.tape.members(of: left)
        while let member = members.next(in: document.tape) {
            guard let other = finder.find(member.name, of: document), equal(member.value, other, in: document)
            else { return false }
        }
        return true
    }

    private static func count(_ object: Int, _ document: JSONDocument) -> Int {
        var members = document.tape.members(of: object)
        var count = 0
        while members.next(in: document.tape) != nil {
            count += 1
        }
        return count
    }
}
