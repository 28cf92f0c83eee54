/// Where a device stands, as the fleet's operator sorts it.
package enum FleetState: String, Sendable, CaseIterable, Codable {
    /// Its rights were taken back.
    case revoked
    /// An update is on its way.
    case updating
    /// The last update ended badly, and nobody has tried again.
    case attention
    /// It never reported a version.
    case unseen
    /// There is a newer release for it.
    case behind
    /// It runs the newest release, or one that is newer still.
    case current
    /// There is no release that its version could be compared with.
    case unassigned

    /// - Parameters:
    ///   - phase: where the newest update of the device stands.
    ///   - newest: the highest active release with an image for it.
    package static func of(
        isRevoked: Bool, phase: UpdatePhase?, running: String?, newest: ReleaseVersion?
    ) -> FleetState {
        if isRevoked { return .revoked }
        if let phase, !phase.isEnd { return .updating }
        if let phase, phase.isTrouble { return .attention }
        guard let running else { return .unseen }
        return compared(running: running, newest: newest)
    }

    /// What a version is beside the newest release: current, behind, or nothing that can be compared.
    package static func compared(running: String, newest: ReleaseVersion?) -> FleetState {
        guard let newest, let version = ReleaseVersion(running) else { return .unassigned }
        return version < newest ? .behind : .current
    }
}
