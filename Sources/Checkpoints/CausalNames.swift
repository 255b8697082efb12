/// The tensors of a Hugging Face checkpoint under the names of a causal language model.
///
/// A bare decoder's file, as `AutoModel` saves it, lacks the prefix `model.` that the same decoder
/// has below a head; some tools write one too many. transformers puts both right, tensor by tensor.
///
/// **Source**: the renaming of keys in transformers 5 (`core_model_loading`).
struct CausalNames: TensorSource {
    private let source: any TensorSource
    let tensorNames: [String]
    /// The name here → the stored one.
    private let storedNames: [String: String]

    private static let prefix = "model."
    private static let decoderParts = ["embed_tokens.", "layers.", "norm."]

    /// The source itself where its names are right already.
    ///
    /// - Throws: `CheckpointError.invalidTensor` for one that is stored under both names.
    static func of(_ source: any TensorSource) throws(CheckpointError) -> any TensorSource {
        guard source.tensorNames.contains(where: { canonical($0) != $0 }) else { return source }
        return try CausalNames(source)
    }

    private init(_ source: any TensorSource) throws(CheckpointError) {
        var storedNames: [String: String] = [:]
        for stored in source.tensorNames {
            let name = Self.canonical(stored)
            if let other = storedNames.updateValue(stored, forKey: name) {
                throw .invalidTensor(
                    stored, reason: "stored a second time, as '\(CheckpointError.shown(other))'",
                    path: source.path)
            }
        }
        self.source = source
        self.storedNames = storedNames
        tensorNames = source.tensorNames.map(Self.canonical)
    }

    var path: String { source.path }
    var metadata: [String: String] { source.metadata }

    func tensor(_ name: String) -> TensorView? {
        storedNames[name].flatMap { source.tensor($0)?.renamed(name) }
    }

    private static func canonical(_ name: String) -> String {
        if decoderParts.contains(where: name.hasPrefix) { return prefix + name }
        let rest = name.dropFirst(prefix.count)
        if name.hasPrefix(prefix), rest.hasPrefix("lm_head.") || rest.hasPrefix(prefix) {
            return String(rest)
        }
        return name
    }
}
