internal import StrictJSON

/// Writes the `config.json` that Hugging Face would have for the model in a GGUF file.
struct GGUFConfiguration {
    private let file: GGUFFile
    private let architecture: Architecture

    /// The architectures that can be a base, as GGUF names them.
    enum Architecture: String, CaseIterable {
        /// Llama, Mistral and SmolLM.
        case llama
        case qwen2

        /// Hugging Face's class.
        var className: String {
            switch self {
            case .llama: "LlamaForCausalLM"
            case .qwen2: "Qwen2ForCausalLM"
            }
        }

        /// llama.cpp rotates neighbouring pairs for `llama`, so its converter reorders the rows of Q and K; for
        /// `qwen2` it rotates halves as Hugging Face does, and leaves the rows alone.
        var permutesQueryKeyRows: Bool { self == .llama }
    }

    init(_ file: GGUFFile) throws(CheckpointError) {
        guard let name = try file.values.text("general.architecture") else {
            throw .malformed(path: file.path, reason: "'general.architecture' is missing")
        }
        guard let architecture = Architecture(rawValue: name) else {
            let supported = Architecture.allCases.map(\.rawValue).joined(separator: ", ")
            throw .unsupportedArchitecture(name, supported: supported, path: file.path)
        }
        self.file = file
        self.architecture = architecture
        if let expertCount = try count("expert_count"), expertCount > 0 {
            throw .unsupportedArchitecture(
                "\(name) with \(expertCount) experts", supported: "dense models", path: file.path)
        }
    }

    var queryKeyRowsArePermuted: Bool { architecture.permutesQueryKeyRows }

    func object() throws(CheckpointError) -> JSONObject {
        var object: JSONObject = [
            "architectures": .array([.string(architecture.className)]),
            "model_type": .string(architecture.rawValue),
            "hidden_act": .string("silu"),
        ]
        object["hidden_size"] = try required("embedding_length")
        object["intermediate_size"] = try required("feed_forward_length")
        object["num_hidden_layers"] = try required("block_count")
        object["num_attention_heads"] = try required("attention.head_count")
        object["num_key_value_heads"] =
            try integer("attention.head_count_kv") ?? object["num_attention_heads"]
        object["head_dim"] = try integer("attention.key_length")
        object["rms_norm_eps"] = try requiredNumber("attention.layer_norm_rms_epsilon")
        object["max_position_embeddings"] = try required("context_length")
        object["sliding_window"] = try integer("attention.sliding_window")
        object["vocab_size"] = try vocabularyCount()
        try addRotary(to: &object)
        object["tie_word_embeddings"] = .bool(!has(GGUFTensorNames.head))
        object["attention_bias"] = .bool(has("blk.0.attn_q.bias"))
        object["mlp_bias"] = .bool(has("blk.0.ffn_gate.bias"))
        object["bos_token_id"] = try token("bos")
        object["eos_token_id"] = try token("eos")
        return object
    }

    private func addRotary(to object: inout JSONObject) throws(CheckpointError) {
        object["rope_theta"] = try number("rope.freq_base").map(JSONValue.number) ?? .number(10_000)
        object["rope_scaling"] = try rotaryScaling()
        guard let rotated = try count("rope.dimension_count"),
            let hiddenSize = object["hidden_size"]?.intValue,
            let headCount = object["num_attention_heads"]?.intValue, headCount > 0
        else { return }
        let headDimension = object["head_dim"]?.intValue ?? hiddenSize / headCount
        if rotated != headDimension, headDimension > 0 {
            object["partial_rotary_factor"] = .number(Double(rotated) / Double(headDimension))
        }
    }

    /// llama3 scaling is stored as the divisor of each frequency; the rule that gave them is not.
    private func rotaryScaling() throws(CheckpointError) -> JSONValue? {
        if has(GGUFTensorNames.rotaryFactors) {
            let divisors = try file.readableTensor(GGUFTensorNames.rotaryFactors).floats()
            return .object([
                "rope_type": .string("divisors"),
                "divisors": .array(divisors.map { .number(Double($0)) }),
            ])
        }
        let factor = try number("rope.scaling.factor")
        switch try file.values.text("\(architecture.rawValue).rope.scaling.type") {
        case nil: return nil
        case "none": return nil
        case let type?:
            var scaling: JSONObject = ["rope_type": .string(type)]
            scaling["factor"] = factor.map(JSONValue.number)
            scaling["original_max_position_embeddings"] =
                try integer("rope.scaling.original_context_length")
            return .object(scaling)
        }
    }

    private func vocabularyCount() throws(CheckpointError) -> JSONValue {
        if let shape = file.storedType(of: GGUFTensorNames.embedding)?.shape, shape.count == 2 {
            return .integer(Int64(shape[0]))
        }
        return try required("vocab_size")
    }

    private func token(_ name: String) throws(CheckpointError) -> JSONValue? {
        try file.values.count("tokenizer.ggml.\(name)_token_id").map { .integer(Int64($0)) }
    }

    private func has(_ tensor: String) -> Bool { file.storedType(of: tensor) != nil }

    private func count(_ key: String) throws(CheckpointError) -> Int? {
        try file.values.count("\(architecture.rawValue).\(key)")
    }

    private func integer(_ key: String) throws(CheckpointError) -> JSONValue? {
        try count(key).map { .integer(Int64($0)) }
    }

    private func number(_ key: String) throws(CheckpointError) -> Double? {
        try file.values.number("\(architecture.rawValue).\(key)")
    }

    private func required(_ key: String) throws(CheckpointError) -> JSONValue {
        guard let value = try integer(key) else { throw missing(key) }
        return value
    }

    private func requiredNumber(_ key: String) throws(CheckpointError) -> JSONValue {
        guard let value = try number(key) else { throw missing(key) }
        return .number(value)
    }

    private func missing(_ key: String) -> CheckpointError {
        .malformed(
            path: file.path, reason: "key '\(architecture.rawValue).\(key)' is missing")
    }
}
