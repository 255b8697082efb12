internal import Transformer

/// LoHa: the elementwise product of two low-rank updates.
///
///     base_model.model.<module>.hada_w1_a, hada_w2_a    [outputs, rank]
///     base_model.model.<module>.hada_w1_b, hada_w2_b    [rank, inputs]
///
/// y += alpha / rank · ((A1 B1) ⊙ (A2 B2)) x. The product of rank-1 parts is again of rank 1, so
/// the whole is of rank · rank: a low-rank operator, unless the matrix itself is smaller.
///
/// **Source**: FedPara, arXiv 2108.06098; LyCORIS, arXiv 2309.14859; PEFT 0.21.
enum LoHa: LinearTuner {
    private static let outputs = [TensorPart(".hada_w1_a"), TensorPart(".hada_w2_a")]
    private static let inputs = [TensorPart(".hada_w1_b"), TensorPart(".hada_w2_b")]

    static let name = "LoHa"
    static let parts = outputs + inputs
    static let trainingOnly: Set<String> = [
        "module_dropout", "rank_dropout", "use_effective_conv2d",
    ]

    static func isBesideBase(_ settings: RankSettings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> RankSettings {
        try RankSettings(&configuration, rank: 8, alpha: 8)
    }

    static func add(
        _ linear: LinearSlot, _ settings: RankSettings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let module = compiler.slots.name(of: slot)
        let rank = try settings.rank(of: module)
        let reason =
            "'r' and 'rank_pattern' give '\(module)' rank \(rank), and it has "
            + "\(shape.inputCount) inputs and \(shape.outputCount) outputs"
        var product = HadamardProduct(shape: shape, rank: rank)
        for index in 0..<2 {
            product.outputs.append(
                try compiler.floats(
                    outputs[index], at: slot, shape: [shape.outputCount, rank], reason: reason))
            product.inputs.append(
                try compiler.floats(
                    inputs[index], at: slot, shape: [rank, shape.inputCount], reason: reason))
        }
        let scaling = try settings.scaling(of: module)
        guard product.isCheaperInParts else {
            return compiler.appendDense(product.matrix(scaling: scaling), at: linear)
        }
        compiler.append(
            compiler.lowRank(
                a: product.inputProducts, b: product.outputProducts, rank: rank * rank, shape,
                scaling: scaling), at: linear)
    }
}

/// (A1 B1) ⊙ (A2 B2)
private struct HadamardProduct {
    let shape: LinearShape
    let rank: Int
    /// A1, A2: [outputCount, rank]
    var outputs: [[Float]] = []
    /// B1, B2: [rank, inputCount]
    var inputs: [[Float]] = []

    var isCheaperInParts: Bool {
        rank * rank * (shape.inputCount + shape.outputCount)
            < shape.inputCount * shape.outputCount
    }

    /// B1[i] ⊙ B2[j] in row i · rank + j. **Shape**: [rank · rank, inputCount].
    var inputProducts: [Float] {
        let count = shape.inputCount
        var rows = [Float](repeating: 0, count: rank * rank * count)
        for i in 0..<rank {
            for j in 0..<rank {
                for k in 0..<count {
                    rows[(i * rank + j) * count + k] =
                        inputs[0][i * count + k] * inputs[1][j * count + k]
                }
            }
        }
        return rows
    }

    /// A1[o, i] · A2[o, j] in column i · rank + j. **Shape**: [outputCount, rank · rank].
    var outputProducts: [Float] {
        var rows: [Float] = []
        rows.reserveCapacity(shape.outputCount * rank * rank)
        for o in 0..<shape.outputCount {
            for i in 0..<rank {
                for j in 0..<rank {
                    rows.append(outputs[0][o * rank + i] * outputs[1][o * rank + j])
                }
            }
        }
        return rows
    }

    /// The matrix itself. **Shape**: [outputCount, inputCount].
    func matrix(scaling: Float) -> [Float] {
        let factors = zip(outputs, inputs).map { output, input in
            TunerCompiler.product(
                output, input, rowCount: shape.outputCount, columnCount: shape.inputCount,
                innerCount: rank)
        }
        return zip(factors[0], factors[1]).map { scaling * $0 * $1 }
    }
}
