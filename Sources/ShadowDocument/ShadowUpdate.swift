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

    /// Bytes of desired and reported together (2.7).
    static let documentBytes = 8192
}

extension ShadowRequestBody {
    /// Carries out an update: check, merge, count, tell.
    ///
    /// - Parameters:
    ///   - current: what is stored, nil or a tombstone where the update creates the shadow.
    ///   - seconds: now, since 1970.
    /// - Throws: the first rule of 2.8 that is broken.
    public consuming func update(
        _ current: StoredShadow?, at seconds: UInt64
    ) throws(ShadowRefusal) -> ShadowUpdate {
        let update = try checkedUpdate()
        let live = current.flatMap { $0.isDeleted ? nil : $0 }
        switch update.expected {
        case .any: break
        case .exactly(let version): guard version == live?.version ?? 0 else { throw .versionConflict }
        case .beyond: throw .versionConflict
        }
        let before = live.flatMap { OpenShadow($0) }
        // A document that cannot be read must not be taken for an empty one.
        guard live == nil || before != nil else { throw .failure }
        let version = (current?.version ?? 0).addingReportingOverflow(1)
        guard !version.overflow, let after = try update.merged(over: before, version.partialValue, seconds) else {
            throw .failure
        }
        let answers = ShadowAnswers(token: clientToken, seconds: seconds)
        return ShadowUpdate(
            stored: StoredShadow(
                document: after.document.text, metadata: after.times.stored, version: after.version, isDeleted: false),
            accepted: answers.accepted(update.patch, update.index, after.version),
            delta: ShadowDelta(after).map { answers.delta($0, after.version) },
            documents: answers.documents(before, after))
    }
}

extension ShadowRequestBody.Update {
    /// The shadow with the update laid over it; nil where the result cannot be read again.
    fileprivate func merged(
        over before: OpenShadow?, _ version: UInt64, _ seconds: UInt64
    ) throws(ShadowRefusal) -> OpenShadow? {
        var merge = ShadowMerge(patch, over: before, seconds: seconds)
        merge.document.append(UInt8(ascii: "{"))
        var bytes = 0
        for section in ShadowSection.allCases {
            bytes += write(section, before, &merge)
        }
        guard bytes <= ShadowUpdate.documentBytes else { throw .tooLarge }
        merge.document.append(UInt8(ascii: "}"))
        return OpenShadow(merge.document, merge.times, version: version)
    }

    /// Writes one section after the update and answers its bytes; one without members leaves no trace.
    private func write(_ section: ShadowSection, _ before: OpenShadow?, _ merge: inout ShadowMerge) -> Int {
        let mark = merge.document.count
        if mark > 1 { merge.document.append(UInt8(ascii: ",")) }
        JSONWriter.key(section.name, to: &merge.document)
        let start = merge.document.count
        writeValue(section, before?.section(section), &merge)
        let bytes = merge.document.count - start
        guard bytes > 2 else {
            merge.document.removeSubrange(mark...)
            return 0
        }
        return bytes
    }

    private func writeValue(_ section: ShadowSection, _ stored: Int?, _ merge: inout ShadowMerge) {
        let isCleared = patch.kind(index) == .null
        let change = isCleared ? nil : patch.member(section.name, of: index)
        switch (change, stored) {
        case (nil, let stored?) where !isCleared: merge.keep(stored)
        case (nil, let stored?): merge.drop(stored)
        case (nil, nil): break
        case (let change?, let stored?) where patch.kind(change) == .null: merge.drop(stored)
        case (let change?, let stored?): merge.merge(stored, with: change)
        case (let change?, nil) where patch.kind(change) == .null: break
        case (let change?, nil): merge.add(change)
        }
    }
}
