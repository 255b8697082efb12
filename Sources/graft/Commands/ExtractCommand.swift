import Adapters
internal import ArgumentParser
import Checkpoints
import Foundation
import Kernels
import Transformer

/// `graft extract`: a LoRA from two checkpoints.
struct ExtractCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extract",
        abstract: "Makes a LoRA from a base and a checkpoint that was tuned from it.",
        discussion: """
            Each linear layer's difference is decomposed by singular values and cut to a rank, or to \
            as few as hold a share of its energy. What a LoRA can't hold, norms, biases and tables, is \
            refused, saved whole (--save-rest) or left out (--ignore-rest).

              graft extract --base SmolLM2 --tuned SmolLM2-law --rank 16 --out law
            """)

    @OptionGroup var options: BaseOptions
    @Option(help: ArgumentHelp("The tuned checkpoint, of any kind a base is.", valueName: "path"))
    var tuned: String
    @Option(help: "Singular values that each layer keeps.") var rank: Int?
    @Option(help: "Share of each layer's energy to keep, for example 0.95.") var energy: Double?
    @Option(
        help: ArgumentHelp(
            "A linear layer; repeatable (default: all but the head).", valueName: "name"))
    var target: [String] = []
    @Flag(help: "Save changed norms, biases and tables whole.") var saveRest = false
    @Flag(help: "Leave changed norms, biases and tables out.") var ignoreRest = false
    @Option(help: ArgumentHelp("A new directory, or a file that ends in .lora.", valueName: "path"))
    var out: String

    func validate() throws {
        if (rank == nil) == (energy == nil) {
            throw ValidationError("give either --rank or --energy")
        }
        if let rank, !(1...32768).contains(rank) {
            throw ValidationError("--rank is \(rank), expected 1 to 32768")
        }
        if let energy, !(energy > 0 && energy <= 1) {
            throw ValidationError("--energy is \(energy), expected more than 0, up to 1")
        }
        if saveRest, ignoreRest {
            throw ValidationError("--save-rest and --ignore-rest exclude each other")
        }
    }

    func run() throws {
        let pool = options.makePool()
        let base = try options.open(pool: pool)
        let loading = ProgressLine("Loading \((tuned as NSString).lastPathComponent)")
        let model = try BaseModel.open(path: tuned, pool: pool) { loading.update($0) }
        loading.finish()
        let extraction = try LoRAExtraction(
            base: base, tuned: model,
            options: ExtractionOptions(
                rank: rank.map(ExtractionOptions.Rank.fixed) ?? .energy(energy ?? 1),
                targets: target.isEmpty ? nil : target,
                rest: saveRest ? .save : ignoreRest ? .ignore : .refuse), pool: pool)
        let progress = ProgressLine("Extracting")
        let report = try extraction.write(to: out) { progress.update($0) }
        progress.finish()
        for note in report.notes { writeToStandardError(note) }
        for kind in report.kinds { print(line(kind)) }
        if !report.savedModules.isEmpty { print("saved whole: \(report.savedModules.count)") }
        print("\(out): energy \(percent(report.share))")
    }

    private func line(_ kind: ExtractionReport.Kind) -> String {
        let ranks = kind.ranks
        let rank =
            ranks.lowerBound == ranks.upperBound
            ? "\(ranks.lowerBound)" : "\(ranks.lowerBound) to \(ranks.upperBound)"
        let name = "\(kind.name) ×\(kind.moduleCount)".padding(
            toLength: 18, withPad: " ", startingAt: 0)
        return "\(name) rank \(rank), energy \(percent(kind.share))"
    }

    private func percent(_ share: Double) -> String {
        String(format: "%.2f %%", share * 100)
    }
}
