/// How checkpoints of the Llama family spell the modules of the base.
///
/// The only place where these spellings appear.
enum WeightNames {
    static func module(of slot: Slot) -> String {
        switch slot {
        case .embedding: "model.embed_tokens"
        case .norm(.final): "model.norm"
        case .norm(.layer(let layer, let role)): "model.layers.\(layer).\(suffix(of: role))"
        case .linear(.head): "lm_head"
        case .linear(.layer(let layer, let role)): "model.layers.\(layer).\(suffix(of: role))"
        }
    }

    static func module(of slot: SublayerSlot) -> String {
        switch slot.sublayer {
        case .attention: "model.layers.\(slot.layer).self_attn"
        case .feedForward: "model.layers.\(slot.layer).mlp"
        }
    }

    static func weight(of slot: Slot) -> String { module(of: slot) + ".weight" }

    static func bias(of slot: LinearSlot) -> String { module(of: .linear(slot)) + ".bias" }

    private static func suffix(of role: LinearRole) -> String {
        switch role {
        case .query: "self_attn.q_proj"
        case .key: "self_attn.k_proj"
        case .value: "self_attn.v_proj"
        case .attentionOutput: "self_attn.o_proj"
        case .gate: "mlp.gate_proj"
        case .up: "mlp.up_proj"
        case .down: "mlp.down_proj"
        }
    }

    private static func suffix(of role: NormRole) -> String {
        switch role {
        case .attention: "input_layernorm"
        case .feedForward: "post_attention_layernorm"
        }
    }
}
