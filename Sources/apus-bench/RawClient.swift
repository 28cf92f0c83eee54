//  MQTT 3.1.1 as bytes: cheaper than what is measured.

import MQTTWire
import NIOCore

/// Packets as bytes.
enum RawPacket {
    /// Without keep-alive.
    ///
    /// - Parameter isKept: whether the session outlives its connection.
    static func connect(_ id: String, isKept: Bool = false) -> [UInt8] {
        packet(0x10, [0, 4] + Array("MQTT".utf8) + [4, isKept ? 0 : 2, 0, 0] + text(id))
    }

    static func subscribe(_ filters: [String], qos: Int) -> [UInt8] {
        packet(0x82, [0, 1] + filters.flatMap { text($0) + [UInt8(qos)] })
    }

    /// At QoS 1 the packet identifier stands at `identifierOffset`; the payload ends the packet.
    static func publish(_ topic: String, qos: Int, payload: Int) -> (bytes: [UInt8], identifierOffset: Int) {
        let bytes = publish(topic, qos: qos, [UInt8](repeating: 0x78, count: payload))
        return (bytes, bytes.count - payload - 2)
    }

    static func publish(_ topic: String, qos: Int = 0, identifier: UInt16 = 0, _ payload: [UInt8]) -> [UInt8] {
        let number = qos > 0 ? [UInt8(identifier >> 8), UInt8(identifier & 0xFF)] : []
        return packet(UInt8(0x30 | qos << 1), text(topic) + number + payload)
    }

    private static func text(_ text: String) -> [UInt8] {
        [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + Array(text.utf8)
    }

    private static func packet(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = body.count
        repeat {
            length.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return [type] + length + body
    }
}

/// A packet that came.
struct ArrivedPacket {
    enum Kind: UInt8 { case connack = 2, publish = 3, puback = 4, suback = 9 }

    let kind: Kind
    private let bytes: ByteBuffer
    private let bodyStart: Int

    fileprivate init?(_ bytes: ByteBuffer) {
        guard let first: UInt8 = bytes.getInteger(at: bytes.readerIndex), let kind = Kind(rawValue: first >> 4) else {
            return nil
        }
        (self.kind, self.bytes) = (kind, bytes)
        let lengthBytes = bytes.readableBytes > 16_386 ? 3 : bytes.readableBytes > 129 ? 2 : 1
        bodyStart = bytes.readerIndex + 1 + lengthBytes
    }

    private var topicBytes: Int { Int(bytes.getInteger(at: bodyStart, as: UInt16.self) ?? 0) }
    private var hasIdentifier: Bool {
        bytes.getInteger(at: bytes.readerIndex, as: UInt8.self).map { $0 & 6 != 0 } ?? false
    }

    /// Of a PUBLISH.
    var topic: String { bytes.getString(at: bodyStart + 2, length: topicBytes) ?? "" }
    /// Of a PUBLISH.
    var payload: ByteBuffer {
        let start = bodyStart + 2 + topicBytes + (hasIdentifier ? 2 : 0)
        return bytes.getSlice(at: start, length: bytes.writerIndex - start) ?? ByteBuffer()
    }
    /// Of a PUBLISH of QoS 1, or of a PUBACK.
    var identifier: UInt16? {
        guard kind == .publish else { return bytes.getInteger(at: bodyStart) }
        return hasIdentifier ? bytes.getInteger(at: bodyStart + 2 + topicBytes) : nil
    }
}

/// One client, on its connection's event loop; subclasses say what it does.
class RawClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let greeting: [UInt8]
    private var rest = ByteBuffer()
    private var output = ByteBuffer()
    private(set) var context: ChannelHandlerContext?

    /// - Parameter greeting: what is sent at once, CONNECT first.
    init(greeting: [UInt8]) {
        self.greeting = greeting
    }

    /// For subclasses: a packet has come.
    func took(_ packet: ArrivedPacket) {}
    /// For subclasses: the connection is gone.
    func ended() {}
    /// For subclasses: the socket takes bytes again.
    func becameWritable() {}

    /// Sends with all else that one read causes.
    func send(_ bytes: [UInt8]) { output.writeBytes(bytes) }
    /// Acknowledges a PUBLISH of QoS 1.
    func acknowledge(_ identifier: UInt16) {
        output.writeInteger(0x4002 as UInt16)
        output.writeInteger(identifier)
    }

    func flush() {
        guard output.readableBytes > 0, let context else { return }
        context.writeAndFlush(NIOAny(output), promise: nil)
        output = ByteBuffer()
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        send(greeting)
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if rest.readableBytes > 0 {
            rest.writeBuffer(&bytes)
            swap(&rest, &bytes)
        }
        rest = ByteBuffer()
        while let header = try? FrameHeader.peek(bytes.readableBytesUInt8Span),
            let packet = bytes.readSlice(length: header.totalBytes)
        {
            if let arrived = ArrivedPacket(packet) { took(arrived) }
        }
        if bytes.readableBytes > 0 { rest = ByteBuffer(bytes: bytes.readableBytesView) }
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            becameWritable()
            flush()
        }
    }
}
