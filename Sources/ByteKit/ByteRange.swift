/// A place in a buffer of bytes: where a run starts and how long it is.
///
/// Decoders answer places instead of copies; who needs the bytes longer than the buffer copies them.
public struct ByteRange: Equatable, Hashable, Sendable {
    /// Offset of the first byte, from the start of the buffer that was decoded.
    public var start: Int
    /// Bytes in the run.
    public var count: Int

    /// Names the run of `count` bytes that starts at `start`.
    @inlinable
    public init(start: Int, count: Int) {
        self.start = start
        self.count = count
    }

    /// An empty run at the start of the buffer.
    @inlinable public static var empty: ByteRange { ByteRange(start: 0, count: 0) }
    /// Offset behind the last byte.
    @inlinable public var end: Int { start + count }
    /// Whether the run has no byte.
    @inlinable public var isEmpty: Bool { count == 0 }
}

extension Span<UInt8> {
    /// The bytes at `range`, which must lie inside.
    @inlinable
    @_lifetime(copy self)
    public func slice(_ range: ByteRange) -> Span<UInt8> {
        extracting(range.start..<range.end)
    }

    /// Whether both runs have the same bytes.
    @inlinable
    public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] {
            return false
        }
        return true
    }

    /// Whether the run has exactly the bytes of a literal.
    @inlinable
    public func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in indices where unsafe self[index] != text.utf8Start[index] {
            return false
        }
        return true
    }

    /// Whether the run begins with the bytes of a literal.
    @inlinable
    public func starts(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && extracting(first: text.utf8CodeUnitCount).equals(text)
    }

    /// The bytes as an array of their own, to be kept longer than the buffer.
    @inlinable
    public func copy() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        bytes.append(self)
        return bytes
    }
}
