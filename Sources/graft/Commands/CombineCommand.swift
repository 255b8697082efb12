import Adapters
internal import ArgumentParser
import Foundation

/// `graft combine`: one LoRA from several.
struct CombineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "combine",
        abstract: "Writes one LoRA from several, as PEFT's add_weighted_adapter makes it.",
        discussion: """
            cat is exact: ranks add up. svd keeps the best approximation of a rank. linear, ties, \
            dare_linear, dare_ties and magnitude_prune combine the factors themselves, and need equal \
            ranks; with _svd behind the name they combine the products. dare draws what it drops as \
            PEFT does after torch.manual_seed(SEED).

              graft combine --adapter law=law --adapter style=style.lora --weight law=0.7 \
            --weight style=0.3 --method cat --out both.lora
            """)

    @Option(name: .customLong("adapter"), help: AdapterOption.help)
    var adapters: [AdapterOption] = []
    @Option(help: ArgumentHelp("An adapter's weight (default: 1 each).", valueName: "name=weight"))
    var weight: [WeightedName] = []
    @Option(help: "How they are combined.", transform: { try Choice.value($0) })
    var method: CombinationMethod
    @Option(help: "The share of values that stay, 0 to 1; of ties, dare and magnitude_prune.")
    var density: Double?
    @Option(
        help: "Whose sign wins, of ties and dare_ties: total (default) or frequency.",
        transform: { try Choice.value($0) })
    var majoritySign: MajoritySign?
    @Option(help: "Rank of the result of svd and …_svd (default: the largest of the adapters').")
    var rank: Int?
    @Option(help: "Seed of dare's draws (default: 0).") var seed: UInt64?
    @Option(help: ArgumentHelp("A new directory, or a file that ends in .lora.", valueName: "path"))
    var out: String

    func validate() throws {
        if adapters.isEmpty {
            throw ValidationError("nothing to combine: give --adapter name=path")
        }
        for (index, adapter) in adapters.enumerated()
        where adapters[..<index].contains(where: { $0.name == adapter.name }) {
            throw ValidationError("two adapters are named '\(adapter.name)'")
        }
        for part in weight where !adapters.contains(where: { $0.name == part.name }) {
            throw ValidationError("--weight names '\(part.name)', which no --adapter does")
        }
        try validateDensity()
        try check("--rank", rank != nil, belongs: method.combinesProducts)
        try check("--seed", seed != nil, belongs: method.isRandom)
        try check("--majority-sign", majoritySign != nil, belongs: method.electsSigns)
        if let rank, !(1...32768).contains(rank) {
            throw ValidationError("--rank is \(rank), expected 1 to 32768")
        }
    }

    private func validateDensity() throws {
        try check("--density", density != nil, belongs: method.prunes)
        guard method.prunes else { return }
        guard let density else {
            throw ValidationError("--method \(method.rawValue) needs --density, from 0 to 1")
        }
        guard (0...1).contains(density), density > 0 || !method.isRandom else {
            throw ValidationError(
                "--density is \(density), expected \(method.isRandom ? "more than 0, up to" : "0 to") 1"
            )
        }
    }

    private func check(_ option: String, _ isGiven: Bool, belongs: Bool) throws {
        if isGiven, !belongs {
            throw ValidationError("\(option) has no meaning with --method \(method.rawValue)")
        }
    }

    func run() throws {
        let combination = try AdapterCombination(
            adapters.map { adapter in
                let weight = weight.last { $0.name == adapter.name }?.value ?? 1
                return (name: adapter.name, path: adapter.path, weight: weight)
            },
            options: CombinationOptions(
                method: method, density: density ?? 1, majoritySign: majoritySign ?? .total,
                rank: rank, seed: seed ?? 0))
        let progress = ProgressLine("Combining")
        defer { progress.finish() }
        let report = try combination.write(to: out) { progress.update($0) }
        progress.finish()
        for note in report.notes { writeToStandardError(note) }
        print("\(out): rank \(report.rank) at \(report.moduleCount) modules")
    }
}
