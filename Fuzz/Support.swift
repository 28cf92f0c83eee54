//  What both fuzz targets need.

/// Stops the run where a rule does not hold; libFuzzer keeps the input.
func require(_ holds: Bool, _ rule: @autoclosure () -> String) {
    guard !holds else { return }
    fatalError(rule())
}

/// The bytes of one input, taken from the front; what is missing is 0.
struct Input {
    private let bytes: [UInt8]
    private var next = 0

    init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        bytes = Array(UnsafeBufferPointer(start: start, count: count))
    }

    var isEmpty: Bool { next >= bytes.count }

    mutating func byte() -> UInt8 {
        guard !isEmpty else { return 0 }
        next += 1
        return bytes[next - 1]
    }

    /// A number below `sides`, at most 256.
    mutating func roll(_ sides: Int) -> Int { Int(byte()) % sides }

    mutating func pick<T>(_ choices: [T]) -> T { choices[roll(choices.count)] }

    /// At most `count` bytes.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, next + count)
        defer { next = end }
        return Array(bytes[next..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}
