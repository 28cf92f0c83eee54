import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

/// The least that could answer shadow updates beside a broker that has no shadows: keeps nothing, checks nothing.
struct Responder: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "responder", abstract: "Answers every shadow update with its own payload; until it is killed.")

    @Option(help: "HOST:PORT of plain MQTT; anybody must be allowed in.") var mqtt = "127.0.0.1:1883"

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await BrokerTarget(mqtt).connect(group) { Echo() }
        try await channel.closeFuture.get()
        try await group.shutdownGracefully()
    }

    private final class Echo: RawClient {
        init() {
            super.init(
                greeting: RawPacket.connect("responder")
                    + RawPacket.subscribe(["$aws/things/+/shadow/update"], qos: 0))
        }

        override func took(_ packet: ArrivedPacket) {
            switch packet.kind {
            case .suback: FileHandle.standardOutput.write(Data("ready\n".utf8))
            case .publish:
                send(RawPacket.publish(packet.topic + "/accepted", Array(packet.payload.readableBytesView)))
            default: break
            }
        }
    }
}
