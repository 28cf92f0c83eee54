import ByteKit
import JSONText

/// Lays an update over a stored section and writes document and metadata side by side (2.3, 2.5).
struct ShadowMerge {
    let patch: JSONTape
    let patchText: [UInt8]
    let timestamp: UInt64
    var document: [UInt8] = []
    var metadata: [UInt8] = []
    /// Members of the patch that met a stored one.
    private var met: [Bool]

    init(_ body: ShadowRequestBody, timestamp: UInt64) {
        patch = body.tape
        patchText = body.text
        self.timestamp = timestamp
        met = Array(repeating: false, count: body.tape.tokens.count)
    }

    /// Writes the stored object at `index` with the patch's object at `patchIndex` laid over it.
    ///
    /// The metadata of an object has its members in the same order, so both are walked in step.
    mutating func merge(_ stored: StoredTapes, _ index: Int, _ times: Int, with patchIndex: Int) {
        document.append(UInt8(ascii: "{"))
        metadata.append(UInt8(ascii: "{"))
        let (documentMark, metadataMark) = (document.count, metadata.count)
        var members = stored.document.members(of: index)
        var timeMembers = stored.metadata.members(of: times)
        var cursor = MemberCursor(patch.members(of: patchIndex))
        while let member = members.next(in: stored.document), let time = timeMembers.next(in: stored.metadata) {
            guard let found = cursor.find(member.name, of: stored.document, stored.documentText, in: patch, patchText)
            else {
                startMember(stored.documentText, stored.document.tokens[member.name], documentMark, metadataMark)
                copy(stored.documentText, stored.document.tokens[member.value].range, to: &document)
                copy(stored.metadataText, stored.metadata.tokens[time.value].range, to: &metadata)
                continue
            }
            met[found] = true
            let kind = patch.tokens[found].kind
            guard kind != .null else { continue }
            startMember(stored.documentText, stored.document.tokens[member.name], documentMark, metadataMark)
            if kind == .object, stored.document.tokens[member.value].kind == .object {
                merge(stored, member.value, time.value, with: found)
            } else {
                add(found)
            }
        }
        addNew(patchIndex, documentMark, metadataMark)
        document.append(UInt8(ascii: "}"))
        metadata.append(UInt8(ascii: "}"))
    }

    /// Writes the patch's value at `index` as a new one: nulls in objects are left out, every leaf gets the time.
    mutating func add(_ index: Int) {
        switch patch.tokens[index].kind {
        case .object:
            document.append(UInt8(ascii: "{"))
            metadata.append(UInt8(ascii: "{"))
            addNew(index, document.count, metadata.count)
            document.append(UInt8(ascii: "}"))
            metadata.append(UInt8(ascii: "}"))
        case .array:
            addArray(index)
        default:
            copy(patchText, patch.tokens[index].range, to: &document)
            metadata.appendDecimal(timestamp)
        }
    }

    private mutating func addNew(_ patchIndex: Int, _ documentMark: Int, _ metadataMark: Int) {
        var members = patch.members(of: patchIndex)
        while let member = members.next(in: patch) {
            guard !met[member.value], patch.tokens[member.value].kind != .null else { continue }
            startMember(patchText, patch.tokens[member.name], documentMark, metadataMark)
            add(member.value)
        }
    }

    private mutating func addArray(_ index: Int) {
        document.append(UInt8(ascii: "["))
        metadata.append(UInt8(ascii: "["))
        var next = index + 1
        while next < patch.end(of: index) {
            if next > index + 1 {
                document.append(UInt8(ascii: ","))
                metadata.append(UInt8(ascii: ","))
            }
            add(next)
            next = patch.end(of: next)
        }
        document.append(UInt8(ascii: "]"))
        metadata.append(UInt8(ascii: "]"))
    }

    private mutating func startMember(
        _ text: [UInt8], _ name: JSONToken, _ documentMark: Int, _ metadataMark: Int
    ) {
        if document.count > documentMark { document.append(UInt8(ascii: ",")) }
        if metadata.count > metadataMark { metadata.append(UInt8(ascii: ",")) }
        // The quotes stand around the range.
        let quoted = ByteRange(start: name.range.start - 1, count: name.range.count + 2)
        copy(text, quoted, to: &document)
        document.append(UInt8(ascii: ":"))
        copy(text, quoted, to: &metadata)
        metadata.append(UInt8(ascii: ":"))
    }

    private func copy(_ text: [UInt8], _ range: ByteRange, to sink: inout [UInt8]) {
        sink.append(contentsOf: text[range.start..<range.end])
    }
}

/// A stored shadow, read into tapes.
struct StoredTapes {
    let documentText: [UInt8]
    let metadataText: [UInt8]
    let document: JSONTape
    let metadata: JSONTape

    /// Nil where what is stored is no JSON: then it is treated as an empty shadow.
    init?(_ shadow: StoredShadow) {
        let (documentText, metadataText) = (shadow.document, shadow.metadata)
        guard let document = try? JSONTape(documentText.span, maximumDepth: 128),
            let metadata = try? JSONTape(metadataText.span, maximumDepth: 128)
        else { return nil }
        self.documentText = documentText
        self.metadataText = metadataText
        self.document = document
        self.metadata = metadata
    }

    func section(_ section: ShadowSection) -> (document: Int, metadata: Int)? {
        guard let index = document.member(section.name, of: 0, in: documentText.span),
            let times = metadata.member(section.name, of: 0, in: metadataText.span)
        else { return nil }
        return (index, times)
    }
}
