import Foundation
import ImageFormat
import Testing

/// The image samples and the table of what must come out for each.
///
/// They lie in `shared/testdata/images` beside the repository, or in `$APUS_TESTDATA/images`.
enum Samples {
    /// One row of `expected.json`.
    struct Row: Sendable, CustomTestStringConvertible {
        let file: String
        let format: String
        let verdict: String
        let reason: String?
        /// The whole row as JSON text, since a dictionary of `Any` is not `Sendable`.
        let json: Data

        var testDescription: String { file }

        func fields() throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
        }
    }

    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["APUS_TESTDATA"] {
            return URL(fileURLWithPath: path).appendingPathComponent("images")
        }
        var repository = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { repository.deleteLastPathComponent() }
        return repository.appendingPathComponent("shared/testdata/images")
    }()

    static func bytes(_ file: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: folder.appendingPathComponent(file)))
    }

    static let rows: [Row] = {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("expected.json")),
            let list = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]]
        else { return [] }
        return list.compactMap(row)
    }()

    private static func row(_ fields: [String: Any]) -> Row? {
        guard let file = fields["file"] as? String, let format = fields["format"] as? String,
            let verdict = fields["verdict"] as? String,
            let json = try? JSONSerialization.data(withJSONObject: fields)
        else { return nil }
        return Row(
            file: file,
            format: format,
            verdict: verdict,
            reason: fields["reason"] as? String,
            json: json
        )
    }
}

/// The bytes as lower-case hexadecimal digits.
func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 2 ? digits : "0" + digits
    }.joined()
}

/// Inspects the bytes of an array.
func inspect(_ bytes: [UInt8], policy: ImagePolicy = .microcontroller) -> ImageReport {
    ImageInspector.inspect(bytes.span, policy: policy)
}
