import ArgumentParser
import Foundation
import Operations
import Releases

/// `apus overview`: the fleet in numbers.
struct Overview: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "overview", abstract: "The fleet in numbers: states, versions, what happened last.",
        discussion: "Example: apus overview")
    @OptionGroup var access: ServerAccess

    func run(_ client: Client) async throws {
        let data = try await client.send("GET", "/api/v1/overview")
        try present(data, as: FleetOverview.self) { overview in
            var rows = [["devices", "\(overview.devices)"], ["connected", "\(overview.connected)"]]
            rows += FleetState.allCases.map { [$0.rawValue, "\(overview.states[$0, default: 0])"] }
            rows.append(["silent for a day", "\(overview.silent)"])
            for product in overview.products {
                rows += product.versions.map { ["\(product.slug) \($0.version)", "\($0.devices)"] }
            }
            Table.print(["WHAT", "DEVICES"], rows)
            for event in overview.activity {
                let what = [event.thing, event.product, event.version, event.detail].compactMap(\.self)
                Console.note(
                    "\(Table.time(event.at))  \(event.kind.rawValue.replacing("_", with: " "))  "
                        + what.joined(separator: " "))
            }
        }
    }
}
