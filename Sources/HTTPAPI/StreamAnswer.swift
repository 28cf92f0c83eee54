import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// An answer that goes on until the client leaves or the server stops.
    ///
    /// - Parameters:
    ///   - opening: what is sent at once, so that the client knows that it is heard.
    ///   - quiet: what is sent now and then, so that proxies do not close the stream.
    ///   - pace: the shortest time between two pieces of news; none = as they come.
    ///   - text: a piece of news as it is sent; empty where it is not for this client.
    static func stream<News>(
        _ live: AsyncStream<EventHub.Signal<News>>, contentType: String, opening: String, quiet: String,
        pace: Duration? = nil, text: @escaping @Sendable (News) throws -> String
    ) -> Response {
        var response = Response(
            status: .ok,
            body: ResponseBody { writer in
                try await writer.write(ByteBuffer(string: opening))
                for await signal in live {
                    switch signal {
                    case .news(let news):
                        let piece = try text(news)
                        guard !piece.isEmpty else { continue }
                        try await writer.write(ByteBuffer(string: piece))
                        if let pace { try await Task.sleep(for: pace) }
                    case .tick: try await writer.write(ByteBuffer(string: quiet))
                    }
                }
                try await writer.finish(nil)
            })
        response.headers[.contentType] = contentType
        response.headers[.cacheControl] = "no-cache"
        response.headers[.accelBuffering] = "no"
        return response
    }

    /// The same as server-sent events (HTML Standard, section 9.2).
    static func events<News>(
        _ live: AsyncStream<EventHub.Signal<News>>, opening: String = "", pace: Duration? = nil,
        text: @escaping @Sendable (News) throws -> String
    ) -> Response {
        stream(
            live, contentType: "text/event-stream", opening: ": listening\nretry: 2000\n\n" + opening,
            quiet: ": still here\n\n", pace: pace, text: text)
    }
}
