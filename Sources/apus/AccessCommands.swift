import Accounts
import ArgumentParser
import AsyncHTTPClient
import Foundation
import Operations

// MARK: - Accounts and tokens

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Accounts of owners and staff.",
        subcommands: [Add.self, Set.self, List.self, Link.self, Remove.self])

    struct Add: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an account.",
            discussion: """
                The password is read from standard input with --password-stdin; with --link the account signs in by a \
                one-use link instead.

                Example: apus user add ann --link
                """)
        @OptionGroup var access: ServerAccess
        @Argument(help: "Account name.") var name: String
        @Option(help: "owner, operator or admin.") var role: Role = .owner
        @Option(
            help: "Password, at least 8 characters (visible to other users of this machine: prefer --password-stdin).")
        var password: String?
        @Flag(help: "Read the password from standard input.") var passwordStdin = false
        @Flag(help: "Print a one-use sign-in link.") var link = false

        func run(_ client: Client) async throws {
            let secret = passwordStdin ? readLine(strippingNewline: true) : password
            let data = try await client.send(
                "POST", "/api/v1/users",
                body: .bytes(Client.encode(["uid": name, "role": role.rawValue, "password": secret])))
            guard link || secret == nil else {
                return try present(data, as: UserSummary.self) {
                    Console.result("Account \($0.uid), \($0.role.rawValue)")
                }
            }
            try await UserCommand.printLink(of: name, client, asJSON: access.json)
        }
    }

    struct List: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the accounts.", discussion: "Example: apus user list")
        @OptionGroup var access: ServerAccess

        func run(_ client: Client) async throws {
            let data = try await client.send("GET", "/api/v1/users")
            try present(data, as: [String: [UserSummary]].self) { answer in
                Table.print(
                    ["ACCOUNT", "ROLE", "DEVICE", "PASSWORD", "CREATED"],
                    answer["users", default: []].map {
                        [
                            $0.uid, $0.role.rawValue, $0.device_id ?? "-", $0.has_password ? "yes" : "no",
                            Table.time($0.created),
                        ]
                    })
            }
        }
    }

    struct Set: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change an account's role or password; a new password ends its sessions.",
            discussion: "Example: apus user set ann --role operator")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Account name.") var name: String
        @Option(help: "owner, operator or admin.") var role: Role?
        @Flag(help: "Read a new password from standard input.") var passwordStdin = false

        func run(_ client: Client) async throws {
            let secret = passwordStdin ? readLine(strippingNewline: true) : nil
            let data = try await client.send(
                "PUT", "/api/v1/users/\(Client.escaped(name))",
                body: .bytes(Client.encode(["role": role?.rawValue, "password": secret])))
            try present(data, as: UserSummary.self) { Console.result("account \($0.uid): \($0.role.rawValue)") }
        }
    }

    struct Remove: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an account; its devices stay, without an owner.",
            discussion: "Example: apus user remove ann")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Account name.") var name: String

        func run(_ client: Client) async throws {
            _ = try await client.send("DELETE", "/api/v1/users/\(Client.escaped(name))")
            Console.note("account \(name) is removed")
        }
    }

    struct Link: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a new one-use sign-in link of an account.", discussion: "Example: apus user link ann")
        @OptionGroup var access: ServerAccess
        @Argument(help: "Account name.") var name: String

        func run(_ client: Client) async throws {
            try await UserCommand.printLink(of: name, client, asJSON: access.json)
        }
    }

    private struct Secret: Decodable {
        var link: String
    }

    fileprivate static func printLink(of name: String, _ client: Client, asJSON: Bool) async throws {
        let data = try await client.send(
            "POST", "/api/v1/users/\(Client.escaped(name))/link", body: .bytes(Data("{}".utf8)))
        if asJSON { return Console.result(String(decoding: data, as: UTF8.self)) }
        Console.result(try JSONDecoder().decode(Secret.self, from: data).link)
        Console.note("The link signs \(name) in once, within a day.")
    }
}

extension Role: ExpressibleByArgument {}

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Tokens for programs.", subcommands: [Create.self, List.self, Revoke.self])

    private struct Secret: Decodable {
        var token: String
    }

    struct Create: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token; it is shown only now.",
            discussion: """
                With --aws it is an access key for AWS's SDKs, with the rights of an operator: AWS_ACCESS_KEY_ID and \
                AWS_SECRET_ACCESS_KEY.

                Examples: apus token create build-server --role operator
                          apus token create backend --aws
                """)
        @OptionGroup var access: ServerAccess
        @Argument(help: "What it is for.") var label: String
        @Option(help: "owner, operator or admin.") var role: Role = .operator
        @Option(help: "The account it acts for.") var user: String?
        @Flag(help: "Make an access key for AWS's SDKs.") var aws = false

        func run(_ client: Client) async throws {
            if aws {
                let data = try await client.send(
                    "POST", "/api/v1/tokens",
                    body: .bytes(Client.encode(["label": label, "aws": true, "role": role.rawValue, "uid": user])))
                return try present(data, as: NewAccessKey.self) {
                    Console.result("AWS_ACCESS_KEY_ID=\($0.access_key_id)")
                    Console.result("AWS_SECRET_ACCESS_KEY=\($0.secret_access_key)")
                }
            }
            let data = try await client.send(
                "POST", "/api/v1/tokens",
                body: .bytes(Client.encode(["label": label, "role": role.rawValue, "uid": user])))
            try present(data, as: Secret.self) { Console.result($0.token) }
        }
    }

    struct List: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tokens.", discussion: "Example: apus token list")
        @OptionGroup var access: ServerAccess

        func run(_ client: Client) async throws {
            let data = try await client.send("GET", "/api/v1/tokens")
            try present(data, as: [String: [TokenSummary]].self) { answer in
                Table.print(
                    ["TOKEN", "ROLE", "ACCOUNT", "ACCESS KEY", "CREATED"],
                    answer["tokens", default: []].map {
                        [
                            $0.label, $0.role.rawValue, $0.uid ?? "-", $0.access_key_id ?? "-", Table.time($0.created),
                        ]
                    })
            }
        }
    }

    struct Revoke: ServerCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a token back.", discussion: "Example: apus token revoke build-server")
        @OptionGroup var access: ServerAccess
        @Argument(help: "What it is for.") var label: String

        func run(_ client: Client) async throws {
            _ = try await client.send("DELETE", "/api/v1/tokens/\(Client.escaped(label))")
            Console.result(access.json ? "{}" : "Token \(label) is not valid any more")
        }
    }
}
