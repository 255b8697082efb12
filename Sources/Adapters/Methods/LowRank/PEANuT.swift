internal import StrictJSON
internal import Transformer

/// PEANuT: a small network makes the update of a matrix from the matrix itself.
///
///     base_model.model.<module>.peanut_A.weight               [rank, outputs]
///     base_model.model.<module>.peanut_B.weight               [outputs, rank]
///     base_model.model.<module>.peanut_encoders.<i>.weight    [rank, rank], i < depth
///     base_model.model.<module>.peanut_decoders.<i>.weight    [rank, rank]
///
/// h = f(Wᵀ Aᵀ), then h = f(h Eᵢᵀ) for every encoder and h = f(h Dᵢᵀ) + what the encoder on the
/// other side began with for every decoder; ΔW = scaling · B hᵀ. As W is frozen, h is known at
/// load.
///
/// **Source**: arXiv 2410.01870; PEFT 0.21.
enum PEANuT: LinearTuner {
    private static let a = TensorPart(".peanut_A.weight")
    private static let b = TensorPart(".peanut_B.weight")
    private static let depthLimit = 64

    private static func encoder(_ index: Int) -> TensorPart {
        TensorPart(".peanut_encoders.\(index).weight")
    }

    private static func decoder(_ index: Int) -> TensorPart {
        TensorPart(".peanut_decoders.\(index).weight")
    }

    struct Settings {
        let rank: Int
        let depth: Int
        let scaling: Float
        let function: ActivationFunction
    }

    static let name = "PEANuT"
    static let parts: [TensorPart] =
        [a, b] + (0..<depthLimit).flatMap { [encoder($0), decoder($0)] }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        var depth = 0
        if let value = configuration.value("depth"), value != .integer(0) {
            depth = try configuration.count(value, name: "depth", limit: depthLimit)
        }
        let function = try configuration.activation("act_fn", standard: "relu")
        let rank = try configuration.optionalCount("r", limit: AdapterConfiguration.rankLimit)
        return Settings(
            rank: rank ?? 32, depth: depth,
            scaling: Float(try configuration.number("scaling", standard: 1)), function: function)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let rank = settings.rank
        let reason = "'r' is \(rank), and '\(module)' has \(shape.outputCount) outputs"
        let a = try compiler.floats(a, at: slot, shape: [rank, shape.outputCount], reason: reason)
        let b = try compiler.floats(b, at: slot, shape: [shape.outputCount, rank], reason: reason)
        var encoders: [[Float]] = []
        var decoders: [[Float]] = []
        for index in 0..<settings.depth {
            encoders.append(
                try compiler.floats(
                    encoder(index), at: slot, shape: [rank, rank], reason: "'r' is \(rank)"))
            decoders.append(
                try compiler.floats(
                    decoder(index), at: slot, shape: [rank, rank], reason: "'r' is \(rank)"))
        }
        // All transposed: [rank, inputs].
        var hidden = TunerCompiler.product(
            a, compiler.baseMatrix(linear), rowCount: rank, columnCount: shape.inputCount,
            innerCount: shape.outputCount
        ).map(settings.function.value)
        func layer(_ weight: [Float]) -> [Float] {
            TunerCompiler.product(
                weight, hidden, rowCount: rank, columnCount: shape.inputCount, innerCount: rank
            ).map(settings.function.value)
        }
        var begun: [[Float]] = []
        for encoder in encoders {
            begun.append(hidden)
            hidden = layer(encoder)
        }
        for (decoder, beginning) in zip(decoders, begun.reversed()) {
            hidden = zip(layer(decoder), beginning).map { $0 + $1 }
        }
        guard hidden.allSatisfy(\.isFinite) else {
            throw .invalidValues(
                tensor: TunerTensors.prefix + module + Self.a.suffix,
                reason: "the update that it makes of '\(module)' is not finite",
                file: compiler.file)
        }
        compiler.appendProduct(
            a: hidden, b: b, rank: rank, scaling: settings.scaling, at: linear)
    }
}
