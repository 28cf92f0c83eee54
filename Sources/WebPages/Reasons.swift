/// Why an update did not work, in words for the owner.
package enum Reasons {
    /// What technical reasons contain, lower case, and the text that says it plainly; the first match counts.
    private static let table: [(parts: [String], key: String)] = [
        (["withdrawn"], "reasonWithdrawn"), (["the owner took it back"], "reasonStopped"),
        (["was chosen instead"], "reasonReplaced"), (["older version", "not a version"], "reasonOlder"),
        (["no space", "enospc", "larger than a slot", "too large"], "reasonSpace"),
        (["signature"], "reasonSignature"),
        (["sha256", "sha-256", "digest", "checksum", "hash", "image is empty"], "reasonDamaged"),
        (["did not report within", "server not reached in time"], "reasonUnreached"),
        (["trial interrupted"], "reasonInterrupted"),
        (
            [
                "did not become healthy", "did not prove healthy", "no health in time", "exited with code",
                "after installing", "never ran",
            ], "reasonUnhealthy"
        ),
        (["the device did not finish in time"], "reasonTime"), (["download refused", "http status"], "reasonFetch"),
        (["download interrupted", "download broken", "without progress"], "reasonDownload"),
        (["io_failed", "storage failed"], "reasonStorage"), (["ota_update_failed"], "reasonInstall"),
        (["shadow_failed", "config_report_failed"], "reasonContact"),
    ]

    /// The plain sentence for a reason that a device or the server gave.
    package static func plain(_ reason: String?, _ words: Words) -> String {
        let text = (reason ?? "").lowercased()
        let key = table.first { row in row.parts.contains { text.contains($0) } }?.key ?? "reasonOther"
        let version = text.split(separator: " ").first { $0.first?.isNumber == true }.map(String.init) ?? ""
        return words(key, ["version": version])
    }
}
