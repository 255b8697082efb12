internal import Transformer

/// LoKr: a Kronecker product, either factor of which may be of low rank.
///
///     base_model.model.<module>.lokr_w1                 [a, c], or the product of
///     base_model.model.<module>.lokr_w1_a, lokr_w1_b    [a, rank], [rank, c]
///     base_model.model.<module>.lokr_w2                 [b, d], or the product of
///     base_model.model.<module>.lokr_w2_a, lokr_w2_b    [b, rank], [rank, d]
///
/// y += alpha / rank · (W1 ⊗ W2) x with a · b outputs and c · d inputs. Which factors are whole,
/// the file says.
///
/// **Source**: LyCORIS, arXiv 2309.14859; PEFT 0.21.
enum LoKr: LinearTuner {
    private static let left = Factor("lokr_w1")
    private static let right = Factor("lokr_w2")

    static let name = "LoKr"
    static let parts = left.parts + right.parts
    static let trainingOnly: Set<String> = [
        "decompose_both", "decompose_factor", "module_dropout", "rank_dropout",
        "rank_dropout_scale", "use_effective_conv2d",
    ]

    static func isBesideBase(_ settings: RankSettings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> RankSettings {
        try RankSettings(&configuration, rank: 8, alpha: 8)
    }

    static func add(
        _ linear: LinearSlot, _ settings: RankSettings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let module = compiler.slots.name(of: slot)
        let rank = try settings.rank(of: module)
        let first = try left.shape(at: slot, &compiler)
        guard shape.outputCount % first.outputCount == 0, shape.inputCount % first.inputCount == 0
        else {
            throw .invalidValues(
                tensor: TunerTensors.prefix + module + left.whole.suffix,
                reason: "its \(first.outputCount) × \(first.inputCount) values don't divide the "
                    + "\(shape.outputCount) outputs and \(shape.inputCount) inputs of '\(module)': "
                    + "the adapter was trained on another base", file: compiler.file)
        }
        let second = LinearShape(
            outputCount: shape.outputCount / first.outputCount,
            inputCount: shape.inputCount / first.inputCount)
        let reason =
            "'\(module)' has \(shape.outputCount) outputs and \(shape.inputCount) inputs, "
            + "and 'r' and 'rank_pattern' give it rank \(rank)"
        let leftMatrices = try left.matrices(at: slot, first, rank, reason, &compiler)
        let rightMatrices = try right.matrices(at: slot, second, rank, reason, &compiler)
        let scaling = try settings.scaling(of: module)
        let scaled = KroneckerMap.Matrix(
            values: product(leftMatrices).values.map { scaling * $0 }, shape: first)
        compiler.append(
            .update(KroneckerMap(left: scaled, right: cheaper(rightMatrices))), at: linear)
    }

    /// One matrix of two where that costs no more for each row.
    private static func cheaper(
        _ matrices: [KroneckerMap.Matrix]
    ) -> [KroneckerMap.Matrix] {
        let whole = product(matrices)
        let count = matrices.reduce(0) { $0 + $1.values.count }
        return count < whole.values.count ? matrices : [whole]
    }

    private static func product(_ matrices: [KroneckerMap.Matrix]) -> KroneckerMap.Matrix {
        guard matrices.count == 2 else { return matrices[0] }
        let (inner, outer) = (matrices[0].shape, matrices[1].shape)
        let shape = LinearShape(outputCount: outer.outputCount, inputCount: inner.inputCount)
        let values = TunerCompiler.product(
            matrices[1].values, matrices[0].values, rowCount: shape.outputCount,
            columnCount: shape.inputCount, innerCount: outer.inputCount)
        return KroneckerMap.Matrix(values: values, shape: shape)
    }
}

extension LoKr {
    /// One side of the Kronecker product.
    private struct Factor {
        let whole: TensorPart
        let outputs: TensorPart
        let inputs: TensorPart

        init(_ name: String) {
            whole = TensorPart(".\(name)")
            outputs = TensorPart(".\(name)_a")
            inputs = TensorPart(".\(name)_b")
        }

        var parts: [TensorPart] { [whole, outputs, inputs] }

        /// As the file has it; for missing tensors and other numbers of dimensions an error.
        func shape(
            at slot: Slot, _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> LinearShape {
            if let shape = compiler.tensors.shape(whole, at: slot) {
                return try matrixShape(shape, shape, whole, slot, compiler)
            }
            guard let first = compiler.tensors.shape(outputs, at: slot) else {
                let isFactored = compiler.tensors.has(inputs, at: slot)
                _ = try compiler.require(isFactored ? outputs : whole, at: slot)
                return LinearShape(outputCount: 1, inputCount: 1)
            }
            guard let second = compiler.tensors.shape(inputs, at: slot) else {
                _ = try compiler.require(inputs, at: slot)
                return LinearShape(outputCount: 1, inputCount: 1)
            }
            return try matrixShape(first, second, outputs, slot, compiler)
        }

        private func matrixShape(
            _ outputs: [Int], _ inputs: [Int], _ part: TensorPart, _ slot: Slot,
            _ compiler: TunerCompiler
        ) throws(AdapterError) -> LinearShape {
            guard outputs.count == 2, inputs.count == 2, outputs[0] > 0, inputs[1] > 0 else {
                throw .invalidValues(
                    tensor: TunerTensors.prefix + compiler.slots.name(of: slot) + part.suffix,
                    reason: "it is no matrix, as a linear layer needs", file: compiler.file)
            }
            return LinearShape(outputCount: outputs[0], inputCount: inputs[1])
        }

        /// One matrix, or two, in order of application.
        func matrices(
            at slot: Slot, _ shape: LinearShape, _ rank: Int, _ reason: String,
            _ compiler: inout TunerCompiler
        ) throws(AdapterError) -> [KroneckerMap.Matrix] {
            if compiler.tensors.has(outputs, at: slot) || compiler.tensors.has(inputs, at: slot) {
                let last = try compiler.floats(
                    outputs, at: slot, shape: [shape.outputCount, rank], reason: reason)
                let first = try compiler.floats(
                    inputs, at: slot, shape: [rank, shape.inputCount], reason: reason)
                return [
                    KroneckerMap.Matrix(
                        values: first,
                        shape: LinearShape(outputCount: rank, inputCount: shape.inputCount)),
                    KroneckerMap.Matrix(
                        values: last,
                        shape: LinearShape(outputCount: shape.outputCount, inputCount: rank)),
                ]
            }
            let values = try compiler.floats(
                whole, at: slot, shape: [shape.outputCount, shape.inputCount], reason: reason)
            return [KroneckerMap.Matrix(values: values, shape: shape)]
        }
    }
}
