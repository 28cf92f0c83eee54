import Accounts
import Crypto
import CryptoExtras
import Foundation
import Store

/// Random secrets, what is kept of them, and passwords.
enum Secrets {
    /// A new secret: 32 random bytes in URL-safe base 64, with a prefix that tells what it is.
    static func make(_ prefix: String) -> String {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let text = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        return prefix + text.replacing("=", with: "")
    }

    /// What is stored of a secret that is random itself: its SHA-256.
    static func digest(_ secret: String) -> Data {
        Data(SHA256.hash(data: Data(secret.utf8)))
    }
}

/// Password hashing with scrypt; the cost is stored with the hash, at most two run at a time.
enum Passwords {
    private static let gate = DispatchQueue(label: "passwords", attributes: .concurrent)
    private static let turns = DispatchSemaphore(value: 2)

    /// `scrypt$N$salt$hash`, base 64.
    static func hash(_ password: String, cost: Int) async throws -> String {
        var random = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let key = try await derive(password, salt: salt, cost: cost)
        return "scrypt$\(cost)$\(Data(salt).base64EncodedString())$\(Data(key).base64EncodedString())"
    }

    /// Whether `password` belongs to `stored`; takes the same time for a wrong one.
    static func matches(_ password: String, _ stored: String) async -> Bool {
        let parts = stored.split(separator: "$").map(String.init)
        guard parts.count == 4, parts[0] == "scrypt", let cost = Int(parts[1]),
            let salt = Data(base64Encoded: parts[2]), let expected = Data(base64Encoded: parts[3]),
            let key = try? await derive(password, salt: Array(salt), cost: cost), key.count == expected.count
        else { return false }
        return zip(key, expected).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func derive(_ password: String, salt: [UInt8], cost: Int) async throws -> [UInt8] {
        try await withCheckedThrowingContinuation { continuation in
            gate.async {
                turns.wait()
                defer { turns.signal() }
                continuation.resume(
                    with: Result {
                        let key = try KDF.Scrypt.deriveKey(
                            from: Data(password.utf8), salt: salt, outputByteCount: 32, rounds: cost, blockSize: 8,
                            parallelism: 1)
                        return key.withUnsafeBytes { Array($0) }
                    })
            }
        }
    }
}
