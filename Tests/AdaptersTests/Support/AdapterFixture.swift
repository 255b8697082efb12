import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Transformer

/// An adapter in the layout of PEFT, made in code.
struct AdapterFixture {
    var configuration: JSONObject
    var tensors: [FloatTensor]

    /// LoRA of rank 2 and alpha 4 on the named modules, for example
    /// `model.layers.0.self_attn.q_proj`.
    static func lora(
        _ modules: [String], targets: JSONValue? = nil, rank: Int = 2, seed: UInt64 = 3,
        _ extra: JSONObject = [:]
    ) -> AdapterFixture {
        var configuration: JSONObject = [
            "peft_type": .string("LORA"), "r": .integer(Int64(rank)), "lora_alpha": .integer(4),
            "target_modules": targets ?? .array(modules.map(JSONValue.string)),
            "bias": .string("none"), "task_type": .string("CAUSAL_LM"),
        ]
        for (key, value) in extra { configuration[key] = value }
        let tensors = modules.enumerated().flatMap { index, module -> [FloatTensor] in
            let (inputCount, outputCount) = widths(module)
            let name = "base_model.model." + module
            let seed = seed &+ UInt64(index) &* 101
            return [
                FloatTensor(name + ".lora_A.weight", [rank, inputCount], seed: seed),
                FloatTensor(name + ".lora_B.weight", [outputCount, rank], seed: seed &+ 50),
            ]
        }
        return AdapterFixture(configuration: configuration, tensors: tensors)
    }

    static func prefix(tokenCount: Int = 3, _ extra: JSONObject = [:]) -> AdapterFixture {
        var configuration: JSONObject = [
            "peft_type": .string("PREFIX_TUNING"),
            "num_virtual_tokens": .integer(Int64(tokenCount)),
            "num_layers": .integer(2), "token_dim": .integer(8), "num_attention_heads": .integer(2),
            "num_transformer_submodules": .integer(1), "prefix_projection": .bool(false),
            "encoder_hidden_size": .integer(8),
        ]
        for (key, value) in extra { configuration[key] = value }
        return AdapterFixture(
            configuration: configuration,
            tensors: [FloatTensor("prompt_embeddings", [tokenCount, 32], seed: 5)])
    }

    /// A soft prompt of three tokens, with modules that were saved beside it.
    static func prompt(saved: [String]) -> AdapterFixture {
        AdapterFixture(
            configuration: [
                "peft_type": .string("PROMPT_TUNING"), "num_virtual_tokens": .integer(3),
                "modules_to_save": .array(saved.map(JSONValue.string)),
            ],
            tensors: [FloatTensor("prompt_embeddings", [3, 16], seed: 5)])
    }

    static let query = "model.layers.0.self_attn.q_proj"

    /// Inputs and outputs of a module of `TinyBase`.
    static func widths(_ module: String) -> (inputCount: Int, outputCount: Int) {
        switch module.split(separator: ".").last {
        case "k_proj", "v_proj": (16, 8)
        case "gate_proj", "up_proj": (16, 24)
        case "down_proj": (24, 16)
        case "lm_head": (16, 32)
        default: (16, 16)
        }
    }

    /// Writes a PEFT directory.
    @discardableResult
    func write(to directory: ScratchDirectory, name: String = "adapter") throws -> String {
        let path = directory.path + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try AtomicFile.write(
            JSONValue.object(configuration).serialized(), to: path + "/adapter_config.json")
        try FloatTensor.write(tensors, to: path + "/adapter_model.safetensors")
        return path
    }
}

/// Reads `fixture` on `base`; for malformed ones, the error's description without the directory.
struct AdapterReading {
    let directory: ScratchDirectory
    let base: BaseModel

    init(_ tiny: TinyBase = TinyBase()) throws {
        directory = try ScratchDirectory()
        base = try tiny.open(in: directory).model
    }

    func read(_ fixture: AdapterFixture, strict: Bool = false) throws -> LoadedAdapter {
        try read(path: fixture.write(to: directory), options: AdapterOptions(strict: strict))
    }

    func read(path: String, options: AdapterOptions = AdapterOptions()) throws -> LoadedAdapter {
        try AdapterReader.read(
            name: "test", path: path, slots: base.slots, base: base, options: options,
            pool: TinyBase.pool)
    }

    func failure(_ fixture: AdapterFixture, strict: Bool = false) -> String {
        failure { _ = try read(fixture, strict: strict) }
    }

    func failure(_ body: () throws -> Void) -> String {
        do { try body() } catch {
            return "\(error)".replacingOccurrences(of: directory.path + "/", with: "")
        }
        return "no error"
    }
}
