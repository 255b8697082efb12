import Adapters
internal import ArgumentParser
import Checkpoints
import Foundation
import Kernels
import Tokenization
import Transformer

/// `graft merge`: adapters into a new checkpoint.
struct MergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Merges adapters into a new checkpoint.",
        discussion: """
            --out names a directory in the form of Hugging Face, or, by its ending, merged.gguf (where the \
            base is a GGUF file) or merged.bin. Deltas are added in f32. In a directory, every weight \
            gets the type of --dtype, or keeps its own, F16 where that was one of blocks. In a file, \
            matrices that change get the type of --dtype or keep their own, and all others stay as they \
            are. Nothing is written when a result is not finite, and the result appears only when it is \
            complete.
            """)

    @OptionGroup var options: BaseOptions
    @Option(name: .customLong("adapter"), help: AdapterOption.help)
    var adapters: [AdapterOption] = []
    @Option(
        help: ArgumentHelp("An adapter's weight (default: 1 each).", valueName: "name=weight"))
    var weight: [WeightedName] = []
    @Option(
        help: ArgumentHelp(
            "The directory, .gguf or .bin file to write; must not exist.", valueName: "path"))
    var out: String
    @Option(help: "Type of the written weights: f32, f16, bf16; in files also q8_0, q4_0, q4_1.")
    var dtype: DTypeOption?
    @Option(help: "Bytes of a shard, at most; K, M and G are understood.") var maxShardSize = "5G"
    @Flag(help: "Refuse adapters with settings that are not known.") var strictAdapters = false

    func validate() throws {
        if adapters.isEmpty { throw ValidationError("nothing to merge: give --adapter name=path") }
        for part in weight where !adapters.contains(where: { $0.name == part.name }) {
            throw ValidationError("--weight names '\(part.name)', which no --adapter does")
        }
        if ByteCount(maxShardSize) == nil {
            throw ValidationError("--max-shard-size is '\(maxShardSize)', expected a size as 5G")
        }
    }

    func run() throws {
        let pool = options.makePool()
        let opened = try BaseCheckpoint.open(path: options.base)
        let checkpoint =
            MergeWriter.writesDirectory(at: out)
            ? try Self.withHuggingFaceTokenizer(opened) : opened
        let base = try BaseModel(checkpoint: checkpoint, pool: pool)
        for warning in base.warnings { writeToStandardError("Warning: \(warning)") }
        let loaded = try adapters.map { option in
            let adapter = try AdapterReader.read(
                name: option.name, path: option.path, slots: base.slots, base: base,
                options: AdapterOptions(strict: strictAdapters), pool: pool)
            for warning in adapter.warnings { writeToStandardError("\(option.name): \(warning)") }
            let weight = weight.last { $0.name == option.name }?.weight ?? 1
            return (adapter: adapter, weight: weight)
        }
        let writer = try MergeWriter(
            base: base, checkpoint: checkpoint, adapters: loaded,
            options: MergeOptions(
                weightType: dtype?.weightType,
                maximumShardByteCount: ByteCount(maxShardSize)?.value ?? 5_000_000_000),
            pool: pool)
        let progress = ProgressLine("Merging")
        let report = try writer.write(to: out) { progress.update($0) }
        progress.finish()
        for note in report.notes { writeToStandardError(note) }
        print(
            "\(out): \(report.tensorCount) tensors in \(report.fileNames.count) file(s), "
                + "\(report.changedModuleCount) modules changed")
    }

    /// A GGUF vocabulary has no file in a Hugging Face directory, so it is written in another form.
    private static func withHuggingFaceTokenizer(
        _ checkpoint: BaseCheckpoint
    ) throws -> BaseCheckpoint {
        BaseCheckpoint(
            kind: checkpoint.kind, configuration: checkpoint.configuration,
            tensors: checkpoint.tensors,
            tokenizer: try checkpoint.tokenizer.map { (assets) throws in
                try assets.inHuggingFaceForm()
            }, layout: checkpoint.layout,
            warnings: checkpoint.warnings)
    }
}

/// What `--dtype` takes.
enum DTypeOption: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, bf16, q8_0, q4_0, q4_1

    var weightType: WeightType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q4_0: .q4_0
        case .q4_1: .q4_1
        }
    }
}
