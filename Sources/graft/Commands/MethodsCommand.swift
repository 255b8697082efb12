import Adapters
internal import ArgumentParser
import StrictJSON

/// `graft methods`: what kinds of adapters this build serves.
struct MethodsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "methods",
        abstract: "Lists the methods of adapting that are served.",
        discussion: """
            Names are those of 'peft_type' in an adapter's configuration. What an adapter of yours \
            becomes, and what it costs, says 'graft inspect --base B A'.
            """)

    @Flag(help: "Print one JSON object.") var json = false

    func run() {
        guard json else {
            return MethodListing.peftTypes.forEach { print($0) }
        }
        let entries = MethodListing.peftTypes.map {
            JSONValue.object(["peft_type": .string($0)])
        }
        print(JSONValue.object(["methods": .array(entries)]).serialized())
    }
}

extension String {
    /// Filled with spaces, for columns.
    func padding(_ count: Int) -> String {
        self + String(repeating: " ", count: max(0, count - self.count))
    }
}
