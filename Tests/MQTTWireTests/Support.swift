import ApusTestKit
import ByteKit
import MQTTWire

/// What the tests of this module make of random numbers.
extension SeededRandom {
    mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            withUnsafeBytes(of: next()) { result.append(contentsOf: $0) }
        }
        return Array(result.prefix(count))
    }

    /// Text of 1 to `most` letters, some of them wider than a byte.
    mutating func text(_ most: Int = 12) -> [UInt8] {
        let letters: [Character] = ["a", "b", "/", "é", "燕", "𪛔", "0", "-", "z"]
        var result = ""
        for _ in 0..<Int.random(in: 1...most, using: &self) {
            result.append(letters.randomElement(using: &self) ?? "a")
        }
        return Array(result.utf8)
    }
}

/// The bytes of a row of hexadecimal digits; spaces are for the reader.
func hex(_ digits: String) -> [UInt8] {
    let values = digits.compactMap(\.hexDigitValue)
    return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
}

/// A packet from its first byte and its body, shorter than 128 bytes.
func frame(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
    [first, UInt8(body.count)] + body
}

/// A string field: its two-byte length and its bytes.
func field(_ text: String) -> [UInt8] {
    field(Array(text.utf8))
}

func field(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
}

func decode(
    _ bytes: [UInt8],
    _ version: MQTTVersion = .v5,
    from sender: PacketSender = .either
) throws(MQTTFault) -> Packet {
    try Packet.decode(bytes.span, version: version, from: sender)
}

/// The fault of a frame, `nil` where it is fine.
func fault(
    _ bytes: [UInt8],
    _ version: MQTTVersion = .v5,
    from sender: PacketSender = .either
) -> MQTTFault? {
    do {
        _ = try decode(bytes, version, from: sender)
        return nil
    } catch {
        return error
    }
}

func text(_ range: ByteRange?, in frame: [UInt8]) -> String? {
    guard let range else { return nil }
    return String(decoding: frame[range.start..<range.end], as: UTF8.self)
}

func bytes(_ range: ByteRange, in frame: [UInt8]) -> [UInt8] {
    Array(frame[range.start..<range.end])
}

/// The body of a CONNECT with keep-alive 10 and client identifier "c" around what a test is about.
func connectBody(level: UInt8, flags: UInt8, properties: [UInt8] = [], rest: [UInt8] = []) -> [UInt8] {
    let head = field("MQTT") + [level, flags, 0, 10]
    let block = level == 5 ? [UInt8(properties.count)] + properties : []
    return head + block + field("c") + rest
}

// Shapes that `#expect` can take apart: it cannot hold spans.

func peek(_ bytes: [UInt8]) throws(MQTTFault) -> FrameHeader? {
    try FrameHeader.peek(bytes.span)
}

func announcedVersion(_ bytes: [UInt8]) -> MQTTVersion? {
    Connect.announcedVersion(in: bytes.span)
}

func filters(_ subscribe: Subscribe, in frame: [UInt8]) -> [RequestedFilter] {
    var cursor = FilterCursor(subscribe)
    var result: [RequestedFilter] = []
    while let next = cursor.next(in: frame.span) { result.append(next) }
    return result
}

func isWellFormed(_ text: [UInt8]) -> Bool {
    UTF8Check.isWellFormed(text.span)
}

func isValidName(_ topic: [UInt8]) -> Bool {
    TopicName.isValid(topic.span)
}

func isValidFilter(_ filter: [UInt8]) -> Bool {
    TopicFilter.isValid(filter.span)
}

func matches(_ filter: String, _ topic: String) -> Bool {
    TopicFilter.matches(filter: Array(filter.utf8).span, topic: Array(topic.utf8).span)
}

func split(shared filter: String) -> TopicFilter.Shared? {
    TopicFilter.split(shared: Array(filter.utf8).span)
}
