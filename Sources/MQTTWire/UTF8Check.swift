/// The rules for text on the wire (clause 1.5.4).
///
/// Text stays bytes everywhere: comparing characters would merge topics that only look alike.
public enum UTF8Check {
    /// Whether `text` is well formed UTF-8 without U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2].
    ///
    /// Overlong forms, surrogates and code points above U+10FFFF are refused. Control characters and
    /// non-characters, which the standard merely advises against, pass; U+FEFF is kept [MQTT-1.5.4-3].
    public static func isWellFormed(_ text: Span<UInt8>) -> Bool {
        var index = 0
        while index < text.count {
            let length = text[index] &- 1 < 0x7F ? 1 : sequenceLength(in: text, at: index)
            guard length > 0 else { return false }
            index += length
        }
        return true
    }

    /// Bytes of the multi-byte sequence at `index`, 0 where it is not well formed (Unicode, table 3-7).
    private static func sequenceLength(in text: Span<UInt8>, at index: Int) -> Int {
        switch text[index] {
        case 0xC2...0xDF: length(2, second: 0x80...0xBF, in: text, at: index)
        case 0xE0: length(3, second: 0xA0...0xBF, in: text, at: index)
        case 0xED: length(3, second: 0x80...0x9F, in: text, at: index)
        case 0xE1...0xEF: length(3, second: 0x80...0xBF, in: text, at: index)
        case 0xF0: length(4, second: 0x90...0xBF, in: text, at: index)
        case 0xF1...0xF3: length(4, second: 0x80...0xBF, in: text, at: index)
        case 0xF4: length(4, second: 0x80...0x8F, in: text, at: index)
        default: 0
        }
    }

    private static func length(
        _ count: Int,
        second: ClosedRange<UInt8>,
        in text: Span<UInt8>,
        at index: Int
    ) -> Int {
        guard text.count - index >= count, second.contains(text[index + 1]) else { return 0 }
        for offset in 2..<count where text[index + offset] & 0xC0 != 0x80 {
            return 0
        }
        return count
    }
}
