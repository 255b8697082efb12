internal import StrictJSON
internal import Transformer

/// Writes a LoRA or (IA)³ as the AdapterHub library does; the layouts are in `AdapterHubLoRA` and
/// `AdapterHubFactors`.
///
/// The library's settings name places, not modules, and mean the same ones in all layers but those
/// that they leave out.
///
/// **Source**: adapters 1.3.0, `methods/lora.py`, `models/llama/mixin_llama.py`.
struct AdapterHubWriter {
    /// What the settings call the modules of a layer that can have factors.
    static let places = [
        "self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v",
        "mlp.down_proj": "intermediate_lora", "mlp.up_proj": "output_lora",
    ]
    static let attention = ["q", "k", "v"]
    private static let layers = "model.layers."

    private let conversion: AdapterConversion

    init(_ conversion: AdapterConversion) {
        self.conversion = conversion
    }

    /// - Throws: `AdapterError.unconvertible` for what is neither a LoRA nor (IA)³, and for modules
    ///   that the library's settings can't name.
    func write(to output: String) throws(AdapterError) -> AdapterConversion.Report {
        let name = Self.name(for: output)
        let part = try conversion.file.peftType == IA3.peftType ? factors(name) : lowRank(name)
        var method = part.settings
        for (setting, value) in try places(part.modules) { method[setting] = value }
        for (setting, value) in Self.constants { method[setting] = value }
        let whole: JSONObject = [
            "config": .object(method), "hidden_size": hiddenSize, "model_class": .null,
            "model_name": .string(""), "model_type": .null, "name": .string(name),
            "version": .string("adapters.1.3.0"),
        ]
        try StateDictDirectory(
            tensorName: AdapterHub.tensorNames[0], tensors: part.tensors,
            settingsName: "adapter_config.json", settings: whole
        ).write(to: output)
        return AdapterConversion.Report(tensorCount: part.tensors.count, notes: part.notes)
    }

    /// Settings that the library expects, at the values that mean nothing more.
    private static let constants: JSONObject = [
        "architecture": .string("lora"), "dropout": .number(0), "dtype": .null,
        "init_weights_seed": .null, "use_dora": .bool(false), "use_gating": .bool(false),
        "vera_b": .null, "vera_d": .null,
    ]

    /// Names stand between points in the names of tensors.
    private static func name(for output: String) -> String {
        let last = output.split(separator: "/").last ?? "adapter"
        return String(last.map { $0 == "." ? "-" : $0 })
    }

    private var hiddenSize: JSONValue {
        conversion.base.map { .integer(Int64($0.hiddenSize)) } ?? .null
    }

    private func refusal(_ reason: String) -> AdapterError {
        .unconvertible(path: conversion.path, reason: reason)
    }
}

// Tensors.
extension AdapterHubWriter {
    private struct Part {
        var tensors: [AdapterTensor] = []
        var modules: [String] = []
        var settings: JSONObject
        var notes: [String] = []
    }

    private func lowRank(_ name: String) throws(AdapterError) -> Part {
        let lora = try PlainLoRA(conversion.file, for: .converting(conversion.path))
        let ranks = Set(lora.factors.values.map(\.rank)).sorted()
        guard ranks.count == 1 else {
            throw refusal(
                "AdapterHub's settings have one rank, it has "
                    + ranks.map(String.init).joined(separator: ", "))
        }
        let alpha = lora.commonAlpha
        var part = Part(
            settings: [
                "alpha": alpha.asJSON, "composition_mode": .string("add"),
                "init_weights": .string("lora"), "r": .integer(Int64(ranks[0])),
            ], notes: lora.warnings)
        for (module, factors) in lora.factors.sorted(by: { $0.key < $1.key }) {
            let prefix = "\(module).loras.\(name)."
            part.modules.append(module)
            part.tensors += [
                try AdapterTensor(
                    name: prefix + "lora_A", shape: [factors.rank, factors.inputCount],
                    values: factors.a),
                try AdapterTensor(
                    name: prefix + "lora_B", shape: [factors.outputCount, factors.rank],
                    values: factors.b(withAlpha: alpha)),
            ]
        }
        return part
    }

    private func factors(_ name: String) throws(AdapterError) -> Part {
        var part = Part(
            settings: [
                "alpha": .integer(1), "composition_mode": .string("scale"),
                "init_weights": .string("ia3"), "r": .integer(1),
            ])
        let file = conversion.file
        for tensor in file.tensors.sorted(by: { $0.name < $1.name }) {
            guard tensor.name.hasPrefix(PEFTAdapter.prefix), tensor.name.hasSuffix(".ia3_l")
            else { throw refusal("'\(tensor.name)' is no factor of (IA)³") }
            guard tensor.shape.count == 2, tensor.shape[1] == 1 else {
                throw refusal(
                    "'\(tensor.name)' has factors of inputs, and AdapterHub's (IA)³ those of outputs"
                )
            }
            try tensor.checkFinite(file: file.tensorFile)
            let module = String(
                tensor.name.dropFirst(PEFTAdapter.prefix.count).dropLast(".ia3_l".count))
            part.modules.append(module)
            part.tensors.append(tensor.renamed("\(module).loras.\(name).lora_B"))
        }
        return part
    }
}

// Modules as the settings name them.
extension AdapterHubWriter {
    private func places(_ modules: [String]) throws(AdapterError) -> JSONObject {
        var layers: [Int: Set<String>] = [:]
        for module in modules {
            let (layer, place) = try place(module)
            layers[layer, default: []].insert(place)
        }
        let used = Set(layers.values.joined())
        guard layers.values.allSatisfy({ $0 == used }) else {
            throw refusal("AdapterHub's settings name the same modules in all layers")
        }
        let count = conversion.base?.layerCount ?? (layers.keys.max() ?? 0) + 1
        let matrices = Self.attention.filter(used.contains)
        return [
            "attn_matrices": .array(matrices.map(JSONValue.string)),
            "intermediate_lora": .bool(used.contains("intermediate_lora")),
            "leave_out": .array(
                (0..<count).filter { layers[$0] == nil }.map { .integer(Int64($0)) }),
            "output_lora": .bool(used.contains("output_lora")),
            "selfattn_lora": .bool(!matrices.isEmpty),
        ]
    }

    private func place(_ module: String) throws(AdapterError) -> (layer: Int, place: String) {
        let parts = module.dropFirst(Self.layers.count).split(separator: ".", maxSplits: 1)
        guard module.hasPrefix(Self.layers), parts.count == 2, let layer = Int(parts[0]),
            let place = Self.places[String(parts[1])]
        else {
            throw refusal(
                "it changes '\(module)'; in AdapterHub's models of this family, q_proj, k_proj, "
                    + "v_proj, up_proj and down_proj can be changed")
        }
        return (layer, place)
    }
}
