//  Small readings that every format here needs: numbers, runs of one byte, text fields, CRC-32.

internal import ByteKit

extension Span<UInt8> {
    /// Two bytes at `offset`, low byte first; 0 where they are not there.
    func littleUInt16(at offset: Int) -> UInt16 {
        guard offset >= 0, offset <= count - 2 else { return 0 }
        return UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
    }

    /// Four bytes at `offset`, low byte first; 0 where they are not there.
    func littleUInt32(at offset: Int) -> UInt32 {
        guard offset >= 0, offset <= count - 4 else { return 0 }
        return UInt32(littleUInt16(at: offset)) | UInt32(littleUInt16(at: offset + 2)) << 16
    }

    /// Whether every byte is FF, as erased flash reads.
    var isErased: Bool {
        var all: UInt8 = 0xff
        for index in indices {
            all &= self[index]
        }
        return all == 0xff
    }

    /// All bytes combined by exclusive or.
    var parity: UInt8 {
        var sum: UInt8 = 0
        for index in indices {
            sum ^= self[index]
        }
        return sum
    }

    /// The text of a fixed field: up to the first NUL or the field's end.
    func textField(at start: Int, capacity: Int) -> ByteRange {
        let limit = min(capacity, count - start)
        var length = 0
        while length < limit, self[start + length] != 0 {
            length += 1
        }
        return ByteRange(start: start, count: length)
    }

    /// Whether the bytes are well-formed UTF-8 (RFC 3629 §4).
    var isUTF8: Bool {
        var index = 0
        while index < count {
            guard let length = scalarLength(at: index) else { return false }
            index += length
        }
        return true
    }

    /// Bytes of the Unicode scalar at `index`, or `nil` where none is well formed there.
    private func scalarLength(at index: Int) -> Int? {
        let first = self[index]
        guard first >= 0x80 else { return 1 }
        let length: Int
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef: length = 3
        case 0xf0...0xf4: length = 4
        default: return nil
        }
        guard count - index >= length, Self.secondByte(after: first).contains(self[index + 1]) else {
            return nil
        }
        for offset in 2..<4 where offset < length {
            guard 0x80...0xbf ~= self[index + offset] else { return nil }
        }
        return length
    }

    /// What may follow a first byte: excludes overlong forms, surrogates and numbers past 10FFFF.
    private static func secondByte(after first: UInt8) -> ClosedRange<UInt8> {
        switch first {
        case 0xe0: 0xa0...0xbf
        case 0xed: 0x80...0x9f
        case 0xf0: 0x90...0xbf
        case 0xf4: 0x80...0x8f
        default: 0x80...0xbf
        }
    }

    /// The CRC-32 of zlib and Ethernet (polynomial EDB88320, reflected), bit by bit: used on some kilobytes
    /// only.
    var crc32: UInt32 {
        var crc: UInt32 = 0xffff_ffff
        for index in indices {
            crc ^= UInt32(self[index])
            for _ in 0..<8 {
                crc = (crc >> 1) ^ (crc & 1 == 1 ? 0xedb8_8320 : 0)
            }
        }
        return ~crc
    }
}
