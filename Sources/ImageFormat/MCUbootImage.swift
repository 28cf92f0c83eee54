//  The fields of an MCUboot image (bootutil/image.h).

public import ByteKit

/// The version in an MCUboot header.
public struct MCUbootVersion: Equatable, Sendable {
    /// First number.
    public var major: UInt8
    /// Second number.
    public var minor: UInt8
    /// Third number.
    public var revision: UInt16
    /// Build number, which does not order versions.
    public var build: UInt32

    /// Writes `major.minor.revision+build`.
    public func write(to sink: inout some ByteSink) {
        sink.appendDecimal(UInt64(major))
        sink.append(UInt8(ascii: "."))
        sink.appendDecimal(UInt64(minor))
        sink.append(UInt8(ascii: "."))
        sink.appendDecimal(UInt64(revision))
        sink.append(UInt8(ascii: "+"))
        sink.appendDecimal(UInt64(build))
    }

    /// Reads 8 bytes at `offset`, which must be there.
    init(_ image: Span<UInt8>, at offset: Int) {
        major = image[offset]
        minor = image[offset + 1]
        revision = image.littleUInt16(at: offset + 2)
        build = image.littleUInt32(at: offset + 4)
    }
}

/// One type-length-value record behind the body.
public struct MCUbootRecord: Equatable, Sendable {
    /// The type number.
    public var type: UInt16
    /// Where the value lies.
    public var value: ByteRange
    /// Whether the record lies in the area that the hash covers.
    public var isProtected: Bool
}

/// The hash that an MCUboot image carries.
public enum MCUbootHash: Equatable, Sendable {
    /// No record of a hash.
    case none
    /// Record 10.
    case sha256
    /// Record 11.
    case sha384
    /// Record 12.
    case sha512
}

/// The kind of signature that an MCUboot image carries.
public enum MCUbootSignature: Equatable, Sendable {
    /// No record of a signature.
    case none
    /// Record 20.
    case rsa2048
    /// Record 22.
    case ecdsa
    /// Record 23.
    case rsa3072
    /// Record 24.
    case ed25519

    /// The name used in answers.
    public var name: StaticString {
        switch self {
        case .none: "none"
        case .rsa2048: "rsa2048-pss"
        case .ecdsa: "ecdsa-p256"
        case .rsa3072: "rsa3072-pss"
        case .ed25519: "ed25519"
        }
    }
}

/// An image that must be installed beside this one.
public struct MCUbootDependency: Equatable, Sendable {
    /// Number of the other image.
    public var image: UInt8
    /// Lowest version of the other image.
    public var minimum: MCUbootVersion
}

/// What follows the records.
public enum MCUbootTrailer: Equatable, Sendable {
    /// Nothing.
    case none
    /// Only FF.
    case padding
    /// A slot filled up to its trailer, which asks for the swap; to be confirmed after the first start.
    case swapMagic
    /// The same, with the image already confirmed.
    case confirmed
}

/// What an MCUboot image says about itself, as far as the checks got.
public struct MCUbootImage: Sendable {
    /// Version of the header.
    public internal(set) var version: MCUbootVersion
    /// Load address; 0 where the image runs from its slot.
    public internal(set) var loadAddress: UInt32
    /// Bytes of the header with its padding, 32 to 65535.
    public internal(set) var headerBytes: Int
    /// Bytes of the body, as the header claims.
    public internal(set) var bodyBytes: UInt32
    /// Bytes of the protected records, as the header claims; 0 = there are none.
    public internal(set) var protectedBytes: Int
    /// Flags of the header.
    public internal(set) var flags: UInt32
    /// The first 16 records in the order of the file, of which the first `min(recordCount, 16)` count.
    public internal(set) var records = InlineArray<16, MCUbootRecord>(
        repeating: MCUbootRecord(type: 0, value: .empty, isProtected: false)
    )
    /// Records read.
    public internal(set) var recordCount = 0
    /// Which hash the image carries.
    public internal(set) var hashKind = MCUbootHash.none
    /// State of that hash.
    public internal(set) var hash = ImageHashState.absent
    /// The hash bytes, empty if there are none.
    public internal(set) var hashBytes = ByteRange.empty
    /// The kind of signature; never verified here.
    public internal(set) var signature = MCUbootSignature.none
    /// The signature bytes, empty if there are none.
    public internal(set) var signatureBytes = ByteRange.empty
    /// Whether the signature is over the image itself instead of its hash (record 25).
    public internal(set) var isPure = false
    /// Hash of the public key, empty if there is none.
    public internal(set) var keyHash = ByteRange.empty
    /// Security counter of the protected records.
    public internal(set) var securityCounter: UInt32?
    /// The first 4 dependencies, of which the first `min(dependencyCount, 4)` are set.
    public internal(set) var dependencies: InlineArray<4, MCUbootDependency?> = [nil, nil, nil, nil]
    /// Dependencies read.
    public internal(set) var dependencyCount = 0
    /// Bytes up to the end of the records; 0 until known.
    public internal(set) var imageBytes = 0
    /// What follows the records.
    public internal(set) var trailer = MCUbootTrailer.none

    /// Reads the 32 bytes of the header, which must be there.
    init(header image: Span<UInt8>) {
        loadAddress = image.littleUInt32(at: 4)
        headerBytes = Int(image.littleUInt16(at: 8))
        protectedBytes = Int(image.littleUInt16(at: 10))
        bodyBytes = image.littleUInt32(at: 12)
        flags = image.littleUInt32(at: 16)
        version = MCUbootVersion(image, at: 20)
    }
}
