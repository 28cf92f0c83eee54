import ByteKit
import JSONText

/// When each leaf of a document was last named, in the order of the document.
///
/// Leaves that stand together mostly have one time, so runs are kept: stored as `[seconds,count,seconds,count…]`.
struct LeafTimes: Equatable, Sendable {
    struct Run: Equatable, Sendable {
        var seconds: UInt64
        var count: Int
    }

    private(set) var runs: [Run] = []

    init() {}

    /// One time for any number of leaves.
    init(everywhere seconds: UInt64) {
        runs = [Run(seconds: seconds, count: .max)]
    }

    /// Reads what `stored` wrote, or the older form: the document's shape with bare seconds as leaves.
    ///
    /// Stops where it is something else.
    init(stored text: [UInt8]) {
        let span = text.span
        if text.first == UInt8(ascii: "{") {
            readShape(span)
            return
        }
        var elements = JSONScanner.elements(of: ByteRange(start: 0, count: span.count))
        while let seconds = elements.next(in: span), let count = elements.next(in: span) {
            guard let seconds = JSONScanner.unsigned(of: seconds, in: span),
                let count = JSONScanner.unsigned(of: count, in: span), count <= UInt64(JSONTape.maximumBytes)
            else { return }
            append(seconds, count: Int(count))
        }
    }

    /// Reads the times of a tree, whose leaves stand in the document's order.
    private mutating func readShape(_ text: Span<UInt8>) {
        guard let tape = try? JSONTape(text, maximumDepth: OpenShadow.depth, repeats: .absent) else { return }
        for token in tape.tokens where token.isLeaf {
            append(JSONScanner.unsigned(of: token.range, in: text) ?? 0, count: 1)
        }
    }

    /// The form in which it is stored.
    var stored: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(runs.count * 16 + 2)
        text.append(UInt8(ascii: "["))
        for run in runs {
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            text.appendDecimal(run.seconds)
            text.append(UInt8(ascii: ","))
            text.appendDecimal(UInt64(run.count))
        }
        text.append(UInt8(ascii: "]"))
        return text
    }

    /// Adds `count` leaves with one time behind the others.
    mutating func append(_ seconds: UInt64, count: Int) {
        guard count > 0 else { return }
        if let last = runs.indices.last, runs[last].seconds == seconds {
            runs[last].count += count
        } else {
            runs.append(Run(seconds: seconds, count: count))
        }
    }
}

/// Goes through the times along with a walk through their document.
///
/// Behind the last time it answers 0: metadata that does not fit its document harms nobody.
struct LeafTimesCursor {
    private let runs: [LeafTimes.Run]
    private var index = 0
    private var used = 0

    init(_ times: LeafTimes) {
        runs = times.runs
    }

    /// The time of the next leaf.
    mutating func next() -> UInt64 {
        guard index < runs.count else { return 0 }
        let seconds = runs[index].seconds
        advance(1)
        return seconds
    }

    /// Passes over `count` leaves.
    mutating func skip(_ count: Int) {
        take(count) { _, _ in }
    }

    /// Passes over `count` leaves and adds their times to `times`.
    mutating func copy(_ count: Int, to times: inout LeafTimes) {
        take(count) { times.append($0, count: $1) }
    }

    private mutating func take(_ count: Int, _ body: (UInt64, Int) -> Void) {
        var rest = count
        while rest > 0 {
            guard index < runs.count else {
                body(0, rest)
                return
            }
            let part = min(rest, runs[index].count - used)
            body(runs[index].seconds, part)
            advance(part)
            rest -= part
        }
    }

    private mutating func advance(_ count: Int) {
        used += count
        guard used >= runs[index].count else { return }
        index += 1
        used = 0
    }
}
