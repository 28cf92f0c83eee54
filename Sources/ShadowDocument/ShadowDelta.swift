import ByteKit
import JSONText

/// What is desired and not reported, with desired's times (2.4, 2.5).
struct ShadowDelta {
    private let document: JSONDocument
    private var cursor: LeafTimesCursor
    private var writer = MetadataWriter()
    private(set) var state: [UInt8] = []
    private(set) var metadata: [UInt8] = []

    /// Nil where nothing differs.
    init?(_ shadow: OpenShadow) {
        guard let desired = shadow.section(.desired) else { return nil }
        document = shadow.document
        // The times of `desired` come first, as in the document.
        cursor = LeafTimesCursor(shadow.times)
        guard let reported = shadow.section(.reported) else {
            include(desired)
            return
        }
        guard objects(desired, reported) else { return nil }
    }

    /// Writes the difference of two objects; false, and nothing written, where there is none.
    private mutating func objects(_ desired: Int, _ reported: Int) -> Bool {
        let (stateMark, metadataMark) = (state.count, metadata.count)
        state.append(UInt8(ascii: "{"))
        metadata.append(UInt8(ascii: "{"))
        var isEmpty = true
        var members = document.tape.members(of: desired)
        var finder = MemberFinder(reported, of: document)
        while let member = members.next(in: document.tape) {
            let (stateBefore, metadataBefore) = (state.count, metadata.count)
            let other = finder.find(member.name, of: document)
            if let other, isSame(member.value, other) {
                cursor.skip(document.leaves(in: member.value))
                continue
            }
            startMember(member.name, isFirst: isEmpty)
            if difference(member.value, other) {
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

    /// Whether two values are equal and at least one of them is no object.
    private func isSame(_ desired: Int, _ reported: Int) -> Bool {
        if document.kind(desired) == .object, document.kind(reported) == .object { return false }
        return JSONEquality.equal(desired, reported, in: document)
    }

    private mutating func difference(_ desired: Int, _ reported: Int?) -> Bool {
        if let reported, document.kind(desired) == .object, document.kind(reported) == .object {
            return objects(desired, reported)
        }
        include(desired)
        return true
    }

    private mutating func include(_ desired: Int) {
        state.copy(document.text, document.bounds(desired))
        writer.write(desired, of: document, &cursor, to: &metadata)
    }

    private mutating func startMember(_ name: Int, isFirst: Bool) {
        let quoted = document.quoted(name)
        if !isFirst {
            state.append(UInt8(ascii: ","))
            metadata.append(UInt8(ascii: ","))
        }
        state.copy(document.text, quoted)
        state.append(UInt8(ascii: ":"))
        metadata.copy(document.text, quoted)
        metadata.append(UInt8(ascii: ":"))
    }
}
