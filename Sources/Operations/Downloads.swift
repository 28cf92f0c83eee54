import BlobStore
import Foundation
import GRDB
import Releases
import Store

/// An image that somebody downloads.
package struct DownloadTarget: Sendable, Equatable {
    /// Where its bytes are.
    package var path: String
    package var size: Int
    /// SHA-256, 32 bytes.
    package var digest: [UInt8]
    /// The device whose open update this is; nil where that cannot be told.
    package var thing: String?
    package var version: String
}

/// Who downloads, as far as the request shows it.
package struct DownloadRequest: Sendable {
    package var product: String
    package var hardware: String?
    package var version: String
    /// Address of the client, without port.
    package var address: String
    /// The thing that the client's certificate names.
    package var certificateThing: String?
    /// Whether the first byte of the image is asked for.
    package var startsAtZero: Bool

    package init(
        product: String, hardware: String?, version: String, address: String, certificateThing: String?,
        startsAtZero: Bool
    ) {
        self.product = product
        self.hardware = hardware
        self.version = version
        self.address = address
        self.certificateThing = certificateThing
        self.startsAtZero = startsAtZero
    }
}

extension Operations {
    /// Finds the image; a release that is withdrawn has none.
    ///
    /// A stock device shows no identity: the download counts for the one device whose open update wants this image and
    /// whose MQTT connection comes from the same address, or whose certificate it is. If several match, none is counted.
    package func download(_ request: DownloadRequest) async throws -> DownloadTarget? {
        let now = Self.now()
        return try await store.perform { [blobs] transaction in
            let rows = try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT a.* FROM artifacts a JOIN releases r USING (product, version)
                    WHERE product = ?1 AND version = ?2 AND r.state = 'active' AND (?3 IS NULL OR hardware = ?3)
                    """, arguments: [request.product, request.version, request.hardware])
            // Without a hardware model the URL is only clear where there is one image.
            guard rows.count == 1, let row = rows.first else { return nil }
            let digest = Array(row["sha256"] as Data)
            var target = DownloadTarget(
                path: blobs.path(of: digest), size: row["size"], digest: digest, thing: nil, version: request.version)
            target.thing = try Self.downloader(request, hardware: row["hardware"], transaction)
            if let thing = target.thing, request.startsAtZero {
                try Self.feed(.fetchBegan, to: thing, transaction, now)
            }
            return target
        }
    }

    private static func downloader(
        _ request: DownloadRequest, hardware: String, _ transaction: Transaction
    ) throws -> String? {
        let things = try String.fetchAll(
            transaction.db,
            sql: """
                SELECT d.thing FROM devices d JOIN updates u ON u.thing = d.thing AND u.ended IS NULL
                WHERE d.product = ?1 AND d.hardware = ?2 AND u.version = ?3
                    AND (d.thing = ?4 OR (?4 IS NULL AND d.connected = 1 AND d.address LIKE ?5 || ':%'))
                LIMIT 2
                """,
            arguments: [request.product, hardware, request.version, request.certificateThing, request.address])
        return things.count == 1 ? things[0] : nil
    }

    /// So many bytes of the image, counted from its start, have been handed to the device.
    package func handedOut(_ bytes: Int, of target: DownloadTarget) {
        guard let thing = target.thing else { return }
        let now = Self.now()
        store.submit(isolation: .savepoint) { transaction in
            guard let (_, update) = try Self.openUpdate(thing, transaction), update.version == target.version else {
                return
            }
            try Self.feed(.handedOut(bytes: bytes, of: target.size), to: thing, transaction, now)
        } completion: { _ in
        }
    }
}
