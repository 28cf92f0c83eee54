public import ByteKit

/// The value of a property, by its layout (MQTT 5, clause 2.2.2.2).
public enum PropertyValue: Equatable, Sendable {
    /// One byte.
    case byte(UInt8)
    /// A number of two bytes.
    case u16(UInt16)
    /// A number of four bytes.
    case u32(UInt32)
    /// A variable byte integer, up to 268 435 455.
    case variableByteInteger(UInt32)
    /// Text or binary data, without its length.
    case range(ByteRange)
    /// Two texts, without their lengths.
    case pair(name: ByteRange, value: ByteRange)
}

/// One property: its name and its value.
public struct Property: Equatable, Sendable {
    /// The name.
    public let id: PropertyID
    /// The value; its case follows from `id.kind`.
    public let value: PropertyValue

    /// Reads name and value; of the value only the layout is checked.
    static func read(from reader: inout WireReader) throws(MQTTFault) -> Property {
        let byte = try reader.byte()
        guard let id = PropertyID(rawValue: byte) else { throw .unknownProperty(byte) }
        return Property(id: id, value: try readValue(of: id.kind, from: &reader))
    }

    private static func readValue(
        of kind: PropertyKind,
        from reader: inout WireReader
    ) throws(MQTTFault) -> PropertyValue {
        switch kind {
        case .byte: .byte(try reader.byte())
        case .u16: .u16(try reader.u16())
        case .u32: .u32(try reader.u32())
        case .variableByteInteger:
            .variableByteInteger(UInt32(truncatingIfNeeded: try reader.variableByteInteger()))
        case .text: .range(try reader.text())
        case .binary: .range(try reader.binary())
        case .textPair: .pair(name: try reader.text(), value: try reader.text())
        }
    }
}

/// Goes through the properties of a decoded packet, in order.
public struct PropertyCursor: Sendable {
    private var rest: ByteRange

    /// Starts at the first property in `properties`, as a decoded packet names them.
    public init(_ properties: ByteRange) {
        rest = properties
    }

    /// Where the next property starts in the frame, or where the last one ended.
    public var offset: Int { rest.start }

    /// The next property, `nil` behind the last; `frame` is the one that was decoded.
    public mutating func next(in frame: Span<UInt8>) -> Property? {
        var reader = WireReader(frame, in: rest)
        guard let property = try? Property.read(from: &reader) else { return nil }
        rest = reader.rest()
        return property
    }
}

/// Look-ups in the property range of a decoded packet.
extension ByteRange {
    /// The first property called `id`, if there is one; `frame` is the one that was decoded.
    public func property(_ id: PropertyID, in frame: Span<UInt8>) -> PropertyValue? {
        var cursor = PropertyCursor(self)
        while let property = cursor.next(in: frame) {
            if property.id == id { return property.value }
        }
        return nil
    }

    /// The value of a one-byte property.
    public func byte(_ id: PropertyID, in frame: Span<UInt8>) -> UInt8? {
        guard case .byte(let value) = property(id, in: frame) else { return nil }
        return value
    }

    /// The value of a two-byte property.
    public func u16(_ id: PropertyID, in frame: Span<UInt8>) -> UInt16? {
        guard case .u16(let value) = property(id, in: frame) else { return nil }
        return value
    }

    /// The value of a four-byte property.
    public func u32(_ id: PropertyID, in frame: Span<UInt8>) -> UInt32? {
        guard case .u32(let value) = property(id, in: frame) else { return nil }
        return value
    }

    /// The value of a property that is a variable byte integer: the first one, where there are several.
    public func variableByteInteger(_ id: PropertyID, in frame: Span<UInt8>) -> UInt32? {
        guard case .variableByteInteger(let value) = property(id, in: frame) else { return nil }
        return value
    }

    /// The place of a text or binary property, without its length.
    public func range(_ id: PropertyID, in frame: Span<UInt8>) -> ByteRange? {
        guard case .range(let value) = property(id, in: frame) else { return nil }
        return value
    }
}
