/// Why a file is refused: the first check that failed.
///
/// Codes are stable and part of the API.
public enum ImageRejection: Error, Equatable, Sendable, CaseIterable {
    /// A file without a byte.
    case empty
    /// An ELF file where a firmware image is wanted.
    case elf
    /// A gzip stream.
    case gzip
    /// A zip archive.
    case zip
    /// A UF2 container.
    case uf2
    /// Ends inside a header, or names a header shorter than its format has.
    case truncatedHeader
    /// Ends inside the header of a segment.
    case truncatedSegmentHeader
    /// Ends inside the bytes of a segment.
    case truncatedSegmentData
    /// Ends before the checksum byte.
    case truncatedChecksum
    /// Ends inside the appended SHA-256.
    case truncatedHash
    /// Ends inside the signature sector.
    case truncatedSignatureSector
    /// Ends inside the body that the header announces.
    case truncatedBody
    /// Ends inside the type-length-value records behind the body.
    case truncatedTLV
    /// The flag for the appended hash is neither 0 nor 1.
    case badHashFlag
    /// A chip that is in no published list.
    case unknownChip
    /// Not 1 to 16 segments.
    case badSegmentCount
    /// A segment of 16 MiB or more, or not a multiple of 4 bytes.
    case badSegmentLength
    /// The checksum over the segments differs.
    case badChecksum
    /// The hash differs, or a format that must carry one does not.
    case badHash
    /// Bytes behind the image that are neither padding nor a signature sector.
    case trailingData
    /// A dump of the whole flash with bootloader and partition table.
    case mergedFlashImage
    /// The CRC-32 of a signature block differs.
    case badSignatureBlockCRC
    /// A signature block was made for other content.
    case signatureDigestMismatch
    /// A signature of an unknown scheme, or one that is wrong.
    case badSignature
    /// A second-stage bootloader.
    case bootloaderImage
    /// No ESP-IDF application descriptor.
    case noAppDescriptor
    /// Version or project name is not UTF-8.
    case badVersionString
    /// The protected area differs in size from what the header says.
    case badProtectedSize
    /// The record area does not start with its magic.
    case badTLVMagic
    /// A record runs past its area, or has a length that its type cannot have.
    case badTLV
    /// Neither an ELF executable nor a script, where a program is wanted.
    case notAProgram
    /// An ELF file whose header contradicts the format.
    case badELFHeader
    /// An ELF file that cannot be started: an object file or a core dump.
    case notExecutable
    /// A script whose first line names no interpreter as a text of at most 255 bytes.
    case badScriptLine
}

extension ImageRejection {
    /// The stable code, the same in API answers, exit texts and documentation.
    public var code: StaticString {
        switch self {
        case .empty: "not_an_image:empty"
        case .elf: "not_an_image:elf"
        case .gzip: "not_an_image:gzip"
        case .zip: "not_an_image:zip"
        case .uf2: "uf2_not_an_ota_image"
        case .truncatedHeader: "truncated:header"
        case .truncatedSegmentHeader: "truncated:segment_header"
        case .truncatedSegmentData: "truncated:segment_data"
        case .truncatedChecksum: "truncated:checksum"
        case .truncatedHash: "truncated:hash"
        case .truncatedSignatureSector: "truncated:signature_sector"
        case .truncatedBody: "truncated:body"
        case .truncatedTLV: "truncated:tlv"
        case .badHashFlag: "bad_hash_flag"
        case .unknownChip: "unknown_chip"
        case .badSegmentCount: "bad_segment_count"
        case .badSegmentLength: "bad_segment_length"
        case .badChecksum: "bad_checksum"
        case .badHash: "bad_hash"
        case .trailingData: "trailing_data"
        case .mergedFlashImage: "merged_flash_image"
        case .badSignatureBlockCRC: "bad_signature_block_crc"
        case .signatureDigestMismatch: "signature_digest_mismatch"
        case .badSignature: "bad_signature"
        case .bootloaderImage: "bootloader_image"
        case .noAppDescriptor: "no_app_descriptor"
        case .badVersionString: "bad_version_string"
        case .badProtectedSize: "bad_protected_size"
        case .badTLVMagic: "bad_tlv_magic"
        case .badTLV: "bad_tlv"
        case .notAProgram: "not_a_program"
        case .badELFHeader: "bad_elf_header"
        case .notExecutable: "not_executable"
        case .badScriptLine: "bad_script_line"
        }
    }

    /// One sentence for the person who uploaded the file: what is wrong and, where it is known, what to do.
    public var explanation: StaticString {
        switch self {
        case .empty: "The file is empty."
        case .elf: "This is the ELF file of the build; upload the .bin image made from it."
        case .gzip: "This is a gzip archive; unpack it and upload the image inside."
        case .zip: "This is a zip archive; unpack it and upload the image inside."
        case .uf2: "A UF2 file is for copying over USB, not for updates over the air; upload the plain image."
        case .truncatedHeader: "The file ends inside its header; build or download it again."
        case .truncatedSegmentHeader:
            "The file ends inside the header of a segment; build or download it again."
        case .truncatedSegmentData: "The file ends inside a segment; build or download it again."
        case .truncatedChecksum: "The file ends before its checksum; build or download it again."
        case .truncatedHash: "The file ends inside its SHA-256; build or download it again."
        case .truncatedSignatureSector: "The signature sector is cut; sign the image again."
        case .truncatedBody: "The header announces more bytes than the file has; build or download it again."
        case .truncatedTLV: "The file ends inside the records behind the image; sign it again."
        case .badHashFlag: "The hash flag at offset 23 is neither 0 nor 1: the header is damaged."
        case .unknownChip: "The header names a chip that is in no published list."
        case .badSegmentCount: "An application has 1 to 16 segments; the header says otherwise."
        case .badSegmentLength: "A segment length is not a multiple of 4 below 16 MiB: the image is damaged."
        case .badChecksum: "The checksum over the segments does not match: the image is damaged."
        case .badHash:
            "The image does not match the hash it carries: it was damaged or changed after the build."
        case .trailingData: "Unknown bytes follow the image; upload the image alone."
        case .mergedFlashImage:
            "This is a dump of the whole flash, for a cable; upload the application image alone."
        case .badSignatureBlockCRC: "A secure boot signature block is damaged: its CRC does not match."
        case .signatureDigestMismatch: "The image was changed after it was signed; sign it again."
        case .badSignature: "The signature is wrong or of a scheme that is not supported."
        case .bootloaderImage: "This is a bootloader; upload the application image."
        case .noAppDescriptor: "The image has no ESP-IDF application descriptor, so it is no application."
        case .badVersionString: "Version or project name in the image is not UTF-8 text."
        case .badProtectedSize: "The protected records do not have the size that the header says."
        case .badTLVMagic: "The records behind the image do not begin with their magic number."
        case .badTLV: "A record behind the image runs past its area or has an impossible length."
        case .notAProgram: "A program is wanted: an ELF executable or a script that begins with #!."
        case .badELFHeader: "The ELF header is damaged."
        case .notExecutable: "This ELF file is an object file or a core dump, not an executable."
        case .badScriptLine: "The first line of the script names no interpreter by its path."
        }
    }
}
