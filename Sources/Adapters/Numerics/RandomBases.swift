internal import Transformer

/// The frozen projections of RandLoRA, which all its modules share.
struct RandomBases {
    static let nameOfA = "base_model.randlora_A"
    static let nameOfB = "base_model.randlora_B"
    /// PEFT saves the projections again with every module.
    static let copyOfA = TensorPart(".randlora_A")
    static let copyOfB = TensorPart(".randlora_B")

    /// How many values aren't zero.
    enum Sparsity {
        case third
        /// One of √width.
        case byWidth
    }

    /// **Shape**: [rank, 1, narrow].
    let a: [Float]
    /// **Shape**: [wide, termCount, rank].
    let b: [Float]
    let rank: Int
    /// Widths that no targeted module's are above: of their narrower side, and of the wider.
    let narrow: Int
    let wide: Int

    var termCount: Int { Self.termCount(narrow, rank) }

    private static func termCount(_ narrow: Int, _ rank: Int) -> Int {
        (narrow + rank - 1) / rank
    }

    /// Those of the file.
    ///
    /// - Parameter shape: the most inputs and outputs of targeted modules.
    init(
        saved compiler: inout TunerCompiler, shape: LinearShape, rank: Int
    ) throws(AdapterError) {
        self.rank = rank
        narrow = min(shape.inputCount, shape.outputCount)
        wide = max(shape.inputCount, shape.outputCount)
        let reason =
            "'r' is \(rank), and targeted modules have up to \(shape.inputCount) inputs and "
            + "\(shape.outputCount) outputs"
        a = try compiler.sharedFloats(Self.nameOfA, shape: [rank, 1, narrow], reason: reason)
        b = try compiler.sharedFloats(
            Self.nameOfB, shape: [wide, Self.termCount(narrow, rank), rank], reason: reason)
    }

    /// Those that torch draws on a CPU: of a Kaiming distribution, in bf16, or of −1, 0 and 1; both
    /// divided by their deviation.
    init(seed: UInt64, _ sparsity: Sparsity?, shape: LinearShape, rank: Int) {
        self.rank = rank
        narrow = min(shape.inputCount, shape.outputCount)
        wide = max(shape.inputCount, shape.outputCount)
        var generator = TorchGenerator(seed: seed)
        let (countOfA, termCount) = (rank * narrow, Self.termCount(narrow, rank))
        guard let sparsity else {
            let drawn = generator.uniformBF16(
                count: countOfA, bound: Float(1 / Double(narrow).squareRoot()))
            a = Self.normalized(drawn) { TorchGenerator.rounded($0) }
            b = Self.normalized(
                Self.drawTerms(&generator, wide: wide, termCount: termCount, rank: rank)
            ) { TorchGenerator.rounded($0) }
            return
        }
        let share: Double
        switch sparsity {
        case .third: share = 1.0 / 6
        case .byWidth: share = 1 / (2 * Double(narrow).squareRoot())
        }
        func signs(_ count: Int) -> [Float] {
            generator.fractions(count: count).map {
                $0 < Float(share) ? -1 : $0 > Float(1 - share) ? 1 : 0
            }
        }
        a = Self.normalized(signs(countOfA)) { $0 }
        b = Self.normalized(signs(wide * termCount * rank)) { $0 }
    }

    /// Term by term, each [wide, rank]; then side by side.
    private static func drawTerms(
        _ generator: inout TorchGenerator, wide: Int, termCount: Int, rank: Int
    ) -> [Float] {
        var result = [Float](repeating: 0, count: wide * termCount * rank)
        for term in 0..<termCount {
            let drawn = generator.uniformBF16(
                count: wide * rank, bound: Float(1 / Double(rank).squareRoot()))
            for index in drawn.indices {
                let (row, column) = (index / rank, index % rank)
                result[(row * termCount + term) * rank + column] = drawn[index]
            }
        }
        return result
    }

    /// Divided by their standard deviation; every step in the values' own type.
    private static func normalized(
        _ values: [Float], _ rounded: (Float) -> Float
    ) -> [Float] {
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
        let deviation = rounded(Float((squares / Double(values.count - 1)).squareRoot()))
        return values.map { rounded($0 / deviation) }
    }

    /// A module's own copies must be the shared ones.
    func checkCopies(at slot: Slot, _ compiler: inout TunerCompiler) throws(AdapterError) {
        for (part, values) in [(Self.copyOfA, a), (Self.copyOfB, b)] {
            guard let tensor = compiler.tensors.take(part, at: slot) else { continue }
            guard try tensor.floats(file: compiler.file) == values else {
                throw .invalidValues(
                    tensor: tensor.name,
                    reason: "it differs from the projection that all modules share",
                    file: compiler.file)
            }
        }
    }
}
