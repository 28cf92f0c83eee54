//  SHA-384 and SHA-512 (FIPS 180-4) over one run of bytes: a few MCUboot images carry them instead of
//  SHA-256.

/// SHA-384 or SHA-512 of a run of bytes that lies in memory as a whole (FIPS 180-4 §6.4, §6.5).
package struct SHA512: Sendable {
    /// Which of the two hashes.
    package enum Kind: Sendable {
        /// 48 bytes.
        case sha384
        /// 64 bytes.
        case sha512

        /// Bytes in the hash.
        package var byteCount: Int { self == .sha384 ? 48 : 64 }
    }

    private var state: InlineArray<8, UInt64>

    private init(_ kind: Kind) {
        switch kind {
        case .sha384:
            state = [
                0xcbbb_9d5d_c105_9ed8, 0x629a_292a_367c_d507, 0x9159_015a_3070_dd17, 0x152f_ecd8_f70e_5939,
                0x6733_2667_ffc0_0b31, 0x8eb4_4a87_6858_1511, 0xdb0c_2e0d_64f9_8fa7, 0x47b5_481d_befa_4fa4,
            ]
        case .sha512:
            state = [
                0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1,
                0x510e_527f_ade6_82d1, 0x9b05_688c_2b3e_6c1f, 0x1f83_d9ab_fb41_bd6b, 0x5be0_cd19_137e_2179,
            ]
        }
    }

    /// Whether `digest` is the hash of `bytes`; `false` also where it has another length.
    package static func matches(_ digest: Span<UInt8>, _ kind: Kind, of bytes: Span<UInt8>) -> Bool {
        guard digest.count == kind.byteCount else { return false }
        var hasher = SHA512(kind)
        hasher.hash(bytes)
        for index in digest.indices {
            let shift = UInt64(56 - 8 * (index % 8))
            guard digest[index] == UInt8(truncatingIfNeeded: hasher.state[index / 8] >> shift) else {
                return false
            }
        }
        return true
    }

    /// Hashes the whole run with its padding.
    private mutating func hash(_ bytes: Span<UInt8>) {
        let whole = bytes.count / 128 * 128
        var start = 0
        while start < whole {
            mix(bytes.extracting(start..<start + 128))
            start += 128
        }
        var tail = InlineArray<256, UInt8>(repeating: 0)
        let rest = bytes.count - whole
        for index in 0..<rest {
            tail[index] = bytes[whole + index]
        }
        tail[rest] = 0x80
        let tailCount = rest < 112 ? 128 : 256
        let bits = UInt64(bytes.count) &* 8
        for index in 0..<8 {
            tail[tailCount - 8 + index] = UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * index))
        }
        mix(tail.span.extracting(first: 128))
        if tailCount == 256 { mix(tail.span.extracting(128..<256)) }
    }

    /// The 80 rounds of one block of 128 bytes.
    private mutating func mix(_ block: Span<UInt8>) {
        var words = InlineArray<16, UInt64>(repeating: 0)
        for index in 0..<128 {
            words[index / 8] = words[index / 8] << 8 | UInt64(block[index])
        }
        var work = state
        for index in 0..<80 {
            if index >= 16 { Self.extend(&words, at: index) }
            Self.round(&work, words[index & 15] &+ sha512Constants[index])
        }
        for index in 0..<8 {
            state[index] &+= work[index]
        }
    }

    /// Word `index` of the message schedule, kept as a ring of 16.
    private static func extend(_ words: inout InlineArray<16, UInt64>, at index: Int) {
        let early = words[(index &+ 1) & 15]
        let late = words[(index &+ 14) & 15]
        words[index & 15] =
            words[index & 15] &+ words[(index &+ 9) & 15]
            &+ (early.rotated(1) ^ early.rotated(8) ^ (early >> 7))
            &+ (late.rotated(19) ^ late.rotated(61) ^ (late >> 6))
    }

    /// One round on the working variables a to h; `input` is the word of the schedule plus the constant.
    private static func round(_ work: inout InlineArray<8, UInt64>, _ input: UInt64) {
        let (a, b, c, e) = (work[0], work[1], work[2], work[4])
        let chosen = work[6] ^ (e & (work[5] ^ work[6]))
        let first = work[7] &+ (e.rotated(14) ^ e.rotated(18) ^ e.rotated(41)) &+ chosen &+ input
        let second = (a.rotated(28) ^ a.rotated(34) ^ a.rotated(39)) &+ ((a & b) | (c & (a | b)))
        work = [first &+ second, a, b, c, work[3] &+ first, e, work[5], work[6]]
    }
}

extension UInt64 {
    /// The bits turned right by `count`, 1 to 63.
    @inline(__always)
    fileprivate func rotated(_ count: UInt64) -> UInt64 {
        (self >> count) | (self << (64 &- count))
    }
}

/// Fractions of the cube roots of the first 80 primes (FIPS 180-4 §4.2.3).
private let sha512Constants: InlineArray<80, UInt64> = [
    0x428a_2f98_d728_ae22, 0x7137_4491_23ef_65cd, 0xb5c0_fbcf_ec4d_3b2f, 0xe9b5_dba5_8189_dbbc,
    0x3956_c25b_f348_b538, 0x59f1_11f1_b605_d019, 0x923f_82a4_af19_4f9b, 0xab1c_5ed5_da6d_8118,
    0xd807_aa98_a303_0242, 0x1283_5b01_4570_6fbe, 0x2431_85be_4ee4_b28c, 0x550c_7dc3_d5ff_b4e2,
    0x72be_5d74_f27b_896f, 0x80de_b1fe_3b16_96b1, 0x9bdc_06a7_25c7_1235, 0xc19b_f174_cf69_2694,
    0xe49b_69c1_9ef1_4ad2, 0xefbe_4786_384f_25e3, 0x0fc1_9dc6_8b8c_d5b5, 0x240c_a1cc_77ac_9c65,
    0x2de9_2c6f_592b_0275, 0x4a74_84aa_6ea6_e483, 0x5cb0_a9dc_bd41_fbd4, 0x76f9_88da_8311_53b5,
    0x983e_5152_ee66_dfab, 0xa831_c66d_2db4_3210, 0xb003_27c8_98fb_213f, 0xbf59_7fc7_beef_0ee4,
    0xc6e0_0bf3_3da8_8fc2, 0xd5a7_9147_930a_a725, 0x06ca_6351_e003_826f, 0x1429_2967_0a0e_6e70,
    0x27b7_0a85_46d2_2ffc, 0x2e1b_2138_5c26_c926, 0x4d2c_6dfc_5ac4_2aed, 0x5338_0d13_9d95_b3df,
    0x650a_7354_8baf_63de, 0x766a_0abb_3c77_b2a8, 0x81c2_c92e_47ed_aee6, 0x9272_2c85_1482_353b,
    0xa2bf_e8a1_4cf1_0364, 0xa81a_664b_bc42_3001, 0xc24b_8b70_d0f8_9791, 0xc76c_51a3_0654_be30,
    0xd192_e819_d6ef_5218, 0xd699_0624_5565_a910, 0xf40e_3585_5771_202a, 0x106a_a070_32bb_d1b8,
    0x19a4_c116_b8d2_d0c8, 0x1e37_6c08_5141_ab53, 0x2748_774c_df8e_eb99, 0x34b0_bcb5_e19b_48a8,
    0x391c_0cb3_c5c9_5a63, 0x4ed8_aa4a_e341_8acb, 0x5b9c_ca4f_7763_e373, 0x682e_6ff3_d6b2_b8a3,
    0x748f_82ee_5def_b2fc, 0x78a5_636f_4317_2f60, 0x84c8_7814_a1f0_ab72, 0x8cc7_0208_1a64_39ec,
    0x90be_fffa_2363_1e28, 0xa450_6ceb_de82_bde9, 0xbef9_a3f7_b2c6_7915, 0xc671_78f2_e372_532b,
    0xca27_3ece_ea26_619c, 0xd186_b8c7_21c0_c207, 0xeada_7dd6_cde0_eb1e, 0xf57d_4f7f_ee6e_d178,
    0x06f0_67aa_7217_6fba, 0x0a63_7dc5_a2c8_98a6, 0x113f_9804_bef9_0dae, 0x1b71_0b35_131c_471b,
    0x28db_77f5_2304_7d84, 0x32ca_ab7b_40c7_2493, 0x3c9e_be0a_15c9_bebc, 0x431d_67c4_9c10_0d4c,
    0x4cc5_d4be_cb3e_42b6, 0x597f_299c_fc65_7e2a, 0x5fcb_6fab_3ad6_faec, 0x6c44_198c_4a47_5817,
]
