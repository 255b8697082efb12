internal import StrictJSON

/// The language model of a checkpoint of several parts, such as one that sees images.
///
/// Its configuration is the object `text_config`; its tensors stand below `model.language_model.`
/// or `language_model.`. What belongs to the other parts isn't read, and is named.
struct LanguagePart {
    let configuration: JSONObject
    let tensors: any TensorSource
    let warnings: [String]

    /// Keys that stand beside `text_config` and hold for it where it doesn't have them.
    private static let shared = ["tie_word_embeddings", "eos_token_id", "torch_dtype", "dtype"]

    /// - Returns: nil for a checkpoint of one part.
    init?(_ whole: JSONObject, _ tensors: any TensorSource) {
        guard var text = whole["text_config"]?.objectValue, text["model_type"] != nil else {
            return nil
        }
        for key in Self.shared where text[key] == nil { text[key] = whole[key] }
        let part = PartTensors(tensors)
        guard !part.tensorNames.isEmpty else { return nil }
        configuration = text
        self.tensors = part
        warnings =
            part.otherParts.isEmpty
            ? []
            : [
                "\(tensors.path): only the language model is served; tensors of "
                    + part.otherParts.map { "'\($0)'" }.joined(separator: ", ") + " aren't used"
            ]
    }
}

/// The tensors of the language model under the names that it has alone.
private struct PartTensors: TensorSource {
    private let source: any TensorSource
    let tensorNames: [String]
    /// The name here → the stored one.
    private let storedNames: [String: String]
    /// How the names of all other tensors begin, sorted.
    let otherParts: [String]

    private static let prefixes = [
        ("model.language_model.", "model."), ("language_model.model.", "model."),
        ("language_model.lm_head.", "lm_head."), ("lm_head.", "lm_head."),
    ]

    init(_ source: any TensorSource) {
        self.source = source
        var storedNames: [String: String] = [:]
        var names: [String] = []
        var others: Set<String> = []
        for stored in source.tensorNames {
            guard let (old, new) = Self.prefixes.first(where: { stored.hasPrefix($0.0) }) else {
                let parts = stored.split(separator: ".").prefix(stored.hasPrefix("model.") ? 2 : 1)
                others.insert(parts.joined(separator: "."))
                continue
            }
            let name = new + stored.dropFirst(old.count)
            storedNames[name] = stored
            names.append(name)
        }
        tensorNames = names
        self.storedNames = storedNames
        otherParts = others.sorted()
    }

    var path: String { source.path }
    var metadata: [String: String] { source.metadata }

    func tensor(_ name: String) -> TensorView? {
        storedNames[name].flatMap { source.tensor($0)?.renamed(name) }
    }
}
