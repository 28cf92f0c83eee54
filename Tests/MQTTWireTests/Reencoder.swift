import ByteKit
import MQTTWire

/// Encodes a decoded packet again from its fields.
func encode(_ packet: Packet, from frame: [UInt8], _ version: MQTTVersion) throws(MQTTFault) -> [UInt8] {
    var out: [UInt8] = []
    let encoder = PacketEncoder(version: version)
    let bytes = frame.span
    switch packet {
    case .connect(let connect): try encode(connect, from: bytes, to: &out)
    case .connack(let connack):
        let session: SessionPresence = connack.sessionPresent ? .present : .absent
        let properties = bytes.slice(connack.properties)
        try encoder.connack(session: session, reason: connack.reason, properties: properties, to: &out)
    case .publish(let publish): try encode(publish, from: bytes, encoder, to: &out)
    case .puback(let ack):
        try encoder.puback(
            ack.packetID,
            reason: ack.reason,
            properties: bytes.slice(ack.properties),
            to: &out
        )
    case .pubrec(let ack):
        try encoder.pubrec(
            ack.packetID,
            reason: ack.reason,
            properties: bytes.slice(ack.properties),
            to: &out
        )
    case .pubrel(let ack):
        try encoder.pubrel(
            ack.packetID,
            reason: ack.reason,
            properties: bytes.slice(ack.properties),
            to: &out
        )
    case .pubcomp(let ack):
        try encoder.pubcomp(
            ack.packetID,
            reason: ack.reason,
            properties: bytes.slice(ack.properties),
            to: &out
        )
    case .subscribe(let subscribe): try encode(subscribe, from: bytes, encoder, to: &out)
    case .unsubscribe(let unsubscribe): try encode(unsubscribe, from: bytes, encoder, to: &out)
    case .suback(let ack):
        let codes = reasons(ack, in: frame)
        let properties = bytes.slice(ack.properties)
        try encoder.suback(ack.packetID, codes: codes.span, properties: properties, to: &out)
    case .unsuback(let ack):
        let codes = reasons(ack, in: frame)
        let properties = bytes.slice(ack.properties)
        try encoder.unsuback(ack.packetID, codes: codes.span, properties: properties, to: &out)
    case .pingreq: encoder.pingreq(to: &out)
    case .pingresp: encoder.pingresp(to: &out)
    case .disconnect(let end):
        try encoder.disconnect(reason: end.reason, properties: bytes.slice(end.properties), to: &out)
    case .auth(let auth):
        try encoder.auth(reason: auth.reason, properties: bytes.slice(auth.properties), to: &out)
    }
    return out
}

/// All codes of a SUBACK or UNSUBACK.
func reasons(_ ack: SubscriptionAck, in frame: [UInt8]) -> [ReasonCode] {
    (0..<ack.codes.count).compactMap { ack.reason(at: $0, in: frame.span) }
}

private func encode(
    _ connect: Connect,
    from bytes: Span<UInt8>,
    to out: inout [UInt8]
) throws(MQTTFault) {
    var userName: Span<UInt8>?
    if let range = connect.userName { userName = bytes.slice(range) }
    var password: Span<UInt8>?
    if let range = connect.password { password = bytes.slice(range) }
    var will: WillMessage?
    if let message = connect.will {
        will = WillMessage(
            topic: bytes.slice(message.topic),
            payload: bytes.slice(message.payload),
            qos: message.qos,
            retain: message.retain ? .yes : .no,
            properties: bytes.slice(message.properties)
        )
    }
    try PacketEncoder(version: connect.version).connect(
        clientID: bytes.slice(connect.clientID),
        session: connect.cleanStart ? .clean : .resume,
        keepAliveSeconds: connect.keepAliveSeconds,
        userName: userName,
        password: password,
        will: will,
        properties: bytes.slice(connect.properties),
        to: &out
    )
}

private func encode(
    _ publish: Publish,
    from bytes: Span<UInt8>,
    _ encoder: PacketEncoder,
    to out: inout [UInt8]
) throws(MQTTFault) {
    try encoder.publish(
        topic: bytes.slice(publish.topic),
        qos: publish.qos,
        retain: publish.retain ? .yes : .no,
        delivery: publish.isDuplicate ? .repeated : .first,
        packetID: publish.packetID,
        properties: bytes.slice(publish.properties),
        payload: bytes.slice(publish.payload),
        to: &out
    )
}

private func encode(
    _ subscribe: Subscribe,
    from bytes: Span<UInt8>,
    _ encoder: PacketEncoder,
    to out: inout [UInt8]
) throws(MQTTFault) {
    var block: [UInt8] = []
    var cursor = FilterCursor(subscribe)
    while let next = cursor.next(in: bytes) {
        try encoder.appendFilter(bytes.slice(next.filter), options: next.options, to: &block)
    }
    let properties = bytes.slice(subscribe.properties)
    try encoder.subscribe(subscribe.packetID, filters: block.span, properties: properties, to: &out)
}

private func encode(
    _ unsubscribe: Unsubscribe,
    from bytes: Span<UInt8>,
    _ encoder: PacketEncoder,
    to out: inout [UInt8]
) throws(MQTTFault) {
    var block: [UInt8] = []
    var cursor = FilterCursor(unsubscribe)
    while let next = cursor.next(in: bytes) {
        try encoder.appendFilter(bytes.slice(next.filter), to: &block)
    }
    let properties = bytes.slice(unsubscribe.properties)
    try encoder.unsubscribe(unsubscribe.packetID, filters: block.span, properties: properties, to: &out)
}
