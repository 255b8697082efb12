internal import StrictJSON
internal import Transformer

/// GraLoRA: low-rank updates of the k × k blocks of a matrix, each with a k-th of the rank.
///
///     base_model.model.<module>.gralora_A                   [k, inputs / k, rank]
///     base_model.model.<module>.gralora_B                   [k, rank, outputs / k]
///     base_model.model.<module>.gralora_A_general.weight    [hybrid_r, inputs]
///     base_model.model.<module>.gralora_B_general.weight    [outputs, hybrid_r]
///
/// Piece n of the input gives rank values, whose j-th part goes to piece j of the output. The
/// general factors are plain LoRA, where `hybrid_r` isn't 0. All is scaled by alpha / (rank +
/// hybrid_r).
///
/// **Source**: arXiv 2505.20355; PEFT 0.21.
enum GraLoRA: LinearTuner {
    private static let a = TensorPart(".gralora_A")
    private static let b = TensorPart(".gralora_B")
    private static let generalA = TensorPart(".gralora_A_general.weight")
    private static let generalB = TensorPart(".gralora_B_general.weight")

    struct Settings {
        let rank: Int
        let generalRank: Int
        let pieceCount: Int
        let scaling: Float
    }

    static let name = "GraLoRA"
    static let servesConv1D = true
    static let parts = [a, b, generalA, generalB]
    static let trainingOnly: Set<String> = ["gralora_dropout"]

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try addBlocks(linear, settings, &compiler)
        if settings.generalRank > 0 { try addGeneral(linear, settings, &compiler) }
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = AdapterConfiguration.rankLimit
        let rank = try configuration.optionalCount("r", limit: limit) ?? 32
        let pieceCount = try configuration.optionalCount("gralora_k", limit: limit) ?? 2
        guard rank % pieceCount == 0 else {
            throw .invalidSetting(
                "gralora_k", value: "\(pieceCount)", expected: "a divisor of 'r', \(rank)",
                file: configuration.file)
        }
        var generalRank = 0
        if let value = configuration.value("hybrid_r"), value != .integer(0) {
            generalRank = try configuration.count(value, name: "hybrid_r", limit: limit)
        }
        let alpha = try configuration.number("alpha", standard: 64)
        return Settings(
            rank: rank, generalRank: generalRank, pieceCount: pieceCount,
            scaling: Float(alpha / Double(rank + generalRank)))
    }

    private static func addBlocks(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let (pieceCount, rank) = (settings.pieceCount, settings.rank)
        guard shape.inputCount % pieceCount == 0, shape.outputCount % pieceCount == 0 else {
            throw .invalidSetting(
                "gralora_k", value: "\(pieceCount)",
                expected: "a divisor of both sides of '\(module)', "
                    + "[\(shape.outputCount), \(shape.inputCount)]",
                file: compiler.configurationFile)
        }
        let (inputCount, outputCount) = (
            shape.inputCount / pieceCount, shape.outputCount / pieceCount
        )
        let reason =
            "'gralora_k' is \(pieceCount), 'r' is \(rank), and '\(module)' is "
            + "[\(shape.outputCount), \(shape.inputCount)]"
        let a = try compiler.floats(
            a, at: slot, shape: [pieceCount, inputCount, rank], reason: reason)
        let b = try compiler.floats(
            b, at: slot, shape: [pieceCount, rank, outputCount], reason: reason)
        let down = BlockDiagonalMap(
            blocks: transposedBlocks(a, pieceCount, rowCount: inputCount, columnCount: rank),
            blockCount: pieceCount,
            blockShape: LinearShape(outputCount: rank, inputCount: inputCount),
            places: places(settings))
        let up = BlockDiagonalMap(
            blocks: transposedBlocks(b, pieceCount, rowCount: rank, columnCount: outputCount)
                .map { settings.scaling * $0 },
            blockCount: pieceCount,
            blockShape: LinearShape(outputCount: outputCount, inputCount: rank))
        compiler.append(.update(ChainMap([down, up])), at: linear)
    }

    /// Value t of part j of piece n becomes value t of part n of piece j.
    private static func places(_ settings: Settings) -> [Int32] {
        let (pieceCount, rank) = (settings.pieceCount, settings.rank)
        let partCount = rank / pieceCount
        return (0..<pieceCount * rank).map { index in
            let (piece, part, value) = (
                index / rank, index % rank / partCount, index % partCount
            )
            return Int32(part * rank + piece * partCount + value)
        }
    }

    private static func transposedBlocks(
        _ values: [Float], _ blockCount: Int, rowCount: Int, columnCount: Int
    ) -> [Float] {
        let count = rowCount * columnCount
        return (0..<blockCount).flatMap { block in
            Matrices.transposed(
                Array(values[block * count..<(block + 1) * count]), rowCount: rowCount)
        }
    }

    private static func addGeneral(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let rank = settings.generalRank
        let reason = "'hybrid_r' is \(rank)"
        let a = try compiler.floats(
            generalA, at: slot, shape: [rank, shape.inputCount], reason: reason)
        let b = try compiler.floats(
            generalB, at: slot, shape: [shape.outputCount, rank], reason: reason)
        compiler.appendProduct(a: a, b: b, rank: rank, scaling: settings.scaling, at: linear)
    }
}
