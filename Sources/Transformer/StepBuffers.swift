import Kernels

/// A matrix of activations, one row a token, rows side by side in memory.
struct RowBuffer {
    private let storage: AlignedBuffer<Float>
    /// Values in a row.
    let width: Int

    init(rowCount: Int, width: Int) {
        storage = AlignedBuffer(count: max(1, rowCount * width))
        self.width = width
    }

    /// **Shape**: [rowCount, width].
    var pointer: UnsafeMutablePointer<Float> { storage.pointer }

    func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * width }
}

/// All activations of a step, made once for the largest step.
final class StepBuffers {
    /// The residual stream, [rows, hiddenSize].
    let hidden: RowBuffer
    let normed: RowBuffer
    /// [rows, queryWidth]
    let queries: RowBuffer
    /// [rows, keyValueWidth]
    let keys: RowBuffer
    let values: RowBuffer
    /// Attention's output before its projection, [rows, queryWidth].
    let attended: RowBuffer
    /// [rows, intermediateSize]
    let gate: RowBuffer
    let up: RowBuffer
    /// Normed rows that get logits, [logits rows, hiddenSize].
    let final: RowBuffer
    /// [logits rows, vocabularyCount]
    let logits: RowBuffer
    private let rowCount: Int
    private var lowRankStorage: RowBuffer

    init(_ configuration: ModelConfiguration, rowCount: Int, logitsRowCount: Int) {
        self.rowCount = max(rowCount, logitsRowCount)
        hidden = RowBuffer(rowCount: rowCount, width: configuration.hiddenSize)
        normed = RowBuffer(rowCount: self.rowCount, width: configuration.hiddenSize)
        queries = RowBuffer(rowCount: rowCount, width: configuration.queryWidth)
        keys = RowBuffer(rowCount: rowCount, width: configuration.keyValueWidth)
        values = RowBuffer(rowCount: rowCount, width: configuration.keyValueWidth)
        attended = RowBuffer(rowCount: rowCount, width: configuration.queryWidth)
        gate = RowBuffer(rowCount: rowCount, width: configuration.intermediateSize)
        up = RowBuffer(rowCount: rowCount, width: configuration.intermediateSize)
        final = RowBuffer(rowCount: logitsRowCount, width: configuration.hiddenSize)
        logits = RowBuffer(rowCount: logitsRowCount, width: configuration.vocabularyCount)
        lowRankStorage = RowBuffer(rowCount: self.rowCount, width: 64)
    }

    /// Room for A·x, [rows, rank]; grows with the largest rank seen.
    func lowRank(rank: Int) -> UnsafeMutablePointer<Float> {
        if lowRankStorage.width < rank {
            lowRankStorage = RowBuffer(rowCount: rowCount, width: rank)
        }
        return lowRankStorage.pointer
    }
}
