import Kernels

/// A matrix of activations, one row a token, rows side by side in memory; valid as long as the
/// `StepBuffers` that it belongs to.
struct RowBuffer: BitwiseCopyable, @unchecked Sendable {
    /// **Shape**: [rowCount, width].
    let pointer: UnsafeMutablePointer<Float>
    /// Values in a row.
    let width: Int

    func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * width }

    /// The same memory with rows that are no wider.
    func cut(to width: Int) -> RowBuffer { RowBuffer(pointer: pointer, width: width) }
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
    /// What a sublayer adds to the residual stream, [rows, hiddenSize].
    let projected: RowBuffer
    /// Attention's output before its projection, [rows, queryWidth].
    let attended: RowBuffer
    /// Outputs of modules that make several of the others at once, [rows, the widest of them].
    private let fused: RowBuffer
    /// [rows, the widest feed-forward part]
    let gate: RowBuffer
    let up: RowBuffer
    /// Normed rows that get logits, [logits rows, hiddenSize].
    let final: RowBuffer
    /// [logits rows, tokens of the largest vocabulary so far]
    private(set) var logits: RowBuffer
    /// Logits of each row.
    let logitCounts: AlignedBuffer<Int32>
    private var logitStorage: AlignedBuffer<Float>
    private var storages: [AlignedBuffer<Float>] = []
    private var lowRankStorage = AlignedBuffer<Float>(count: 0)
    private var changedStorage = AlignedBuffer<Float>(count: 0)

    init(_ spec: DecoderSpec, rowCount: Int, logitsRowCount: Int) {
        let attention = spec.layers[0].attention
        let width = spec.widestFeedForward
        var storages: [AlignedBuffer<Float>] = []
        func buffer(_ rowCount: Int, _ width: Int) -> RowBuffer {
            let storage = AlignedBuffer<Float>(count: max(1, rowCount * width))
            storages.append(storage)
            return RowBuffer(pointer: storage.pointer, width: width)
        }
        hidden = buffer(rowCount, spec.hiddenSize)
        normed = buffer(max(rowCount, logitsRowCount), spec.hiddenSize)
        projected = buffer(rowCount, spec.hiddenSize)
        queries = buffer(rowCount, attention.queryWidth)
        keys = buffer(rowCount, attention.keyValueWidth)
        values = buffer(rowCount, attention.keyValueWidth)
        attended = buffer(rowCount, attention.queryWidth)
        gate = buffer(rowCount, width)
        up = buffer(rowCount, width)
        fused = buffer(rowCount, spec.fusedWidth)
        final = buffer(logitsRowCount, spec.hiddenSize)
        logitCounts = AlignedBuffer(count: max(1, logitsRowCount))
        logitStorage = AlignedBuffer(
            count: max(1, logitsRowCount * spec.vocabularyCount), isSparse: true)
        logits = RowBuffer(
            pointer: logitStorage.pointer, width: spec.vocabularyCount)
        self.storages = storages
    }

    /// Room for the outputs of a module that makes several buffers at once.
    ///
    /// - Parameter width: its outputs.
    func fused(width: Int) -> RowBuffer {
        precondition(width <= fused.width)
        return RowBuffer(pointer: fused.pointer, width: width)
    }

    /// Makes room for vocabularies that are larger than all before; earlier contents are lost.
    func reserveLogits(width: Int) {
        guard width > logits.width else { return }
        logitStorage = AlignedBuffer(
            count: max(1, logitCounts.count * width), isSparse: true)
        logits = RowBuffer(pointer: logitStorage.pointer, width: width)
    }

    /// Room for the products A·x of one batch; grows with the largest seen. Earlier contents are
    /// lost.
    func lowRank(floatCount: Int) -> UnsafeMutablePointer<Float> {
        if lowRankStorage.count < floatCount {
            lowRankStorage = AlignedBuffer(count: floatCount + floatCount / 2)
        }
        return lowRankStorage.pointer
    }

    /// Room for copies of a step's rows whose inputs are changed; as above.
    func changed(floatCount: Int) -> UnsafeMutablePointer<Float> {
        if changedStorage.count < floatCount {
            changedStorage = AlignedBuffer(count: floatCount + floatCount / 2)
        }
        return changedStorage.pointer
    }
}
