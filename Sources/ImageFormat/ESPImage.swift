//  The fields of an ESP-IDF application image (esp_image_format.h, esp_app_desc.h).

public import ByteKit

/// A run of bytes that the boot loader copies or maps to one address.
public struct ESPSegment: Equatable, Sendable {
    /// Load address; 0 for padding.
    public var address: UInt32
    /// Where the bytes lie, as the image claims: the end is inside the file only if the checks passed.
    public var data: ByteRange
}

/// The 256 bytes by which ESP-IDF applications name themselves, at file offset 32.
public struct ESPAppDescriptor: Equatable, Sendable {
    /// Version text, up to 32 bytes; may be empty, then an upload must name one.
    ///
    /// Empty if it is not UTF-8.
    public internal(set) var version: ByteRange
    /// Project name, up to 32 bytes.
    ///
    /// Images of the Arduino core carry the core's own name here.
    public internal(set) var project: ByteRange
    /// Compile time, as the compiler wrote it.
    public internal(set) var time: ByteRange
    /// Compile date, as the compiler wrote it.
    public internal(set) var date: ByteRange
    /// Version text of ESP-IDF.
    public internal(set) var framework: ByteRange
    /// SHA-256 of the ELF file, 32 bytes.
    public internal(set) var elfHash: ByteRange
    /// Anti-rollback counter.
    public internal(set) var secureVersion: UInt32
    /// Lowest eFuse block revision the application runs on, major * 100 + minor.
    public internal(set) var minimumFuseRevision: UInt16
    /// Highest eFuse block revision the application runs on, major * 100 + minor.
    public internal(set) var maximumFuseRevision: UInt16
    /// Size of a flash page as a power of two; 0 = the chip's default.
    public internal(set) var pageSizeLog2: UInt8
    /// Flash mode of newer ESP-IDF; 0 = unknown.
    public internal(set) var flashMode: UInt8
    /// Whether version and project name are UTF-8.
    var isText: Bool
}

/// How a secure boot v2 block is signed.
public enum ESPSignatureScheme: Equatable, Sendable {
    /// RSA-PSS with 3072 bits.
    case rsa3072
    /// ECDSA over P-256.
    case ecdsaP256

    /// The name used in answers.
    public var name: StaticString {
        switch self {
        case .rsa3072: "rsa3072-pss"
        case .ecdsaP256: "ecdsa-p256"
        }
    }
}

/// One signature block of a secure boot v2 sector.
public struct ESPSignature: Equatable, Sendable {
    /// RSA or ECDSA.
    public var scheme: ESPSignatureScheme
    /// SHA-256 of the public key, as burned into the chip.
    public var keyDigest: SHA256Digest
    /// The 1216 bytes of the block.
    public var block: ByteRange
}

/// What an ESP-IDF image says about itself, as far as the checks got.
public struct ESPImage: Sendable {
    /// Chip id of the header.
    public internal(set) var chipID: UInt16
    /// Name of the chip such as `esp32c3`, or `nil` if the id is in no published list.
    public internal(set) var chipName: StaticString?
    /// Address where the application starts.
    public internal(set) var entry: UInt32
    /// Lowest chip revision, major * 100 + minor.
    public internal(set) var minimumChipRevision: UInt16
    /// Highest chip revision, major * 100 + minor; 0 and 65535 = no limit.
    public internal(set) var maximumChipRevision: UInt16
    /// Segments that the header announces; 1 to 16 in an accepted image.
    public internal(set) var announcedSegments: UInt8
    /// Segments read, of which the first `segmentCount` count.
    public internal(set) var segments = InlineArray<16, ESPSegment>(
        repeating: ESPSegment(address: 0, data: .empty)
    )
    /// Segments read, 0 to 16.
    public internal(set) var segmentCount = 0
    /// Offset of the checksum byte, once the segments are whole.
    public internal(set) var checksumOffset: Int?
    /// The checksum in the image.
    public internal(set) var storedChecksum: UInt8 = 0
    /// The checksum over the segments.
    public internal(set) var computedChecksum: UInt8 = 0
    /// State of the appended SHA-256.
    public internal(set) var hash: ImageHashState
    /// Where the appended SHA-256 lies, once it was reached.
    public internal(set) var hashBytes: ByteRange?
    /// Bytes from the first to the end of the hash, or of the checksum where there is no hash; 0 until known.
    public internal(set) var imageBytes = 0
    /// Bytes of FF behind the image, where nothing else follows it.
    public internal(set) var paddingBytes = 0
    /// Signature blocks found well formed, of which the first `signatureCount` count.
    public internal(set) var signatures: InlineArray<3, ESPSignature?> = [nil, nil, nil]
    /// Signature blocks of a well-formed sector, 0 to 3.
    public internal(set) var signatureCount = 0
    /// The application descriptor, if there is one.
    public internal(set) var app: ESPAppDescriptor?

    /// Reads the 24 bytes of the header, which must be there.
    init(header image: Span<UInt8>) {
        announcedSegments = image[1]
        entry = image.littleUInt32(at: 4)
        chipID = image.littleUInt16(at: 12)
        chipName = Self.name(ofChip: chipID)
        minimumChipRevision = image.littleUInt16(at: 15)
        maximumChipRevision = image.littleUInt16(at: 17)
        hash = image[23] == 0 ? .absent : .unchecked
    }

    /// The name of a chip as Espressif's tools write it.
    public static func name(ofChip id: UInt16) -> StaticString? {
        switch id {
        case 0x00: "esp32"
        case 0x02: "esp32s2"
        case 0x05: "esp32c3"
        case 0x09: "esp32s3"
        case 0x0c: "esp32c2"
        case 0x0d: "esp32c6"
        case 0x10: "esp32h2"
        case 0x12: "esp32p4"
        case 0x14: "esp32c61"
        case 0x17: "esp32c5"
        case 0x19: "esp32h21"
        case 0x1c: "esp32h4"
        case 0x20: "esp32s31"
        default: nil
        }
    }
}

extension ESPAppDescriptor {
    /// Reads the descriptor of an image in which the 256 bytes from offset 32 are there.
    init?(_ image: Span<UInt8>) {
        guard image.littleUInt32(at: 32) == 0xabcd_5432 else { return nil }
        var isText = true
        version = Self.text(image, at: 48, capacity: 32, &isText)
        project = Self.text(image, at: 80, capacity: 32, &isText)
        self.isText = isText
        time = Self.text(image, at: 112, capacity: 16, &isText)
        date = Self.text(image, at: 128, capacity: 16, &isText)
        framework = Self.text(image, at: 144, capacity: 32, &isText)
        elfHash = ByteRange(start: 176, count: 32)
        secureVersion = image.littleUInt32(at: 36)
        minimumFuseRevision = image.littleUInt16(at: 208)
        maximumFuseRevision = image.littleUInt16(at: 210)
        pageSizeLog2 = image[212]
        flashMode = image[213]
    }

    /// A text field, left empty and `isText` cleared where it is not UTF-8.
    private static func text(
        _ image: Span<UInt8>,
        at start: Int,
        capacity: Int,
        _ isText: inout Bool
    ) -> ByteRange {
        let field = image.textField(at: start, capacity: capacity)
        if image.slice(field).isUTF8 { return field }
        isText = false
        return ByteRange(start: start, count: 0)
    }
}
