//  The signature sector of secure boot v2: up to 3 blocks of 1216 bytes, the rest FF. Integers low byte
//  first.
//
//  Checked here: CRC, scheme, and that the block was made for this image. Whether the signature is right is
//  for whoever holds the key.

internal import ByteKit

/// The checks of a secure boot v2 signature sector.
enum ESPSignatureSector {
    private static let sectorBytes = 4096
    private static let blockBytes = 1216
    private static let blockMagic: UInt8 = 0xe7

    /// Whether a block begins at `offset`, which must be inside.
    static func begins(at offset: Int, in image: Span<UInt8>) -> Bool {
        image[offset] == blockMagic
    }

    /// Checks the sector that begins at `start`, which must be the last thing in the file.
    static func check(
        _ image: Span<UInt8>,
        at start: Int,
        _ esp: inout ESPImage
    ) throws(ImageRejection) {
        guard image.count - start >= sectorBytes else { throw .truncatedSignatureSector }
        guard image.count - start == sectorBytes else { throw .trailingData }
        let signed = SHA256.hash(image.extracting(first: start))
        var position = start
        var found = 0
        while found < 3, begins(at: position, in: image) {
            let block = ByteRange(start: position, count: blockBytes)
            esp.signatures[found] = try read(image.slice(block), at: block, signed: signed)
            found += 1
            position = block.end
        }
        guard image.extracting(position..<image.count).isErased else { throw .trailingData }
        esp.signatureCount = found
    }

    /// Checks one block: CRC, scheme, digest of the signed bytes.
    private static func read(
        _ block: Span<UInt8>,
        at range: ByteRange,
        signed: SHA256Digest
    ) throws(ImageRejection) -> ESPSignature {
        guard block.extracting(first: 1196).crc32 == block.littleUInt32(at: 1196) else {
            throw .badSignatureBlockCRC
        }
        guard let scheme = scheme(of: block) else { throw .badSignature }
        guard signed.matches(block.extracting(4..<36)) else { throw .signatureDigestMismatch }
        let key = scheme == .rsa3072 ? block.extracting(36..<812) : block.extracting(36..<101)
        return ESPSignature(scheme: scheme, keyDigest: SHA256.hash(key), block: range)
    }

    /// Version 2 is RSA; version 3 with SHA-256 and curve 2 is ECDSA over P-256.
    private static func scheme(of block: Span<UInt8>) -> ESPSignatureScheme? {
        switch (block[1], block[2], block[36]) {
        case (2, _, _): .rsa3072
        case (3, 0, 2): .ecdsaP256
        default: nil
        }
    }
}
