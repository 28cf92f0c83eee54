import ByteKit
import JSONText

/// An accepted update: what is stored now, and the messages that tell of it.
public struct ShadowUpdate: Sendable {
    /// The shadow after the update.
    public var stored: StoredShadow
    /// `update/accepted`, also the HTTP answer (3.2).
    public var accepted: [UInt8]
    /// `update/delta`, where desired and reported differ (3.3).
    public var delta: [UInt8]?
    /// `update/documents` (3.4).
    public var documents: [UInt8]

    /// Bytes of desired and reported together.
    static let documentBytes = 8192
}

extension ShadowRequestBody {
    /// Carries out an update: check, merge, count, tell.
    ///
    /// - Parameters:
    ///   - current: what is stored, nil or a tombstone where the update creates the shadow.
    ///   - seconds: now, since 1970.
    public consuming func update(
        _ current: StoredShadow?, at seconds: UInt64
    ) throws(ShadowRefusal) -> ShadowUpdate {
        var body = self
        try body.checkUpdate()
        let live = current.flatMap { $0.isDeleted ? nil : $0 }
        if let expected = body.expectedVersion, expected != live?.version ?? 0 { throw .versionConflict }
        let stored = try body.merged(live, version: (current?.version ?? 0) + 1, seconds)
        guard let tapes = StoredTapes(stored) else { throw ShadowRefusal(500, "Internal service failure") }
        let answers = ShadowAnswers(token: body.clientToken, seconds: seconds)
        return ShadowUpdate(
            stored: stored, accepted: answers.accepted(body, stored.version),
            delta: ShadowDelta(tapes).map { answers.delta($0, stored.version) },
            documents: answers.documents(live, stored, tapes))
    }

    private func merged(
        _ live: StoredShadow?, version: UInt64, _ seconds: UInt64
    ) throws(ShadowRefusal) -> StoredShadow {
        var merge = ShadowMerge(self, timestamp: seconds)
        let tapes = live.flatMap { StoredTapes($0) }
        merge.document.append(UInt8(ascii: "{"))
        merge.metadata.append(UInt8(ascii: "{"))
        var bytes = 0
        for section in ShadowSection.allCases {
            bytes += write(section, tapes, &merge)
        }
        guard bytes <= ShadowUpdate.documentBytes else { throw .tooLarge }
        merge.document.append(UInt8(ascii: "}"))
        merge.metadata.append(UInt8(ascii: "}"))
        return StoredShadow(
            document: merge.document, metadata: merge.metadata, version: version, isDeleted: false)
    }

    /// Writes one section after the update and answers its bytes; one without members leaves no trace.
    private func write(_ section: ShadowSection, _ tapes: StoredTapes?, _ merge: inout ShadowMerge) -> Int {
        let (documentMark, metadataMark) = (merge.document.count, merge.metadata.count)
        if documentMark > 1 {
            merge.document.append(UInt8(ascii: ","))
            merge.metadata.append(UInt8(ascii: ","))
        }
        JSONWriter.key(section.name, to: &merge.document)
        JSONWriter.key(section.name, to: &merge.metadata)
        let start = merge.document.count
        writeValue(section, tapes, &merge)
        let bytes = merge.document.count - start
        guard bytes > 2 else {
            merge.document.removeSubrange(documentMark...)
            merge.metadata.removeSubrange(metadataMark...)
            return 0
        }
        return bytes
    }

    private func writeValue(_ section: ShadowSection, _ tapes: StoredTapes?, _ merge: inout ShadowMerge) {
        guard tape.tokens[state].kind == .object else { return }
        let patch = tape.member(section.name, of: state, in: text.span)
        let stored = tapes.flatMap { tapes in tapes.section(section).map { (tapes, $0.document, $0.metadata) } }
        switch (patch, stored) {
        case (nil, nil): return
        case (let patch?, _) where tape.tokens[patch].kind == .null: return
        case (let patch?, nil): merge.add(patch)
        case (let patch?, let (tapes, document, times)?): merge.merge(tapes, document, times, with: patch)
        case (nil, let (tapes, document, times)?):
            let range = tapes.document.tokens[document].range
            merge.document.append(contentsOf: tapes.documentText[range.start..<range.end])
            let timeRange = tapes.metadata.tokens[times].range
            merge.metadata.append(contentsOf: tapes.metadataText[timeRange.start..<timeRange.end])
        }
    }
}
