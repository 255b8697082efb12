internal import Transformer

/// RandLoRA: a sum of frozen random products of low rank, with trained factors that together reach
/// full rank.
///
///     base_model.randlora_A                         [rank, 1, least width], where saved
///     base_model.randlora_B                         [most width, terms, rank], likewise
///     base_model.model.<module>.randlora_lambda    [rank, own terms]
///     base_model.model.<module>.randlora_gamma     [own terms, own least width]
///
/// With the module's narrower side n and wider side m, D = alpha / rank · Σ B[:, t, r] (λ[p, q] ·
/// A[p] ⊙ γ[q]) is [m, n]: PEFT pairs term t · rank + r of B with term p · terms + q of A. Where
/// the inputs are the wider side, the matrix is Dᵀ. The rank is full, so that the matrix itself is
/// the smallest form.
///
/// **Source**: arXiv 2502.00987; PEFT 0.21.
enum RandLoRA: LinearTuner {
    private static let lambda = TensorPart(".randlora_lambda")
    private static let gamma = TensorPart(".randlora_gamma")

    struct Settings {
        let rank: Int
        let scaling: Float
        /// nil where the file has the projections.
        let seed: UInt64?
        let sparsity: RandomBases.Sparsity?
        var bases: RandomBases?
    }

    static let name = "RandLoRA"
    static let servesConv1D = true
    static let parts = [lambda, gamma, RandomBases.copyOfA, RandomBases.copyOfB]
    static let trainingOnly: Set<String> = ["randlora_dropout"]

    static func shared(_ slots: SlotTable) -> Set<String> {
        [RandomBases.nameOfA, RandomBases.nameOfB]
    }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = try compiler.largestTargetShape()
        guard let seed = settings.seed else {
            settings.bases = try RandomBases(
                saved: &compiler, shape: shape, rank: settings.rank)
            return
        }
        let narrow = min(shape.inputCount, shape.outputCount)
        let wide = max(shape.inputCount, shape.outputCount)
        try compiler.checkDrawn(
            settings.rank * narrow + wide * (narrow + settings.rank),
            setting: "save_projection")
        settings.bases = RandomBases(
            seed: seed, settings.sparsity, shape: shape, rank: settings.rank)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        guard let bases = settings.bases else { return }
        try add(linear, settings, bases, &compiler)
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount("r", limit: LoRASettings.rankLimit) ?? 32
        let alpha = try configuration.number("randlora_alpha", standard: 640)
        let seed = try configuration.seed("projection_prng_key", standard: 0)
        let isSaved = try configuration.flag("save_projection", standard: true)
        let isSparse = try configuration.flag("sparse")
        let isVerySparse = try configuration.flag("very_sparse")
        return Settings(
            rank: rank, scaling: Float(alpha / Double(rank)), seed: isSaved ? nil : seed,
            sparsity: isVerySparse ? .byWidth : isSparse ? .third : nil)
    }

    private static func add(
        _ linear: LinearSlot, _ settings: Settings, _ bases: RandomBases,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let module = compiler.slots.name(of: slot)
        let narrow = min(shape.inputCount, shape.outputCount)
        let wide = max(shape.inputCount, shape.outputCount)
        let rank = settings.rank
        let termCount = (narrow + rank - 1) / rank
        let reason = "'r' is \(rank), and '\(module)' is \(narrow) wide at its narrower side"
        let lambda = try compiler.floats(
            lambda, at: slot, shape: [rank, termCount], reason: reason)
        let gamma = try compiler.floats(
            gamma, at: slot, shape: [termCount, narrow], reason: reason)
        if settings.seed == nil { try bases.checkCopies(at: slot, &compiler) }
        guard compiler.readsValues else { return compiler.touch(linear) }
        var right: [Float] = []
        right.reserveCapacity(rank * termCount * narrow)
        for row in 0..<rank {
            for term in 0..<termCount {
                let factor = lambda[row * termCount + term]
                for index in 0..<narrow {
                    right.append(
                        factor * bases.a[row * bases.narrow + index]
                            * gamma[term * narrow + index])
                }
            }
        }
        var left: [Float] = []
        left.reserveCapacity(wide * termCount * rank)
        for row in 0..<wide {
            let start = row * bases.termCount * rank
            left += bases.b[start..<start + termCount * rank]
        }
        let product = TunerCompiler.product(
            left, right, rowCount: wide, columnCount: narrow, innerCount: rank * termCount,
            scaling: settings.scaling)
        compiler.appendDense(
            narrow == shape.inputCount
                ? product
                : Matrices.transposed(product, rowCount: wide),
            at: linear)
    }
}
