internal import StrictJSON
internal import Transformer

/// Orthogonal butterfly fine-tuning: inputs turned block by block, in several layers of other
/// pairs, and outputs scaled.
///
///     base_model.model.<module>.boft_R    [layers, blocks, size, size]
///     base_model.model.<module>.boft_s    [outputs, 1]
///
/// y = s ⊙ (W Mᵀ x) + b with M = B(n−1) … B0 and Bi = Pi · blocks · Piᵀ: each block is the Cayley
/// transform of the skew-symmetric half of its tensor, and Pi brings features together that stand
/// 2ⁱ half blocks apart. PEFT makes more than one layer only where its CUDA extension is, so the
/// file decides between `boft_n_butterfly_factor` and 1.
///
/// **Source**: BOFT, arXiv 2311.06243; PEFT 0.21.
enum BOFT: LinearTuner {
    private static let rotation = TensorPart(".boft_R")
    private static let scale = TensorPart(".boft_s")

    struct Settings {
        /// 0 where the number of blocks decides.
        let blockSize: Int
        let blockCount: Int
        let layerCount: Int
    }

    static let name = "BOFT"
    static let parts: [TensorPart] = [rotation, scale]
    static let trainingOnly: Set<String> = ["boft_dropout"]

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = LoRASettings.rankLimit
        func count(_ name: String, standard: Int) throws(AdapterError) -> Int {
            guard let value = configuration.value(name) else { return standard }
            return value.intValue == 0
                ? 0 : try configuration.count(value, name: name, limit: limit)
        }
        let blockSize = try count("boft_block_size", standard: 4)
        let blockCount = try count("boft_block_num", standard: 0)
        guard (blockSize == 0) != (blockCount == 0) else {
            throw configuration.invalid(
                "boft_block_size", .integer(Int64(blockSize)),
                expected: "0 where 'boft_block_num' is not 0, and only there")
        }
        let layerCount = try configuration.optionalCount("boft_n_butterfly_factor", limit: 30)
        return Settings(
            blockSize: blockSize, blockCount: blockCount, layerCount: layerCount ?? 1)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let butterfly = try butterfly(slot, width: shape.inputCount, settings, &compiler)
        let size = butterfly.size
        let values = try compiler.floats(
            rotation, at: slot,
            shape: [butterfly.layerCount, butterfly.blockCount, size, size],
            reason: "the configuration gives '\(module)', of \(shape.inputCount) inputs, "
                + "\(butterfly.layerCount) × \(butterfly.blockCount) blocks of \(size)")
        let scale = try compiler.floats(
            scale, at: slot, shape: [shape.outputCount, 1],
            reason: "'\(module)' has \(shape.outputCount) outputs")
        compiler.append(
            .input(
                RotationMap(width: shape.inputCount, factors: butterfly.factors(values))),
            at: linear)
        compiler.append(.output(DiagonalMap(scale.map { $0 - 1 })), at: linear)
    }

    private static func butterfly(
        _ slot: Slot, width: Int, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> Butterfly {
        let isBySize = settings.blockSize != 0
        let divisor = isBySize ? settings.blockSize : settings.blockCount
        guard width % divisor == 0 else {
            throw .unsupportedTarget(
                module: compiler.slots.name(of: slot),
                setting: isBySize ? "boft_block_size" : "boft_block_num",
                reason: "its \(width) inputs can't be divided by \(divisor)",
                file: compiler.configurationFile)
        }
        let isSingle = compiler.tensors.shape(rotation, at: slot)?.first == 1
        let butterfly = Butterfly(
            width: width, size: isBySize ? divisor : width / divisor,
            layerCount: isSingle ? 1 : settings.layerCount)
        guard butterfly.isPossible else {
            throw .unsupportedTarget(
                module: compiler.slots.name(of: slot), setting: "boft_n_butterfly_factor",
                reason: "\(settings.layerCount) layers need an even block size, and inputs that "
                    + "\(butterfly.widestGroup) divides, this has \(width)",
                file: compiler.configurationFile)
        }
        return butterfly
    }
}

/// Layers of blocks, each over other groups of features.
private struct Butterfly {
    let width: Int
    /// Of a block.
    let size: Int
    let layerCount: Int

    var blockCount: Int { width / size }
    /// Features within which the last layer moves any.
    var widestGroup: Int { size << (layerCount - 1) }

    var isPossible: Bool {
        layerCount == 1 || (size % 2 == 0 && width % widestGroup == 0)
    }

    /// - Parameter values: **Shape** [layerCount, blockCount, size, size].
    /// - Returns: in order of application: Mᵀ = B0ᵀ … B(n−1)ᵀ begins with the last layer.
    func factors(_ values: [Float]) -> [RotationMap.Factor] {
        let valueCount = blockCount * size * size
        return (0..<layerCount).reversed().map { layer in
            let blocks = (0..<blockCount).flatMap { block in
                transposedRotation(values[(layer * valueCount + block * size * size)...])
            }
            let places = layer == 0 ? nil : places(layer)
            return RotationMap.Factor(blocks: blocks, size: size, inputs: places, outputs: places)
        }
    }

    private func transposedRotation(_ values: ArraySlice<Float>) -> [Float] {
        var skew = [Float](repeating: 0, count: size * size)
        let start = values.startIndex
        for row in 0..<size {
            for column in 0..<size {
                skew[row * size + column] =
                    (values[start + row * size + column] - values[start + column * size + row]) / 2
            }
        }
        return Matrices.transposed(
            Cayley.transform(skew, size: size), rowCount: size)
    }

    /// Where in the row each place of the blocks stands.
    ///
    /// Within a group of 2ⁱ blocks, Pi lists the half blocks of even number first, then the others:
    /// feature j stands at the place that Pi lists it at.
    private func places(_ layer: Int) -> [Int32] {
        let half = size / 2
        let group = size << layer
        let halfCount = group / half
        var places = [Int32](repeating: 0, count: width)
        for index in 0..<width {
            let (place, offset) = (index % group / half, index % half)
            let evenCount = halfCount / 2
            let listed = place < evenCount ? 2 * place : 2 * (place - evenCount) + 1
            places[index - index % group + listed * half + offset] = Int32(index)
        }
        return places
    }
}
