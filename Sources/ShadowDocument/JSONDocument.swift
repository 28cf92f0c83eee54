import ByteKit
import JSONText

/// A text together with its tape.
struct JSONDocument: Sendable {
    let text: [UInt8]
    let tape: JSONTape

    /// Reads a text of our own, in which no object repeats a name.
    init(_ text: [UInt8], maximumDepth: Int) throws(JSONFault) {
        tape = try JSONTape(text.span, maximumDepth: maximumDepth, repeats: .absent)
        self.text = text
    }

    /// A text whose tape the caller has made.
    init(_ text: [UInt8], _ tape: JSONTape) {
        self.text = text
        self.tape = tape
    }

    func kind(_ index: Int) -> JSONKind {
        tape.tokens[index].kind
    }

    func member(_ name: StaticString, of index: Int) -> Int? {
        tape.member(name, of: index, in: text.span)
    }

    /// Where a value's text lies.
    func bounds(_ index: Int) -> Range<Int> {
        let range = tape.tokens[index].range
        return range.start..<range.end
    }

    /// Where a name's text lies, quotes included.
    func quoted(_ name: Int) -> Range<Int> {
        let range = tape.tokens[name].range
        return (range.start - 1)..<(range.end + 1)
    }

    /// Values in the value at `index` that hold no others.
    func leaves(in index: Int) -> Int {
        var count = 0
        for place in index..<tape.end(of: index) where tape.tokens[place].isLeaf {
            count += 1
        }
        return count
    }

    /// Whether the value at `index` is a null or has one in it.
    func hasNull(in index: Int) -> Bool {
        var place = index
        while let next = step(&place, upTo: tape.end(of: index)) {
            if kind(next) == .null { return true }
        }
        return false
    }

    /// Whether some array in the value at `index` has a null in it, at any depth.
    func hasNullInArray(in index: Int) -> Bool {
        var place = index
        while let next = step(&place, upTo: tape.end(of: index)) {
            guard kind(next) == .array else { continue }
            if hasNull(in: next) { return true }
            place = tape.end(of: next)
        }
        return false
    }

    /// The token at `place`, which moves on; superseded members are passed over.
    private func step(_ place: inout Int, upTo end: Int) -> Int? {
        while place < end {
            let token = tape.tokens[place]
            if token.isName, token.isSuperseded {
                place = tape.end(of: place + 1)
            } else {
                place += 1
                return place - 1
            }
        }
        return nil
    }

    /// Nested keys on the longest path in a value; arrays add none (2.7).
    func depth(of index: Int) -> Int {
        var deepest = 0
        switch kind(index) {
        case .object:
            var members = tape.members(of: index)
            while let member = members.next(in: tape) {
                deepest = max(deepest, 1 + depth(of: member.value))
            }
        case .array:
            var next = index + 1
            while next < tape.end(of: index) {
                deepest = max(deepest, depth(of: next))
                next = tape.end(of: next)
            }
        default: break
        }
        return deepest
    }

    /// Writes a value without white space and superseded members.
    func writeCompact(_ index: Int, to sink: inout [UInt8]) {
        switch kind(index) {
        case .object:
            sink.append(UInt8(ascii: "{"))
            let mark = sink.count
            var members = tape.members(of: index)
            while let member = members.next(in: tape) {
                if sink.count > mark { sink.append(UInt8(ascii: ",")) }
                sink.copy(text, quoted(member.name))
                sink.append(UInt8(ascii: ":"))
                writeCompact(member.value, to: &sink)
            }
            sink.append(UInt8(ascii: "}"))
        case .array:
            sink.append(UInt8(ascii: "["))
            var next = index + 1
            while next < tape.end(of: index) {
                if next > index + 1 { sink.append(UInt8(ascii: ",")) }
                writeCompact(next, to: &sink)
                next = tape.end(of: next)
            }
            sink.append(UInt8(ascii: "]"))
        default:
            sink.copy(text, bounds(index))
        }
    }
}

extension [UInt8] {
    /// Appends a part of another text in one step.
    mutating func copy(_ text: [UInt8], _ range: Range<Int>) {
        text.withUnsafeBufferPointer { append(contentsOf: $0[range]) }
    }

    /// Appends a literal in one step.
    mutating func copy(_ literal: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }
}
