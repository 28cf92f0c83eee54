/// The patterns and lengths of names (1.1); a pattern applies to the whole name.
package enum IoTNames {
    /// A thing's name: 1 to 128 of `a-z A-Z 0-9 : _ -`.
    package static func isThing(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ":") }
    }

    /// A thing group's or thing type's name: as a thing's.
    package static func isGroup(_ name: String) -> Bool { isThing(name) }

    /// A job's id: 1 to 64 of `a-z A-Z 0-9 _ -`.
    package static func isJob(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count) && id.utf8.allSatisfy(isWord)
    }

    /// A key of `statusDetails`: as a thing's name.
    static func isDetailKey(_ key: String) -> Bool { isThing(key) }

    /// A value of `statusDetails`: 1 to 1024 characters, none of them a control.
    static func isDetailValue(_ value: String) -> Bool { isText(value, 1...1024) }

    /// An attribute's name: 1 to 128 of `a-z A-Z 0-9 _ . , @ / : # -`.
    static func isAttributeName(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.allSatisfy { isWord($0) || isOneOf(".,@/:#", $0) }
    }

    /// An attribute's value: up to 800 of the same and `= [ ]`.
    static func isAttributeValue(_ value: String) -> Bool {
        value.utf8.count <= 800 && value.utf8.allSatisfy { isWord($0) || isOneOf(".,@/:#=[]", $0) }
    }

    /// The reason of a cancellation: 1 to 128 of `A-Z 0-9 _`.
    static func isReasonCode(_ code: String) -> Bool {
        (1...128).contains(code.utf8.count)
            && code.utf8.allSatisfy { isWord($0) && $0 != UInt8(ascii: "-") && !(0x61...0x7A).contains($0) }
    }

    /// Free text: a number of characters, none of them a control.
    static func isText(_ text: String, _ lengths: ClosedRange<Int>) -> Bool {
        guard text.utf8.count <= lengths.upperBound * 4 else { return false }
        return lengths.contains(text.unicodeScalars.count)
            && text.unicodeScalars.allSatisfy { !($0.value < 0x20 || (0x7F...0x9F).contains($0.value)) }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A, 0x2D: true
        default: false
        }
    }

    private static func isOneOf(_ set: String, _ byte: UInt8) -> Bool {
        set.utf8.contains(byte)
    }
}
