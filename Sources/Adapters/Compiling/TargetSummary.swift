internal import Transformer

/// Names of modules for people: what an adapter changes, what a base has.
enum TargetSummary {
    /// Which modules the operators change, with the number of layers, for example
    /// `q_proj ×24, v_proj ×24, lm_head`.
    static func text(_ operators: AdapterOperators, slots: SlotTable) -> String {
        var changed = Set(operators.linear.keys.map(Slot.linear))
        changed.formUnion(operators.norms.keys.map(Slot.norm))
        changed.formUnion(operators.normBiases.keys.map(Slot.norm))
        let isTableChanged = operators.embedding.contains {
            if case .softPrompt = $0 { false } else { true }
        }
        if isTableChanged { changed.insert(.embedding) }
        var counts: [(name: String, count: Int)] = []
        for slot in slots.all where changed.contains(slot) {
            let name = lastComponent(slots.name(of: slot))
            if let index = counts.firstIndex(where: { $0.name == name }) {
                counts[index].count += 1
            } else {
                counts.append((name, 1))
            }
        }
        var texts = counts.map { $0.count == 1 ? $0.name : "\($0.name) ×\($0.count)" }
        for case .softPrompt(let rows) in operators.embedding {
            texts.append("prompt of \(rows.count / slots.hiddenSize) tokens")
        }
        texts += bottlenecks(operators)
        if let prefix = operators.gatedPrefixes.values.first {
            texts.append(
                "gated prefix of \(prefix.tokenCount) tokens ×\(operators.gatedPrefixes.count)")
        }
        if let prefix = operators.prefix { texts.append("prefix of \(prefix.tokenCount) tokens") }
        if !operators.stateLayers.isEmpty {
            texts.append("layers ×\(operators.stateLayers.count)")
        }
        if let model = operators.companion?.model {
            texts.append("a model of \(model.configuration.layerCount) layers beside the base")
        }
        if let order = operators.repeatedBase?.layerOrder {
            texts.append("layers " + order.map { "\($0)" }.joined(separator: " "))
        }
        if let activation = operators.activation {
            let tokens = activation.tokens.map { "\($0)" }.joined(separator: " ")
            texts.append("from tokens \(tokens) on")
        }
        return texts.joined(separator: ", ")
    }

    private static func bottlenecks(_ operators: AdapterOperators) -> [String] {
        [(Sublayer.attention, "attention"), (.feedForward, "feed-forward")].compactMap {
            sublayer, name in
            let widths = operators.bottlenecks.filter { $0.key.sublayer == sublayer }
                .map(\.value.width)
            guard let least = widths.min(), let most = widths.max() else { return nil }
            let width = least == most ? "\(least)" : "\(least) to \(most)"
            return "bottleneck of \(width) at \(name) ×\(widths.count)"
        }
    }

    /// The last components of all module names of a base, each once.
    static func moduleNames(_ slots: SlotTable) -> String {
        var names: [String] = []
        for slot in slots.all {
            let name = lastComponent(slots.name(of: slot))
            if !names.contains(name) { names.append(name) }
        }
        return names.joined(separator: ", ")
    }

    /// `q_proj` of `model.layers.0.self_attn.q_proj`.
    static func lastComponent(_ name: String) -> String {
        String(name.split(separator: ".").last ?? "")
    }
}

extension ModuleNames {
    /// As the configuration has it.
    var text: String {
        switch self {
        case .expression(let text): "\"\(text)\""
        case .list(let names): "[" + names.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
        }
    }
}
