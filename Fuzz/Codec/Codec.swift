//  The codecs of the wire under any bytes: a packet or a typed fault, and what was decoded encodes to the same packet again.
//
//  Input: one byte that says what to do (see `Aim`), then the bytes it is done with.

import ByteKit
import MQTTWire

/// One input of libFuzzer; always 0, or -1 where the input is of no use.
@_cdecl("LLVMFuzzerTestOneInput")
public func codec(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = Input(start, count)
    let choice = input.byte()
    let version: MQTTVersion = choice & 0x80 == 0 ? .v311 : .v5
    let sender: PacketSender = choice & 0x40 == 0 ? .client : .server
    switch Aim(rawValue: choice & 0x07) {
    case .packet: frames(of: honest(input.rest()), version, sender)
    case .stream: frames(of: input.rest(), version, sender)
    case .reason: reason(input.rest())
    case .topic: topics(input.rest())
    case .websocket: websocket(input.rest())
    case nil: return -1
    }
    return 0
}

/// What one input is about.
private enum Aim: UInt8 {
    /// First byte and body of a packet; its length is put in.
    case packet
    /// Packets as they come from a socket.
    case stream
    /// A text for a reason string.
    case reason
    /// A filter, 0xFF and a topic.
    case topic
    /// What a client sends behind an upgrade to WebSocket.
    case websocket
}

/// The packet of a first byte and a body.
private func honest(_ bytes: [UInt8]) -> [UInt8] {
    guard let first = bytes.first else { return [] }
    var frame = [first]
    VariableByteInteger.append(bytes.count - 1, to: &frame)
    return frame + bytes.dropFirst()
}

private func frames(of bytes: [UInt8], _ version: MQTTVersion, _ sender: PacketSender) {
    _ = Connect.announcedVersion(in: bytes.span)
    var used = 0
    while used < bytes.count {
        let rest = bytes.span.extracting(droppingFirst: used)
        guard let header = try? FrameHeader.peek(rest) else { return }
        require((2...5).contains(header.headerBytes), "2.1.1: header")
        require(header.bodyBytes <= VariableByteInteger.maximum, "2.1.4: remaining length")
        guard header.totalBytes <= rest.count else {
            // Half a packet is no packet, and asks for nothing but more.
            require(decode(Array(bytes[used...]), version, sender) == nil, "a packet of half its bytes")
            return
        }
        packet(Array(bytes[used..<(used + header.totalBytes)]), version, sender)
        used += header.totalBytes
    }
}

private func decode(_ frame: [UInt8], _ version: MQTTVersion, _ sender: PacketSender) -> Packet? {
    try? Packet.decode(frame.span, version: version, from: sender)
}

private func packet(_ frame: [UInt8], _ version: MQTTVersion, _ sender: PacketSender) {
    guard let packet = decode(frame, version, sender) else { return fault(frame, version, sender) }
    require(decode(frame + [0], version, sender) == nil, "one byte more than the packet")
    require(decode(frame, version, .either) == packet, "the packet depends on the side")
    guard let again = try? encode(packet, from: frame, version) else { fatalError("a decoded packet does not encode") }
    guard let second = decode(again, version, sender) else { fatalError("an encoded packet does not decode") }
    require((try? encode(second, from: again, version)) == again, "encoding is not settled after one turn")
    require(again == frame || hasShortForm(packet, frame, again), "decoding and encoding changed the packet")
    if case .publish(let publish) = packet { forward(publish, frame) }
}

/// Whether `again` says the same as `frame` in fewer bytes (3.4.2.1, 3.14.2.1); AUTH of nothing has a long form.
private func hasShortForm(_ packet: Packet, _ frame: [UInt8], _ again: [UInt8]) -> Bool {
    switch packet {
    case .puback(let ack), .pubrec(let ack), .pubrel(let ack), .pubcomp(let ack):
        ack.properties.isEmpty && again.count < frame.count
    case .disconnect(let goodbye): goodbye.properties.isEmpty && again.count < frame.count
    case .auth(let auth): auth.properties.isEmpty && frame.count == 2 && again.count == 4
    default: false
    }
}

/// The fault of a frame says which code and which words the connection ends with.
private func fault(_ frame: [UInt8], _ version: MQTTVersion, _ sender: PacketSender) {
    do throws(MQTTFault) {
        _ = try Packet.decode(frame.span, version: version, from: sender)
    } catch {
        require(error.reasonCode.isFailure && error.explanation.utf8CodeUnitCount > 10, "a fault without words")
    }
}

/// What of a message goes on to its subscribers is a message again.
private func forward(_ publish: Publish, _ frame: [UInt8]) {
    var block: [UInt8] = []
    let local = PropertySet(.topicAlias).with(.subscriptionIdentifier).with(.messageExpiryInterval)
    Property.copy(publish.properties, in: frame.span, without: local, to: &block)
    let (topic, payload) = (frame.span.slice(publish.topic).copy(), frame.span.slice(publish.payload).copy())
    guard !topic.isEmpty else { return }
    for version in [MQTTVersion.v311, .v5] {
        var forwarded: [UInt8] = []
        var fixed = FixedBytes<512>()
        let encoder = PacketEncoder(version: version)
        let layout = try? encoder.publish(
            topic: topic.span, qos: publish.qos, packetID: max(1, publish.packetID), properties: block.span,
            payload: payload.span, to: &forwarded)
        _ = try? encoder.publish(
            topic: topic.span, qos: publish.qos, packetID: max(1, publish.packetID), properties: block.span,
            payload: payload.span, to: &fixed)
        require(fixed.overflowed || fixed.span.equals(forwarded.span), "a fixed buffer holds other bytes")
        require(layout?.totalBytes == forwarded.count, "the layout of a PUBLISH is not its own")
        guard case .publish(let copy)? = decode(forwarded, version, .server) else { fatalError("no PUBLISH any more") }
        require(forwarded.span.slice(copy.payload).equals(payload.span), "another payload")
        require(forwarded.span.slice(copy.topic).equals(topic.span), "another topic")
    }
}

/// A reason string in every packet that may carry one [MQTT-3.4.2-2]; a text that is none is refused by the decoder.
private func reason(_ text: [UInt8]) {
    guard text.count <= 65_535 else { return }
    var block: [UInt8] = []
    guard (try? Property.append(.reasonString, bytes: text.span, to: &block)) != nil else { fatalError("too long") }
    let encoder = PacketEncoder(version: .v5)
    var packets: [[UInt8]] = Array(repeating: [], count: 7)
    try? encoder.connack(session: .absent, reason: .notAuthorized, properties: block.span, to: &packets[0])
    try? encoder.puback(1, reason: .quotaExceeded, properties: block.span, to: &packets[1])
    try? encoder.pubrec(1, reason: .quotaExceeded, properties: block.span, to: &packets[2])
    try? encoder.pubrel(1, reason: .packetIdentifierNotFound, properties: block.span, to: &packets[3])
    try? encoder.pubcomp(1, reason: .packetIdentifierNotFound, properties: block.span, to: &packets[4])
    try? encoder.suback(1, codes: [.quotaExceeded].span, properties: block.span, to: &packets[5])
    try? encoder.disconnect(reason: .quotaExceeded, properties: block.span, to: &packets[6])
    let isText = UTF8Check.isWellFormed(text.span)
    require(isText == (String(validating: text, as: UTF8.self) != nil && !text.contains(0)), "1.5.4: text")
    for frame in packets {
        require((decode(frame, .v5, .server) != nil) == isText, "a packet with a reason string")
    }
}
