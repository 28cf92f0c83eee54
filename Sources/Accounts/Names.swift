/// The rules for names that people choose.
package enum Names {
    /// Product slugs, hardware models and version texts stand in URLs: 1 to 64 of `a-z A-Z 0-9 . _ - +`, not a dot first.
    package static func isValidSegment(_ text: String) -> Bool {
        let bytes = text.utf8
        return (1...64).contains(bytes.count) && bytes.first != UInt8(ascii: ".")
            && bytes.allSatisfy { isLetterOrDigit($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D || $0 == 0x2B }
    }

    /// Accounts: 1 to 64 of `a-z A-Z 0-9 . _ - @ +`.
    package static func isValidAccount(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLetterOrDigit($0) || ".-_@+".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
