import ByteKit
import JSONText

/// A stored shadow, read: its document on a tape, its times in runs.
struct OpenShadow: Sendable {
    /// Levels of containers that a stored document may have: more than the reader of requests takes.
    static let depth = 128

    let document: JSONDocument
    let times: LeafTimes
    let version: UInt64

    /// Nil where what is stored is no JSON object.
    init?(_ shadow: StoredShadow) {
        self.init(shadow.document, LeafTimes(stored: shadow.metadata), version: shadow.version)
    }

    /// Nil where `text` is no JSON object.
    init?(_ text: [UInt8], _ times: LeafTimes, version: UInt64) {
        guard let document = try? JSONDocument(text, maximumDepth: Self.depth), document.kind(0) == .object else {
            return nil
        }
        self.document = document
        self.times = times
        self.version = version
    }

    /// The index of a section that has members.
    func section(_ section: ShadowSection) -> Int? {
        guard let index = document.member(section.name, of: 0), document.kind(index) == .object else { return nil }
        return index
    }
}

/// Writes metadata in the shape that clients see: the state with `{"timestamp":seconds}` for each leaf (2.5).
struct MetadataWriter {
    private var seconds: UInt64 = 0
    /// The leaf for `seconds`; times repeat.
    private var leaf = Array("{\"timestamp\":0}".utf8)

    /// Writes the metadata of the value at `index`, whose text must be compact.
    ///
    /// All between the leaves is the same in state and metadata and is copied as it stands.
    mutating func write(
        _ index: Int, of document: JSONDocument, _ cursor: inout LeafTimesCursor, to sink: inout [UInt8]
    ) {
        let bounds = document.bounds(index)
        var copied = bounds.lowerBound
        document.text.withUnsafeBufferPointer { text in
            for place in index..<document.tape.end(of: index) {
                let token = document.tape.tokens[place]
                guard token.isLeaf else { continue }
                sink.append(contentsOf: text[copied..<token.range.start])
                appendLeaf(cursor.next(), to: &sink)
                copied = token.range.end
            }
            sink.append(contentsOf: text[copied..<bounds.upperBound])
        }
    }

    private mutating func appendLeaf(_ seconds: UInt64, to sink: inout [UInt8]) {
        if seconds != self.seconds {
            self.seconds = seconds
            leaf.removeAll(keepingCapacity: true)
            leaf.copy("{\"timestamp\":")
            leaf.appendDecimal(seconds)
            leaf.append(UInt8(ascii: "}"))
        }
        sink.append(contentsOf: leaf)
    }
}
