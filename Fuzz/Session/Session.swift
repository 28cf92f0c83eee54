//  A whole broker under any history: hostile clients that say anything, two honest ones with kept sessions, a disk that is
//  late, refuses or forgets, and time that passes in jumps.
//
//  Input: one byte for the limits, then one byte for each step and what it needs. `Arena` has the steps, `Watch` the rules
//  of the wire, `Ledger` those of the core's books, `Honest` what is promised to clients that keep to the standard.

/// One input of libFuzzer; always 0.
@_cdecl("LLVMFuzzerTestOneInput")
public func session(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var arena = Arena(Input(start, count))
    var steps = 0
    while arena.isOn, steps < 400 {
        arena.step()
        steps += 1
    }
    arena.end()
    return 0
}
