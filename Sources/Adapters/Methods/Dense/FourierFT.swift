internal import Transformer

/// FourierFT: a few trained coefficients of a matrix's spectrum, at places drawn from a seed.
///
///     base_model.model.<module>.fourierft_spectrum    [count]
///
/// The matrix is the real part of the inverse two-dimensional transform, times `scaling`.
///
/// **Source**: arXiv 2405.03003; PEFT 0.21.
enum FourierFT: LinearTuner {
    private static let spectrum = TensorPart(".fourierft_spectrum")

    struct Settings {
        let seed: UInt64
        let scaling: Float
        let counts: ModuleValues<Int>
    }

    static let name = "FourierFT"
    static let servesConv1D = true
    static let parts: [TensorPart] = [spectrum]

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = 1 << 31
        let count = try configuration.optionalCount("n_frequency", limit: limit) ?? 1000
        let counts = try configuration.moduleValues("n_frequency_pattern", standard: count) {
            (value, configuration) throws(AdapterError) in
            try configuration.count(value, name: "n_frequency_pattern", limit: limit)
        }
        return Settings(
            seed: try configuration.seed("random_loc_seed", standard: 777),
            scaling: Float(try configuration.number("scaling", standard: 150)), counts: counts)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let count = try settings.counts.value(for: module)
        let weightCount = shape.outputCount * shape.inputCount
        guard count <= weightCount else {
            throw .unsupportedTarget(
                module: module, setting: "n_frequency",
                reason: "it has \(weightCount) weights, and \(count) coefficients are wanted",
                file: compiler.configurationFile)
        }
        let values = try compiler.floats(
            spectrum, at: slot, shape: [count],
            reason: "'n_frequency' and its patterns give '\(module)' \(count) coefficients")
        var generator = TorchGenerator(seed: settings.seed)
        let places = generator.permutation(of: weightCount, first: count)
        let factor = settings.scaling / Float(weightCount)
        compiler.append(
            .update(
                SpectrumMap(
                    inputCount: shape.inputCount, outputCount: shape.outputCount,
                    coefficients: zip(places, values).map {
                        (
                            output: $0 / shape.inputCount, input: $0 % shape.inputCount,
                            value: factor * $1
                        )
                    })), at: linear)
    }
}
