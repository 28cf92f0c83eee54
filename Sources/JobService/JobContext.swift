import ByteKit

/// The names of resources as AWS writes them (10).
package struct ARNs: Equatable, Sendable {
    /// Any fixed one.
    package let region: String
    /// Twelve digits.
    package let account: String

    /// Names in this region and account.
    package init(region: String = "us-east-1", account: String = "000000000000") {
        self.region = region
        self.account = account
    }

    /// Writes `arn:aws:iot:REGION:ACCOUNT:thing/NAME`.
    package func thing(_ name: String) -> String { "\(base)thing/\(name)" }
    /// Writes `arn:aws:iot:REGION:ACCOUNT:thinggroup/NAME`.
    package func group(_ name: String) -> String { "\(base)thinggroup/\(name)" }
    /// Writes `arn:aws:iot:REGION:ACCOUNT:job/ID`.
    package func job(_ id: String) -> String { "\(base)job/\(id)" }

    private var base: String { "arn:aws:iot:\(region):\(account):" }
}

/// What a job is sent to.
package enum JobTarget: Hashable, Sendable {
    /// One thing.
    case thing(String)
    /// The things in a group and in its child groups.
    case group(String)

    /// Reads an ARN of any region and account: users write them by hand.
    package init?(arn: String) {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard arn.utf8.count <= 2048, parts.count == 6, parts[0] == "arn", parts[2] == "iot" else { return nil }
        let resource = parts[5].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard resource.count == 2 else { return nil }
        let name = String(resource[1])
        switch resource[0] {
        case "thing" where IoTNames.isThing(name): self = .thing(name)
        case "thinggroup" where IoTNames.isGroup(name): self = .group(name)
        default: return nil
        }
    }

    /// How it is written.
    package func arn(_ arns: ARNs) -> String {
        switch self {
        case .thing(let name): arns.thing(name)
        case .group(let name): arns.group(name)
        }
    }
}

/// When and where something happens: what a pure value cannot know by itself.
package struct JobContext: Sendable {
    /// Seconds since 1970.
    package let seconds: UInt64
    /// How resources are named.
    package let arns: ARNs
    private var state: UInt64

    /// A moment; `seed` is a random number that makes its identifiers unique.
    package init(seconds: UInt64, seed: UInt64, arns: ARNs = ARNs()) {
        self.seconds = seconds
        self.arns = arns
        state = seed
    }

    /// An identifier for an event or a resource: a UUID of version 4 from the seed (SplitMix64).
    mutating func identifier() -> String {
        let (high, low) = (next(), next())
        var bytes = (0..<8).map { UInt8(truncatingIfNeeded: high >> (8 * $0)) }
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: low >> (8 * $0)) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return text
    }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// One message of the server: QoS 1, not retained.
package struct JobPublication: Equatable, Sendable {
    /// The whole topic.
    package let topic: String
    /// Compact JSON; a job document in it stands as it was given.
    package let payload: [UInt8]
}
