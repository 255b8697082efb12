internal import Transformer

/// The low-rank factors of a mixture's experts, slot by slot of the base.
struct ExpertFactors {
    /// Slots that some expert changes, in forward order.
    let slots: [LinearSlot]
    /// Of each expert, in the mixture's order.
    private(set) var experts: [[LinearSlot: PlainLoRA.Factors]] = []
    private(set) var warnings: [String] = []
    /// Trained values in the experts' files.
    let parameterCount: Int

    /// - Throws: `AdapterError` for experts that aren't LoRA with nothing but low-rank factors, or that
    ///   don't fit the base.
    init(_ files: [AdapterFile], _ context: Methods.Context) throws(AdapterError) {
        var changed: Set<LinearSlot> = []
        for file in files {
            let lora = try PlainLoRA(file, for: .mixing(file.configuration.file))
            guard lora.tables.isEmpty else {
                throw .configuration(
                    file: file.configuration.file,
                    reason: "it can't be an expert of a mixture: it holds a table of the base's own"
                )
            }
            warnings += lora.warnings
            var factors: [LinearSlot: PlainLoRA.Factors] = [:]
            for (module, pair) in lora.factors {
                let slot = try Self.slot(module, pair, file, context.base.slots)
                factors[slot] = pair
                changed.insert(slot)
            }
            experts.append(factors)
        }
        slots = context.base.slots.linearSlots.filter(changed.contains)
        parameterCount = files.reduce(0) { sum, file in
            file.tensors.reduce(sum) { $0 + $1.shape.reduce(1, *) }
        }
    }

    private static func slot(
        _ module: String, _ factors: PlainLoRA.Factors, _ file: AdapterFile, _ slots: SlotTable
    ) throws(AdapterError) -> LinearSlot {
        guard let slot = slots.slot(named: module), case .linear(let linear) = slot else {
            throw .configuration(
                file: file.configuration.file,
                reason: "it can't be an expert of a mixture: it changes '\(module)', which is no "
                    + "linear layer of the base")
        }
        let shape = slots.shape(of: linear)
        guard factors.inputCount == shape.inputCount, factors.outputCount == shape.outputCount
        else {
            let isInput = factors.inputCount != shape.inputCount
            throw .wrongShape(
                tensor: TunerTensors.prefix + module
                    + (isInput ? TensorPart.factorA : .factorB).suffix,
                expected: isInput
                    ? [factors.rank, shape.inputCount] : [shape.outputCount, factors.rank],
                found: isInput
                    ? [factors.rank, factors.inputCount] : [factors.outputCount, factors.rank],
                reason: "the expert was trained on another base", file: file.tensorFile)
        }
        return linear
    }
}

extension PlainLoRA.Factors {
    /// x ↦ scaling · factor · B A x
    func map(times factor: Double = 1) -> LowRankMap {
        let scaling = Float(self.scaling * factor)
        return LowRankMap(
            a: a,
            transposedB: Matrices.transposed(b, rowCount: outputCount).map { $0 * scaling },
            rank: rank)
    }
}
