internal import Checkpoints
internal import Transformer

/// The tables of a vocabulary that was resized before training. PEFT saves them whole, beside
/// whatever was trained:
///
///     base_model.model.<module>.weight                           as it was, or trained
///     base_model.model.<module>.base_layer.weight                under LoRA's factors
///     base_model.model.<module>.token_adapter.base_layer.weight  under trained tokens
///     base_model.model.<module>.original_module.weight           under modules_to_save
///
/// **Source**: `save_embedding_layers` of PEFT 0.21.
struct ResizedTables {
    /// Parts that are a table as it was before training.
    static let untrained: [TensorPart] = [
        .baseWeight, .tokenBaseWeight, .originalModule, .weight,
    ]

    /// Tokens of the tables in the file; nil where it has none.
    ///
    /// - Parameter prefix: what stands before the names of modules.
    /// - Throws: `AdapterError.wrongShape` where they don't agree.
    static func tokenCount(
        in file: AdapterFile, slots: SlotTable, prefix: String = TunerTensors.prefix
    ) throws(AdapterError) -> Int? {
        let modules = slots.names(of: .embedding) + slots.names(of: .linear(.head))
        let names = modules.flatMap { module in
            (untrained + [.savedModule]).map { prefix + module + $0.suffix }
        }
        var first: AdapterTensor?
        for tensor in file.tensors where names.contains(tensor.name) {
            guard tensor.shape.count == 2, tensor.shape[1] == slots.hiddenSize else { continue }
            if let first, first.shape != tensor.shape {
                throw .wrongShape(
                    tensor: tensor.name, expected: first.shape, found: tensor.shape,
                    reason: "'\(first.name)' has \(first.shape[0]) tokens", file: file.tensorFile)
            }
            first = tensor
        }
        return first?.shape[0]
    }

    /// Rows of tokens behind the base's; nil until the table was met.
    /// **Shape**: [further tokens, hiddenSize].
    var embedding: [Float]?
    var head: [Float]?
    /// Rows that were trained one by one, of tokens behind the base's.
    var trained: [(slot: Slot, token: Int, row: [Float])] = []
}

extension TunerCompiler {
    /// The shape of a linear layer; the head's has a row for each token of the adapter's
    /// vocabulary.
    func shape(of linear: LinearSlot) -> LinearShape {
        let shape = slots.shape(of: linear)
        guard linear == .head else { return shape }
        return LinearShape(outputCount: vocabularyCount, inputCount: shape.inputCount)
    }

    /// Methods other than plain LoRA expect the base's own tables.
    func checkTables(_ targeted: Set<Slot>) throws(AdapterError) {
        guard vocabularyCount != slots.vocabularyCount, !servesResizedTables else { return }
        for slot in [Slot.embedding, .linear(.head)] where targeted.contains(slot) {
            throw .unsupportedTarget(
                module: slots.name(of: slot), setting: "target_modules",
                reason: "training resized it to \(vocabularyCount) tokens, and only plain LoRA is "
                    + "served on a resized table", file: configurationFile)
        }
    }

    /// Keeps the rows behind the base's of a table as it was before training.
    mutating func keepRows(_ values: [Float], at slot: Slot) {
        guard vocabularyCount > slots.vocabularyCount else { return }
        let rows = Array(values[(slots.vocabularyCount * slots.hiddenSize)...])
        if slot == .embedding { resized.embedding = rows } else { resized.head = rows }
    }

    /// Makes the vocabulary of what the tables and the trained tokens said.
    mutating func addVocabulary(saved: Set<Slot>) throws(AdapterError) {
        guard vocabularyCount != slots.vocabularyCount else { return }
        guard vocabularyCount > slots.vocabularyCount else {
            operators.vocabulary = ResizedVocabulary(tokenCount: vocabularyCount)
            return
        }
        let isTied = base.configuration.tiesHeadToEmbedding
        let headRows = resized.head ?? (isTied ? resized.embedding : nil)
        let embeddingRows = resized.embedding ?? (isTied ? resized.head : nil)
        let embedding = try rows(embeddingRows, at: .embedding, saved)
        let head = try rows(headRows, at: .linear(.head), saved)
        let count = vocabularyCount - slots.vocabularyCount
        let table = embedding.map { packed($0, count, slots.hiddenSize) }
        operators.vocabulary = ResizedVocabulary(
            tokenCount: vocabularyCount, embedding: table,
            head: head == embedding ? table : head.map { packed($0, count, slots.hiddenSize) })
    }

    /// - Returns: nil where the whole table is replaced.
    private func rows(
        _ rows: [Float]?, at slot: Slot, _ saved: Set<Slot>
    ) throws(AdapterError) -> [Float]? {
        guard !saved.contains(slot) else { return nil }
        guard var rows else {
            throw .missingTensor(
                tensors.prefix + slots.name(of: slot) + TensorPart.weight.suffix,
                reason: "the vocabulary was resized to \(vocabularyCount) tokens and the base has "
                    + "\(slots.vocabularyCount): save the adapter with save_embedding_layers=True",
                file: file)
        }
        for trained in resized.trained where trained.slot == slot {
            let start = (trained.token - slots.vocabularyCount) * slots.hiddenSize
            rows.replaceSubrange(start..<start + slots.hiddenSize, with: trained.row)
        }
        return rows
    }
}

extension TensorPart {
    static let tokenBaseWeight = TensorPart(".token_adapter.base_layer.weight", spellings: []) {
        "the configuration's 'trainable_token_indices' don't name '\($0)'"
    }
    /// Of a module in `modules_to_save`, beside its `weight`, where PEFT saves embeddings along.
    static let savedModule = TensorPart(".modules_to_save.weight", spellings: []) {
        "the configuration's 'modules_to_save' doesn't name '\($0)'"
    }
    static let originalModule = TensorPart(".original_module.weight", spellings: []) {
        "the configuration's 'modules_to_save' doesn't name '\($0)'"
    }
    static let savedBias = TensorPart(".modules_to_save.bias", spellings: []) {
        "the configuration's 'modules_to_save' doesn't name '\($0)'"
    }
    static let originalBias = TensorPart(".original_module.bias", spellings: []) {
        "it belongs to '\($0)' in 'modules_to_save' with 'bias' \"all\""
    }
}
