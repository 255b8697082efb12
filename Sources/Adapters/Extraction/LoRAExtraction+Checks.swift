internal import Checkpoints
internal import StrictJSON
internal import Transformer

// What must hold before anything is computed.
extension LoRAExtraction {
    /// - Throws: `AdapterError.unextractable` where the two are not one model with other values.
    func checkShapes(_ targets: Set<LinearSlot>) throws(AdapterError) {
        let counts = [
            ("layers", base.slots.layerCount, tuned.slots.layerCount),
            ("hidden values", base.slots.hiddenSize, tuned.slots.hiddenSize),
            (
                "query heads", base.configuration.queryHeadCount,
                tuned.configuration.queryHeadCount
            ),
        ]
        for (what, expected, found) in counts where expected != found {
            throw .unextractable(
                module: tuned.path,
                reason: "it has \(found) \(what), \(base.path) has \(expected)")
        }
        try checkConstants()
        try checkVocabulary(targets)
        for slot in base.slots.linearSlots where slot != .head { try checkShape(slot) }
    }

    /// What a configuration says and no adapter can.
    private func checkConstants() throws(AdapterError) {
        guard base.configuration.rotates(like: tuned.configuration) else {
            throw .unextractable(
                module: tuned.path, reason: "it rotates positions differently from \(base.path)")
        }
        let (expected, found) = (base.configuration.normEpsilon, tuned.configuration.normEpsilon)
        guard expected == found else {
            throw .unextractable(
                module: tuned.path,
                reason: "its norms add \(found) ('rms_norm_eps'), those of \(base.path) \(expected)"
            )
        }
    }

    /// Tables of more tokens can be saved whole, as PEFT does after it resized a model.
    private func checkVocabulary(_ targets: Set<LinearSlot>) throws(AdapterError) {
        let (expected, found) = (base.slots.vocabularyCount, tuned.slots.vocabularyCount)
        guard expected != found else { return }
        guard options.rest == .save, !targets.contains(.head) else {
            let hint = targets.contains(.head) ? "" : ": --save-rest saves its tables whole"
            throw .unextractable(
                module: base.slots.name(of: targets.contains(.head) ? .linear(.head) : .embedding),
                reason: "it is [\(found), \(tuned.slots.hiddenSize)] in \(tuned.path), and "
                    + "[\(expected), \(base.slots.hiddenSize)] in \(base.path)" + hint)
        }
    }

    private func checkShape(_ slot: LinearSlot) throws(AdapterError) {
        let (expected, found) = (base.slots.shape(of: slot), tuned.slots.shape(of: slot))
        let module = base.slots.name(of: .linear(slot))
        guard expected == found else {
            throw .unextractable(
                module: module,
                reason: "it is [\(found.outputCount), \(found.inputCount)] in \(tuned.path), and "
                    + "[\(expected.outputCount), \(expected.inputCount)] in \(base.path)")
        }
        guard tuned.bias(at: slot) == nil || base.bias(at: slot) != nil else {
            throw .unextractable(
                module: module,
                reason: "it has a bias in \(tuned.path), and none in \(base.path)")
        }
    }
}

// What differs beside the weights.
extension LoRAExtraction {
    /// Settings that change answers, and that an adapter has no place for.
    private static let settings = [
        "bos_token_id", "eos_token_id", "pad_token_id", "max_position_embeddings",
        "sliding_window", "use_sliding_window",
    ]

    /// One sentence each.
    var notes: [String] {
        var notes: [String] = []
        let configurations = [base, tuned].map {
            (try? JSONValue(parsing: $0.configurationText))?.objectValue ?? [:]
        }
        let changed = Self.settings.filter { name in
            let values = configurations.map { $0[name] ?? .null }
            return values[0] != values[1]
        }
        if !changed.isEmpty {
            notes.append(
                "config.json differs in \(changed.joined(separator: ", ")), which an adapter doesn't "
                    + "carry")
        }
        let parts = tokenizerParts
        if !parts.isEmpty {
            notes.append(
                "\(tuned.path) has its own \(parts.joined(separator: ", ")): put its tokenizer's files "
                    + "beside the adapter")
        }
        return notes
    }

    /// What of the tuned checkpoint's tokenizer isn't the base's. Vocabularies of two forms, as
    /// those of GGUF and of Hugging Face, are not compared.
    private var tokenizerParts: [String] {
        guard let own = tuned.tokenizer else { return [] }
        guard let old = base.tokenizer else { return ["tokenizer"] }
        var parts: [String] = []
        let isOneForm =
            switch (old.vocabulary, own.vocabulary) {
            case (.sentencePiece, .sentencePiece), (.tokenizerJSON, .tokenizerJSON), (.gguf, .gguf):
                true
            default: false
            }
        if isOneForm, old.vocabulary != own.vocabulary || old.addedTokens != own.addedTokens {
            parts.append("vocabulary")
        }
        if old.chatTemplate != own.chatTemplate { parts.append("chat template") }
        if Set(old.configurationEndTokens) != Set(own.configurationEndTokens) {
            parts.append("tokens that end an answer")
        }
        return parts
    }
}
