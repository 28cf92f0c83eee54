//  SHA-256 (FIPS 180-4), for the hashes inside images and for artifacts named by their content.
//
//  State and the unfinished block live in the value; nothing allocates. Whole blocks are hashed where they
//  lie, only the rest of a piece is copied. Not for secrets: nothing is wiped.

/// A SHA-256 value of 32 bytes.
public struct SHA256Digest: Equatable, Sendable {
    /// The bytes in the order they are written, high byte first.
    public let bytes: InlineArray<32, UInt8>

    /// Wraps 32 bytes.
    public init(_ bytes: InlineArray<32, UInt8>) {
        self.bytes = bytes
    }

    /// The 32 bytes.
    public var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { bytes.span }
    }

    /// Whether both have the same bytes.
    public static func == (left: SHA256Digest, right: SHA256Digest) -> Bool {
        for index in left.bytes.indices where left.bytes[index] != right.bytes[index] {
            return false
        }
        return true
    }

    /// Whether `bytes` are exactly these 32.
    public func matches(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count == 32 else { return false }
        for index in bytes.indices where self.bytes[index] != bytes[index] {
            return false
        }
        return true
    }
}

/// SHA-256 over bytes that come in pieces (FIPS 180-4 §6.2).
public struct SHA256: Sendable {
    private var state: InlineArray<8, UInt32> = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
        0x5be0_cd19,
    ]
    private var rest = InlineArray<64, UInt8>(repeating: 0)
    private var restCount = 0
    private var total: UInt64 = 0

    /// Nothing hashed yet.
    public init() {}

    /// The hash of one run of bytes.
    public static func hash(_ bytes: Span<UInt8>) -> SHA256Digest {
        var hasher = SHA256()
        hasher.update(bytes)
        return hasher.finalize()
    }

    /// Takes the next bytes, in pieces of any size.
    public mutating func update(_ bytes: Span<UInt8>) {
        total &+= UInt64(bytes.count)
        var start = 0
        if restCount > 0 {
            start = min(64 - restCount, bytes.count)
            keep(bytes.extracting(first: start))
        }
        let blocks = (bytes.count - start) / 64
        compress(bytes.extracting(start..<start + blocks * 64))
        keep(bytes.extracting(droppingFirst: start + blocks * 64))
    }

    /// The hash of all bytes taken; the hasher is used up.
    public consuming func finalize() -> SHA256Digest {
        let bits = total &* 8
        var padding = InlineArray<72, UInt8>(repeating: 0)
        padding[0] = 0x80
        let zeros = (restCount < 56 ? 55 : 119) - restCount
        for index in 0..<8 {
            padding[1 + zeros + index] = UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * index))
        }
        update(padding.span.extracting(first: 1 + zeros + 8))
        var bytes = InlineArray<32, UInt8>(repeating: 0)
        for index in bytes.indices {
            bytes[index] = UInt8(truncatingIfNeeded: state[index / 4] >> UInt32(24 - 8 * (index % 4)))
        }
        return SHA256Digest(bytes)
    }

    /// Copies bytes behind the unfinished block, and hashes the block where they complete it.
    private mutating func keep(_ bytes: Span<UInt8>) {
        for index in bytes.indices {
            rest[restCount + index] = bytes[index]
        }
        restCount += bytes.count
        guard restCount == 64 else { return }
        restCount = 0
        let block = rest
        compress(block.span)
    }

    /// Hashes whole blocks of 64 bytes.
    private mutating func compress(_ blocks: Span<UInt8>) {
        let raw = unsafe blocks.bytes
        var words = InlineArray<16, UInt32>(repeating: 0)
        var start = 0
        while blocks.count - start >= 64 {
            for index in 0..<16 {
                words[index] = Self.word(raw, at: start &+ index &* 4)
            }
            start += 64
            Self.mix(&words, into: &state)
        }
    }

    /// Four bytes as a number, high byte first.
    @inline(__always)
    private static func word(_ bytes: RawSpan, at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= bytes.byteCount - 4, "a block ends inside the run")
        return unsafe UInt32(
            bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
        )
    }

    /// The 64 rounds of one block (FIPS 180-4 §6.2.2); the message schedule is kept as a ring of 16 words.
    private static func mix(_ words: inout InlineArray<16, UInt32>, into state: inout InlineArray<8, UInt32>) {
        var work = WorkingWords(state)
        for index in 0..<16 {
            work.round(words[index] &+ sha256Constants[index])
        }
        for group in 1..<4 {
            for slot in 0..<16 {
                let early = words[(slot &+ 1) & 15]
                let late = words[(slot &+ 14) & 15]
                words[slot] =
                    words[slot] &+ words[(slot &+ 9) & 15]
                    &+ (early.rotated(7) ^ early.rotated(18) ^ (early >> 3))
                    &+ (late.rotated(17) ^ late.rotated(19) ^ (late >> 10))
                work.round(words[slot] &+ sha256Constants[group &* 16 &+ slot])
            }
        }
        work.add(to: &state)
    }
}

/// The eight working variables a to h of one block.
private struct WorkingWords {
    private var a, b, c, d, e, f, g, h: UInt32

    @inline(__always)
    init(_ state: InlineArray<8, UInt32>) {
        (a, b, c, d) = (state[0], state[1], state[2], state[3])
        (e, f, g, h) = (state[4], state[5], state[6], state[7])
    }

    /// One round; `input` is the word of the schedule plus the constant.
    @inline(__always)
    mutating func round(_ input: UInt32) {
        let chosen = g ^ (e & (f ^ g))
        let first = h &+ (e.rotated(6) ^ e.rotated(11) ^ e.rotated(25)) &+ chosen &+ input
        let majority = (a & b) | (c & (a | b))
        let second = (a.rotated(2) ^ a.rotated(13) ^ a.rotated(22)) &+ majority
        (h, g, f, e) = (g, f, e, d &+ first)
        (d, c, b, a) = (c, b, a, first &+ second)
    }

    @inline(__always)
    func add(to state: inout InlineArray<8, UInt32>) {
        state = [
            state[0] &+ a, state[1] &+ b, state[2] &+ c, state[3] &+ d,
            state[4] &+ e, state[5] &+ f, state[6] &+ g, state[7] &+ h,
        ]
    }
}

extension UInt32 {
    /// The bits turned right by `count`, 1 to 31.
    @inline(__always)
    fileprivate func rotated(_ count: UInt32) -> UInt32 {
        (self >> count) | (self << (32 &- count))
    }
}

/// Fractions of the cube roots of the first 64 primes (FIPS 180-4 §4.2.2).
private let sha256Constants: InlineArray<64, UInt32> = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
]
