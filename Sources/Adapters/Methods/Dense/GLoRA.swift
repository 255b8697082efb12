internal import StrictJSON
internal import Transformer

/// GLoRA: W' = W + W ⊙ A + B and b' = b + b ⊙ D + E + W C, each of them a product of factors, a
/// vector, a constant or nothing.
///
///     base_model.model.<module>.glora_A.Xd [outputs, rank], .Xu [rank, inputs]   (B alike)
///                               glora_A.X  [outputs, 1] or [1]
///                               glora_C.Xd [inputs, rank], .Xu [rank, 1], or .X [inputs, 1]
///                               glora_D.X  [outputs] or [1]                      (E alike)
///                               glora_….zeros, in the full shape, for nothing
///
/// Without a bias of the base, C, D and E are nothing; where the base's biases were trained along,
/// b is the trained one.
///
/// **Source**: arXiv 2306.07967; PEFT 0.21.
enum GLoRA: LinearTuner {
    /// The parts of one of the five terms.
    private struct Term {
        let name: String
        let down: TensorPart
        let up: TensorPart
        let plain: TensorPart
        let zeros: TensorPart

        init(_ name: String) {
            self.name = name
            down = TensorPart(".glora_\(name).Xd")
            up = TensorPart(".glora_\(name).Xu")
            plain = TensorPart(".glora_\(name).X")
            zeros = TensorPart(".glora_\(name).zeros")
        }

        var parts: [TensorPart] { [down, up, plain, zeros] }
    }

    private static let (a, b) = (Term("A"), Term("B"))
    private static let (c, d, e) = (Term("C"), Term("D"), Term("E"))

    enum Form: String {
        case factors = "lora"
        case vector, constant
        case nothing = "none"
    }

    struct Settings {
        let rank: Int
        let weights: Form
        let input: Form
        let bias: Form
    }

    static let name = "GLoRA"
    static let parts = [a, b, c, d, e].flatMap(\.parts)

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount("r", limit: AdapterConfiguration.rankLimit)
        return Settings(
            rank: rank ?? 4,
            weights: try form("config_A_B", standard: .factors, &configuration),
            input: try form("config_C", standard: .factors, without: .constant, &configuration),
            bias: try form("config_D_E", standard: .constant, without: .factors, &configuration))
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try addWeights(linear, settings, &compiler)
        try addBias(linear, settings, &compiler)
    }

    private static func form(
        _ name: String, standard: Form, without excluded: Form? = nil,
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Form {
        let allowed: [Form] = [Form.factors, .vector, .constant, .nothing].filter { $0 != excluded }
        let text = try configuration.choice(
            name, allowed.map(\.rawValue), standard: standard.rawValue)
        return Form(rawValue: text) ?? standard
    }

    // MARK: Weights

    private static func addWeights(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = compiler.slots.shape(of: linear)
        let (outputCount, inputCount) = (shape.outputCount, shape.inputCount)
        switch settings.weights {
        case .factors: try addFactors(linear, settings, &compiler)
        case .vector, .constant:
            let scale = try values(a, settings.weights, [outputCount, 1], linear, &compiler)
            let addend = try values(b, settings.weights, [outputCount, 1], linear, &compiler)
            compiler.append(.output(DiagonalMap(scale)), at: linear)
            compiler.appendProduct(
                a: [Float](repeating: 1, count: inputCount), b: addend, rank: 1, at: linear)
        case .nothing:
            try requireZeros(a, [outputCount, inputCount], linear, &compiler)
            try requireZeros(b, [outputCount, inputCount], linear, &compiler)
            compiler.touch(linear)
        }
    }

    /// ΔW = W ⊙ (A's product) + B's product: of full rank, by A.
    private static func addFactors(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = compiler.slots.shape(of: linear)
        let scale = try factors(a, settings.rank, shape, linear, &compiler)
        let addend = try factors(b, settings.rank, shape, linear, &compiler)
        let base = compiler.baseMatrix(linear)
        var delta = product(scale, settings.rank, shape)
        let added = product(addend, settings.rank, shape)
        for index in delta.indices { delta[index] = delta[index] * base[index] + added[index] }
        compiler.appendDense(delta, at: linear)
    }

    private static func factors(
        _ term: Term, _ rank: Int, _ shape: LinearShape, _ linear: LinearSlot,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> (down: [Float], up: [Float]) {
        let reason = "'r' is \(rank), and the matrix is [\(shape.outputCount), \(shape.inputCount)]"
        let slot = Slot.linear(linear)
        return (
            try compiler.floats(
                term.down, at: slot, shape: [shape.outputCount, rank], reason: reason),
            try compiler.floats(term.up, at: slot, shape: [rank, shape.inputCount], reason: reason)
        )
    }

    private static func product(
        _ factors: (down: [Float], up: [Float]), _ rank: Int, _ shape: LinearShape
    ) -> [Float] {
        TunerCompiler.product(
            factors.down, factors.up, rowCount: shape.outputCount, columnCount: shape.inputCount,
            innerCount: rank)
    }

    // MARK: Bias

    private static func addBias(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = compiler.slots.shape(of: linear)
        guard let bias = try compiler.biasInTraining(at: linear) else {
            try requireZeros(c, [shape.inputCount, 1], linear, &compiler)
            try requireZeros(d, [shape.outputCount], linear, &compiler)
            return try requireZeros(e, [shape.outputCount], linear, &compiler)
        }
        let scale = try values(d, settings.bias, [shape.outputCount], linear, &compiler)
        let addend = try values(e, settings.bias, [shape.outputCount], linear, &compiler)
        var change = bias.indices.map { bias[$0] * scale[$0] + addend[$0] }
        if let input = try inputVector(settings, linear, &compiler) {
            let added = TunerCompiler.product(
                compiler.baseMatrix(linear), input, rowCount: shape.outputCount, columnCount: 1,
                innerCount: shape.inputCount)
            for output in change.indices { change[output] += added[output] }
        }
        compiler.append(.bias(change), at: linear)
    }

    /// C, **shape** [inputs]; nil for nothing.
    private static func inputVector(
        _ settings: Settings, _ linear: LinearSlot, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float]? {
        let inputCount = compiler.slots.shape(of: linear).inputCount
        let column = LinearShape(outputCount: inputCount, inputCount: 1)
        switch settings.input {
        case .factors:
            return product(
                try factors(c, settings.rank, column, linear, &compiler), settings.rank, column)
        case .vector: return try values(c, .vector, [inputCount, 1], linear, &compiler)
        case .constant, .nothing:
            try requireZeros(c, [inputCount, 1], linear, &compiler)
            return nil
        }
    }

    // MARK: Tensors

    /// One value an output, whatever the form has; for nothing, zeros.
    private static func values(
        _ term: Term, _ form: Form, _ shape: [Int], _ linear: LinearSlot,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let module = compiler.slots.name(of: .linear(linear))
        switch form {
        case .constant:
            let value = try compiler.floats(
                term.plain, at: .linear(linear), shape: [1],
                reason: "the configuration has one constant for '\(module)'")
            return [Float](repeating: value[0], count: shape[0])
        case .vector:
            return try compiler.floats(
                term.plain, at: .linear(linear), shape: shape,
                reason: "the configuration has a vector for '\(module)'")
        case .factors, .nothing:
            try requireZeros(term, shape, linear, &compiler)
            return [Float](repeating: 0, count: shape[0])
        }
    }

    /// PEFT saves zeros for a term that is nothing, which other values would make something.
    private static func requireZeros(
        _ term: Term, _ shape: [Int], _ linear: LinearSlot, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let tensor = try compiler.require(term.zeros, at: .linear(linear))
        try compiler.check(
            tensor, shape: shape, reason: "term \(term.name) of GLoRA has this shape here")
        guard try tensor.floats(file: compiler.file).allSatisfy({ $0 == 0 }) else {
            throw .invalidValues(
                tensor: tensor.name,
                reason: "the configuration has no term \(term.name), so that "
                    + "all must be 0", file: compiler.file)
        }
    }
}
