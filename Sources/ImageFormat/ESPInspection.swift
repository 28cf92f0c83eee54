//  Checks of an ESP-IDF application image, in this order: size of the header, hash flag, chip, segment count,
//  each segment (alignment and limit, then bounds), checksum, hash, what follows the image, descriptor.

internal import ByteKit

/// The checks of an ESP-IDF image.
enum ESPInspection {
    /// Where the partition table lies in a flash dump.
    private static let partitionTableOffset = 0x8000
    /// Segments of this size or more are refused, as the boot loader does.
    private static let segmentLimit: UInt32 = 16 << 20

    /// Checks a whole file that begins with E9; fields read go to `result`, also before a failure.
    static func inspect(_ image: Span<UInt8>, _ result: inout ESPImage?) throws(ImageRejection) {
        guard image.count >= 24 else { throw .truncatedHeader }
        var esp = ESPImage(header: image)
        defer { result = esp }
        guard image[23] <= 1 else { throw .badHashFlag }
        guard esp.chipName != nil else { throw .unknownChip }
        guard 1...16 ~= esp.announcedSegments else { throw .badSegmentCount }
        let end = try readSegments(image, &esp)
        try checkChecksum(image, segmentsEnd: end, &esp)
        try checkHash(image, &esp)
        try checkTail(image, &esp)
        try checkDescriptor(image, esp)
    }

    /// Whether the magic of a partition table stands where flash dumps have it.
    static func hasPartitionTable(_ image: Span<UInt8>) -> Bool {
        image.littleUInt16(at: partitionTableOffset) == 0x50aa
    }

    /// Reads all segments and, once the first is whole, the descriptor in it.
    ///
    /// Answers the end of the last.
    private static func readSegments(
        _ image: Span<UInt8>,
        _ esp: inout ESPImage
    ) throws(ImageRejection) -> Int {
        var position = 24
        for index in 0..<Int(esp.announcedSegments) {
            guard image.count - position >= 8 else { throw .truncatedSegmentHeader }
            let length = image.littleUInt32(at: position + 4)
            guard length % 4 == 0, length < segmentLimit else { throw .badSegmentLength }
            let data = ByteRange(start: position + 8, count: Int(length))
            esp.segments[index] = ESPSegment(address: image.littleUInt32(at: position), data: data)
            esp.segmentCount = index + 1
            guard data.count <= image.count - data.start else { throw .truncatedSegmentData }
            if index == 0, data.count >= 256 { esp.app = ESPAppDescriptor(image) }
            position = data.end
        }
        return position
    }

    /// The byte at the end of the next 16: EF combined with all segment bytes by exclusive or.
    private static func checkChecksum(
        _ image: Span<UInt8>,
        segmentsEnd: Int,
        _ esp: inout ESPImage
    ) throws(ImageRejection) {
        let offset = segmentsEnd | 15
        guard offset < image.count else { throw .truncatedChecksum }
        var sum: UInt8 = 0xef
        for index in 0..<esp.segmentCount {
            sum ^= image.slice(esp.segments[index].data).parity
        }
        esp.checksumOffset = offset
        esp.storedChecksum = image[offset]
        esp.computedChecksum = sum
        guard image[offset] == sum else { throw .badChecksum }
        if esp.hash == .absent { esp.imageBytes = offset + 1 }
    }

    /// The appended SHA-256 over everything before it.
    private static func checkHash(_ image: Span<UInt8>, _ esp: inout ESPImage) throws(ImageRejection) {
        guard esp.hash != .absent, let checksumOffset = esp.checksumOffset else { return }
        let start = checksumOffset + 1
        guard image.count - start >= 32 else { throw .truncatedHash }
        let range = ByteRange(start: start, count: 32)
        esp.hashBytes = range
        let isRight = SHA256.hash(image.extracting(first: start)).matches(image.slice(range))
        esp.hash = isRight ? .valid : .mismatch
        guard isRight else { throw .badHash }
        esp.imageBytes = range.end
    }

    /// Nothing, only FF, or FF up to a multiple of 4096 and one signature sector.
    private static func checkTail(_ image: Span<UInt8>, _ esp: inout ESPImage) throws(ImageRejection) {
        let tail = image.count - esp.imageBytes
        if image.extracting(last: tail).isErased {
            esp.paddingBytes = tail
            return
        }
        let gap = (4096 - esp.imageBytes % 4096) % 4096
        if tail > gap, ESPSignatureSector.begins(at: esp.imageBytes + gap, in: image),
            image.slice(ByteRange(start: esp.imageBytes, count: gap)).isErased
        {
            return try ESPSignatureSector.check(image, at: esp.imageBytes + gap, &esp)
        }
        let isDump = esp.imageBytes <= partitionTableOffset && hasPartitionTable(image)
        throw isDump ? .mergedFlashImage : .trailingData
    }

    /// An application descriptor whose texts are UTF-8.
    private static func checkDescriptor(_ image: Span<UInt8>, _ esp: ESPImage) throws(ImageRejection) {
        guard let app = esp.app else {
            let isBootloader = esp.segments[0].data.count >= 80 && image[32] == 0x50
            throw isBootloader ? .bootloaderImage : .noAppDescriptor
        }
        guard app.isText else { throw .badVersionString }
    }
}
