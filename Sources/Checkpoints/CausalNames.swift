/// The tensors of a Hugging Face checkpoint under the names of a causal language model.
///
/// A bare decoder's file, as `AutoModel` saves it, lacks the prefix (`model.`, of older families
/// `transformer.` or `gpt_neox.`) that the same decoder has below a head; some tools write one too
/// many. transformers puts both right, tensor by tensor.
///
/// **Source**: the renaming of keys in transformers 5 (`core_model_loading`).
struct CausalNames: TensorSource {
    private let source: any TensorSource
    let tensorNames: [String]
    /// The name here → the stored one.
    private let storedNames: [String: String]

    /// A prefix, and how names begin that lack it.
    private static let prefixes: [(prefix: String, parts: [String])] = [
        ("transformer.", ["wte.", "wpe.", "h.", "ln_f.", "word_embeddings"]),
        ("gpt_neox.", ["embed_in.", "final_layer_norm."]),
        ("model.", ["embed_tokens.", "norm.", "final_layernorm."]),
    ]

    /// The source itself where its names are right already.
    ///
    /// - Throws: `CheckpointError.invalidTensor` for one that is stored under both names.
    static func of(_ source: any TensorSource) throws(CheckpointError) -> any TensorSource {
        let prefix = prefix(of: source.tensorNames)
        guard source.tensorNames.contains(where: { canonical($0, prefix) != $0 }) else {
            return source
        }
        return try CausalNames(source, prefix)
    }

    /// What the names have, or lack.
    private static func prefix(of names: [String]) -> String {
        prefixes.first { prefix, parts in
            names.contains { name in
                name.hasPrefix(prefix) || parts.contains { name.hasPrefix($0) }
            }
        }?.prefix ?? "model."
    }

    private init(_ source: any TensorSource, _ prefix: String) throws(CheckpointError) {
        var storedNames: [String: String] = [:]
        for stored in source.tensorNames {
            let name = Self.canonical(stored, prefix)
            if let other = storedNames.updateValue(stored, forKey: name) {
                throw .invalidTensor(
                    stored, reason: "stored a second time, as '\(CheckpointError.shown(other))'",
                    path: source.path)
            }
        }
        self.source = source
        self.storedNames = storedNames
        tensorNames = source.tensorNames.map { Self.canonical($0, prefix) }
    }

    var path: String { source.path }
    var metadata: [String: String] { source.metadata }

    func tensor(_ name: String) -> TensorView? {
        storedNames[name].flatMap { source.tensor($0)?.renamed(name) }
    }

    private static func canonical(_ name: String, _ prefix: String) -> String {
        let parts = prefixes.first { $0.prefix == prefix }?.parts ?? []
        if (parts + ["layers."]).contains(where: name.hasPrefix) { return prefix + name }
        let rest = name.dropFirst(prefix.count)
        if name.hasPrefix(prefix), rest.hasPrefix("lm_head.") || rest.hasPrefix(prefix) {
            return String(rest)
        }
        return name
    }
}
