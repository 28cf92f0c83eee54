import Accounts
package import Operations

extension ConsolePages {
    struct AccessView {
        struct User {
            var key: String
            var uid: String
            var role: String
            var roleWord: String
            var password: String
            var devices: String
            var devicesUrl: String
            var created: When
            var api: String
            var isMe: Bool
        }

        struct Token {
            var key: String
            var label: String
            var roleWord: String
            var account: String?
            var created: When
            var used: When?
            var api: String
        }

        var users: [User]
        var userTotal: String
        var hasTokens: Bool
        var tokens: [Token]
        var roles: [Choice]
        var tokenRoles: [Choice]
    }

    /// - Parameter devices: how many each account owns.
    package func access(
        _ reader: Reader, _ users: [UserSummary], _ tokens: [TokenSummary], devices: [String: Int]
    ) -> String {
        var shell = shell(reader, title: "Access")
        shell.nav.isAccess = true
        let view = AccessView(
            users: users.map { user in
                .init(
                    key: user.uid, uid: user.uid, role: user.role.rawValue, roleWord: Self.word(user.role),
                    password: user.has_password ? "yes" : "no", devices: Figures.count(devices[user.uid, default: 0]),
                    devicesUrl: Place.devices(["owner": user.uid]), created: .day(user.created),
                    api: "/api/v1/users/\(Place.part(user.uid))", isMe: user.uid == reader.caller?.uid)
            },
            userTotal: Figures.count(users.count, "account"), hasTokens: !tokens.isEmpty,
            tokens: tokens.map { token in
                .init(
                    key: token.label, label: token.label, roleWord: Self.word(token.role), account: token.uid,
                    created: .day(token.created), used: token.used.map { .ago($0, now: reader.now) },
                    api: "/api/v1/tokens/\(Place.part(token.label))")
            },
            roles: [
                Choice("owner", "Owner: their own devices", isSelected: true),
                Choice("operator", "Operator: all but accounts"), Choice("admin", "Admin: everything"),
            ],
            tokenRoles: [
                Choice("operator", "Operator: all but accounts", isSelected: true),
                Choice("admin", "Admin: everything"),
            ])
        return render("access", shell, view)
    }
}
