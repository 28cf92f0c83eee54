//  Checks of an MCUboot image, in this order: header, body, protected records, records, hash, what follows.
//
//  Layout: header, body, protected records if the header says so, records, and in a padded slot FF up to a
//  trailer of swap flags that ends with a magic of 16 bytes.

internal import ByteKit

/// The checks of an MCUboot image.
enum MCUbootInspection {
    private static let protectedMagic: UInt16 = 0x6908
    private static let recordMagic: UInt16 = 0x6907
    /// The most bytes that flags of a swap take before the magic: 3 flags of 32 bytes each.
    private static let trailerFlagBytes = 96

    /// Checks a whole file that begins with the magic; fields read go to `result`, also before a failure.
    static func inspect(_ image: Span<UInt8>, _ result: inout MCUbootImage?) throws(ImageRejection) {
        guard image.count >= 32 else { throw .truncatedHeader }
        var mcuboot = MCUbootImage(header: image)
        defer { result = mcuboot }
        guard mcuboot.headerBytes >= 32, mcuboot.headerBytes <= image.count else { throw .truncatedHeader }
        guard UInt64(mcuboot.bodyBytes) <= UInt64(image.count - mcuboot.headerBytes) else {
            throw .truncatedBody
        }
        let bodyEnd = mcuboot.headerBytes + Int(mcuboot.bodyBytes)
        let hashedEnd = try readProtected(image, at: bodyEnd, &mcuboot)
        guard image.count - hashedEnd >= 4 else { throw .truncatedTLV }
        guard image.littleUInt16(at: hashedEnd) == recordMagic else { throw .badTLVMagic }
        mcuboot.imageBytes = try readRecords(image, at: hashedEnd, isProtected: false, &mcuboot)
        try checkHash(image, hashedEnd: hashedEnd, &mcuboot)
        try checkTail(image, &mcuboot)
    }

    /// Reads the protected area, which must be there exactly if the header announces it.
    ///
    /// Answers its end.
    private static func readProtected(
        _ image: Span<UInt8>,
        at start: Int,
        _ mcuboot: inout MCUbootImage
    ) throws(ImageRejection) -> Int {
        guard image.count - start >= 4 else { throw .truncatedTLV }
        let magic = image.littleUInt16(at: start)
        guard mcuboot.protectedBytes != 0 else {
            if magic == protectedMagic { throw .badProtectedSize }
            return start
        }
        if magic == recordMagic { throw .badProtectedSize }
        guard magic == protectedMagic else { throw .badTLVMagic }
        guard Int(image.littleUInt16(at: start + 2)) == mcuboot.protectedBytes else {
            throw .badProtectedSize
        }
        return try readRecords(image, at: start, isProtected: true, &mcuboot)
    }

    /// Walks the area of records at `start`, whose 4 bytes of magic and total are there.
    ///
    /// Answers its end.
    private static func readRecords(
        _ image: Span<UInt8>,
        at start: Int,
        isProtected: Bool,
        _ mcuboot: inout MCUbootImage
    ) throws(ImageRejection) -> Int {
        let total = Int(image.littleUInt16(at: start + 2))
        guard total >= 4 else { throw .badTLV }
        guard total <= image.count - start else { throw .truncatedTLV }
        let end = start + total
        var position = start + 4
        while position < end {
            guard end - position >= 4 else { throw .badTLV }
            let length = Int(image.littleUInt16(at: position + 2))
            guard length <= end - position - 4 else { throw .badTLV }
            let record = MCUbootRecord(
                type: image.littleUInt16(at: position),
                value: ByteRange(start: position + 4, count: length),
                isProtected: isProtected
            )
            try mcuboot.take(record, from: image)
            position = record.value.end
        }
        return end
    }

    /// The hash over header, body and protected records; an image without one is refused.
    private static func checkHash(
        _ image: Span<UInt8>,
        hashedEnd: Int,
        _ mcuboot: inout MCUbootImage
    ) throws(ImageRejection) {
        let hashed = image.extracting(first: hashedEnd)
        let digest = image.slice(mcuboot.hashBytes)
        let isRight =
            switch mcuboot.hashKind {
            case .none: false
            case .sha256: SHA256.hash(hashed).matches(digest)
            case .sha384: SHA512.matches(digest, .sha384, of: hashed)
            case .sha512: SHA512.matches(digest, .sha512, of: hashed)
            }
        if mcuboot.hashKind != .none { mcuboot.hash = isRight ? .valid : .mismatch }
        guard isRight else { throw .badHash }
    }

    /// Nothing, only FF, or FF up to the trailer of a slot.
    private static func checkTail(_ image: Span<UInt8>, _ mcuboot: inout MCUbootImage) throws(ImageRejection) {
        let tail = image.extracting(mcuboot.imageBytes..<image.count)
        guard tail.count > 0 else { return }
        if tail.isErased {
            mcuboot.trailer = .padding
            return
        }
        guard tail.count >= 16 + trailerFlagBytes, endsWithMagic(tail),
            tail.extracting(first: tail.count - 16 - trailerFlagBytes).isErased
        else { throw .trailingData }
        mcuboot.trailer = tail[tail.count - 24] == 1 ? .confirmed : .swapMagic
    }

    /// Whether the last 16 bytes are the magic of a swap trailer; there must be 16.
    private static func endsWithMagic(_ tail: Span<UInt8>) -> Bool {
        let magic: InlineArray<16, UInt8> = [
            0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80,
        ]
        return tail.extracting(last: 16).equals(magic.span)
    }
}

extension MCUbootImage {
    /// Notes one record and what it says.
    fileprivate mutating func take(_ record: MCUbootRecord, from image: Span<UInt8>) throws(ImageRejection) {
        if recordCount < 16 { records[recordCount] = record }
        recordCount += 1
        switch record.type {
        case 0x01: keyHash = record.value
        case 0x10: try takeHash(.sha256, record.value, 32)
        case 0x11: try takeHash(.sha384, record.value, 48)
        case 0x12: try takeHash(.sha512, record.value, 64)
        case 0x20: try takeSignature(.rsa2048, record.value, 256...256)
        case 0x22: try takeSignature(.ecdsa, record.value, 8...144)
        case 0x23: try takeSignature(.rsa3072, record.value, 384...384)
        case 0x24: try takeSignature(.ed25519, record.value, 64...64)
        case 0x25: isPure = true
        case 0x40: try takeDependency(record, image)
        case 0x50: try takeCounter(record, image)
        default: break
        }
    }

    private mutating func takeHash(
        _ kind: MCUbootHash,
        _ value: ByteRange,
        _ length: Int
    ) throws(ImageRejection) {
        guard value.count == length else { throw .badTLV }
        (hashKind, hashBytes, hash) = (kind, value, .unchecked)
    }

    private mutating func takeSignature(
        _ kind: MCUbootSignature,
        _ value: ByteRange,
        _ lengths: ClosedRange<Int>
    ) throws(ImageRejection) {
        guard lengths.contains(value.count) else { throw .badTLV }
        (signature, signatureBytes) = (kind, value)
    }

    /// Counters and dependencies count only where the hash covers them.
    private mutating func takeCounter(
        _ record: MCUbootRecord,
        _ image: Span<UInt8>
    ) throws(ImageRejection) {
        guard record.value.count == 4 else { throw .badTLV }
        if record.isProtected { securityCounter = image.littleUInt32(at: record.value.start) }
    }

    private mutating func takeDependency(
        _ record: MCUbootRecord,
        _ image: Span<UInt8>
    ) throws(ImageRejection) {
        guard record.value.count == 12 else { throw .badTLV }
        guard record.isProtected else { return }
        if dependencyCount < 4 {
            dependencies[dependencyCount] = MCUbootDependency(
                image: image[record.value.start],
                minimum: MCUbootVersion(image, at: record.value.start + 4)
            )
        }
        dependencyCount += 1
    }
}
