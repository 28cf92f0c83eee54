import ByteKit
import JSONText

/// Finds members of one object by the names of another.
///
/// Documents keep the order of their members, so a search starts behind the last hit and wraps around: laying two objects
/// of the same order over each other costs one pass.
struct MemberCursor {
    private let all: JSONTapeMembers
    private var rest: JSONTapeMembers

    /// Searches among these members.
    init(_ members: JSONTapeMembers) {
        all = members
        rest = members
    }

    /// The value of the member that is called as the name at `name` of another tape.
    mutating func find(
        _ name: Int, of other: JSONTape, _ otherText: [UInt8], in tape: JSONTape, _ text: [UInt8]
    ) -> Int? {
        let here = rest
        while let member = rest.next(in: tape) {
            if other.nameEquals(name, in: otherText.span, tape, member.name, in: text.span) { return member.value }
        }
        rest = all
        while let member = rest.next(in: tape), member.name < here.position {
            if other.nameEquals(name, in: otherText.span, tape, member.name, in: text.span) { return member.value }
        }
        rest = here
        return nil
    }
}
