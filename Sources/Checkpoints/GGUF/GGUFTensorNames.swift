/// How GGUF and Hugging Face spell the modules of an architecture.
struct GGUFTensorNames: Sendable {
    /// Factors of rotary frequencies, which belong to the configuration.
    static let rotaryFactors = "rope_freqs.weight"
    static let shortFactors = "rope_factors_short.weight"
    static let longFactors = "rope_factors_long.weight"
    static let embedding = "token_embd.weight"
    static let head = "output.weight"
    static let ofConfiguration: Set = [rotaryFactors, shortFactors, longFactors]

    /// GGUF's name of a module outside of layers → Hugging Face's.
    var outer: [String: String]
    /// What Hugging Face's names of layers begin with, before their number.
    var layers: String
    /// GGUF's name of a module within a layer → Hugging Face's.
    var inner: [String: String]

    static let llama = GGUFTensorNames(
        outer: [
            "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
        ], layers: "model.layers",
        inner: [
            "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj",
            "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
            "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
        ])

    /// Llama's names but for some; an empty one isn't there.
    static func llama(_ changes: [String: String]) -> GGUFTensorNames {
        var names = llama
        names.inner.merge(changes) { $1 }
        names.inner = names.inner.filter { !$0.value.isEmpty }
        return names
    }

    /// Whether a tensor holds queries, keys and values one after the other, which are modules of
    /// their own to Hugging Face.
    func joinsProjections(_ name: String) -> Bool {
        name.hasPrefix("blk.") && name.contains(".attn_qkv.") && inner["attn_qkv"] == nil
            && inner["attn_q"] != nil
    }

    /// The names of the three in GGUF.
    static func projections(of name: String) -> [String] {
        ["q", "k", "v"].map { name.replacing(".attn_qkv.", with: ".attn_\($0).") }
    }

    /// `blk.3.attn_q.weight` → `model.layers.3.self_attn.q_proj.weight`. Names that the family
    /// doesn't have stay, so that the model's loader refuses them by name.
    func huggingFaceName(of name: String) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, let module = outer[parts[0]] { return "\(module).\(parts[1])" }
        if parts.count == 4, parts[0] == "blk", let module = inner[parts[2]] {
            return "\(layers).\(parts[1]).\(module).\(parts[3])"
        }
        return name
    }

    /// `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`.
    func storedName(of name: String) -> String? {
        guard let point = name.lastIndex(of: ".") else { return nil }
        let (module, kind) = (name[..<point], name[name.index(after: point)...])
        if let stored = outer.first(where: { $0.value == module }) {
            return "\(stored.key).\(kind)"
        }
        guard module.hasPrefix(layers + ".") else { return nil }
        let rest = module.dropFirst(layers.count + 1)
        guard let end = rest.firstIndex(of: "."),
            let stored = inner.first(where: { $0.value == rest[rest.index(after: end)...] })
        else { return nil }
        return "blk.\(rest[..<end]).\(stored.key).\(kind)"
    }
}
