public import ByteKit

/// When a new subscription receives retained messages (MQTT 5, clause 3.8.3.1).
public enum RetainHandling: UInt8, Sendable {
    /// At every SUBSCRIBE; 3.1.1 knows only this.
    case sendAlways = 0
    /// Only where the subscription did not exist yet.
    case sendIfNew = 1
    /// Never.
    case never = 2
}

/// What a client wants for one filter (clause 3.8.3.1); 3.1.1 knows the QoS only.
public struct SubscriptionOptions: Equatable, Sendable {
    /// The highest QoS to deliver with.
    public var qos: QoS
    /// Whether the client's own messages stay away.
    public var noLocal = false
    /// Whether forwarded messages keep their RETAIN flag.
    public var retainAsPublished = false
    /// When retained messages are sent.
    public var retainHandling = RetainHandling.sendAlways

    /// Options with nothing but a QoS.
    public init(qos: QoS) {
        self.qos = qos
    }

    /// Reads the options byte.
    ///
    /// - Throws: `.reservedBits` [MQTT-3.8.3-5; 3-8.3-4 of 3.1.1] or `.invalidSubscriptionOptions`.
    public init(_ byte: UInt8, version: MQTTVersion) throws(MQTTFault) {
        guard byte & (version == .v5 ? 0b1100_0000 : 0b1111_1100) == 0 else { throw .reservedBits }
        guard let qos = QoS(rawValue: byte & 0b11), let handling = RetainHandling(rawValue: byte >> 4) else {
            throw .invalidSubscriptionOptions
        }
        self.qos = qos
        noLocal = byte & 0b0000_0100 != 0
        retainAsPublished = byte & 0b0000_1000 != 0
        retainHandling = handling
    }

    /// The options byte; in 3.1.1 only the QoS is left of it.
    @inlinable
    public func encoded(for version: MQTTVersion) -> UInt8 {
        guard version == .v5 else { return qos.rawValue }
        let flags: UInt8 = (noLocal ? 0b0100 : 0) | (retainAsPublished ? 0b1000 : 0)
        return qos.rawValue | flags | retainHandling.rawValue << 4
    }
}

/// One filter of a SUBSCRIBE or UNSUBSCRIBE.
public struct RequestedFilter: Equatable, Sendable {
    /// The filter, well formed; maybe a shared subscription.
    public let filter: ByteRange
    /// What is wanted; QoS 0 and nothing else in an UNSUBSCRIBE.
    public let options: SubscriptionOptions
}

/// Goes through the filters of a decoded SUBSCRIBE or UNSUBSCRIBE, in order.
public struct FilterCursor: Sendable {
    private var rest: ByteRange
    private let hasOptions: Bool

    /// Starts at the first filter of `subscribe`.
    public init(_ subscribe: Subscribe) {
        rest = subscribe.filters
        hasOptions = true
    }

    /// Starts at the first filter of `unsubscribe`.
    public init(_ unsubscribe: Unsubscribe) {
        rest = unsubscribe.filters
        hasOptions = false
    }

    /// The next filter, `nil` behind the last; `frame` is the one that was decoded.
    public mutating func next(in frame: Span<UInt8>) -> RequestedFilter? {
        var reader = WireReader(frame, in: rest)
        guard let filter = try? reader.binary() else { return nil }
        var options = SubscriptionOptions(qos: .atMostOnce)
        if hasOptions {
            // Read as MQTT 5: what 3.1.1 forbids was refused when the packet was decoded.
            guard let byte = try? reader.byte() else { return nil }
            guard let read = try? SubscriptionOptions(byte, version: .v5) else { return nil }
            options = read
        }
        rest = reader.rest()
        return RequestedFilter(filter: filter, options: options)
    }
}

extension PacketDecoder {
    /// SUBSCRIBE (clause 3.8).
    mutating func subscribe() throws(MQTTFault) -> Subscribe {
        let packetID = try reader.packetID()
        let properties = try properties(of: .subscribe).range
        let start = reader.offset
        repeat {
            let filter = try self.filter()
            let options = try SubscriptionOptions(reader.byte(), version: version)
            let isShared = TopicFilter.isShared(reader.bytes.slice(filter))
            guard !(isShared && options.noLocal) else { throw .noLocalOnShared }
        } while reader.remaining > 0
        let filters = ByteRange(start: start, count: reader.offset - start)
        return Subscribe(packetID: packetID, properties: properties, filters: filters)
    }

    /// UNSUBSCRIBE (clause 3.10).
    mutating func unsubscribe() throws(MQTTFault) -> Unsubscribe {
        let packetID = try reader.packetID()
        let properties = try properties(of: .unsubscribe).range
        let start = reader.offset
        repeat {
            _ = try filter()
        } while reader.remaining > 0
        let filters = ByteRange(start: start, count: reader.offset - start)
        return Unsubscribe(packetID: packetID, properties: properties, filters: filters)
    }

    private mutating func filter() throws(MQTTFault) -> ByteRange {
        guard reader.remaining > 0 else { throw .filterMissing }
        let filter = try reader.text()
        guard TopicFilter.hasValidForm(reader.bytes.slice(filter)) else { throw .topicFilterInvalid }
        return filter
    }

    /// SUBACK and UNSUBACK (clauses 3.9 and 3.11); the latter has no codes in 3.1.1.
    mutating func subscriptionAck() throws(MQTTFault) -> SubscriptionAck {
        let packetID = try reader.packetID()
        let properties = try properties(of: .ack).range
        let start = reader.offset
        guard version == .v5 || header.type == .suback else {
            let codes = ByteRange(start: start, count: 0)
            return SubscriptionAck(packetID: packetID, properties: properties, codes: codes)
        }
        guard reader.remaining > 0 else { throw .reasonCodeMissing }
        while reader.remaining > 0 {
            let code = try reasonCode()
            let isKnown = version == .v5 || !code.isFailure || code == .unspecifiedError
            guard isKnown else { throw .invalidReasonCode(code.rawValue) }  // [MQTT-3.9.3-2 of 3.1.1]
        }
        let codes = ByteRange(start: start, count: reader.offset - start)
        return SubscriptionAck(packetID: packetID, properties: properties, codes: codes)
    }
}
