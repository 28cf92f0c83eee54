/// What a committed job makes happen outside the database.
package enum Effect: Sendable {
    /// A message of the server for every subscriber of `topic`, at QoS 1.
    case publish(topic: [UInt8], payload: [UInt8])
    /// Something an owner's page shows at once.
    case event(OwnerEvent)
    /// A device whose rights ended: its connection closes.
    case disconnect(thing: String)
    /// An operator's token (by its name) or access key that was taken back: connections that it opened close.
    case revoked(credential: String)
    /// Something that the console shows is different now: of one device, or (nil) of anything.
    case changed(thing: String?)
    /// New lines in a device's log.
    case logged([LogLine])
}

/// One numbered event of an owner, as `GET /app/listen` sends it.
package struct OwnerEvent: Sendable, Equatable {
    /// Grows with each event and survives restarts.
    package var id: Int64
    /// Whose event it is.
    package var uid: String
    /// `offer`, `progress`, `done`, `failed` or `config`.
    package var kind: String
    /// JSON object with device, version, state, percent and reason.
    package var body: String

    package init(id: Int64, uid: String, kind: String, body: String) {
        self.id = id
        self.uid = uid
        self.kind = kind
        self.body = body
    }
}

/// One line of a device's log.
package struct LogLine: Sendable, Equatable {
    /// Grows with each stored line.
    package var id: Int64
    /// The device.
    package var thing: String
    /// Time of receipt, milliseconds since 1970: order, search and retention go by it.
    package var received: Int64
    /// Upper case, `INFO` where the line names none.
    package var level: String
    /// JSON object, members as the device sent them.
    package var line: String

    package init(id: Int64, thing: String, received: Int64, level: String, line: String) {
        self.id = id
        self.thing = thing
        self.received = received
        self.level = level
        self.line = line
    }
}
