public import Kernels

/// Trained keys and values that every row of a layer attends to apart from its own sequence, with a
/// softmax of their own; what comes of it is added to attention's output, times a gate.
///
/// **Source**: LLaMA-Adapter, arXiv 2303.16199.
public final class GatedPrefix: Sendable {
    public let tokenCount: Int
    private let gate: Float
    private let shape: AttentionShape
    /// Of each key-value head, **shape** [tokenCount, headDimension].
    private let keys: [RowMatrix]
    /// **Shape** [keyValueHeadCount, tokenCount, headDimension].
    private let values: AlignedBuffer<Float>

    /// - Parameters:
    /// - keys: **Shape** [tokenCount, keyValueHeadCount, headDimension], without rotary embedding.
    ///   - values: the same shape.
    public init(
        keys: [Float], values: [Float], gate: Float, tokenCount: Int, shape: AttentionShape
    ) {
        precondition(keys.count == values.count)
        self.tokenCount = tokenCount
        self.gate = gate
        self.shape = shape
        let dimension = shape.headDimension
        func head(_ index: Int, of source: [Float]) -> [Float] {
            (0..<tokenCount).flatMap { token in
                let start = (token * shape.keyValueHeadCount + index) * dimension
                return source[start..<start + dimension]
            }
        }
        let heads = 0..<shape.keyValueHeadCount
        self.keys = heads.map {
            RowMatrix(
                floats: head($0, of: keys),
                shape: LinearShape(outputCount: tokenCount, inputCount: dimension))
        }
        self.values = AlignedBuffer(copying: heads.flatMap { head($0, of: values) })
    }

    public var byteCount: Int { 2 * values.count * MemoryLayout<Float>.stride }

    /// output += scale · gate · softmax(q Kᵀ / √d) V for all heads of one row.
    ///
    /// - Parameters:
    ///   - queries: with rotary embedding. **Shape** [queryHeadCount, headDimension].
    ///   - output: the same shape.
    ///   - scores: `tokenCount` floats with any content.
    func add(
        queries: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scores: UnsafeMutablePointer<Float>
    ) {
        let dimension = shape.headDimension
        let groupSize = shape.queryHeadCount / shape.keyValueHeadCount
        for head in 0..<shape.queryHeadCount {
            let group = head / groupSize
            Vectors.multiply(
                keys[group].view, queries + head * dimension,
                scaledBy: shape.scale, output: scores)
            let largest = scores[Vectors.indexOfMaximum(scores, count: tokenCount)]
            let sum = Vectors.exponentials(scores, minus: largest, count: tokenCount)
            for token in 0..<tokenCount {
                Vectors.add(
                    values.pointer + (group * tokenCount + token) * dimension,
                    scaledBy: scale * gate * scores[token] / sum,
                    to: output + head * dimension, count: dimension)
            }
        }
    }
}
