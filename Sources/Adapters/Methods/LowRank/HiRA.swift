internal import Transformer

/// HiRA: every weight multiplied with one more than a low-rank matrix has there.
///
///     base_model.model.<module>.hira_A, hira_B                        [rank, inputs], [outputs, rank]
///     base_model.model.<module>.hira_embedding_A, hira_embedding_B    [rank, vocabulary], [hidden, rank]
///
/// y += (W ⊙ B A) x: of high rank, so that nothing smaller than a matrix is exact. Of an embedding,
/// only the rows of a step's tokens are multiplied.
///
/// **Source**: HiRA, ICLR 2025; PEFT 0.21.
enum HiRA: TunerMethod {
    private static let a = TensorPart(".hira_A")
    private static let b = TensorPart(".hira_B")
    private static let embeddingA = TensorPart(".hira_embedding_A")
    private static let embeddingB = TensorPart(".hira_embedding_B")

    static let name = "HiRA"
    static let servesConv1D = true
    static let parts = [a, b, embeddingA, embeddingB]
    static let trainingOnly: Set<String> = ["hira_dropout"]

    static func refusal(of slot: Slot) -> String? {
        guard case .norm = slot else { return nil }
        return "HiRA works on linear layers and embeddings, this is a norm"
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> RankSettings {
        try RankSettings(&configuration, rank: 32)
    }

    static func add(
        _ slot: Slot, _ settings: RankSettings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        switch slot {
        case .linear(let linear):
            try add(linear, try rank(at: slot, a, settings, compiler), &compiler)
        case .embedding:
            try addEmbedding(try rank(at: slot, embeddingA, settings, compiler), &compiler)
        case .norm: break
        }
    }

    /// PEFT 0.21 takes 'r' for every module, also where 'rank_pattern' gives another: either will
    /// do, since nothing is divided by it.
    private static func rank(
        at slot: Slot, _ part: TensorPart, _ settings: RankSettings, _ compiler: TunerCompiler
    ) throws(AdapterError) -> Int {
        let rank = try settings.rank(of: compiler.slots.name(of: slot))
        let found = compiler.tensors.shape(part, at: slot)?.first
        return found == settings.standardRank ? settings.standardRank : rank
    }

    private static func add(
        _ linear: LinearSlot, _ rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let reason =
            "'r' and 'rank_pattern' give '\(compiler.slots.name(of: slot))' rank \(rank), and it "
            + "has \(shape.inputCount) inputs and \(shape.outputCount) outputs"
        let a = try compiler.floats(a, at: slot, shape: [rank, shape.inputCount], reason: reason)
        let b = try compiler.floats(b, at: slot, shape: [shape.outputCount, rank], reason: reason)
        guard compiler.readsValues else { return compiler.touch(linear) }
        var delta = TunerCompiler.product(
            b, a, rowCount: shape.outputCount, columnCount: shape.inputCount, innerCount: rank)
        let own = compiler.baseMatrix(linear)
        for index in delta.indices { delta[index] *= own[index] }
        compiler.appendDense(delta, at: linear)
    }

    private static func addEmbedding(
        _ rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slots = compiler.slots
        let reason =
            "'r' and 'rank_pattern' give '\(slots.name(of: .embedding))' rank \(rank), and it has "
            + "\(slots.vocabularyCount) rows of \(slots.hiddenSize) values"
        let columns = try compiler.floats(
            embeddingA, at: .embedding, shape: [rank, slots.vocabularyCount], reason: reason)
        let b = try compiler.floats(
            embeddingB, at: .embedding, shape: [slots.hiddenSize, rank], reason: reason)
        // PEFT adds the product of the stored row to what the module gives, scaled or not.
        let scale = compiler.base.configuration.embedding.moduleScale
        compiler.operators.embedding.append(
            .product(
                rows: Matrices.transposed(
                    columns, rowCount: rank),
                b: compiler.packed(b.map { $0 / scale }, slots.hiddenSize, rank)))
    }
}
