internal import Transformer

/// DeLoRA: low-rank updates of normalised directions, of a strength that is trained by itself.
///
///     base_model.model.<module>.delora_A         [rank, inputs]
///     base_model.model.<module>.delora_B         [outputs, rank]
///     base_model.model.<module>.delora_lambda    [1]
///     base_model.model.<module>.delora_w_norm    [inputs]
///
/// y += B (s ⊙ A (w ⊙ x)) with s = λ / rank / (|A's row| |B's column|).
///
/// **Source**: arXiv 2503.18225; PEFT 0.21.
enum DeLoRA: LinearTuner {
    private static let a = TensorPart(".delora_A")
    private static let b = TensorPart(".delora_B")
    private static let strength = TensorPart(".delora_lambda")
    private static let norms = TensorPart(".delora_w_norm")
    /// Shorter directions count as this long.
    private static let smallestLength = 1e-4

    static let name = "DeLoRA"
    static let parts = [a, b, strength, norms]
    // Strengths as trained are in the file.
    static let trainingOnly: Set<String> = ["delora_lambda", "lambda_pattern", "module_dropout"]

    static func isBesideBase(_ settings: ModuleValues<Int>) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> ModuleValues<Int> {
        let limit = AdapterConfiguration.rankLimit
        let rank = try configuration.optionalCount("r", limit: limit) ?? 8
        return try configuration.moduleValues("rank_pattern", standard: rank) {
            (value, configuration) throws(AdapterError) in
            try configuration.count(value, name: "rank_pattern", limit: limit)
        }
    }

    static func add(
        _ linear: LinearSlot, _ ranks: ModuleValues<Int>, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let rank = try ranks.value(for: module)
        let shape = compiler.slots.shape(of: linear)
        let inputCount = shape.inputCount
        let reason =
            "'r' and 'rank_pattern' give '\(module)' rank \(rank), and it is "
            + "[\(shape.outputCount), \(inputCount)]"
        var a = try compiler.floats(a, at: slot, shape: [rank, inputCount], reason: reason)
        let b = try compiler.floats(b, at: slot, shape: [shape.outputCount, rank], reason: reason)
        let strength = try compiler.floats(
            strength, at: slot, shape: [1], reason: "every module has one strength")
        let norms = try compiler.floats(norms, at: slot, shape: [inputCount], reason: reason)
        for i in 0..<rank {
            var (row, column) = (0.0, 0.0)
            for k in 0..<inputCount {
                row += Double(a[i * inputCount + k]) * Double(a[i * inputCount + k])
            }
            for o in 0..<shape.outputCount {
                column += Double(b[o * rank + i]) * Double(b[o * rank + i])
            }
            let lengths =
                max(row.squareRoot(), smallestLength) * max(column.squareRoot(), smallestLength)
            let factor = Float(Double(strength[0]) / Double(rank) / lengths)
            for k in 0..<inputCount { a[i * inputCount + k] *= factor * norms[k] }
        }
        compiler.appendProduct(a: a, b: b, rank: rank, at: linear)
    }
}
