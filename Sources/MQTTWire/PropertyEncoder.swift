//  Properties in, a block of bytes out. The block goes to `PacketEncoder`, which puts its length in front.

public import ByteKit

/// Appending properties to a block.
///
/// Whether a property belongs to the packet, and how often, is up to the caller. A value with another layout
/// than the name asks for is a mistake of the program and traps.
extension Property {
    /// Appends a one-byte property.
    @inlinable
    public static func append(_ id: PropertyID, byte value: UInt8, to sink: inout some ByteSink) {
        precondition(id.kind == .byte, "this property is not one byte")
        sink.append(id.rawValue)
        sink.append(value)
    }

    /// Appends a two-byte property.
    @inlinable
    public static func append(_ id: PropertyID, u16 value: UInt16, to sink: inout some ByteSink) {
        precondition(id.kind == .u16, "this property is not two bytes")
        sink.append(id.rawValue)
        sink.appendBigEndian(value)
    }

    /// Appends a four-byte property.
    @inlinable
    public static func append(_ id: PropertyID, u32 value: UInt32, to sink: inout some ByteSink) {
        precondition(id.kind == .u32, "this property is not four bytes")
        sink.append(id.rawValue)
        sink.appendBigEndian(value)
    }

    /// Appends a property that is a variable byte integer, at most 268 435 455.
    @inlinable
    public static func append(
        _ id: PropertyID,
        variableByteInteger value: Int,
        to sink: inout some ByteSink
    ) {
        precondition(id.kind == .variableByteInteger, "this property is not a variable byte integer")
        sink.append(id.rawValue)
        VariableByteInteger.append(value, to: &sink)
    }

    /// Appends a text or binary property; text must be valid UTF-8.
    ///
    /// - Throws: `.fieldTooLong` above 65 535 bytes; nothing is appended then.
    @inlinable
    public static func append(
        _ id: PropertyID,
        bytes: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        precondition(id.kind == .text || id.kind == .binary, "this property is not a run of bytes")
        _ = try PacketEncoder.fieldBytes(bytes)
        sink.append(id.rawValue)
        PacketEncoder.appendField(bytes, to: &sink)
    }

    /// Appends a user property; both texts must be valid UTF-8.
    ///
    /// - Throws: `.fieldTooLong` above 65 535 bytes in either; nothing is appended then.
    @inlinable
    public static func appendUserProperty(
        name: Span<UInt8>,
        value: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        _ = try PacketEncoder.fieldBytes(name)
        _ = try PacketEncoder.fieldBytes(value)
        sink.append(PropertyID.userProperty.rawValue)
        PacketEncoder.appendField(name, to: &sink)
        PacketEncoder.appendField(value, to: &sink)
    }

    /// Appends the properties of a decoded packet as they are, in order, but for those in `excluded`.
    ///
    /// A server that forwards a message leaves out topic alias and subscription identifiers, and writes the
    /// expiry interval anew.
    @inlinable
    public static func copy(
        _ properties: ByteRange,
        in frame: Span<UInt8>,
        without excluded: PropertySet,
        to sink: inout some ByteSink
    ) {
        var cursor = PropertyCursor(properties)
        var start = properties.start
        while let property = cursor.next(in: frame) {
            let end = cursor.offset
            if !excluded.contains(property.id) {
                sink.append(frame.slice(ByteRange(start: start, count: end - start)))
            }
            start = end
        }
    }
}
