import ArgumentParser

/// `apus demo`: shows the whole flow with simulated devices.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the whole flow with simulated devices.")
}
