import ByteKit
import JSONText

/// The payloads that tell of a shadow, in the shape and member order of section 3.
public struct ShadowAnswers: Sendable {
    private let token: [UInt8]?
    private let seconds: UInt64

    /// Answers to a request with this client token (JSON text), made at this time.
    public init(token: [UInt8]?, seconds: UInt64) {
        self.token = token
        self.seconds = seconds
    }

    /// `get/accepted`, also the HTTP answer (3.1); nil where what is stored cannot be read.
    public func get(_ shadow: StoredShadow) -> [UInt8]? {
        guard let shadow = OpenShadow(shadow) else { return nil }
        let text = shadow.document.text
        var out = start(text.count * 5)
        out.copy("{\"state\":")
        out.copy(text, 0..<(text.count - 1))
        if let delta = ShadowDelta(shadow) {
            // A delta needs a `desired` in front of it.
            out.copy(",\"delta\":")
            out.append(contentsOf: delta.state)
        }
        out.copy("},\"metadata\":")
        writeMetadata(of: shadow, to: &out)
        appendVersion(shadow.version, to: &out)
        appendTimestamp(&out)
        return end(out)
    }

    /// `delete/accepted` (3.5): the version that was deleted.
    public func deleted(_ version: UInt64) -> [UInt8] {
        var out = start(0)
        out.copy("{\"version\":")
        out.appendDecimal(version)
        appendTimestamp(&out)
        return end(out)
    }

    /// `…/rejected` (3.6).
    public func rejected(_ refusal: ShadowRefusal) -> [UInt8] {
        var out = start(0)
        out.copy("{\"code\":")
        out.appendDecimal(UInt64(max(0, refusal.code)))
        out.copy(",\"message\":")
        let message = Array(refusal.message.utf8)
        JSONWriter.string(message.span, to: &out)
        return end(out)
    }

    /// `update/accepted` (3.2): the sections and keys of the request, nothing else.
    func accepted(_ patch: JSONDocument, _ index: Int, _ version: UInt64) -> [UInt8] {
        let bounds = patch.bounds(index)
        var out = start(bounds.count * 5)
        out.copy("{\"state\":")
        out.copy(patch.text, bounds)
        out.copy(",\"metadata\":")
        var writer = MetadataWriter()
        var cursor = LeafTimesCursor(LeafTimes(everywhere: seconds))
        writer.write(index, of: patch, &cursor, to: &out)
        appendVersion(version, to: &out)
        appendTimestamp(&out)
        return end(out)
    }

    /// `update/delta` (3.3).
    func delta(_ delta: ShadowDelta, _ version: UInt64) -> [UInt8] {
        var out = start(delta.state.count + delta.metadata.count)
        out.copy("{\"version\":")
        out.appendDecimal(version)
        appendTimestamp(&out)
        out.copy(",\"state\":")
        out.append(contentsOf: delta.state)
        out.copy(",\"metadata\":")
        out.append(contentsOf: delta.metadata)
        return end(out)
    }

    /// `update/documents` (3.4).
    func documents(_ before: OpenShadow?, _ after: OpenShadow) -> [UInt8] {
        var out = start((after.document.text.count + (before?.document.text.count ?? 0)) * 5)
        out.copy("{\"previous\":")
        if let before {
            snapshot(before, to: &out)
        } else {
            out.copy("null")
        }
        out.copy(",\"current\":")
        snapshot(after, to: &out)
        appendTimestamp(&out)
        return end(out)
    }

    private func snapshot(_ shadow: OpenShadow, to out: inout [UInt8]) {
        out.copy("{\"state\":")
        out.append(contentsOf: shadow.document.text)
        out.copy(",\"metadata\":")
        writeMetadata(of: shadow, to: &out)
        appendVersion(shadow.version, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    private func writeMetadata(of shadow: OpenShadow, to out: inout [UInt8]) {
        var writer = MetadataWriter()
        var cursor = LeafTimesCursor(shadow.times)
        writer.write(0, of: shadow.document, &cursor, to: &out)
    }

    // MARK: - Parts

    private func start(_ expectedBytes: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(expectedBytes + 160)
        return out
    }

    private func appendVersion(_ version: UInt64, to out: inout [UInt8]) {
        out.copy(",\"version\":")
        out.appendDecimal(version)
    }

    private func appendTimestamp(_ out: inout [UInt8]) {
        out.copy(",\"timestamp\":")
        out.appendDecimal(seconds)
    }

    private func end(_ out: consuming [UInt8]) -> [UInt8] {
        if let token {
            out.copy(",\"clientToken\":")
            out.append(contentsOf: token)
        }
        out.append(UInt8(ascii: "}"))
        return out
    }
}
