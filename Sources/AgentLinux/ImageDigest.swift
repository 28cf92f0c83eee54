import Crypto
import Glibc

/// What an image's SHA-256 has to begin with, as lower-case hexadecimal digits.
///
/// From `Repr-Digest: sha-256=:BASE64:` (RFC 9530) all 64 digits; from a strong entity tag its digits,
/// where it has 32 to 64 of them and nothing else: the server's tags are the beginning of the digest.
struct ImageDigest: Equatable, Sendable {
    let hexadecimal: String

    /// An expectation that was kept; `nil` where it is none.
    init?(hexadecimal: String) {
        guard (32...64).contains(hexadecimal.utf8.count), hexadecimal.utf8.allSatisfy(Self.isDigit) else {
            return nil
        }
        self.hexadecimal = hexadecimal
    }

    /// The best that an answer's headers offer.
    init?(reprDigest: String?, entityTag: String?) {
        if let reprDigest, let digest = Self.digest(in: reprDigest) {
            self = digest
        } else if let entityTag, entityTag.hasPrefix("\""), entityTag.hasSuffix("\"") {
            self.init(hexadecimal: String(entityTag.dropFirst().dropLast()))
        } else {
            return nil
        }
    }

    /// Whether the file at `path` has it.
    func matches(_ path: String) throws -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw FileFault("open", path) }
        defer { close(file) }
        var hash = SHA256()
        while true {
            let piece = try Files.readPiece(file, path, maximumBytes: 1 << 18)
            guard !piece.isEmpty else { break }
            hash.update(data: piece)
        }
        return Self.hexadecimal(Array(hash.finalize())).hasPrefix(hexadecimal)
    }

    private static func digest(in header: String) -> ImageDigest? {
        for part in header.split(separator: ",") {
            let item = part.drop { $0 == " " }
            guard item.hasPrefix("sha-256=:"), item.hasSuffix(":") else { continue }
            let bytes = decodeBase64(item.dropFirst(9).dropLast().utf8)
            guard bytes.count == 32 else { continue }
            return ImageDigest(hexadecimal: hexadecimal(bytes))
        }
        return nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }

    /// The bytes of base 64 (RFC 4648); what is no digit of it ends the text.
    private static func decodeBase64(_ text: some Sequence<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            guard let digit = value(byte) else { break }
            bits = bits << 6 | digit
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte - 0x41)
        case 0x61...0x7A: UInt32(byte - 0x61 + 26)
        case 0x30...0x39: UInt32(byte - 0x30 + 52)
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
