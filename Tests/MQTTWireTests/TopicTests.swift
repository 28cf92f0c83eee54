import ApusTestKit
import ByteKit
import MQTTWire
import Testing

/// Clause numbers of MQTT 5.
@Suite("Topic names and filters (4.7, 4.8.2)")
struct TopicTests {
    static let forms: [(rule: String, filter: String, isValid: Bool)] = [
        ("4.7.1-1", "sport/tennis/#", true), ("4.7.1-1", "#", true), ("4.7.1-1", "sport/tennis#", false),
        ("4.7.1-1", "sport/tennis/#/ranking", false), ("4.7.1-1", "##", false), ("4.7.1-1", "#/", false),
        ("4.7.1-1", "/#", true), ("4.7.1-1", "a/#b", false),
        ("4.7.1-2", "+", true), ("4.7.1-2", "+/tennis/#", true), ("4.7.1-2", "sport+", false),
        ("4.7.1-2", "sport/+/player1", true), ("4.7.1-2", "+a", false), ("4.7.1-2", "a/b+/c", false),
        ("4.7.1-2", "++", false), ("4.7.1-2", "+#", false), ("4.7.1-2", "+/+", true),
        ("4.7.1-2", "/+/", true),
        ("4.7.3-1", "", false), ("4.7.3-1", "/", true), ("4.7.3-1", "Accounts payable", true),
        ("4.7.3-2", "a\u{0}b", false), ("4.7.2", "$SYS/#", true), ("4.7.2", "$share", true),
        ("4.8.2-1", "$share/consumer1//finance", true), ("4.8.2-1", "$share/g/f", true),
        ("4.8.2-1", "$share//f", false), ("4.8.2-1", "$share/g", false), ("4.8.2-1", "$share/", false),
        ("4.8.2-2", "$share/g/", false), ("4.8.2-2", "$share/g+/f", false), ("4.8.2-2", "$share/#/f", false),
        ("4.8.2-2", "$share/g/#", true), ("4.8.2-2", "$share/g/a#", false), ("4.8.2-2", "$share/g/+/x", true),
    ]

    @Test(
        """
        a filter is well formed exactly when 4.7 and 4.8.2 say so \
        [MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT5-4.7.1-1] [MQTT5-4.7.1-2]
        """, arguments: forms)
    func form(_ row: (rule: String, filter: String, isValid: Bool)) {
        #expect(isValidFilter(Array(row.filter.utf8)) == row.isValid)
        let packet = frame(0x82, [0, 1] + field(row.filter) + [0])
        let expected: MQTTFault = row.filter.contains("\u{0}") ? .invalidUTF8 : .topicFilterInvalid
        #expect(fault(packet, .v311) == (row.isValid ? nil : expected))
    }

    static let wishes: [(rule: String, filter: String, topic: String, isMatch: Bool)] = [
        ("4.7.1.2", "sport/tennis/player1/#", "sport/tennis/player1", true),
        ("4.7.1.2", "sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("4.7.1.2", "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("4.7.1.2", "sport/tennis/player1/#", "sport/tennis/player12", false),
        ("4.7.1.2", "sport/#", "sport", true), ("4.7.1.2", "sport/#", "sports", false),
        ("4.7.1.2", "sport/#", "sport/", true), ("4.7.1.2", "#", "a", true), ("4.7.1.2", "#", "/", true),
        ("4.7.1.3", "sport/tennis/+", "sport/tennis/player1", true),
        ("4.7.1.3", "sport/tennis/+", "sport/tennis/player2", true),
        ("4.7.1.3", "sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("4.7.1.3", "sport/+", "sport", false), ("4.7.1.3", "sport/+", "sport/", true),
        ("4.7.1.3", "+/+", "/finance", true), ("4.7.1.3", "/+", "/finance", true),
        ("4.7.1.3", "+", "/finance", false), ("4.7.1.3", "+/+", "/", true), ("4.7.1.3", "+/+/+", "/", false),
        ("4.7.1.3", "+/#", "a", true), ("4.7.1.3", "a/+/c", "a//c", true), ("4.7.1.3", "a/+/#", "a", false),
        ("4.7.2-1", "#", "$SYS/a", false), ("4.7.2-1", "+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("4.7.2-1", "$SYS/#", "$SYS/a", true), ("4.7.2-1", "$SYS/#", "$SYS", true),
        ("4.7.2-1", "$SYS/monitor/+", "$SYS/monitor/Clients", true), ("4.7.2-1", "a/#", "a/$b", true),
        ("4.7.2-1", "+/$b", "a/$b", true), ("4.7.2-1", "+", "$SYS", false),
        ("4.7.3", "ACCOUNTS", "Accounts", false), ("4.7.3", "/finance", "finance", false),
        ("4.7.3", "a/b", "a/b", true), ("4.7.3", "a/b", "a/bc", false), ("4.7.3", "a/bc", "a/b", false),
        ("4.7.3", "a/b/", "a/b", false), ("4.7.3-4", "\u{E9}", "e\u{301}", false),
        ("4.7.3-1", "a", "", false),
    ]

    @Test(
        """
        a filter wants exactly the topics that 4.7 says \
        [MQTT3-4.7.2-1] [MQTT3-4.7.3-4] [MQTT5-4.7.2-1] [MQTT5-4.7.3-4]
        """, arguments: wishes)
    func match(_ row: (rule: String, filter: String, topic: String, isMatch: Bool)) {
        #expect(matches(row.filter, row.topic) == row.isMatch)
    }

    /// The rules once more, level by level and slowly.
    private func slowMatch(_ filter: String, _ topic: String) -> Bool {
        if topic.hasPrefix("$") && (filter.hasPrefix("+") || filter.hasPrefix("#")) { return false }
        let wanted = filter.split(separator: "/", omittingEmptySubsequences: false)
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        for (index, level) in wanted.enumerated() {
            if level == "#" { return true }
            guard index < levels.count, level == "+" || level == levels[index] else { return false }
        }
        return wanted.count == levels.count
    }

    @Test("matching agrees with a level-by-level model", arguments: UInt64(0)..<20)
    func matchModel(seed: UInt64) {
        var random = SeededRandom(seed)
        var hits = 0
        for _ in 0..<300 {
            let some = ["a", "b", "", "$x"]
            let topic = (0..<Int.random(in: 1...4, using: &random))
                .map { _ in some.randomElement(using: &random) ?? "" }.joined(separator: "/")
            var levels = (0..<Int.random(in: 1...4, using: &random))
                .map { _ in (some + ["+", "+"]).randomElement(using: &random) ?? "" }
            if Bool.random(using: &random) { levels.append("#") }
            let filter = levels.joined(separator: "/")
            guard !topic.isEmpty, !filter.isEmpty else { continue }
            let isMatch = matches(filter, topic)
            #expect(isMatch == slowMatch(filter, topic), "\(filter) on \(topic)")
            hits += isMatch ? 1 : 0
        }
        #expect(hits > 10)
    }

    @Test(
        """
        names have no wildcard, no U+0000, 1 ... 65 535 bytes \
        [MQTT5-4.7.0-1] [MQTT5-4.7.3-1] [MQTT5-4.7.3-2] [MQTT5-4.7.3-3]
        """)
    func names() {
        for (name, isValid) in [
            ("a", true), ("/", true), ("", false), ("a/+", false), ("#", false), ("a\u{0}", false),
        ] {
            #expect(isValidName(Array(name.utf8)) == isValid)
        }
        #expect(isValidName([UInt8](repeating: 0x61, count: 65_535)))
        #expect(!isValidName([UInt8](repeating: 0x61, count: 65_536)))
        #expect(!isValidFilter([UInt8](repeating: 0x61, count: 65_536)))
        #expect(!isValidName(hex("61FF")))
        #expect(!isValidFilter(hex("61FF")))
    }

    @Test("a shared subscription comes apart into group and filter")
    func shared() throws {
        let shared = "$share/consumer1//finance"
        let filter = Array(shared.utf8)
        let parts = try #require(split(shared: shared))
        #expect(text(parts.group, in: filter) == "consumer1")
        #expect(text(parts.filter, in: filter) == "/finance")
        #expect(split(shared: "a/b") == nil)
        #expect(split(shared: "$share/g") == nil)
    }
}
