/// How the GGUF files of a base spell and store its tensors, for those who read and write parts of
/// them.
package struct GGUFNames: Sendable {
    /// `general.architecture`.
    package let architecture: String
    package let layout: StoredLayout
    private let names: GGUFTensorNames

    /// - Parameter has: whether a file has a tensor of this name.
    init(_ architecture: any GGUFArchitecture.Type, _ has: (String) -> Bool = { _ in false }) {
        self.architecture = architecture.name
        layout = architecture.layout
        names = architecture.tensorNames(has)
    }

    /// - Parameter modelType: of `config.json`.
    /// - Returns: nil for one that GGUF has no base of.
    package init?(modelType: String) {
        guard let architecture = GGUFArchitectures.of(modelType: modelType) else { return nil }
        self.init(architecture)
    }

    /// The architectures that can be a base, as GGUF names them.
    package static var architectures: [String] { GGUFArchitectures.names }

    /// Hugging Face's name of the embedding's module.
    package var embedding: String {
        String(huggingFaceName(of: GGUFTensorNames.embedding).dropLast(".weight".count))
    }

    /// Hugging Face's name of a tensor, `model.layers.3.self_attn.q_proj.weight` for
    /// `blk.3.attn_q.weight`; the same name where the architecture has no such tensor.
    package func huggingFaceName(of name: String) -> String { names.huggingFaceName(of: name) }

    /// Whether a tensor holds queries, keys and values, which are modules of their own to Hugging
    /// Face.
    package func joinsProjections(_ name: String) -> Bool { names.joinsProjections(name) }

    /// GGUF's name of a tensor; nil where the architecture has no such tensor.
    package func storedName(of name: String) -> String? { names.storedName(of: name) }
}

extension GGUFFile {
    /// Of the file's architecture; nil where that can't be a base.
    package var names: GGUFNames? {
        architecture.flatMap(GGUFArchitectures.named).map { architecture in
            GGUFNames(architecture) { storedType(of: $0) != nil }
        }
    }
}
