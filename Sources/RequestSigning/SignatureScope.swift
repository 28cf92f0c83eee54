/// Who signs, and what the signature is good for: `AKID/20260101/REGION/SERVICE/aws4_request`.
package struct SignatureScope: Equatable, Sendable {
    /// Which secret signed.
    package let accessKeyID: String
    /// A label; any will do.
    package let region: String
    /// `iot`, `iotdata`, `iotdevicegateway` or `iot-jobs-data` (6.1).
    package let service: String
    /// Eight digits.
    let date: String

    static let end = "aws4_request"

    init(_ text: String) throws(SignatureRefusal) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[4] == Self.end, parts.allSatisfy({ !$0.isEmpty }) else {
            throw .incomplete("Credential must be AKID/YYYYMMDD/REGION/SERVICE/\(Self.end)")
        }
        accessKeyID = String(parts[0])
        date = String(parts[1])
        region = String(parts[2])
        service = String(parts[3])
    }

    /// What is signed of it.
    var text: String { "\(date)/\(region)/\(service)/\(Self.end)" }
}
