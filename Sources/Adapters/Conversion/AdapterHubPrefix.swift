internal import StrictJSON
internal import Transformer

/// A prefix of the AdapterHub library, said as PEFT's prefix tuning with one setting more: tokens
/// are counted from 0 there, as if the prefix were not.
///
///     ….prefix_tunings.<name>.self_prefix.control_trans    [tokens · layers · 2 · kvHeads · headDimension]
///
/// or, unless `flat`, a small network that is run once, here:
///
///     ….self_prefix.wte.weight                  [tokens, hidden]
///     ….self_prefix.control_trans.0.weight      [inner, hidden], with bias; then the activation function
///     ….self_prefix.control_trans.2.weight      [layers · 2 · kvHeads · headDimension, inner], with bias
///
/// **Source**: arXiv 2101.00190; adapters 1.3.0, `methods/prefix_tuning.py`.
enum AdapterHubPrefix {
    private static let flat = "control_trans"
    private static let table = "wte.weight"
    private static let layers = ["control_trans.0.", "control_trans.2."]
    static let unsupported: [(name: String, reason: String)] = [
        (
            "use_gating",
            "the gate is a mean over all tokens of a call, so that an answer would depend on tokens "
                + "after it"
        ),
        ("leave_out", "a prefix in some of the layers only can't be served yet"),
    ]

    /// - Throws: `AdapterError` for settings that can't be served, tensors without a place, shapes
    ///   that don't fit each other.
    static func adapter(
        _ file: ForeignTensors, _ settings: AdapterHubSettings
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = settings.configuration
        try UnknownSettings.refuse(unsupported, in: &configuration)
        let tokenCount = try configuration.count("prefix_length", limit: 1 << 24)
        let isFlat = try configuration.flag("flat")
        let tensors = try named(file, settings, isFlat: isFlat)
        let values =
            try isFlat
            ? tensors.values(flat)
            : project(
                tensors, tokenCount, configuration.optionalCount("bottleneck_size", limit: 1 << 31),
                configuration.activation("non_linearity", standard: "tanh"))
        guard values.count % tokenCount == 0 else {
            throw .wrongShape(
                tensor: flat, expected: [tokenCount], found: [values.count],
                reason: "'prefix_length' is \(tokenCount), and its tokens are equally long",
                file: file.path)
        }
        var adapter = PEFTAdapter(
            configuration: [
                "base_model_name_or_path": .null, "inference_mode": .bool(true),
                "num_virtual_tokens": .integer(Int64(tokenCount)),
                "peft_type": .string(PrefixTuning.peftType), "prefix_projection": .bool(false),
                PrefixTuning.positionSetting: .integer(0), "task_type": .string("CAUSAL_LM"),
            ],
            tensors: [
                try AdapterTensor(
                    name: "prompt_embeddings", shape: [tokenCount, values.count / tokenCount],
                    values: values)
            ])
        adapter.origin = settings.origin(of: AdapterHub.prefixTable)
        return adapter
    }

    /// Tensors by what follows the adapter's name.
    private struct Parts {
        let file: String
        var tensors: [String: AdapterTensor] = [:]

        func values(_ name: String) throws(AdapterError) -> [Float] {
            try tensor(name).floats(file: file)
        }

        func tensor(_ name: String) throws(AdapterError) -> AdapterTensor {
            guard let tensor = tensors[name] else {
                throw .missingTensor(
                    name, reason: "a prefix of AdapterHub has it", file: file)
            }
            return tensor
        }
    }

    private static func named(
        _ file: ForeignTensors, _ settings: AdapterHubSettings, isFlat: Bool
    ) throws(AdapterError) -> Parts {
        let known = isFlat ? [flat] : [table] + layers.flatMap { [$0 + "weight", $0 + "bias"] }
        var parts = Parts(file: file.path)
        for tensor in file.tensors {
            let part = settings.split(tensor, "prefix_tunings")?.part ?? ""
            guard let name = known.first(where: { part == "self_prefix." + $0 }) else {
                throw .unknownTensor(
                    tensor.name,
                    reason: "'flat' is \(isFlat), so that a prefix of AdapterHub has "
                        + known.joined(separator: ", "), file: file.path)
            }
            // All layers have the one pool, so that a file has it once for each of them.
            if let other = parts.tensors.updateValue(tensor, forKey: name), !other.equals(tensor) {
                throw .invalidValues(
                    tensor: tensor.name,
                    reason: "it differs from '\(other.name)', and the layers share one",
                    file: file.path)
            }
        }
        return parts
    }

    /// f(E W₀ᵀ + b₀) W₂ᵀ + b₂.
    private static func project(
        _ parts: Parts, _ tokenCount: Int, _ innerWidth: Int?, _ function: ActivationFunction
    ) throws(AdapterError) -> [Float] {
        var rows = try parts.values(table)
        for (index, name) in layers.enumerated() {
            let weight = try parts.tensor(name + "weight")
            let bias = try parts.values(name + "bias")
            let width = rows.count / tokenCount
            guard weight.shape == [bias.count, width], rows.count == tokenCount * width else {
                throw .wrongShape(
                    tensor: weight.name, expected: [bias.count, width], found: weight.shape,
                    reason: "it follows a layer of width \(width), for \(tokenCount) tokens",
                    file: parts.file)
            }
            if index == 0, let innerWidth, innerWidth != bias.count {
                throw .wrongShape(
                    tensor: weight.name, expected: [innerWidth, width], found: weight.shape,
                    reason: "'bottleneck_size' is \(innerWidth)", file: parts.file)
            }
            try PrefixEncoder.checkCount(
                tokenCount, bias.count, tensor: weight.name, file: parts.file)
            rows = PrefixEncoder.affine(
                rows, tokenCount, try weight.floats(file: parts.file), bias)
            if index == 0 { rows = rows.map(function.value) }
        }
        return rows
    }
}
