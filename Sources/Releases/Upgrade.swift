/// Why a device may not go to a version.
package enum UpgradeRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is no version.
    case notAVersion(String)
    /// The device has no product or no hardware model, so nothing can be said to fit it.
    case unassigned(thing: String)
    /// There is no active release of that version.
    case noRelease(product: String, version: String)
    /// The release has no image for the device's hardware model.
    case noArtifact(product: String, version: String, hardware: String)
    /// The version is lower than the one that runs.
    case downgrade(running: String, version: String)

    /// Why, and what would be accepted.
    package var description: String {
        switch self {
        case .notAVersion(let text):
            "\"\(text)\" is not a version; expected Semantic Versioning, such as 1.0.5"
        case .unassigned(let thing):
            "device \(thing) has no product and hardware model; assign them before an update"
        case .noRelease(let product, let version):
            "product \(product) has no active release \(version)"
        case .noArtifact(let product, let version, let hardware):
            "release \(version) of \(product) has no image for hardware \(hardware)"
        case .downgrade(let running, let version):
            "version \(version) is lower than \(running), which runs; a device never goes back by an update"
        }
    }
}

/// The one rule that decides whether a device may go to a version: for offers, owners and operators alike.
package enum UpgradeRule {
    /// What is known when the rule is asked.
    package struct Facts: Sendable {
        package var thing: String
        package var product: String?
        package var hardware: String?
        /// As the device reports it, whatever text it is.
        package var running: String?
        package var version: String
        package var releaseIsActive: Bool
        package var hasArtifact: Bool

        package init(
            thing: String, product: String?, hardware: String?, running: String?, version: String,
            releaseIsActive: Bool,
            hasArtifact: Bool
        ) {
            self.thing = thing
            self.product = product
            self.hardware = hardware
            self.running = running
            self.version = version
            self.releaseIsActive = releaseIsActive
            self.hasArtifact = hasArtifact
        }
    }

    /// - Throws: the first reason that forbids it.
    package static func check(_ facts: Facts) throws(UpgradeRefusal) {
        guard let wanted = ReleaseVersion(facts.version) else { throw .notAVersion(facts.version) }
        guard let product = facts.product, let hardware = facts.hardware else {
            throw .unassigned(thing: facts.thing)
        }
        guard facts.releaseIsActive else { throw .noRelease(product: product, version: facts.version) }
        guard facts.hasArtifact else {
            throw .noArtifact(product: product, version: facts.version, hardware: hardware)
        }
        if let text = facts.running, let running = ReleaseVersion(text), wanted < running {
            throw .downgrade(running: text, version: facts.version)
        }
    }

    /// Whether `version` is worth telling an owner whose device runs `running`.
    ///
    /// What a device reports and is no version is never treated as old (field reports 9).
    package static func isNews(_ version: ReleaseVersion, running: String?) -> Bool {
        guard let running, let known = ReleaseVersion(running) else { return false }
        return known < version
    }
}
