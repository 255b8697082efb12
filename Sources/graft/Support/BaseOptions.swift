internal import ArgumentParser
import Checkpoints
import Foundation
import Kernels
import Transformer

/// The base model and the threads that work on it: the options that most commands share.
struct BaseOptions: ParsableArguments {
    @Option(
        name: [.customLong("base"), .customLong("model"), .customShort("m")],
        help: ArgumentHelp(
            "The base: a Hugging Face directory, a .safetensors, a .gguf or a model.bin.",
            valueName: "path"))
    var base: String

    @Option(
        name: [.customLong("threads"), .customShort("t")],
        help: "Threads for the forward pass (default: one a processor core).")
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Quantise the base's weights while loading: q8 or q4.", valueName: "type"))
    var quantize: QuantizeOption?

    @Option(
        help: ArgumentHelp(
            "Keep keys and values in f32 or bf16 (default: f32 beside weights in f32 or f16, else bf16, which takes half of the memory).",
            valueName: "type"))
    var kvDtype: KeyValueOption?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1 to 1024")
        }
    }

    /// Threads asked for, or one a core.
    var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

    /// The workers that all products of this process run on; says so on standard error when they
    /// can't use the instruction set that `GRAFT_CPU` names.
    func makePool() -> WorkerPool {
        if let complaint = InstructionSet.complaint(
            aboutChoice: ProcessInfo.processInfo.environment["GRAFT_CPU"], inUse: .current)
        {
            writeToStandardError("Warning: \(complaint)")
        }
        return WorkerPool(threadCount: threadCount)
    }

    /// Opens the base, with a progress line on a terminal.
    ///
    /// - Parameter onTokenizer: called with the tokenizer's files, where there are any, as soon as
    ///   these are known: before the weights are read.
    func open(
        pool: WorkerPool, onTokenizer: (TokenizerAssets) -> Void = { _ in }
    ) throws -> BaseModel {
        let progress = ProgressLine("Loading \((base as NSString).lastPathComponent)")
        let model: BaseModel
        do {
            defer { progress.finish() }
            let checkpoint = try BaseCheckpoint.open(path: base)
            if let tokenizer = checkpoint.tokenizer { onTokenizer(tokenizer) }
            model = try BaseModel(
                checkpoint: checkpoint, pool: pool, quantization: quantize?.quantization,
                keyValueType: kvDtype?.type,
                progress: { progress.update($0) })
        }
        for warning in model.warnings { writeToStandardError("Warning: \(warning)") }
        return model
    }
}

/// What `--kv-dtype` takes.
enum KeyValueOption: String, ExpressibleByArgument, CaseIterable {
    case f32, bf16

    var type: KeyValueType { self == .f32 ? .f32 : .bf16 }
}

/// What `--quantize` takes.
enum QuantizeOption: String, ExpressibleByArgument, CaseIterable {
    case q8, q4

    var quantization: Quantization { self == .q8 ? .q8 : .q4 }
}
