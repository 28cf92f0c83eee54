import ByteKit
import JSONText
import ShadowDocument

extension ShadowService {
    /// Names on a page where the request does not say (1.2).
    private static let defaultPage = 25

    /// The answer to ListNamedShadowsForThing (4).
    ///
    /// - Parameters:
    ///   - names: all named shadows of the thing that exist, sorted.
    ///   - nextToken: where an earlier page ended; opaque to the client.
    public static func listNamed(
        names: [String], pageSize: Int?, nextToken: String?, timestampSeconds: UInt64
    ) -> ShadowAnswer {
        let size = pageSize ?? defaultPage
        guard (1...100).contains(size) else { return .refusal(ShadowRefusal(400, "Invalid pageSize")) }
        var rest = names[...]
        if let nextToken {
            guard let last = decoded(nextToken) else { return .refusal(ShadowRefusal(400, "Invalid nextToken")) }
            rest = names.drop { $0 <= last }
        }
        let page = rest.prefix(size)
        var out: [UInt8] = []
        out.append("{\"results\":[" as StaticString)
        for (index, name) in page.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            let bytes = Array(name.utf8)
            JSONWriter.string(bytes.span, to: &out)
        }
        out.append("]" as StaticString)
        if let last = page.last, rest.count > page.count {
            out.append(",\"nextToken\":\"" as StaticString)
            out.append(contentsOf: encoded(last).utf8)
            out.append("\"" as StaticString)
        }
        out.append(",\"timestamp\":" as StaticString)
        out.appendDecimal(timestampSeconds)
        out.append(UInt8(ascii: "}"))
        return .success(out)
    }

    /// A page's last name in hexadecimal, with a mark in front.
    private static func encoded(_ name: String) -> String {
        "n" + name.utf8.map { (($0 < 16) ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func decoded(_ token: String) -> String? {
        let digits = Array(token.utf8.dropFirst())
        guard token.utf8.first == UInt8(ascii: "n"), digits.count.isMultiple(of: 2), (2...128).contains(digits.count)
        else {
            return nil
        }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        let name = String(validating: bytes, as: UTF8.self)
        return name.flatMap { ShadowID(thing: "t", name: $0) == nil ? nil : $0 }
    }
}
