/// A run of up to `capacity` bytes that lives where it is declared and never allocates.
///
/// What does not fit is left out and remembered in `overflowed`: a caller checks it once, at the end.
public struct FixedBytes<let capacity: Int>: ByteSink, Sendable {
    @usableFromInline var storage = InlineArray<capacity, UInt8>(repeating: 0)
    /// Bytes held, from 0 to `capacity`.
    public private(set) var count = 0
    /// Whether something was left out since the last `removeAll()`.
    public private(set) var overflowed = false

    /// Holds nothing yet.
    public init() {}

    /// Holds the bytes of a literal, cut at `capacity`.
    public init(_ text: StaticString) {
        append(text)
    }

    /// Holds a copy of `bytes`, or nothing and `overflowed` where they do not fit.
    public init(_ bytes: Span<UInt8>) {
        append(bytes)
    }

    /// Whether nothing is held.
    public var isEmpty: Bool { count == 0 }

    /// The bytes held, in order.
    public var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { storage.span.extracting(first: count) }
    }

    /// Takes one byte, if there is room.
    public mutating func append(_ byte: UInt8) {
        guard count < capacity else {
            overflowed = true
            return
        }
        storage[count] = byte
        count += 1
    }

    /// Takes all of `bytes`, or none of them where they do not fit.
    public mutating func append(_ bytes: Span<UInt8>) {
        guard bytes.count <= capacity - count else {
            overflowed = true
            return
        }
        for index in bytes.indices {
            storage[count + index] = bytes[index]
        }
        count += bytes.count
    }

    /// Forgets the bytes and the overflow.
    public mutating func removeAll() {
        count = 0
        overflowed = false
    }
}

extension FixedBytes: Equatable {
    /// Whether both hold the same bytes.
    public static func == (left: FixedBytes, right: FixedBytes) -> Bool {
        left.span.equals(right.span)
    }
}
