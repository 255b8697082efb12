internal import Checkpoints
import Glibc
internal import Kernels
internal import StrictJSON

/// The prefix encoder of THUDM's P-tuning v2, said as PEFT's prefix tuning.
///
///     prefix_encoder.embedding.weight   [tokens, layers · 2 · kvHeads · headDimension]
///
/// or, with `prefix_projection`, a small network that is run once, here:
///
///     prefix_encoder.embedding.weight   [tokens, hidden]
///     prefix_encoder.trans.0.weight     [inner, hidden], with bias; then tanh
///     prefix_encoder.trans.2.weight     [layers · 2 · kvHeads · headDimension, inner], with bias
///
/// **Source**: P-tuning v2, arXiv 2110.07602; THUDM/P-tuning-v2, `model/prefix_encoder.py`.
enum PrefixEncoder {
    static let configurationName = "config.json"
    static let tensorName = "prefix_encoder.safetensors"
    static let embedding = "prefix_encoder.embedding.weight"
    private static let layers = ["prefix_encoder.trans.0.", "prefix_encoder.trans.2."]

    static func holds(_ file: ForeignTensors) -> Bool {
        file.tensors.contains { $0.name.hasSuffix(embedding) }
    }

    /// - Throws: `AdapterError` for settings that PEFT's prefixes don't have, tensors without a
    ///   place, shapes that don't fit each other.
    static func adapter(
        _ file: ForeignTensors, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = configuration
        var tensors = try named(file)
        guard let table = tensors.removeValue(forKey: embedding), table.shape.count == 2 else {
            throw .missingTensor(
                embedding, reason: "a prefix encoder has a matrix of this name", file: file.path)
        }
        let tokenCount = table.shape[0]
        try check(&configuration, tokenCount: tokenCount)
        let isProjected = !tensors.isEmpty
        try checkProjection(&configuration, tensors, file: file.path)
        var values = try table.floats(file: file.path)
        var width = table.shape[1]
        if isProjected {
            (values, width) = try project(values, tokenCount, width, tensors, path: file.path)
            try checkInnerWidth(&configuration, tensors, file: file.path)
        }
        var adapter = PEFTAdapter(
            configuration: try settings(&configuration, tokenCount: tokenCount, width: width),
            tensors: [
                try AdapterTensor(
                    name: "prompt_embeddings", shape: [tokenCount, width], values: values)
            ])
        adapter.origin = try origin(&configuration)
        return adapter
    }

    /// Tensors under their names from `prefix_encoder` on: a model's own prefix may stand in front.
    private static func named(
        _ file: ForeignTensors
    ) throws(AdapterError) -> [String: AdapterTensor] {
        let known = [embedding] + layers.flatMap { [$0 + "weight", $0 + "bias"] }
        var tensors: [String: AdapterTensor] = [:]
        for tensor in file.tensors {
            guard let name = known.first(where: { tensor.name.hasSuffix($0) }) else {
                throw .unknownTensor(
                    tensor.name,
                    reason:
                        "a prefix encoder has 'prefix_encoder.embedding' and 'prefix_encoder.trans'",
                    file: file.path)
            }
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw .unknownTensor(
                    tensor.name, reason: "the file has two prefix encoders", file: file.path)
            }
        }
        return tensors
    }

    private static func check(
        _ configuration: inout AdapterConfiguration, tokenCount: Int
    ) throws(AdapterError) {
        for name in ["pre_seq_len", "prompt_position_offset"] {
            guard let value = configuration.value(name), value.intValue != tokenCount else {
                continue
            }
            throw configuration.invalid(
                name, value, expected: "\(tokenCount), the tokens of the prefix")
        }
        if try configuration.flag("rotary_on_prefix_keys") {
            throw .unsupportedSetting(
                "rotary_on_prefix_keys", value: "true", reason: "keys of a prefix are not rotated",
                file: configuration.file)
        }
    }

    /// Whether there is a network, the tensors say; the setting must say the same where it is
    /// there.
    private static func checkProjection(
        _ configuration: inout AdapterConfiguration, _ tensors: [String: AdapterTensor],
        file: String
    ) throws(AdapterError) {
        let setting = "prefix_projection"
        guard configuration.value(setting) != nil else { return }
        let isProjected = try configuration.flag(setting)
        if isProjected, tensors.isEmpty {
            throw .missingTensor(layers[0] + "weight", reason: "'\(setting)' is true", file: file)
        }
        guard !isProjected, let name = tensors.values.map(\.name).min() else { return }
        throw .unknownTensor(
            name,
            reason:
                "'\(setting)' is false, and this is its network's: set it to true, or remove the "
                + "setting", file: file)
    }

    private static func checkInnerWidth(
        _ configuration: inout AdapterConfiguration, _ tensors: [String: AdapterTensor],
        file: String
    ) throws(AdapterError) {
        let setting = "prefix_hidden_size"
        guard let width = try configuration.optionalCount(setting, limit: 1 << 31),
            let weight = tensors[layers[0] + "weight"], weight.shape.first != width
        else { return }
        throw .wrongShape(
            tensor: weight.name, expected: [width] + weight.shape.dropFirst(), found: weight.shape,
            reason: "'\(setting)' is \(width)", file: file)
    }

    /// tanh(E W₀ᵀ + b₀) W₂ᵀ + b₂.
    private static func project(
        _ values: [Float], _ tokenCount: Int, _ width: Int, _ tensors: [String: AdapterTensor],
        path: String
    ) throws(AdapterError) -> ([Float], Int) {
        var (rows, width) = (values, width)
        for (index, name) in layers.enumerated() {
            guard let weight = tensors[name + "weight"], let bias = tensors[name + "bias"] else {
                throw .missingTensor(
                    name + "weight", reason: "a projected prefix has it, with a bias", file: path)
            }
            guard weight.shape.count == 2, weight.shape[1] == width,
                bias.shape == [weight.shape[0]]
            else {
                throw .wrongShape(
                    tensor: weight.name, expected: [bias.shape.first ?? 0, width],
                    found: weight.shape, reason: "it follows a layer of width \(width)", file: path)
            }
            width = weight.shape[0]
            try checkCount(tokenCount, width, tensor: weight.name, file: path)
            rows = affine(
                rows, tokenCount, try weight.floats(file: path), try bias.floats(file: path))
            if index == 0 { rows = rows.map { tanh($0) } }
        }
        return (rows, width)
    }

    /// How many values a prefix, or what its network has between its layers, may have: 1 GiB in
    /// f32. Those of 128 tokens for a model of 70 billion parameters are 21 million.
    static let valueCountLimit = 1 << 28

    /// - Throws: `AdapterError.invalidValues` for more values than the network may make.
    static func checkCount(
        _ tokenCount: Int, _ width: Int, tensor: String, file: String
    ) throws(AdapterError) {
        let count = CheckedArithmetic.product(tokenCount, width)
        guard let count, count <= valueCountLimit else {
            throw .invalidValues(
                tensor: tensor,
                reason: "for \(tokenCount) tokens it makes \(width) values each, and the limit is "
                    + "\(valueCountLimit) in all", file: file)
        }
    }

    /// R Wᵀ + b for rows R.
    ///
    /// - Parameter weight: **Shape** [bias.count, width of a row].
    static func affine(
        _ rows: [Float], _ rowCount: Int, _ weight: [Float], _ bias: [Float]
    ) -> [Float] {
        let transposed = Matrices.transposed(weight, rowCount: bias.count)
        var result = (0..<rowCount).flatMap { _ in bias }
        result.withUnsafeMutableBufferPointer { result in
            BLAS.multiplyAdd(
                left: rows, right: transposed, into: result.baseAddress!, rowCount: rowCount,
                columnCount: bias.count, innerCount: weight.count / bias.count, scaling: 1)
        }
        return result
    }
}

// The configuration of PEFT's prefix tuning.
extension PrefixEncoder {
    private static func settings(
        _ configuration: inout AdapterConfiguration, tokenCount: Int, width: Int
    ) throws(AdapterError) -> JSONObject {
        var result: JSONObject = [
            "base_model_name_or_path": .null, "inference_mode": .bool(true),
            "num_virtual_tokens": .integer(Int64(tokenCount)),
            "num_transformer_submodules": .integer(1),
            "peft_type": .string(PrefixTuning.peftType), "prefix_projection": .bool(false),
            "task_type": .string("CAUSAL_LM"),
        ]
        let limit = 1 << 24
        let layerCount = try configuration.optionalCount("num_layers", limit: limit)
        let headCount = try configuration.optionalCount("kv_heads", limit: limit)
        let headDimension = try configuration.optionalCount("head_dim", limit: limit)
        if let layerCount, let headCount, let headDimension {
            let expected = [layerCount, 2, headCount, headDimension].reduce(Int?(1)) {
                product, count in
                product.flatMap { CheckedArithmetic.product($0, count) }
            }
            guard expected == width else {
                throw .invalidSetting(
                    "num_layers",
                    value: "\(layerCount), with \(headCount) heads of \(headDimension)",
                    expected: "numbers whose product is half the prefix's width, \(width / 2)",
                    file: configuration.file)
            }
        }
        let width = headCount.flatMap { count in headDimension.map { count * $0 } }
        let entries = [
            ("num_layers", layerCount), ("num_attention_heads", headCount), ("token_dim", width),
            ("encoder_hidden_size", width),
        ]
        for case (let name, let count?) in entries { result[name] = .integer(Int64(count)) }
        return result
    }
}
