/// How GGUF and Hugging Face spell the tensors of the Llama family. The only place with GGUF's
/// spellings.
enum GGUFTensorNames {
    /// Factors of rotary frequencies, which belong to the configuration.
    static let rotaryFactors = "rope_freqs.weight"
    static let embedding = "token_embd.weight"
    static let head = "output.weight"

    private static let outer = [
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "output": "lm_head",
    ]

    private static let inner = [
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    ]

    /// `blk.3.attn_q.weight` → `model.layers.3.self_attn.q_proj.weight`. Names that the family
    /// doesn't have stay, so that the model's loader refuses them by name.
    static func huggingFaceName(of name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, let module = outer[parts[0]] { return "\(module).\(parts[1])" }
        if parts.count == 4, parts[0] == "blk", let module = inner[parts[2]] {
            return "model.layers.\(parts[1]).\(module).\(parts[3])"
        }
        return name
    }

    /// `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`.
    static func storedName(of name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let kind = parts.last else { return nil }
        let module = parts.dropLast().joined(separator: ".")
        if let stored = outer.first(where: { $0.value == module }) {
            return "\(stored.key).\(kind)"
        }
        guard parts.count > 4, parts[0] == "model", parts[1] == "layers",
            let stored = inner.first(where: {
                $0.value == parts[3..<(parts.count - 1)].joined(separator: ".")
            })
        else { return nil }
        return "blk.\(parts[2]).\(stored.key).\(kind)"
    }
}

/// The tensors of a GGUF file under Hugging Face's names.
struct TranslatedGGUF: TensorSource {
    private let file: GGUFFile
    let tensorNames: [String]
    /// Hugging Face's name → GGUF's.
    private let storedNames: [String: String]

    /// - Throws: `CheckpointError.unsupportedElementType` for the first tensor that can't be read.
    init(_ file: GGUFFile) throws(CheckpointError) {
        var tensorNames: [String] = []
        var storedNames: [String: String] = [:]
        for stored in file.tensorNames where stored != GGUFTensorNames.rotaryFactors {
            _ = try file.readableTensor(stored)
            let name = GGUFTensorNames.huggingFaceName(of: stored)
            guard storedNames.updateValue(stored, forKey: name) == nil else {
                throw .invalidTensor(stored, reason: "stored under two names", path: file.path)
            }
            tensorNames.append(name)
        }
        self.file = file
        self.tensorNames = tensorNames
        self.storedNames = storedNames
    }

    var path: String { file.path }
    var metadata: [String: String] { file.metadata }

    func tensor(_ name: String) -> TensorView? {
        storedNames[name].flatMap { file.tensor($0)?.renamed(name) }
    }
}
