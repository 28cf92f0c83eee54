import Accounts
import Hummingbird
import Operations

/// Accounts and tokens under `/api/v1`; for administrators.
struct AdminRoutes {
    let operations: Operations
    /// Where links of the pages begin, without a slash at the end.
    let publicURL: @Sendable () -> String

    private struct NewUser: Decodable {
        var uid: String
        var role: Role?
        var password: String?
    }

    private struct UserChange: Decodable {
        var role: Role?
        var password: String?
    }

    private struct NewToken: Decodable {
        var label: String
        var role: Role?
        var uid: String?
        /// Whether it is to be an access key for AWS's SDKs.
        var aws: Bool?
    }

    private struct Secret: Encodable {
        var label: String
        var role: Role
        var token: String?
        var link: String?
    }

    func add(to group: RouterGroup<APIContext>) {
        group.get("users") { _, _ in
            Response.json(["users": try await operations.users()])
        }
        group.post("users") { request, _ in
            let body = try await request.decode(NewUser.self)
            let user = try await operations.addUser(uid: body.uid, role: body.role ?? .owner, password: body.password)
            return Response.json(user, status: .created)
        }
        group.put("users/:uid") { request, context in
            let body = try await request.decode(UserChange.self)
            let uid = try context.segment("uid")
            return Response.json(try await operations.changeUser(uid, role: body.role, password: body.password))
        }
        group.delete("users/:uid") { _, context in
            try await operations.removeUser(try context.segment("uid"))
            return Response(status: .noContent)
        }
        group.post("users/:uid/link") { _, context in
            let link = try await operations.makeLink(uid: try context.segment("uid"))
            return Response.json(
                Secret(
                    label: link.label, role: link.role, token: link.secret,
                    link: "\(publicURL())/setup#k=\(link.secret)"),
                status: .created)
        }
        group.get("tokens") { _, _ in
            Response.json(["tokens": try await operations.tokens()])
        }
        group.post("tokens") { request, _ in
            let body = try await request.decode(NewToken.self)
            if body.aws == true {
                guard body.role ?? .operator == .operator, body.uid == nil else {
                    throw Refusal(
                        .invalid, "No such access key",
                        "an access key has the rights of an operator and acts for no account",
                        advice: "Leave role and account out")
                }
                return Response.json(try await operations.makeAccessKey(label: body.label), status: .created)
            }
            let token = try await operations.makeToken(label: body.label, role: body.role ?? .operator, uid: body.uid)
            return Response.json(Secret(label: token.label, role: token.role, token: token.secret), status: .created)
        }
        group.delete("tokens/:label") { _, context in
            try await operations.revokeToken(label: try context.segment("label"))
            return Response(status: .noContent)
        }
    }
}
