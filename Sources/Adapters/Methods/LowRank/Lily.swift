internal import Transformer

/// Lily: low-rank updates whose B is a mixture of several, with weights that a router makes of all
/// tokens of a call together.
///
///     base_model.model.<module>.lily_A.weight         [rank, inputs]
///     base_model.model.<module>.lily_B.weight         [num_B · rank, outputs]
///     base_model.model.<module>.lily_router.weight    [num_B, rank]
///
/// y += scaling · (A x) Σ_e p_e B_e, where p is the mean of softmax(R A x) over the call. Modules
/// share As and Bs in training; the file has a copy for each.
///
/// A prompt is one call and each new token another, as in PEFT's `generate` with its cache.
///
/// **Source**: arXiv 2407.09946; PEFT 0.21.
enum Lily: LinearTuner {
    private static let a = TensorPart(".lily_A.weight")
    private static let b = TensorPart(".lily_B.weight")
    private static let router = TensorPart(".lily_router.weight")

    struct Settings {
        let rank: Int
        let expertCount: Int
        let scaling: Float
    }

    static let name = "Lily"
    static let parts = [a, b, router]
    static let trainingOnly: Set<String> = ["stride_A"]

    static func refusal(of slot: Slot) -> String? {
        guard slot == .linear(.head) else { return slot.reasonAgainstLinearTuners }
        return "its mixture depends on all tokens of a call, and not all reach the head"
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        Settings(
            rank: try configuration.optionalCount("r", limit: LoRASettings.rankLimit) ?? 32,
            expertCount: try configuration.optionalCount("num_B", limit: 1 << 12) ?? 2,
            scaling: Float(try configuration.number("scaling", standard: 1)))
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let (rank, experts) = (settings.rank, settings.expertCount)
        let reason = "'r' is \(rank), 'num_B' \(experts)"
        let a = try compiler.floats(
            a, at: slot, shape: [rank, shape.inputCount], reason: reason)
        let b = try compiler.floats(
            b, at: slot, shape: [experts * rank, shape.outputCount], reason: reason)
        let router = try compiler.floats(
            router, at: slot, shape: [experts, rank], reason: reason)
        compiler.append(
            .update(
                CallMap(
                    a: a, transposedB: b.map { $0 * settings.scaling }, router: router,
                    rank: rank)), at: linear)
    }
}
