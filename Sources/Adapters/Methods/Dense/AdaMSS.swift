internal import StrictJSON
internal import Transformer

/// AdaMSS: outputs in groups, each with a low-rank update of its own within a shared subspace of
/// inputs.
///
///     base_model.model.<module>.adamss_newB    [r, inputs], with a bias of the base [r, inputs + 1]
///     base_model.model.<module>.adamss_A.<i>   [rank of group i, r]
///     base_model.model.<module>.adamss_B.<i>   [outputs of group i, rank of group i]
///
/// Outputs of group i: y += B_i A_i newB (x, 1). Which outputs form a group isn't in the file: it
/// is found again from the base (`OutputGroups`), and must have given the file's shapes.
///
/// **Source**: PEFT 0.21.
enum AdaMSS: LinearTuner {
    private static let subspace = TensorPart(".adamss_newB")
    private static let groupLimit = 1024

    private static func a(_ index: Int) -> TensorPart { TensorPart(".adamss_A.\(index)") }
    private static func b(_ index: Int) -> TensorPart { TensorPart(".adamss_B.\(index)") }

    struct Settings {
        let width: Int
        let groupCount: Int
        let rank: Int
        let seed: UInt64

        init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
            let limit = AdapterConfiguration.rankLimit
            width = try configuration.optionalCount("r", limit: limit) ?? 100
            groupCount =
                try configuration.optionalCount("num_subspaces", limit: groupLimit) ?? 5
            rank = try configuration.optionalCount("subspace_rank", limit: limit) ?? 1
            seed = try configuration.seed("random_seed", standard: 0)
        }
    }

    static let name = "AdaMSS"
    static let parts = [subspace]
    static let trainingOnly: Set<String> = [
        "asa_importance_beta", "asa_schedule_exponent", "asa_target_subspaces",
        "asa_uncertainty_beta", "final_warmup", "init_warmup", "mask_interval",
        "svd_threshold", "use_asa", "use_dynamic_rank",
    ]

    static func parts(for settings: Settings) -> [TensorPart] {
        (0..<settings.groupCount).flatMap { [a($0), b($0)] }
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        try Settings(&configuration)
    }

    /// One group's factors.
    private struct Factors {
        let a: [Float]
        let b: [Float]
        let rank: Int
        let outputCount: Int
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let inputCount = shape.inputCount + (compiler.slots.hasBias(linear) ? 1 : 0)
        let width = min(settings.width, shape.outputCount, inputCount)
        let tensor = try compiler.require(subspace, at: slot)
        try compiler.check(
            tensor, shape: [width, inputCount],
            reason: "'r' is \(settings.width), and the base's matrix with its bias is "
                + "[\(shape.outputCount), \(inputCount)]")
        let directions = try tensor.floats(file: compiler.file)
        var groups: [Factors] = []
        for index in 0..<min(settings.groupCount, shape.outputCount) {
            groups.append(try factors(index, width, linear, settings, &compiler))
        }
        let outputs = try OutputGroups(
            groupCount: groups.count, width: width, seed: settings.seed
        ).find(linear, directions: directions, tensor: tensor.name, compiler)
        for (index, group) in groups.enumerated() where outputs[index].count != group.outputCount {
            throw .wrongShape(
                tensor: TunerTensors.prefix + compiler.slots.name(of: slot) + b(index).suffix,
                expected: [outputs[index].count, group.rank],
                found: [group.outputCount, group.rank],
                reason: "on this base, group \(index) has \(outputs[index].count) outputs",
                file: compiler.file)
        }
        append(groups, outputs, directions, width: inputCount, at: linear, &compiler)
    }

    private static func factors(
        _ index: Int, _ width: Int, _ linear: LinearSlot, _ settings: Settings,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> Factors {
        let slot = Slot.linear(linear)
        let outputCount = compiler.slots.shape(of: linear).outputCount
        let down = try compiler.require(a(index), at: slot)
        let rank = down.shape.first ?? 0
        try compiler.check(
            down, shape: [min(max(1, rank), settings.rank), width],
            reason: "'subspace_rank' is \(settings.rank)")
        let up = try compiler.require(b(index), at: slot)
        let rowCount = up.shape.first ?? 0
        try compiler.check(
            up, shape: [min(max(1, rowCount), outputCount), rank],
            reason: "group \(index) has rank \(rank)")
        return Factors(
            a: try compiler.floats(down), b: try compiler.floats(up), rank: rank,
            outputCount: rowCount)
    }

    /// All groups in one product: A_i newB under each other, B_i where its outputs and ranks meet.
    private static func append(
        _ groups: [Factors], _ outputs: [[Int]], _ directions: [Float], width inputCount: Int,
        at linear: LinearSlot, _ compiler: inout TunerCompiler
    ) {
        let shape = compiler.slots.shape(of: linear)
        let rank = groups.reduce(0) { $0 + $1.rank }
        var down: [Float] = []
        var up = [Float](repeating: 0, count: shape.outputCount * rank)
        var first = 0
        for (group, places) in zip(groups, outputs) {
            down += TunerCompiler.product(
                group.a, directions, rowCount: group.rank, columnCount: inputCount,
                innerCount: directions.count / inputCount)
            for (row, output) in places.enumerated() {
                for column in 0..<group.rank {
                    up[output * rank + first + column] = group.b[row * group.rank + column]
                }
            }
            first += group.rank
        }
        guard inputCount > shape.inputCount else {
            return compiler.appendProduct(a: down, b: up, rank: rank, at: linear)
        }
        let last = (0..<rank).map { down[($0 + 1) * inputCount - 1] }
        let weights = down.indices.filter { $0 % inputCount < shape.inputCount }.map { down[$0] }
        compiler.appendProduct(a: weights, b: up, rank: rank, at: linear)
        compiler.append(
            .bias(
                TunerCompiler.product(
                    up, last, rowCount: shape.outputCount, columnCount: 1, innerCount: rank)),
            at: linear)
    }
}
