internal import Transformer

/// The low-rank factors of a mixture's experts, slot by slot of the base.
///
/// Each expert is read as the LoRA that it is alone: what is refused there is refused here, and of
/// what is served there, what is more than factors of linear layers.
struct ExpertFactors {
    /// Slots that some expert changes, in forward order.
    let slots: [LinearSlot]
    /// Of each expert, in the mixture's order.
    private(set) var experts: [[LinearSlot: PlainLoRA.Factors]] = []
    private(set) var warnings: [String] = []
    /// Trained values in the experts' files.
    private(set) var parameterCount = 0

    /// - Throws: `AdapterError` for experts that aren't LoRA with nothing but low-rank factors, or
    ///   that don't fit the base.
    init(_ files: [AdapterFile], _ context: Methods.Context) throws(AdapterError) {
        var changed: Set<LinearSlot> = []
        for file in files {
            let purpose = PlainLoRA.Purpose.mixing(file.configuration.file)
            _ = try PlainLoRA.settings(of: file, for: purpose)
            var context = context
            // Factors are taken as the file has them; nothing needs to be packed.
            context.readsValues = !LoRA.holdsFactorsOnly(file)
            let compiled = try LoRA.read(file, in: context)
            guard file.tensors.count == 2 * compiled.products.count,
                compiled.operators.holdsOnlyUpdates(of: Set(compiled.products.map(\.slot)))
            else {
                throw purpose.refusal("it is more than low-rank factors of linear layers")
            }
            let factors = try Self.factors(compiled.products, file)
            changed.formUnion(factors.keys)
            experts.append(factors)
            warnings += compiled.warnings
            parameterCount += compiled.parameterCount
        }
        slots = context.base.slots.linearSlots.filter(changed.contains)
    }

    private static func factors(
        _ products: [StoredProduct], _ file: AdapterFile
    ) throws(AdapterError) -> [LinearSlot: PlainLoRA.Factors] {
        let tensors = Dictionary(
            file.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        func tensor(_ name: String) throws(AdapterError) -> AdapterTensor {
            if let tensor = tensors[name] { return tensor }
            throw .missingTensor(name, reason: "the expert consists of it", file: file.tensorFile)
        }
        var factors: [LinearSlot: PlainLoRA.Factors] = [:]
        for product in products {
            let (a, b) = (try tensor(product.a), try tensor(product.b))
            factors[product.slot] = PlainLoRA.Factors(
                a: try a.floats(file: file.tensorFile), b: try b.floats(file: file.tensorFile),
                rank: a.shape[0], inputCount: a.shape[1], outputCount: b.shape[0],
                scaling: Double(product.scaling), isEmbedding: false)
        }
        return factors
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
