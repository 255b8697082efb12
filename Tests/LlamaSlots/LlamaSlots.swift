public import Transformer

/// What a linear module of Llama's block does, in the order in which its slots are numbered.
public enum LlamaRole: Int, CaseIterable, Sendable {
    case query, key, value, attentionOutput, gate, up, down
}

extension LinearSlot {
    /// The slot of a base with Llama's blocks.
    public static func layer(_ layer: Int, _ role: LlamaRole) -> LinearSlot {
        LinearSlot(index: 1 + layer * LlamaRole.allCases.count + role.rawValue)
    }
}
