import ArgumentParser
import Foundation

/// The server and the operator's commands.
@main
struct Apus: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Over-the-air firmware updates and AWS-IoT-compatible device shadows, from one binary.",
        discussion: """
            Start a server with "apus serve", see the whole flow with "apus demo", or talk to a running server with the \
            other commands. They use --server and --token, or APUS_SERVER and APUS_TOKEN, or the files of a server on \
            this machine.
            """,
        version: "apus \(version)",
        subcommands: [
            Serve.self, Demo.self, Overview.self, ProductCommand.self, ReleaseCommand.self, DeviceCommand.self,
            UserCommand.self,
            TokenCommand.self,
        ])

    static func main() async {
        do {
            let arguments = try EnvironmentSettings.complete(
                Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Console.report(failure)
            Foundation.exit(failure.code.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}
