import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import Operations

/// A command that asks a server and shows the answer.
protocol ServerCommand: AsyncParsableCommand {
    var access: ServerAccess { get }
    func run(_ client: Client) async throws
}

extension ServerCommand {
    mutating func run() async throws {
        signal(SIGINT) { _ in _exit(CommandFailure.Code.cancelled.rawValue) }
        let client = try access.client()
        do {
            try await run(client)
            await client.close()
        } catch {
            await client.close()
            throw error
        }
    }

    /// Prints the answer as it came with `--json`, or as `show` writes it.
    func present<T: Decodable>(_ data: Data, as type: T.Type, _ show: (T) -> Void) throws {
        if access.json {
            Console.result(String(decoding: data, as: UTF8.self))
        } else {
            show(try JSONDecoder().decode(type, from: data))
        }
    }
}

// MARK: - Products

struct ProductCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "product", abstract: "Products and their hardware models.",
        subcommands: [Add.self, Set.self, List.self, Remove.self])

    struct Add: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a product, or hardware models to one.",
            discussion: "Example: apus product add lamp --name \"Desk lamp\" --hardware esp32c3")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Short name, as it stands in URLs.") var slug: String
        @Option(help: "Name for people.") var name: String?
        @Option(
            parsing: .singleValue,
            help: "Hardware model; repeatable. Without one the product has the model \"default\".")
        var hardware: [String] = []
        @Option(help: "What is taken as firmware: any, microcontroller, linux or raw.") var format: ImageRule = .any

        func run(_ client: Client) async throws {
            let models = hardware.isEmpty ? ["default"] : hardware
            let data = try await client.send(
                "POST", "/api/v1/products",
                body: .bytes(
                    Client.encode(["slug": slug, "name": name, "hardware": models, "format": format.rawValue])))
            try present(data, as: ProductSummary.self) {
                Console.result("Product \($0.slug) with hardware \($0.hardware.joined(separator: ", "))")
            }
        }
    }

    struct Remove: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a product, or one of its hardware models, that nothing needs any more.",
            discussion: "Example: apus product remove lamp --hardware esp32")
        @OptionGroup var access: ServerAccess
        @Argument(help: "The product's short name.") var slug: String
        @Option(help: "Remove this hardware model only.") var hardware: String?

        func run(_ client: Client) async throws {
            let model = hardware.map { "/hardware/\(Client.escaped($0))" } ?? ""
            _ = try await client.send("DELETE", "/api/v1/products/\(Client.escaped(slug))\(model)")
            Console.note("\(hardware.map { "hardware model \($0) of " } ?? "")product \(slug) is removed")
        }
    }

    struct Set: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change what owners are shown of a product, and how its devices get updates.",
            discussion: """
                Example: apus product set lamp --picture lamp --off-seconds 20 --support-until 2031-06
                An empty value clears: --support-until ""
                """)
        @OptionGroup var access: ServerAccess
        @Argument(help: "The product's short name.") var slug: String
        @Option(help: "Name for people.") var name: String?
        @Option(help: "Picture: device, lamp, clock, sensor or plug.") var picture: String?
        @Option(help: "Minutes of an update, used until three were measured.") var minutes: Int?
        @Option(help: "Seconds that the device is off during an update.") var offSeconds: Int?
        @Option(help: "Month until which updates are promised, such as 2031-06.") var supportUntil: String?
        @Option(help: "How its devices are handed updates: shadow or job.") var delivery: String?
        @Option(help: "What owners read beside the setting phrase_type; an empty label takes it away.")
        var phraseLabel: String?
        @Option(
            parsing: .singleValue, help: "A choice for phrase_type; repeatable, with --phrase-label. Without: any text."
        )
        var phrase: [String] = []

        func validate() throws {
            guard phrase.isEmpty || phraseLabel != nil else {
                throw ValidationError("--phrase needs --phrase-label")
            }
        }

        func run(_ client: Client) async throws {
            var change: [String: Any] = [:]
            func put(_ key: String, _ text: String?) {
                if let text { change[key] = text.isEmpty ? NSNull() : text }
            }
            put("name", name)
            put("picture", picture)
            put("delivery", delivery)
            put("support_until", supportUntil)
            if let minutes { change["minutes"] = minutes }
            if let offSeconds { change["off_seconds"] = offSeconds }
            if let phraseLabel {
                change["settings"] =
                    phraseLabel.isEmpty
                    ? [] : [["name": "phrase_type", "label": phraseLabel, "choices": phrase] as [String: Any]]
            }
            let data = try await client.send(
                "PUT", "/api/v1/products/\(Client.escaped(slug))", body: .bytes(Client.encode(change)))
            try present(data, as: ProductSummary.self) { Console.result("product \($0.slug) changed") }
        }
    }

    struct List: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the products.", discussion: "Example: apus product list --json")
        @OptionGroup var access: ServerAccess

        func run(_ client: Client) async throws {
            let data = try await client.send("GET", "/api/v1/products")
            try present(data, as: [String: [ProductSummary]].self) { answer in
                Table.print(
                    ["PRODUCT", "NAME", "HARDWARE", "FORMAT"],
                    answer["products", default: []].map {
                        [$0.slug, $0.name, $0.hardware.joined(separator: ","), $0.format.rawValue]
                    })
            }
        }
    }
}

extension ImageRule: ExpressibleByArgument {}

// MARK: - Releases

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Firmware releases.",
        subcommands: [Publish.self, Activate.self, Notes.self, List.self, Show.self, Withdraw.self])

    struct Publish: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publish a firmware image; owners of devices it is for are told at once.",
            discussion: """
                The same file under the same version again changes nothing; another file is refused.

                Example: apus release publish build/lamp.bin --product lamp --version 1.0.5 --notes NOTES.md
                """)
        @OptionGroup var access: ServerAccess
        @Argument(help: "The firmware image.") var file: String
        @Option(help: "The product it is for.") var product: String
        @Option(help: "Its version, such as 1.0.5; needed where the image names none inside.") var version: String?
        @Option(help: "The hardware model it is for; needed where the product has several.") var hardware: String?
        @Option(help: "A file with release notes for owners, Markdown, at most 16 KB.") var notes: String?
        @Flag(help: "Publish although the image names another version inside.") var ignoreImageVersion = false
        @Flag(help: "Keep it from devices until \"apus release activate\".") var draft = false

        func run(_ client: Client) async throws {
            let (handle, size) = try image()
            defer { try? handle.close() }
            let query = [
                ("version", version), ("hardware", hardware), ("notes", try notes.map(ReleaseCommand.text)),
                ("ignore_image_version", ignoreImageVersion ? "true" : nil), ("draft", draft ? "true" : nil),
            ].compactMap { name, value in value.map { "\(name)=\(Client.escaped($0))" } }.joined(separator: "&")
            let data = try await client.send(
                "POST", "/api/v1/products/\(Client.escaped(product))/releases?\(query)",
                body: .stream(FilePieces(handle, label: "upload", size: size), length: .known(Int64(size))),
                contentType: "application/octet-stream")
            try present(data, as: ReleaseSummary.self) { release in
                Console.result("\(draft ? "Saved" : "Published") \(release.product) \(release.version)")
                ReleaseCommand.show(release)
            }
        }

        private func image() throws -> (FileHandle, Int) {
            let path = file
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue,
                let handle = FileHandle(forReadingAtPath: path), let size = try? handle.seekToEnd()
            else {
                throw CommandFailure(
                    "cannot read the image", "\(path) is no file that can be read", "Name the file that your build made"
                )
            }
            guard size > 0 else {
                throw CommandFailure(
                    "not a firmware image", "\(path) is empty", "Build the firmware again", code: .refused)
            }
            try handle.seek(toOffset: 0)
            return (handle, Int(size))
        }
    }

    struct List: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "List releases, highest version first.", discussion: "Example: apus release list --product lamp")
        @OptionGroup var access: ServerAccess
        @Option(help: "Only this product.") var product: String?

        func run(_ client: Client) async throws {
            let query = product.map { "?product=\(Client.escaped($0))" } ?? ""
            let data = try await client.send("GET", "/api/v1/releases\(query)")
            try present(data, as: [String: [ReleaseSummary]].self) { answer in
                Table.print(
                    ["PRODUCT", "VERSION", "STATE", "HARDWARE", "SIZE", "PUBLISHED"],
                    answer["releases", default: []].map { release in
                        [
                            release.product, release.version, release.state.rawValue,
                            release.artifacts.map(\.hardware).joined(separator: ","),
                            release.artifacts.map { Table.size($0.size) }.joined(separator: ","),
                            Table.time(release.published),
                        ]
                    })
            }
        }
    }

    struct Show: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one release.", discussion: "Example: apus release show 1.0.5 --product lamp")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Its version.") var version: String
        @Option(help: "Its product.") var product: String

        func run(_ client: Client) async throws {
            let path = "/api/v1/products/\(Client.escaped(product))/releases/\(Client.escaped(version))"
            try present(try await client.send("GET", path), as: ReleaseSummary.self, ReleaseCommand.show)
        }
    }

    struct Activate: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Activate a draft: from now on it is offered to every device that it is newer for.",
            discussion: "Example: apus release activate 1.0.5 --product lamp")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Its version.") var version: String
        @Option(help: "Its product.") var product: String

        func run(_ client: Client) async throws {
            let path = "/api/v1/products/\(Client.escaped(product))/releases/\(Client.escaped(version))/activate"
            let data = try await client.send("POST", path, body: .bytes(Data("{}".utf8)))
            try present(data, as: ReleaseSummary.self, ReleaseCommand.show)
        }
    }

    struct Notes: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change what owners read of a release.",
            discussion: "Example: apus release notes 1.0.5 NOTES.md --product lamp")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Its version.") var version: String
        @Argument(help: "A file with the notes, Markdown, at most 16 KB.") var file: String
        @Option(help: "Its product.") var product: String

        func run(_ client: Client) async throws {
            let path = "/api/v1/products/\(Client.escaped(product))/releases/\(Client.escaped(version))"
            let notes = try ReleaseCommand.text(of: file)
            let data = try await client.send("PUT", path, body: .bytes(Client.encode(["notes": notes])))
            try present(data, as: ReleaseSummary.self, ReleaseCommand.show)
        }
    }

    struct Withdraw: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Withdraw a release: it is offered and downloaded no more.",
            discussion: "Example: apus release withdraw 1.0.5 --product lamp --reason \"Wi-Fi drops\"")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Its version.") var version: String
        @Option(help: "Its product.") var product: String
        @Option(help: "Why, for the record.") var reason: String?

        func run(_ client: Client) async throws {
            let path = "/api/v1/products/\(Client.escaped(product))/releases/\(Client.escaped(version))/withdraw"
            let data = try await client.send("POST", path, body: .bytes(Client.encode(["reason": reason])))
            try present(data, as: ReleaseSummary.self, ReleaseCommand.show)
        }
    }

    /// The notes in a file.
    static func text(of path: String) throws -> String {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure(
                "cannot read the notes", "\(path) is no text file that can be read", "Name a Markdown file")
        }
        guard text.utf8.count <= 16 << 10 else {
            throw CommandFailure(
                "notes too long", "\(path) has \(text.utf8.count) bytes; expected at most 16384", "Shorten them",
                code: .refused)
        }
        return text
    }

    static func show(_ release: ReleaseSummary) {
        Console.result("state      \(release.state.rawValue)" + (release.reason.map { " (\($0))" } ?? ""))
        for artifact in release.artifacts {
            Console.result(
                "image      \(artifact.hardware)  \(artifact.format)  \(Table.size(artifact.size))  \(artifact.sha256)")
        }
        if !release.notes.isEmpty { Console.result("\n\(release.notes)") }
    }
}

/// A file in pieces, for an upload, with its progress shown.
struct FilePieces: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    private let handle: FileHandle
    private let label: String
    private let size: Int

    init(_ handle: FileHandle, label: String, size: Int) {
        self.handle = handle
        self.label = label
        self.size = size
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let handle: FileHandle
        let bar: ProgressBar
        var sent = 0

        mutating func next() async throws -> ByteBuffer? {
            guard let data = try handle.read(upToCount: 256 << 10), !data.isEmpty else { return nil }
            sent += data.count
            bar.advance(to: sent)
            return ByteBuffer(bytes: data)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(handle: handle, bar: ProgressBar(label, total: size))
    }
}
