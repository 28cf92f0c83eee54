import ByteKit
import JSONText

/// The payloads that tell of a shadow, in the shape and member order of section 3.
public struct ShadowAnswers: Sendable {
    let token: [UInt8]?
    let seconds: UInt64

    /// Answers to a request with this client token (JSON text), made at this time.
    public init(token: [UInt8]?, seconds: UInt64) {
        self.token = token
        self.seconds = seconds
    }

    func accepted(_ body: ShadowRequestBody, _ version: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"state\":" as StaticString)
        JSONCopy.compact(body.tape, body.text, body.state, to: &out)
        out.append(",\"metadata\":" as StaticString)
        MetadataWriter.stamp(body.tape, body.text, body.state, seconds, to: &out)
        end(&out, version)
        return out
    }

    func delta(_ delta: ShadowDelta, _ version: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"version\":" as StaticString)
        out.appendDecimal(version)
        out.append(",\"timestamp\":" as StaticString)
        out.appendDecimal(seconds)
        out.append(",\"state\":" as StaticString)
        out.append(contentsOf: delta.state)
        out.append(",\"metadata\":" as StaticString)
        out.append(contentsOf: delta.metadata)
        appendToken(&out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    func documents(_ before: StoredShadow?, _ after: StoredShadow, _ tapes: StoredTapes) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"previous\":" as StaticString)
        if let before, let old = StoredTapes(before) {
            snapshot(old, before.version, to: &out)
        } else {
            out.append("null" as StaticString)
        }
        out.append(",\"current\":" as StaticString)
        snapshot(tapes, after.version, to: &out)
        out.append(",\"timestamp\":" as StaticString)
        out.appendDecimal(seconds)
        appendToken(&out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    private func snapshot(_ tapes: StoredTapes, _ version: UInt64, to out: inout [UInt8]) {
        out.append("{\"state\":" as StaticString)
        out.append(contentsOf: tapes.documentText)
        out.append(",\"metadata\":" as StaticString)
        MetadataWriter.expand(tapes.metadata, tapes.metadataText, 0, to: &out)
        out.append(",\"version\":" as StaticString)
        out.appendDecimal(version)
        out.append(UInt8(ascii: "}"))
    }

    /// `get/accepted`, also the HTTP answer (3.1); nil where what is stored cannot be read.
    public func get(_ shadow: StoredShadow) -> [UInt8]? {
        guard let tapes = StoredTapes(shadow) else { return nil }
        var out: [UInt8] = []
        out.append("{\"state\":" as StaticString)
        out.append(contentsOf: tapes.documentText.dropLast())
        if let delta = ShadowDelta(tapes) {
            if tapes.documentText.count > 2 { out.append(UInt8(ascii: ",")) }
            out.append("\"delta\":" as StaticString)
            out.append(contentsOf: delta.state)
        }
        out.append("},\"metadata\":" as StaticString)
        MetadataWriter.expand(tapes.metadata, tapes.metadataText, 0, to: &out)
        end(&out, shadow.version)
        return out
    }

    /// `delete/accepted` (3.5): the version that was deleted.
    public func deleted(_ version: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"version\":" as StaticString)
        out.appendDecimal(version)
        out.append(",\"timestamp\":" as StaticString)
        out.appendDecimal(seconds)
        appendToken(&out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    /// `…/rejected` (3.6).
    public func rejected(_ refusal: ShadowRefusal) -> [UInt8] {
        var out: [UInt8] = []
        out.append("{\"code\":" as StaticString)
        out.appendDecimal(UInt64(max(0, refusal.code)))
        out.append(",\"message\":" as StaticString)
        let message = Array(refusal.message.utf8)
        JSONWriter.string(message.span, to: &out)
        appendToken(&out)
        out.append(UInt8(ascii: "}"))
        return out
    }

    private func end(_ out: inout [UInt8], _ version: UInt64) {
        out.append(",\"version\":" as StaticString)
        out.appendDecimal(version)
        out.append(",\"timestamp\":" as StaticString)
        out.appendDecimal(seconds)
        appendToken(&out)
        out.append(UInt8(ascii: "}"))
    }

    private func appendToken(_ out: inout [UInt8]) {
        guard let token else { return }
        out.append(",\"clientToken\":" as StaticString)
        out.append(contentsOf: token)
    }
}
