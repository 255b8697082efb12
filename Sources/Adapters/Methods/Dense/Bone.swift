internal import StrictJSON
internal import Transformer

/// Bone, as MiSS was called up to PEFT 0.18: its form of one folded block, and "bat".
///
///     base_model.model.<module>.bone_block    [rank, outputs], or [outputs / rank, rank, rank] of "bat"
///
/// **Source**: arXiv 2409.15371; PEFT 0.17.
enum Bone: LinearTuner {
    private static let block = TensorPart(".bone_block")

    static let name = "Bone"
    static let parts: [TensorPart] = [block]

    static func isBesideBase(_ settings: MiSS.Settings) -> Bool {
        if case .bat = settings.form { false } else { true }
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> MiSS.Settings {
        let name = "init_weights"
        if let value = configuration.value(name), value == .string("mini") {
            throw configuration.invalid(name, value, expected: "true, false or \"bat\"")
        }
        return try MiSS.settings(&configuration)
    }

    static func add(
        _ linear: LinearSlot, _ settings: MiSS.Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try MiSS.add(block, linear, settings, &compiler)
    }
}
