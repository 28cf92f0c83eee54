import ByteKit
import JSONText

/// What is desired and not reported, with desired's times (2.4, 2.5).
struct ShadowDelta {
    private let tapes: StoredTapes
    var state: [UInt8] = []
    var metadata: [UInt8] = []

    /// Nil where nothing differs.
    init?(_ tapes: StoredTapes) {
        self.tapes = tapes
        guard let desired = tapes.section(.desired) else { return nil }
        guard let reported = tapes.section(.reported) else {
            state = Array(tapes.documentText[bounds(desired.document)])
            MetadataWriter.expand(tapes.metadata, tapes.metadataText, desired.metadata, to: &metadata)
            return
        }
        guard objects(desired.document, desired.metadata, reported.document) else { return nil }
    }

    private func bounds(_ index: Int) -> Range<Int> {
        let range = tapes.document.tokens[index].range
        return range.start..<range.end
    }

    /// Writes the difference of two objects; false, and nothing written, where there is none.
    private mutating func objects(_ desired: Int, _ times: Int, _ reported: Int) -> Bool {
        let (stateMark, metadataMark) = (state.count, metadata.count)
        state.append(UInt8(ascii: "{"))
        metadata.append(UInt8(ascii: "{"))
        var isEmpty = true
        var members = tapes.document.members(of: desired)
        var timeMembers = tapes.metadata.members(of: times)
        var cursor = MemberCursor(tapes.document.members(of: reported))
        while let member = members.next(in: tapes.document), let time = timeMembers.next(in: tapes.metadata) {
            let (stateBefore, metadataBefore) = (state.count, metadata.count)
            startMember(member.name, isFirst: isEmpty)
            let other = cursor.find(
                member.name, of: tapes.document, tapes.documentText, in: tapes.document, tapes.documentText)
            if difference(member.value, time.value, other) {
                isEmpty = false
            } else {
                state.removeSubrange(stateBefore...)
                metadata.removeSubrange(metadataBefore...)
            }
        }
        guard !isEmpty else {
            state.removeSubrange(stateMark...)
            metadata.removeSubrange(metadataMark...)
            return false
        }
        state.append(UInt8(ascii: "}"))
        metadata.append(UInt8(ascii: "}"))
        return true
    }

    private mutating func difference(_ desired: Int, _ times: Int, _ reported: Int?) -> Bool {
        let tape = tapes.document
        if let reported {
            if tape.tokens[desired].kind == .object, tape.tokens[reported].kind == .object {
                return objects(desired, times, reported)
            }
            if JSONEquality.equal(tape, tapes.documentText, desired, reported) { return false }
        }
        state.append(contentsOf: tapes.documentText[bounds(desired)])
        MetadataWriter.expand(tapes.metadata, tapes.metadataText, times, to: &metadata)
        return true
    }

    private mutating func startMember(_ name: Int, isFirst: Bool) {
        let range = tapes.document.tokens[name].range
        let quoted = tapes.documentText[(range.start - 1)..<(range.end + 1)]
        if !isFirst {
            state.append(UInt8(ascii: ","))
            metadata.append(UInt8(ascii: ","))
        }
        state.append(contentsOf: quoted)
        state.append(UInt8(ascii: ":"))
        metadata.append(contentsOf: quoted)
        metadata.append(UInt8(ascii: ":"))
    }
}

/// Equality of JSON values: arrays in order, objects in any, numbers by value, `true` is not 1.
enum JSONEquality {
    static func equal(_ tape: JSONTape, _ text: [UInt8], _ left: Int, _ right: Int) -> Bool {
        let (a, b) = (tape.tokens[left], tape.tokens[right])
        guard a.kind == b.kind else { return false }
        switch a.kind {
        case .true, .false, .null: return true
        case .number: return JSONNumber.equal(text.span.slice(a.range), text.span.slice(b.range))
        case .string: return tape.stringEquals(left, right, in: text.span)
        case .array: return arrays(tape, text, left, right)
        case .object: return objects(tape, text, left, right)
        }
    }

    private static func arrays(_ tape: JSONTape, _ text: [UInt8], _ left: Int, _ right: Int) -> Bool {
        var (a, b) = (left + 1, right + 1)
        while a < tape.end(of: left), b < tape.end(of: right) {
            guard equal(tape, text, a, b) else { return false }
            (a, b) = (tape.end(of: a), tape.end(of: b))
        }
        return a == tape.end(of: left) && b == tape.end(of: right)
    }

    private static func objects(_ tape: JSONTape, _ text: [UInt8], _ left: Int, _ right: Int) -> Bool {
        var count = 0
        var lefts = tape.members(of: left)
        while let member = lefts.next(in: tape) {
            count += 1
            var rights = tape.members(of: right)
            var found: Int?
            while found == nil, let other = rights.next(in: tape) {
                if tape.nameEquals(member.name, in: text.span, tape, other.name, in: text.span) { found = other.value }
            }
            guard let found, equal(tape, text, member.value, found) else { return false }
        }
        var rights = tape.members(of: right)
        while rights.next(in: tape) != nil {
            count -= 1
        }
        return count == 0
    }
}
