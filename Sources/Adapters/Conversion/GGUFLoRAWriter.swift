internal import Checkpoints
internal import Transformer

/// Writes a LoRA as llama.cpp has it; the layout is in `GGUFLoRA`.
struct GGUFLoRAWriter {
    private let lora: PlainLoRA
    private let base: DecoderSpec
    private let path: String

    /// - Throws: `AdapterError.unconvertible` without a base, or for more than low-rank factors.
    init(_ conversion: AdapterConversion) throws(AdapterError) {
        path = conversion.path
        lora = try PlainLoRA(conversion.file, for: .converting(path))
        guard let base = conversion.base else {
            throw .unconvertible(
                path: path, reason: "GGUF names the base's architecture: give the base")
        }
        // Of others, names and the order of rows aren't checked.
        guard GGUFFile.baseArchitectures.contains(GGUFLoRA.architecture(of: base)) else {
            throw .unconvertible(
                path: path,
                reason: "as GGUF only adapters for bases of type "
                    + "\(GGUFFile.baseArchitectures.joined(separator: ", ")) and mistral are written, and the "
                    + "base is of type '\(base.modelType)'")
        }
        self.base = base
    }

    private var architecture: String { GGUFLoRA.architecture(of: base) }

    func write(to output: String) throws(AdapterError) -> AdapterConversion.Report {
        let alpha = lora.commonAlpha
        var tensors: [AdapterTensor] = []
        for module in ModuleOrder.sorted(lora.factors.keys) {
            guard let factors = lora.factors[module] else { continue }
            tensors += try stored(factors, module: module, alpha: alpha)
        }
        let keys: [(String, GGUFWriter.Value)] = [
            (GGUFLoRA.architectureKey, .text(architecture)),
            (GGUFLoRA.typeKey, .text("adapter")),
            (GGUFLoRA.adapterTypeKey, .text("lora")),
            (GGUFLoRA.alphaKey, .float(Float(alpha))),
            ("general.file_type", .count(0)),
        ]
        do throws(CheckpointError) {
            var rest = tensors[...]
            try GGUFWriter(
                keys: keys,
                tensors: tensors.map {
                    .init(name: $0.name, elementType: $0.elementType, shape: $0.shape)
                }
            ).write(to: output) { _ in rest.popFirst()?.withBytes { [UInt8]($0) } ?? [] }
        } catch { throw AdapterError(writing: error) }
        return AdapterConversion.Report(tensorCount: tensors.count, notes: lora.warnings)
    }

    private func stored(
        _ factors: PlainLoRA.Factors, module: String, alpha: Double
    ) throws(AdapterError) -> [AdapterTensor] {
        guard let stem = GGUFFile.storedName(of: module + ".weight") else {
            throw .unconvertible(path: path, reason: "llama.cpp has no name for '\(module)'")
        }
        guard module != "lm_head" || !base.tiesHeadToEmbedding else {
            throw .unconvertible(
                path: path,
                reason: "it changes 'lm_head', which llama.cpp doesn't have apart from the "
                    + "embedding on a tied base")
        }
        let a =
            factors.isEmbedding
            ? Matrices.transposed(factors.a, rowCount: factors.rank) : factors.a
        var b = try AdapterTensor(
            name: module + TensorPart.factorB.suffix,
            shape: [factors.outputCount, factors.rank], values: factors.b(withAlpha: alpha))
        if architecture == "llama" { b = try QueryKeyRows.permuted(b, base: base) }
        let shapeOfA = [factors.rank, factors.inputCount]
        return [
            try AdapterTensor(
                name: stem + GGUFLoRA.suffixA,
                shape: factors.isEmbedding ? shapeOfA.reversed() : shapeOfA, values: a),
            b.renamed(stem + GGUFLoRA.suffixB),
        ]
    }
}

// Formats with one alpha for all modules.
extension PlainLoRA {
    /// scaling · rank of most modules; never 0, which llama.cpp takes for "no scaling".
    var commonAlpha: Double {
        var counts: [Double: Int] = [:]
        for factors in factors.values {
            counts[factors.scaling * Double(factors.rank), default: 0] += 1
        }
        let alpha = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 0
        return alpha == 0 ? Double(largestRank) : alpha
    }
}

extension PlainLoRA.Factors {
    /// B such that alpha / rank · B A is what scaling · B A was.
    func b(withAlpha alpha: Double) -> [Float] {
        let ratio = Float(scaling * Double(rank) / alpha)
        return ratio == 1 ? b : b.map { ratio * $0 }
    }
}
