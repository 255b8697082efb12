import Glibc
internal import StrictJSON
internal import Transformer

/// VB-LoRA: LoRA whose factors are put together of a bank of vectors that all modules share.
///
///     base_model.vblora_vector_bank                   [vectors, length]
///     base_model.model.<module>.vblora_logits_A       [rank, inputs / length, vectors]
///     base_model.model.<module>.vblora_logits_B       [outputs / length, rank, vectors]
///
/// A piece of a factor is the mean of the `topk` vectors with the largest logits, weighted by their
/// softmax. With `save_only_topk_weights` the file has `…_topk_indices` and `…_topk_weights` in
/// place of logits; of the weights the last is left out: they add up to 1.
///
/// **Source**: arXiv 2405.15179; PEFT 0.21.
enum VBLoRA: LinearTuner {
    private static let bank = "base_model.vblora_vector_bank"
    private static let factors = ["A", "B"].map(Factor.init)

    private struct Factor {
        let logits: TensorPart
        let indices: TensorPart
        let weights: TensorPart

        init(_ name: String) {
            logits = TensorPart(".vblora_logits_\(name)")
            indices = TensorPart(".vblora_logits_\(name)_topk_indices")
            weights = TensorPart(".vblora_logits_\(name)_topk_weights")
        }

        var parts: [TensorPart] { [logits, indices, weights] }
    }

    struct Settings {
        let rank: Int
        let vectorCount: Int
        let length: Int
        let chosenCount: Int
        let savesChosen: Bool
        /// **Shape**: [vectorCount, length].
        var vectors: [Float] = []
    }

    static let name = "VB-LoRA"
    static let servesConv1D = true
    static let parts = factors.flatMap(\.parts)
    static let trainingOnly: Set<String> = [
        "init_logits_std", "init_vector_bank_bound", "vblora_dropout",
    ]

    static func shared(_ slots: SlotTable) -> Set<String> { [bank] }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        settings.vectors = try compiler.sharedFloats(
            bank, shape: [settings.vectorCount, settings.length],
            reason: "'num_vectors' and 'vector_length' say so")
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = 1 << 20
        let vectorCount = try configuration.optionalCount("num_vectors", limit: limit) ?? 256
        return Settings(
            rank: try configuration.optionalCount("r", limit: LoRASettings.rankLimit) ?? 4,
            vectorCount: vectorCount,
            length: try configuration.optionalCount("vector_length", limit: limit) ?? 256,
            chosenCount: try configuration.optionalCount("topk", limit: vectorCount) ?? 2,
            savesChosen: try configuration.flag("save_only_topk_weights"))
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let (rank, length) = (settings.rank, settings.length)
        guard shape.inputCount % length == 0, shape.outputCount % length == 0 else {
            throw .unsupportedTarget(
                module: module, setting: "vector_length",
                reason: "its \(shape.inputCount) inputs and \(shape.outputCount) outputs are no "
                    + "whole numbers of vectors of \(length)", file: compiler.configurationFile)
        }
        let (inputPieces, outputPieces) = (shape.inputCount / length, shape.outputCount / length)
        let a = try pieces(
            factors[0], at: slot, [rank, inputPieces], settings, &compiler)
        // [pieces, rank, length], to [pieces, length, rank]
        let b = try pieces(factors[1], at: slot, [outputPieces, rank], settings, &compiler)
        var rows: [Float] = []
        rows.reserveCapacity(b.count)
        for piece in 0..<outputPieces {
            rows += Matrices.transposed(
                Array(b[piece * rank * length..<(piece + 1) * rank * length]), rowCount: rank)
        }
        compiler.appendProduct(a: a, b: rows, rank: rank, at: linear)
    }

    /// The vectors of all pieces of a factor, in order. **Shape**: `shape` with length after it.
    private static func pieces(
        _ factor: Factor, at slot: Slot, _ shape: [Int], _ settings: Settings,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let count = shape[0] * shape[1]
        let choices =
            settings.savesChosen
            ? try savedChoices(factor, at: slot, shape, settings, &compiler)
            : try choices(factor, at: slot, shape, settings, &compiler)
        var result = [Float](repeating: 0, count: count * settings.length)
        for (piece, choice) in choices.enumerated() {
            for (vector, weight) in choice {
                let start = vector * settings.length
                for index in 0..<settings.length {
                    result[piece * settings.length + index] +=
                        weight * settings.vectors[start + index]
                }
            }
        }
        return result
    }

    private typealias Choice = [(vector: Int, weight: Float)]

    private static func choices(
        _ factor: Factor, at slot: Slot, _ shape: [Int], _ settings: Settings,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Choice] {
        let logits = try compiler.floats(
            factor.logits, at: slot, shape: shape + [settings.vectorCount],
            reason: reason(slot, compiler))
        return (0..<shape[0] * shape[1]).map { piece in
            let start = piece * settings.vectorCount
            let own = logits[start..<start + settings.vectorCount]
            let chosen = largest(own, count: settings.chosenCount)
            let largest = own[chosen[0]]
            let exponentials = chosen.map { exp(own[$0] - largest) }
            let sum = exponentials.reduce(0, +)
            return zip(chosen, exponentials).map { ($0 - start, $1 / sum) }
        }
    }

    /// The places of the largest logits, the largest first; of equal ones, as are common in 16-bit
    /// files, those that `torch.topk` takes.
    private static func largest(_ logits: ArraySlice<Float>, count: Int) -> [Int] {
        var ranks: [Float: Float] = [:]
        for (rank, value) in Set(logits).sorted().enumerated() { ranks[value] = Float(rank + 1) }
        let mask = TopMagnitudes.mask(logits.map { ranks[$0] ?? 0 }, count: count)
        return zip(logits.indices, mask).filter(\.1).map(\.0)
            .sorted { (logits[$0], $1) > (logits[$1], $0) }
    }

    private static func savedChoices(
        _ factor: Factor, at slot: Slot, _ shape: [Int], _ settings: Settings,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Choice] {
        let count = settings.chosenCount
        let tensor = try compiler.require(factor.indices, at: slot)
        try compiler.check(tensor, shape: shape + [count], reason: reason(slot, compiler))
        let indices = try tensor.integers(
            in: 0..<settings.vectorCount, meaning: "vectors", file: compiler.file)
        let weights = try compiler.floats(
            factor.weights, at: slot, shape: shape + [count - 1], reason: reason(slot, compiler))
        var result: [Choice] = []
        for piece in 0..<shape[0] * shape[1] {
            let chosen = indices[piece * count..<(piece + 1) * count]
            let own = weights[piece * (count - 1)..<(piece + 1) * (count - 1)]
            let last = 1 - own.reduce(0, +)
            guard Set(chosen).count == count, own.allSatisfy({ $0 >= 0 }), last >= 0 else {
                throw .invalidValues(
                    tensor: tensor.name,
                    reason: "piece \(piece) names a vector twice, or its weights are no shares of "
                        + "1", file: compiler.file)
            }
            result.append(zip(chosen, own + [last]).map { ($0, $1) })
        }
        return result
    }

    private static func reason(_ slot: Slot, _ compiler: TunerCompiler) -> String {
        let module = compiler.slots.name(of: slot)
        return "'r', 'vector_length', 'num_vectors' and 'topk' give it for '\(module)'"
    }
}
