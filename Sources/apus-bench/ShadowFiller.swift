import NIOCore
import NIOPosix

/// Updates the shadows of many things over one connection, each once: needs a server with `--dev`.
final class ShadowFiller: RawClient {
    /// Updates that are open: more requests to shadows on one connection are refused with code 429.
    private static let window = 10
    private var waiting: Range<Int>
    private var identifier: UInt16 = 0
    private let arrivals: Arrivals

    static func thing(_ number: Int) -> String { "bench-\(number)" }

    /// Writes the shadows of all `numbers` and waits until they are on disk.
    static func fill(_ numbers: Range<Int>, at target: BrokerTarget, _ group: any EventLoopGroup) async throws {
        let arrivals = Arrivals()
        let channel = try await target.connect(group) { ShadowFiller(numbers, arrivals) }
        try await wait(seconds: 600, for: "every shadow") { arrivals.count == numbers.count }
        try await channel.close()
    }

    private init(_ numbers: Range<Int>, _ arrivals: Arrivals) {
        (waiting, self.arrivals) = (numbers, arrivals)
        super.init(greeting: RawPacket.connect("filler-\(UInt32.random(in: 0 ... .max))"))
    }

    override func took(_ packet: ArrivedPacket) {
        switch packet.kind {
        case .connack: for _ in 0..<Self.window { update() }
        case .puback:
            arrivals.latencies.note(0)
            update()
        default: break
        }
    }

    private func update() {
        guard let number = waiting.popFirst() else { return }
        identifier = identifier == .max ? 1 : identifier + 1
        send(
            RawPacket.publish(
                "$aws/things/\(Self.thing(number))/shadow/update", qos: 1, identifier: identifier,
                ShadowReport.payload(count: 1, token: "fill")))
    }
}

/// What a device tells of itself.
enum ShadowReport {
    private static let filling = String(repeating: "x", count: 120)

    /// About 300 bytes of JSON.
    static func payload(count: Int, token: String) -> [UInt8] {
        Array(
            #"{"state":{"reported":{"count":\#(count),"temperature":21.5,"battery":{"volts":3.71,"percent":\#(count % 100)},"note":"\#(filling)"}},"clientToken":"\#(token)"}"#
                .utf8)
    }
}
