import ApusTestKit
import ImageFormat
import Testing

@Suite("SHA-2 agrees with FIPS 180-4 and the NIST examples")
struct SHATests {
    struct Vector: Sendable {
        let text: String
        let sha256: String
        let sha384: String
        let sha512: String
    }

    /// NIST "Secure Hash Standard" example values, and the empty message.
    static let vectors = [
        Vector(
            text: "",
            sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            sha384: "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
                + "274edebfe76f65fbd51ad2f14898b95b",
            sha512: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                + "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        ),
        Vector(
            text: "abc",
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            sha384: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                + "8086072ba1e7cc2358baeca134c825a7",
            sha512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        Vector(
            text: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            sha256: "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            sha384: "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6"
                + "b0455a8520bc4e6f5fe95b1fe3c8452b",
            sha512: "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
                + "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445"
        ),
        Vector(
            text: "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            sha256: "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
            sha384: "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
                + "fcc7c71a557e2db966c3e9fa91746039",
            sha512: "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
                + "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"
        ),
    ]

    @Test("each example has its three hashes", arguments: vectors)
    func examples(_ vector: Vector) throws {
        let bytes = Array(vector.text.utf8)
        let digest = SHA256.hash(bytes.span)
        #expect(Self.text(digest) == vector.sha256)
        let sha384 = try Self.bytes(vector.sha384)
        let sha512 = try Self.bytes(vector.sha512)
        #expect(matches(sha384, .sha384, bytes))
        #expect(matches(sha512, .sha512, bytes))
        #expect(!matches(sha512, .sha384, bytes))
        let other = [UInt8](repeating: 0, count: 64)
        #expect(!matches(other, .sha512, bytes))
    }

    @Test("a million letters a")
    func million() {
        let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1000)
        var hasher = SHA256()
        for _ in 0..<1000 { hasher.update(piece.span) }
        let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        let digest = hasher.finalize()
        #expect(Self.text(digest) == expected)
    }

    @Test("pieces of any size give the hash of the whole", arguments: UInt64(0)..<50)
    func anyCuts(seed: UInt64) {
        var random = SeededRandom(seed)
        let bytes = (0..<Int.random(in: 0...400, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        var hasher = SHA256()
        var start = 0
        while start < bytes.count {
            let count = min(Int.random(in: 0...150, using: &random), bytes.count - start)
            hasher.update(bytes.span.extracting(start..<start + count))
            start += count
        }
        let whole = SHA256.hash(bytes.span)
        let pieces = hasher.finalize()
        #expect(pieces == whole)
    }

    /// Whether a digest is that of the bytes.
    private func matches(_ digest: [UInt8], _ kind: SHA512.Kind, _ bytes: [UInt8]) -> Bool {
        SHA512.matches(digest.span, kind, of: bytes.span)
    }

    static func text(_ digest: SHA256Digest) -> String {
        hex(digest.bytes.indices.map { digest.bytes[$0] })
    }

    static func bytes(_ hex: String) throws -> [UInt8] {
        let digits = Array(hex)
        return try stride(from: 0, to: digits.count, by: 2).map { index in
            try #require(UInt8(String(digits[index...index + 1]), radix: 16))
        }
    }
}
