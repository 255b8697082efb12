import Adapters
internal import ArgumentParser
import Checkpoints
import Foundation
import Kernels
import Transformer

/// `graft pack`: a base into `model.bin`, an adapter into `.lora`.
struct PackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: "Packs a base into a model.bin, or an adapter into a .lora.",
        discussion: """
            A model.bin holds the weights in the order in which the kernels read them, with \
            configuration and tokenizer, and is mapped and served at once:

              graft pack --base SmolLM2.gguf --out model.bin
              graft pack --adapter models/adapters/law --out law.lora
            """)

    @Option(help: ArgumentHelp("The base to pack.", valueName: "path")) var base: String?
    @Option(help: ArgumentHelp("The PEFT directory to pack.", valueName: "path"))
    var adapter: String?
    @Option(help: ArgumentHelp("The file to write.", valueName: "path")) var out: String
    @Option(
        help: ArgumentHelp("Quantise the base's weights: q8 or q4.", valueName: "type"))
    var quantize: QuantizeOption?

    func validate() throws {
        if (base == nil) == (adapter == nil) {
            throw ValidationError("give either --base or --adapter")
        }
        if adapter != nil, quantize != nil {
            throw ValidationError("--quantize is for a base")
        }
    }

    func run() throws {
        if let base { try packBase(base) }
        if let adapter {
            let report = try AdapterPacking.pack(from: adapter, to: out)
            print("\(out): \(report.tensorCount) tensors, hash \(report.hash)")
        }
    }

    private func packBase(_ path: String) throws {
        var options = BaseOptions()
        options.base = path
        options.threads = nil
        options.quantize = quantize
        options.kvDtype = nil
        let base = try options.open(pool: options.makePool())
        let progress = ProgressLine("Writing \((out as NSString).lastPathComponent)")
        try base.writePacked(to: out) { progress.update($0) }
        progress.finish()
        print("\(out): \(base.weightByteCount) bytes of \(base.weightType.rawValue) weights")
    }
}
