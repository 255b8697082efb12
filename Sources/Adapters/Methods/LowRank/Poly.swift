internal import Glibc
internal import StrictJSON
internal import Transformer

/// Poly: low-rank skills, mixed by a router that knows the task; for a fixed task one update of low
/// rank.
///
///     base_model.model.<module>.poly_lora_A                    [splits, skills, inputs / splits, rank]
///     base_model.model.<module>.poly_lora_B                    [splits, skills, rank, outputs / splits]
///     base_model.model.<module>.poly_router.module_logits      [tasks, splits · skills]
///
/// A request has no way to name a task: task 0 is served, and where there are several a warning
/// says so.
///
/// **Source**: arXiv 2202.13914; multi-head routing, arXiv 2211.03831; PEFT 0.21.
enum Poly: LinearTuner {
    private static let a = TensorPart(".poly_lora_A")
    private static let b = TensorPart(".poly_lora_B")
    private static let logits = TensorPart(".poly_router.module_logits")

    struct Settings {
        let rank: Int
        let taskCount: Int
        let skillCount: Int
        let splitCount: Int
    }

    static let name = "Poly"
    static let parts = [a, b, logits]

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        if let type = try configuration.text("poly_type"), type != "poly" {
            throw configuration.invalid("poly_type", .string(type), expected: "\"poly\"")
        }
        let taskCount = try configuration.optionalCount("n_tasks", limit: 1 << 16) ?? 1
        if taskCount > 1 {
            configuration.warn("the adapter is for \(taskCount) tasks; task 0 is served")
        }
        return Settings(
            rank: try configuration.count("r", limit: LoRASettings.rankLimit),
            taskCount: taskCount,
            skillCount: try configuration.optionalCount("n_skills", limit: 1 << 12) ?? 4,
            splitCount: try configuration.optionalCount("n_splits", limit: 1 << 12) ?? 1)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let (rank, splits, skills) = (settings.rank, settings.splitCount, settings.skillCount)
        guard shape.inputCount % splits == 0, shape.outputCount % splits == 0 else {
            throw .unsupportedTarget(
                module: compiler.slots.name(of: slot), setting: "n_splits",
                reason: "its inputs or outputs can't be cut into \(splits) parts",
                file: compiler.configurationFile)
        }
        let (inputs, outputs) = (shape.inputCount / splits, shape.outputCount / splits)
        let reason = "'r' is \(rank), 'n_skills' \(skills), 'n_splits' \(splits)"
        let a = try compiler.floats(
            a, at: slot, shape: [splits, skills, inputs, rank], reason: reason)
        let b = try compiler.floats(
            b, at: slot, shape: [splits, skills, rank, outputs], reason: reason)
        let logits = try compiler.floats(
            logits, at: slot, shape: [settings.taskCount, splits * skills],
            reason: "'n_tasks' is \(settings.taskCount); \(reason)")
        let weights = weights(logits, settings)
        var left = [Float](repeating: 0, count: rank * shape.inputCount)
        var right = [Float](repeating: 0, count: shape.outputCount * rank)
        for split in 0..<splits {
            for skill in 0..<skills {
                let place = split * skills + skill
                let weight = weights[place]
                for input in 0..<inputs {
                    for i in 0..<rank {
                        left[i * shape.inputCount + split * inputs + input] +=
                            weight * a[(place * inputs + input) * rank + i]
                    }
                }
                for i in 0..<rank {
                    for output in 0..<outputs {
                        right[(split * outputs + output) * rank + i] +=
                            weight * b[(place * rank + i) * outputs + output]
                    }
                }
            }
        }
        compiler.append(
            compiler.lowRank(a: left, b: right, rank: rank, shape, scaling: 1 / Float(rank)),
            at: linear)
    }

    /// How much of each skill task 0 takes. **Shape**: [splits, skills].
    private static func weights(_ logits: [Float], _ settings: Settings) -> [Float] {
        var weights: [Float] = []
        for split in 0..<settings.splitCount {
            let row = (0..<settings.skillCount).map { skill in
                1 / (1 + Float(exp(Double(-logits[split * settings.skillCount + skill]))))
            }
            let sum = row.reduce(0, +) + 1e-12
            weights += row.map { $0 / sum }
        }
        return weights
    }
}
