internal import Kernels
internal import Transformer

/// The magnitudes of DoRA: every output is the base's and LoRA's sum, brought to a trained length.
///
///     base_model.model.<module>.lora_magnitude_vector   [outputs]
///
/// y = g ⊙ (W x + s B A x) + b with g = m / |W + s B A|, the norm over each output's weights. All
/// of it is known at load: an output map with g − 1, and a B whose rows are multiplied by g. Where
/// training began by taking a part out of W, what is left stands for W.
///
/// **Source**: DoRA, arXiv 2402.09353; PEFT 0.21.
struct DoRA {
    /// Of an embedding: [hidden, vocabulary].
    let shape: LinearShape
    let rank: Int
    let scaling: Float
    let biasOfB: [Float]?

    /// - Parameters:
    ///   - a: **Shape** [rank, inputCount].
    ///   - b: **Shape** [outputCount, rank].
    ///   - removal: what takes its part out of the base's matrix; nil where training took none.
    func add(
        _ linear: LinearSlot, _ a: [Float], _ b: [Float], removal: ResidualBase.Product?,
        to compiler: inout TunerCompiler
    ) throws(AdapterError) {
        var matrix = compiler.baseMatrix(linear)
        if let removal { add(removal.b, removal.a, scaling: removal.scaling, to: &matrix) }
        let factors = try factors(.linear(linear), sum: matrix, a, b, &compiler)
        compiler.operators.linear[linear, default: []] += [
            .output(DiagonalMap(factors.map { $0 - 1 })),
            compiler.lowRank(
                a: a, b: scaled(b, by: factors), rank: rank, shape, scaling: scaling),
        ]
        if let removal {
            compiler.operators.linear[linear, default: []].append(
                compiler.lowRank(
                    a: removal.a, b: scaled(removal.b, by: factors), rank: rank, shape,
                    scaling: removal.scaling))
        }
        if let biasOfB {
            compiler.operators.linear[linear, default: []].append(
                .bias(zip(biasOfB, factors).map { scaling * $0 * $1 }))
        }
    }

    /// - Parameters:
    ///   - rows: **Shape** [vocabulary, rank].
    ///   - b: **Shape** [hidden, rank].
    func addEmbedding(
        rows: [Float], b: [Float], to compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let table = TunerCompiler.floats(of: compiler.base.weights.embedding, pool: compiler.pool)
        let columns = Matrices.transposed(
            table, rowCount: shape.inputCount)
        let a = Matrices.transposed(rows, rowCount: shape.inputCount)
        let factors = try factors(.embedding, sum: columns, a, b, &compiler)
        compiler.operators.embedding += [
            .output(DiagonalMap(factors.map { $0 - 1 })),
            .lowRank(
                rows: rows,
                b: compiler.packed(scaled(b, by: factors), shape.outputCount, rank),
                scaling: scaling),
        ]
    }

    /// m / |W + s B A|, one an output.
    ///
    /// PEFT takes B's own bias for a part of B A in the norm.
    private func factors(
        _ slot: Slot, sum: consuming [Float], _ a: [Float], _ b: [Float],
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let module = compiler.slots.name(of: slot)
        let magnitude = try compiler.floats(
            .magnitude, at: slot, shape: [shape.outputCount],
            reason: "'\(module)' has \(shape.outputCount) outputs")
        add(b, a, scaling: scaling, to: &sum)
        var factors: [Float] = []
        for output in 0..<shape.outputCount {
            let added = scaling * (biasOfB?[output] ?? 0)
            var squares = 0.0
            for value in sum[output * shape.inputCount..<(output + 1) * shape.inputCount] {
                squares += Double(value + added) * Double(value + added)
            }
            factors.append(magnitude[output] / Float(squares.squareRoot()))
        }
        guard factors.allSatisfy(\.isFinite) else {
            throw .invalidValues(
                tensor: "\(TunerTensors.prefix)\(module)\(TensorPart.magnitude.suffix)",
                reason: "an output of '\(module)' has length 0, which can't be brought to another",
                file: compiler.file)
        }
        return factors
    }

    /// matrix += scaling · b a
    private func add(_ b: [Float], _ a: [Float], scaling: Float, to matrix: inout [Float]) {
        matrix.withUnsafeMutableBufferPointer {
            BLAS.multiplyAdd(
                left: b, right: a, into: $0.baseAddress!, rowCount: shape.outputCount,
                columnCount: shape.inputCount, innerCount: rank, scaling: scaling)
        }
    }

    private func scaled(_ b: [Float], by factors: [Float]) -> [Float] {
        b.indices.map { b[$0] * factors[$0 / rank] }
    }
}

extension TensorPart {
    /// A vector of its own in older releases, the weight of a layer in newer ones.
    static let magnitude = TensorPart(
        ".lora_magnitude_vector",
        spellings: [".lora_magnitude_vector.weight", ".lora_magnitude_vector.default.weight"]
    ) {
        "the configuration doesn't set 'use_dora', or doesn't target '\($0)'"
    }
}
