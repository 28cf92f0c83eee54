import ShadowDocument
import ShadowService
import Testing

/// The dull loop around the core: keeps what must be stored and shows messages as text.
struct Shell {
    struct Reply: Equatable {
        var messages: [String]
        var answer: String
    }

    var stored: StoredShadow?
    let id: ShadowID
    var origin = ShadowOrigin.mqtt

    init(_ thing: String = "MyThing", _ name: String? = nil) throws {
        id = try #require(ShadowID(thing: thing, name: name))
    }

    mutating func ask(_ operation: ShadowOperation, _ payload: String, at seconds: UInt64) -> Reply {
        ask(operation, bytes: Array(payload.utf8), at: seconds)
    }

    mutating func ask(_ operation: ShadowOperation, bytes: [UInt8], at seconds: UInt64) -> Reply {
        let outcome = ShadowService.answer(
            ShadowRequest(id: id, operation: operation), payload: bytes.span, current: stored,
            timestampSeconds: seconds, from: origin)
        if let now = outcome.stored { stored = now }
        let messages = outcome.publications.map {
            "\($0.suffix.rawValue) \(String(decoding: $0.payload, as: UTF8.self))"
        }
        return Reply(messages: messages, answer: Self.text(outcome.answer))
    }

    mutating func update(_ payload: String, at seconds: UInt64 = 1) -> Reply {
        ask(.update, payload, at: seconds)
    }

    mutating func get(at seconds: UInt64 = 1) -> String {
        ask(.get, "", at: seconds).answer
    }

    private static func text(_ answer: ShadowAnswer) -> String {
        switch answer {
        case .success(let body): String(decoding: body, as: UTF8.self)
        case .refusal(let refusal): "\(refusal.code) \(refusal.message)"
        }
    }
}
