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

        /// llama.cpp rotates neighbouring pairs for `llama`, so its converter reorders the rows of
        /// Q and K; for `qwen2` it rotates halves as Hugging Face does, and leaves the rows alone.
        var permutesQueryKeyRows: Bool { self == .llama }
    }

    /// - Throws: `CheckpointError`, which names the key that is missing, wrong or refused.
    init(_ file: GGUFFile) throws(CheckpointError) {
        if let type = try file.values.text("general.type"), type != "model" {
            throw .foreignFormat(
                path: file.path,
                found: "a GGUF file of type '\(CheckpointError.shown(type))'",
                expected: "a base model")
        }
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
        if let (key, value, entry) = GGUFKeys.table.firstRefused(in: generalKeys) {
            throw .malformed(
                path: file.path,
                reason: "key '\(stored(key))' is \(value.serialized()), and can't be served: "
                    + entry.note)
        }
    }

    /// What the user should know of the file.
    var warnings: [String] {
        let unknown = generalKeys.keys.filter { GGUFKeys.table.entry(of: $0) == nil }.map(stored)
        var warnings = [
            GGUFKeys.table.warning(aboutUnknown: unknown, path: file.path)
        ].compactMap(\.self)
        if let window = try? window(), let positions = try? count("context_length"),
            window < positions
        {
            warnings.append(
                "\(file.path): the context is \(window) tokens, the "
                    + "'\(architecture.rawValue).attention.sliding_window': attention over a "
                    + "window is not served yet")
        }
        return warnings
    }

    /// All keys as the table of keys spells them, arrays without their elements.
    private var generalKeys: JSONObject {
        var keys = JSONObject()
        for key in file.values.keys {
            keys[GGUFKeys.general(key, architecture: architecture.rawValue)] =
                file.values.plain(key)
        }
        return keys
    }

    private func stored(_ key: String) -> String {
        key.hasPrefix("{arch}.") ? architecture.rawValue + key.dropFirst("{arch}".count) : key
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
        object["max_position_embeddings"] = try positions()
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
        guard let hiddenSize = object["hidden_size"]?.intValue,
            let headCount = object["num_attention_heads"]?.intValue, headCount > 0
        else { return }
        let headDimension = object["head_dim"]?.intValue ?? hiddenSize / headCount
        for (key, reason) in [
            ("rope.dimension_count", "heads that turn in part aren't served yet"),
            ("attention.value_length", "values of another size than keys aren't served yet"),
        ] {
            guard let value = try count(key), value != headDimension else { continue }
            throw .malformed(
                path: file.path,
                reason: "key '\(architecture.rawValue).\(key)' is \(value), and a head has "
                    + "\(headDimension): \(reason)")
        }
    }

    /// llama3 scaling is stored as the divisor of each frequency; the rule that gave them is not.
    /// Beside them a factor acts as well.
    ///
    /// **Source**: llama.cpp, where a factor without type is linear, an absent factor may have its
    /// older name, 0 is none, and the type "none" turns it off.
    private func rotaryScaling() throws(CheckpointError) -> JSONValue? {
        let type =
            try file.values.text("\(architecture.rawValue).rope.scaling.type") ?? "linear"
        let older = try number("rope.scale_linear")
        var factor = try number("rope.scaling.factor") ?? older ?? 1
        if factor == 0 || type == "none" { factor = 1 }
        guard ["linear", "none"].contains(type) else {
            throw .malformed(
                path: file.path,
                reason: "key '\(architecture.rawValue).rope.scaling.type' is "
                    + "'\(CheckpointError.shown(type))', and supported are linear and none")
        }
        if has(GGUFTensorNames.rotaryFactors) {
            let divisors = try file.readableTensor(GGUFTensorNames.rotaryFactors).floats()
            return .object([
                "rope_type": .string("divisors"),
                "divisors": .array(divisors.map { .number(Double($0) * factor) }),
            ])
        }
        guard factor != 1 else { return nil }
        return .object(["rope_type": .string("linear"), "factor": .number(factor)])
    }

    /// Within its window, attention over a sliding window is full attention, so the context ends
    /// there.
    private func positions() throws(CheckpointError) -> JSONValue {
        let positions = try required("context_length")
        guard let count = positions.intValue, let window = try window() else { return positions }
        return .integer(Int64(min(count, window)))
    }

    /// Nil where there is none, which 0 says as well.
    private func window() throws(CheckpointError) -> Int? {
        let window = try count("attention.sliding_window")
        return window == 0 ? nil : window
    }

    private func vocabularyCount() throws(CheckpointError) -> JSONValue {
        if let shape = file.storedType(of: GGUFTensorNames.embedding)?.shape, shape.count == 2 {
            return .integer(Int64(shape[0]))
        }
        return try required("vocab_size")
    }

    private func token(_ name: String) throws(CheckpointError) -> JSONValue? {
        let id = try file.values.count("tokenizer.ggml.\(name)_token_id")
        // Writers store -1 as an unsigned number for "none".
        return id.flatMap { $0 == Int(UInt32.max) ? nil : .integer(Int64($0)) }
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
