internal import Transformer

/// SHiRA: a sparse update of high rank.
///
///     base_model.model.<module>.shira_indices    [2, r · (inputs + outputs)]: outputs, then inputs
///     base_model.model.<module>.shira_weight     [r · (inputs + outputs)]
///
/// **Source**: arXiv 2406.13175; PEFT 0.21.
enum SHiRA: LinearTuner {
    private static let places = TensorPart(".shira_indices")
    private static let values = TensorPart(".shira_weight")

    static let name = "SHiRA"
    static let parts: [TensorPart] = [places, values]
    static let trainingOnly: Set<String> = ["mask_type", "random_seed"]

    static func isBesideBase(_ settings: Int) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Int {
        try configuration.optionalCount("r", limit: LoRASettings.rankLimit) ?? 32
    }

    static func add(
        _ linear: LinearSlot, _ rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let count = rank * (shape.inputCount + shape.outputCount)
        let reason =
            "'r' is \(rank) and '\(compiler.slots.name(of: slot))' has "
            + "\(shape.inputCount) inputs and \(shape.outputCount) outputs"
        let values = try compiler.floats(values, at: slot, shape: [count], reason: reason)
        let tensor = try compiler.require(places, at: slot)
        try compiler.check(tensor, shape: [2, count], reason: reason)
        let places = try tensor.integers(
            in: 0..<max(shape.outputCount, shape.inputCount), meaning: "places",
            file: compiler.file)
        for index in 0..<count
        where places[index] >= shape.outputCount || places[count + index] >= shape.inputCount {
            throw .invalidValues(
                tensor: tensor.name,
                reason: "place \(index) is [\(places[index]), \(places[count + index])], and "
                    + reason, file: compiler.file)
        }
        let entries = (0..<count).map { (places[$0], places[count + $0], values[$0]) }
        guard Set(entries.map { $0.0 * shape.inputCount + $0.1 }).count == count else {
            throw .invalidValues(
                tensor: tensor.name, reason: "it names a place twice", file: compiler.file)
        }
        compiler.append(
            .update(
                SparseMap(
                    inputCount: shape.inputCount, outputCount: shape.outputCount,
                    entries: entries)), at: linear)
    }
}
