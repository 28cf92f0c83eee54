//  ELF executables and scripts: what a Linux product may take as its program (System V ABI, ELF header).

internal import ByteKit

/// What an ELF header says.
public struct ELFProgram: Equatable, Sendable {
    /// 32 or 64.
    public internal(set) var bits: Int
    /// The number of the machine (`e_machine`).
    public internal(set) var machine: UInt16
    /// The type (`e_type`): 1 object, 2 executable, 3 shared or position-independent, 4 core dump.
    public internal(set) var type: UInt16

    /// The name of the machine such as `aarch64`, or `unknown`.
    public var machineName: StaticString {
        switch (machine, bits) {
        case (2, _): "sparc"
        case (3, _): "i386"
        case (8, _): "mips"
        case (20, _): "powerpc"
        case (21, _): "powerpc64"
        case (22, _): "s390"
        case (40, _): "arm"
        case (43, _): "sparc64"
        case (62, _): "x86_64"
        case (94, _): "xtensa"
        case (183, _): "aarch64"
        case (243, 32): "riscv32"
        case (243, _): "riscv64"
        case (258, _): "loongarch"
        default: "unknown"
        }
    }

    /// Reads the header of a file that begins with the ELF magic; `nil` if it is not whole or contradicts
    /// itself.
    init?(_ image: Span<UInt8>) {
        guard let header = ELFHeader(image) else { return nil }
        (bits, machine, type) = (header.isWide ? 64 : 32, header.machine, header.type)
    }
}

/// The header fields that the checks need, in either byte order and width.
private struct ELFHeader {
    let isWide: Bool
    let isBigEndian: Bool
    let type: UInt16
    let machine: UInt16

    /// Bytes of the header for a class byte, or `nil` for an unknown one.
    static func size(forClass value: UInt8) -> Int? {
        switch value {
        case 1: 52
        case 2: 64
        default: nil
        }
    }

    init?(_ image: Span<UInt8>) {
        guard image.count >= 20, let size = Self.size(forClass: image[4]), image.count >= size,
            1...2 ~= image[5], image[6] == 1
        else { return nil }
        isWide = image[4] == 2
        isBigEndian = image[5] == 2
        let low = image.littleUInt16(at: 16)
        let high = image.littleUInt16(at: 18)
        type = isBigEndian ? low.byteSwapped : low
        machine = isBigEndian ? high.byteSwapped : high
    }

    /// A number of 2 bytes.
    func half(_ image: Span<UInt8>, at offset: Int) -> UInt64 {
        let value = image.littleUInt16(at: offset)
        return UInt64(isBigEndian ? value.byteSwapped : value)
    }

    /// A number as wide as an address: 4 or 8 bytes.
    func word(_ image: Span<UInt8>, at offset: Int) -> UInt64 {
        let first = image.littleUInt32(at: offset)
        guard isWide else { return UInt64(isBigEndian ? first.byteSwapped : first) }
        let whole = UInt64(first) | UInt64(image.littleUInt32(at: offset + 4)) << 32
        return isBigEndian ? whole.byteSwapped : whole
    }
}

/// The checks of an ELF executable: header, type, both tables inside the file, every segment inside the file.
enum ELFInspection {
    /// Checks a file that begins with the ELF magic.
    static func inspect(_ image: Span<UInt8>) throws(ImageRejection) {
        guard image.count >= 20 else { throw .truncatedHeader }
        guard let size = ELFHeader.size(forClass: image[4]) else { throw .badELFHeader }
        guard image.count >= size else { throw .truncatedHeader }
        guard let header = ELFHeader(image) else { throw .badELFHeader }
        guard 2...3 ~= header.type else { throw .notExecutable }
        try checkTables(image, header)
        try checkSegments(image, header)
    }

    /// Program headers must be there and inside; section headers may be stripped.
    private static func checkTables(_ image: Span<UInt8>, _ header: ELFHeader) throws(ImageRejection) {
        let counts = header.isWide ? 54 : 42
        let entry = header.half(image, at: counts)
        let number = header.half(image, at: counts + 2)
        guard header.half(image, at: counts - 2) == (header.isWide ? 64 : 52),
            entry == (header.isWide ? 56 : 32), number > 0
        else { throw .badELFHeader }
        guard fits(header.word(image, at: header.isWide ? 32 : 28), entry * number, image) else {
            throw .truncatedHeader
        }
        let sections = header.word(image, at: header.isWide ? 40 : 32)
        let sectionBytes = header.half(image, at: counts + 4) * header.half(image, at: counts + 6)
        guard sections == 0 || fits(sections, sectionBytes, image) else { throw .truncatedHeader }
    }

    /// The file bytes of every segment must be inside.
    private static func checkSegments(_ image: Span<UInt8>, _ header: ELFHeader) throws(ImageRejection) {
        let table = Int(header.word(image, at: header.isWide ? 32 : 28))
        let entry = header.isWide ? 56 : 32
        for index in 0..<Int(header.half(image, at: header.isWide ? 56 : 44)) {
            let start = table + index * entry
            let offset = header.word(image, at: start + (header.isWide ? 8 : 4))
            let length = header.word(image, at: start + (header.isWide ? 32 : 16))
            guard fits(offset, length, image) else { throw .truncatedBody }
        }
    }

    /// Whether `count` bytes from `offset` on lie inside the file.
    private static func fits(_ offset: UInt64, _ count: UInt64, _ image: Span<UInt8>) -> Bool {
        let size = UInt64(image.count)
        return offset <= size && count <= size - offset
    }
}

/// The first line of a script.
enum ScriptLine {
    /// The most bytes that the kernel reads of a first line.
    private static let limit = 255

    /// The path of the interpreter and its argument, or `nil` if the line is no such text.
    static func interpreter(of image: Span<UInt8>) -> ByteRange? {
        var end = 2
        while end < image.count, image[end] != UInt8(ascii: "\n") {
            guard end < limit, image[end] >= 0x20 || image[end] == UInt8(ascii: "\t"), image[end] != 0x7f
            else {
                return nil
            }
            end += 1
        }
        var start = 2
        while start < end, isBlank(image[start]) { start += 1 }
        while end > start, isBlank(image[end - 1]) { end -= 1 }
        let line = ByteRange(start: start, count: end - start)
        guard !line.isEmpty, image[start] == UInt8(ascii: "/"), image.slice(line).isUTF8 else { return nil }
        return line
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
