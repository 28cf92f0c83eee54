import ByteKit
import JSONText

/// Lays an update over a stored section and writes the document and its times side by side (2.3, 2.5).
struct ShadowMerge {
    private let patch: JSONDocument
    private let seconds: UInt64
    private let stored: JSONDocument?
    private var storedTimes: LeafTimesCursor
    var document: [UInt8] = []
    private(set) var times = LeafTimes()
    /// Members of the patch that met a stored one.
    private var met: [Bool] = []

    /// Lays `patch`, which is compact, over `shadow`; its sections must be visited in their order.
    init(_ patch: JSONDocument, over shadow: OpenShadow?, seconds: UInt64) {
        self.patch = patch
        self.seconds = seconds
        stored = shadow?.document
        storedTimes = LeafTimesCursor(shadow?.times ?? LeafTimes())
        document.reserveCapacity(patch.text.count + (stored?.text.count ?? 0))
        if stored != nil { met = Array(repeating: false, count: patch.tape.tokens.count) }
    }

    /// Writes the stored value at `index` as it is.
    mutating func keep(_ index: Int) {
        guard let stored else { return }
        document.copy(stored.text, stored.bounds(index))
        storedTimes.copy(stored.leaves(in: index), to: &times)
    }

    /// Passes over the stored value at `index`.
    mutating func drop(_ index: Int) {
        guard let stored else { return }
        storedTimes.skip(stored.leaves(in: index))
    }

    /// Writes the stored object at `index` with the patch's object at `patchIndex` laid over it.
    ///
    /// Neighbours that the patch does not name are copied together.
    mutating func merge(_ index: Int, with patchIndex: Int) {
        guard let stored else { return }
        document.append(UInt8(ascii: "{"))
        let mark = document.count
        var members = stored.tape.members(of: index)
        var finder = MemberFinder(patchIndex, of: patch)
        var kept: Range<Int>?
        while let member = members.next(in: stored.tape) {
            guard let found = finder.find(member.name, of: stored) else {
                let start = kept?.lowerBound ?? stored.quoted(member.name).lowerBound
                kept = start..<stored.bounds(member.value).upperBound
                storedTimes.copy(stored.leaves(in: member.value), to: &times)
                continue
            }
            flush(&kept, stored, mark)
            met[found] = true
            replace(member, with: found, stored, mark)
        }
        flush(&kept, stored, mark)
        addMembers(of: patchIndex, mark)
        document.append(UInt8(ascii: "}"))
    }

    private mutating func flush(_ kept: inout Range<Int>?, _ stored: JSONDocument, _ mark: Int) {
        guard let range = kept else { return }
        if document.count > mark { document.append(UInt8(ascii: ",")) }
        document.copy(stored.text, range)
        kept = nil
    }

    private mutating func replace(
        _ member: (name: Int, value: Int), with found: Int, _ stored: JSONDocument, _ mark: Int
    ) {
        let kind = patch.kind(found)
        if kind == .object, stored.kind(member.value) == .object {
            startMember(member.name, of: stored, mark)
            merge(member.value, with: found)
            return
        }
        drop(member.value)
        guard kind != .null else { return }
        startMember(member.name, of: stored, mark)
        add(found)
    }

    /// Writes the patch's value at `index` as a new one: nulls in objects are left out, every leaf gets the time.
    mutating func add(_ index: Int) {
        guard patch.kind(index) == .object, patch.hasNull(in: index) else {
            document.copy(patch.text, patch.bounds(index))
            times.append(seconds, count: patch.leaves(in: index))
            return
        }
        document.append(UInt8(ascii: "{"))
        addMembers(of: index, document.count)
        document.append(UInt8(ascii: "}"))
    }

    private mutating func addMembers(of patchIndex: Int, _ mark: Int) {
        var members = patch.tape.members(of: patchIndex)
        while let member = members.next(in: patch.tape) {
            guard patch.kind(member.value) != .null, met.isEmpty || !met[member.value] else { continue }
            startMember(member.name, of: patch, mark)
            add(member.value)
        }
    }

    private mutating func startMember(_ name: Int, of source: JSONDocument, _ mark: Int) {
        if document.count > mark { document.append(UInt8(ascii: ",")) }
        document.copy(source.text, source.quoted(name))
        document.append(UInt8(ascii: ":"))
    }
}
