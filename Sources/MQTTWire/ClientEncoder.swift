public import ByteKit

/// Which session a client asks for (clause 3.1.2.4).
public enum SessionStart: Sendable {
    /// Clean Start = 1: a new one, the old one ends.
    case clean
    /// Clean Start = 0: the old one, if there is one.
    case resume
}

/// The will to put into a CONNECT (clause 3.1.2.5).
public struct WillMessage: ~Escapable {
    @usableFromInline let topic: Span<UInt8>
    @usableFromInline let payload: Span<UInt8>
    @usableFromInline let properties: Span<UInt8>
    @usableFromInline let qos: QoS
    @usableFromInline let retain: Retain

    /// A will on `topic`, a valid topic name; `properties` is a block made with `Property.append`.
    @inlinable
    @_lifetime(copy topic, copy payload, copy properties)
    public init(
        topic: Span<UInt8>,
        payload: Span<UInt8>,
        qos: QoS = .atMostOnce,
        retain: Retain = .no,
        properties: Span<UInt8> = Span()
    ) {
        self.topic = topic
        self.payload = payload
        self.properties = properties
        self.qos = qos
        self.retain = retain
    }

    /// Its bits among the connect flags.
    @inlinable var flags: UInt8 {
        0b0000_0100 | qos.rawValue << 3 | (retain == .yes ? 0b0010_0000 : 0)
    }
}

/// Packets that a client sends.
extension PacketEncoder {
    /// Appends CONNECT (clause 3.1).
    ///
    /// `keepAliveSeconds` 0 turns keep-alive off; `properties` is a block made with `Property.append`,
    /// dropped in 3.1.1.
    /// - Throws: `.passwordWithoutUserName` in 3.1.1, `.fieldTooLong` or `.packetTooLarge`; nothing is
    ///   appended then.
    @inlinable
    public func connect(
        clientID: Span<UInt8>,
        session: SessionStart,
        keepAliveSeconds: UInt16,
        userName: Span<UInt8>? = nil,
        password: Span<UInt8>? = nil,
        will: WillMessage? = nil,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        guard version == .v5 || userName != nil || password == nil else { throw .passwordWithoutUserName }
        let fixed = try 10 + blockBytes(properties) + Self.fieldBytes(clientID)
        let body = try fixed + willBytes(will) + Self.optionalBytes(userName) + Self.optionalBytes(password)
        try Self.check(body: body)
        var flags: UInt8 = session == .clean ? 0b0000_0010 : 0
        if let will { flags |= will.flags }
        if userName != nil { flags |= 0b1000_0000 }
        if password != nil { flags |= 0b0100_0000 }
        Self.appendHeader(.connect, body: body, to: &sink)
        appendConnectHead(flags: flags, keepAliveSeconds: keepAliveSeconds, to: &sink)
        appendBlock(properties, to: &sink)
        Self.appendField(clientID, to: &sink)
        if let will { append(will, to: &sink) }
        if let userName { Self.appendField(userName, to: &sink) }
        if let password { Self.appendField(password, to: &sink) }
    }

    @inlinable
    func willBytes(_ will: WillMessage?) throws(MQTTFault) -> Int {
        guard let will else { return 0 }
        return try blockBytes(will.properties) + Self.fieldBytes(will.topic) + Self.fieldBytes(will.payload)
    }

    @inlinable
    static func optionalBytes(_ field: Span<UInt8>?) throws(MQTTFault) -> Int {
        guard let field else { return 0 }
        return try fieldBytes(field)
    }

    @inlinable
    func append(_ will: WillMessage, to sink: inout some ByteSink) {
        appendBlock(will.properties, to: &sink)
        Self.appendField(will.topic, to: &sink)
        Self.appendField(will.payload, to: &sink)
    }

    /// Appends protocol name, level, flags and keep-alive: 10 bytes.
    @inlinable
    func appendConnectHead(flags: UInt8, keepAliveSeconds: UInt16, to sink: inout some ByteSink) {
        sink.appendBigEndian(4 as UInt16)
        sink.append("MQTT" as StaticString)
        sink.append(version.rawValue)
        sink.append(flags)
        sink.appendBigEndian(keepAliveSeconds)
    }

    /// Appends PINGREQ (clause 3.12).
    @inlinable
    public func pingreq(to sink: inout some ByteSink) {
        Self.appendHeader(.pingreq, body: 0, to: &sink)
    }
}

/// Asking for topics and giving them back. Several filters go into a block first, like properties.
extension PacketEncoder {
    /// Appends one filter with its options to a block for `subscribe`.
    ///
    /// - Throws: `.fieldTooLong` above 65 535 bytes; nothing is appended then.
    @inlinable
    public func appendFilter(
        _ filter: Span<UInt8>,
        options: SubscriptionOptions,
        to block: inout some ByteSink
    ) throws(MQTTFault) {
        try appendFilter(filter, to: &block)
        block.append(options.encoded(for: version))
    }

    /// Appends one filter to a block for `unsubscribe`.
    ///
    /// - Throws: `.fieldTooLong` above 65 535 bytes; nothing is appended then.
    @inlinable
    public func appendFilter(_ filter: Span<UInt8>, to block: inout some ByteSink) throws(MQTTFault) {
        _ = try Self.fieldBytes(filter)
        Self.appendField(filter, to: &block)
    }

    /// Appends SUBSCRIBE (clause 3.8) for a block of filters with options, at least one.
    @inlinable
    public func subscribe(
        _ packetID: UInt16,
        filters: Span<UInt8>,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try request(.subscribe, packetID, filters: filters, properties: properties, to: &sink)
    }

    /// Appends SUBSCRIBE (clause 3.8) for a single filter.
    @inlinable
    public func subscribe(
        _ packetID: UInt16,
        filter: Span<UInt8>,
        options: SubscriptionOptions,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        let body = try 2 + blockBytes(properties) + Self.fieldBytes(filter) + 1
        try Self.check(body: body)
        Self.appendHeader(.subscribe, flags: 0b0010, body: body, to: &sink)
        sink.appendBigEndian(packetID)
        appendBlock(properties, to: &sink)
        try appendFilter(filter, options: options, to: &sink)
    }

    /// Appends UNSUBSCRIBE (clause 3.10) for a block of filters, at least one.
    @inlinable
    public func unsubscribe(
        _ packetID: UInt16,
        filters: Span<UInt8>,
        properties: Span<UInt8> = Span(),
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        try request(.unsubscribe, packetID, filters: filters, properties: properties, to: &sink)
    }

    @inlinable
    func request(
        _ type: PacketType,
        _ packetID: UInt16,
        filters: Span<UInt8>,
        properties: Span<UInt8>,
        to sink: inout some ByteSink
    ) throws(MQTTFault) {
        guard !filters.isEmpty else { throw .filterMissing }
        let block = try blockBytes(properties)
        try Self.check(body: filters.count)
        let body = 2 + block + filters.count
        try Self.check(body: body)
        Self.appendHeader(type, flags: 0b0010, body: body, to: &sink)
        sink.appendBigEndian(packetID)
        appendBlock(properties, to: &sink)
        sink.append(filters)
    }
}
