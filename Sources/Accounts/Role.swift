/// What an account, a session or a token may do.
package enum Role: String, Sendable, CaseIterable, Codable {
    /// An end user: their own devices, through `/app`.
    case owner
    /// The maker's staff: everything of `/api/v1` except accounts and tokens.
    case `operator`
    /// Everything.
    case admin

    /// Whether this role may do what `needed` may do.
    package func covers(_ needed: Role) -> Bool {
        rank >= needed.rank
    }

    private var rank: Int {
        switch self {
        case .owner: 0
        case .operator: 1
        case .admin: 2
        }
    }
}

/// Who sent a request, proven by session, token or certificate.
package struct Caller: Sendable, Equatable {
    /// The account; nil for a token of the installation.
    package var uid: String?
    /// What the credential allows.
    package var role: Role
    /// The name of the token; nil for a session.
    package var label: String?

    package init(uid: String?, role: Role, label: String?) {
        self.uid = uid
        self.role = role
        self.label = label
    }
}
