internal import Kernels
internal import StrictJSON
internal import Transformer

/// Trained tokens: new rows of the embedding, and of the head where the two share their table.
///
///     base_model.model.<module>.trainable_tokens_delta                  [tokens, hidden]
///     base_model.model.<module>.token_adapter.trainable_tokens_delta    within LoRA
///
/// The tensor holds the new rows themselves, in the order in which the configuration lists tokens.
///
/// **Source**: PEFT 0.21.
enum TrainedTokens: TunerMethod {
    private static let indices = "token_indices"
    private static let rows = TensorPart(".trainable_tokens_delta")
    static let rowsWithinLoRA = TensorPart(".token_adapter.trainable_tokens_delta", spellings: []) {
        "the configuration's 'trainable_token_indices' don't name '\($0)'"
    }

    /// Tokens are checked once the vocabulary is known.
    struct Settings {
        let configuration: AdapterConfiguration
        let value: JSONValue?
        var tokens: [Int32] = []
    }

    static let name = "trainable tokens"
    static let servesConv1D = true
    static let parts = [rows]

    /// PEFT asks the base for its embedding.
    static func standardTargets(_ slots: SlotTable) -> [String]? { [slots.name(of: .embedding)] }

    static func refusal(of slot: Slot) -> String? {
        switch slot {
        case .embedding, .linear(.head): nil
        default: "trained tokens are rows of an embedding or a head"
        }
    }

    static func settings(_ configuration: inout AdapterConfiguration) -> Settings {
        let value = configuration.value(indices)
        return Settings(configuration: configuration, value: value)
    }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        settings.tokens = try tokens(
            indices, settings.value, settings.configuration, limit: compiler.vocabularyCount)
    }

    static func add(
        _ slot: Slot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try add(slot, settings.tokens, rows, &compiler)
    }

    /// The ids that a list in a configuration names.
    ///
    /// - Parameter limit: tokens of the vocabulary.
    static func tokens(
        _ name: String, _ value: JSONValue?, _ configuration: AdapterConfiguration,
        limit: Int
    ) throws(AdapterError) -> [Int32] {
        guard let value else { throw .missingSetting(name, file: configuration.file) }
        var tokens: [Int32] = []
        for item in value.arrayValue ?? [.null] {
            guard let token = item.intValue, (0..<limit).contains(token),
                !tokens.contains(Int32(token))
            else {
                throw configuration.invalid(
                    name, value, expected: "a list of token ids below \(limit), none twice")
            }
            tokens.append(Int32(token))
        }
        return tokens
    }

    /// What LoRA's `trainable_token_indices` say: ids, of the embedding or by module.
    static func byModule(
        _ configuration: inout AdapterConfiguration, limit: Int, _ slots: SlotTable
    ) throws(AdapterError) -> [(module: String, tokens: [Int32])] {
        let name = "trainable_token_indices"
        guard let value = configuration.value(name), !value.isUnset else { return [] }
        guard let modules = value.objectValue else {
            return [
                (slots.name(of: .embedding), try tokens(name, value, configuration, limit: limit))
            ]
        }
        var result: [(String, [Int32])] = []
        for (module, list) in modules {
            result.append((module, try tokens(name, list, configuration, limit: limit)))
        }
        return result
    }

    /// Adds the rows that stand beside LoRA's factors.
    static func add(
        _ trained: [(module: String, tokens: [Int32])], _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let isTied = compiler.base.configuration.tiesHeadToEmbedding
        if isTied, trained.count > 1, trained.contains(where: { $0.tokens != trained[0].tokens }) {
            throw .unsupportedSetting(
                "trainable_token_indices", value: "other tokens for each table",
                reason: "the base's head is its embedding", file: compiler.configurationFile)
        }
        for (module, tokens) in trained {
            let slot = [Slot.embedding, .linear(.head)].first {
                ModuleMatcher.names(module, compiler.slots.name(of: $0))
            }
            guard let slot else {
                throw .noTargetMatched(
                    setting: "trainable_token_indices", value: "\"\(module)\"",
                    modules: [Slot.embedding, .linear(.head)].map {
                        TargetSummary.lastComponent(compiler.slots.name(of: $0))
                    }.joined(separator: ", "), file: compiler.configurationFile)
            }
            // The embedding's stand for both.
            if isTied, trained.count > 1, slot != .embedding { continue }
            try add(slot, tokens, rowsWithinLoRA, &compiler)
        }
    }

    /// Adds the new rows at a slot; those of an embedding that is the head as well, at both.
    static func add(
        _ slot: Slot, _ tokens: [Int32], _ part: TensorPart, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let base = compiler.base
        let isTied = base.configuration.tiesHeadToEmbedding
        let values = try compiler.floats(
            part, at: slot, shape: [tokens.count, compiler.slots.hiddenSize],
            reason: "the configuration lists \(tokens.count) tokens")
        let known = compiler.keepTrained(values, of: tokens, at: slot)
        if slot == .embedding {
            compiler.operators.embedding.append(
                .rows(
                    tokens: known.tokens,
                    differences: differences(known, base.weights.embedding)))
            guard isTied else { return }
            _ = compiler.keepTrained(values, of: tokens, at: .linear(.head))
            // PEFT may save the same rows once more under the head's name.
            if let copy = compiler.tensors.take(part, at: .linear(.head)) {
                guard try copy.floats(file: compiler.file) == values else {
                    throw .invalidValues(
                        tensor: copy.name,
                        reason: "the base's head is its embedding, and the file has other rows for "
                            + "it", file: compiler.file)
                }
            }
        }
        let head = base.matrix(at: .head)
        compiler.append(
            .update(
                RowSubsetMap(
                    outputCount: head.outputCount, outputs: known.tokens,
                    rows: differences(known, head))), at: .head)
    }

    private static func differences(_ known: TrainedRows, _ table: PackedMatrix) -> [Float] {
        var result = known.rows
        var row = [Float](repeating: 0, count: table.inputCount)
        for (place, token) in known.tokens.enumerated() {
            row.withUnsafeMutableBufferPointer {
                table.unpackRow(Int(token), into: $0.baseAddress!)
            }
            for column in row.indices { result[place * row.count + column] -= row[column] }
        }
        return result
    }
}

/// Trained rows of tokens that the base has.
struct TrainedRows {
    var tokens: [Int32] = []
    /// **Shape**: [tokens.count, hiddenSize].
    var rows: [Float] = []
}

extension TunerCompiler {
    /// Keeps the rows of tokens behind the base's for the vocabulary.
    ///
    /// - Parameter rows: **Shape** [tokens.count, hiddenSize].
    /// - Returns: the others.
    fileprivate mutating func keepTrained(
        _ rows: [Float], of tokens: [Int32], at slot: Slot
    ) -> TrainedRows {
        var known = TrainedRows()
        for (place, token) in tokens.enumerated() {
            let row = rows[place * slots.hiddenSize..<(place + 1) * slots.hiddenSize]
            if token < slots.vocabularyCount {
                known.tokens.append(token)
                known.rows += row
            } else {
                resized.trained.append((slot, Int(token), Array(row)))
            }
        }
        return known
    }
}
