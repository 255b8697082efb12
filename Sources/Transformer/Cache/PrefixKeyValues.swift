public import Kernels

/// Trained keys and values that stand in front of a sequence in every attention layer.
///
/// Held in the same page layout as a sequence's own keys and values, so that attention reads them
/// as read-only pages shared by all sequences that use them. Keys are used as they are: no rotary
/// embedding is applied to them.
///
/// **Source**: prefix tuning, arXiv 2101.00190.
public final class PrefixKeyValues: Sendable {
    public let tokenCount: Int
    public let layerCount: Int
    let shape: AttentionShape
    /// [layerCount, pageCount, words of a page]
    private let storage: AlignedBuffer<Float>

    /// - Parameter values: **Shape** [tokenCount, layerCount, 2 (key, value), keyValueHeadCount,
    ///   headDimension].
    public init(values: [Float], tokenCount: Int, layerCount: Int, shape: AttentionShape) {
        let headValueCount = shape.keyValueHeadCount * shape.headDimension
        precondition(values.count == tokenCount * layerCount * 2 * headValueCount)
        self.tokenCount = tokenCount
        self.layerCount = layerCount
        self.shape = shape
        let pageCount = Self.pageCount(for: tokenCount)
        let pageWordCount = Attention.pageWordCount(shape)
        storage = AlignedBuffer<Float>(count: max(1, layerCount * pageCount * pageWordCount))
        values.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            for token in 0..<tokenCount {
                for layer in 0..<layerCount {
                    let key = base + (token * layerCount + layer) * 2 * headValueCount
                    let page = (layer * pageCount + token / Attention.pageTokenCount)
                    Attention.storeKeyValue(
                        key: key, value: key + headValueCount,
                        slot: token % Attention.pageTokenCount,
                        page: storage.pointer + page * pageWordCount, shape: shape)
                }
            }
        }
    }

    /// Several prefixes, one behind the other.
    ///
    /// - Parameter parts: at least one, all of one base.
    convenience init(concatenating parts: [PrefixKeyValues]) {
        self.init(
            values: parts.flatMap(\.values), tokenCount: parts.reduce(0) { $0 + $1.tokenCount },
            layerCount: parts[0].layerCount, shape: parts[0].shape)
    }

    /// Keys and values of all tokens, in the shape in which they were given.
    package var values: [Float] {
        let width = shape.keyValueHeadCount * shape.headDimension
        var values = [Float](repeating: 0, count: tokenCount * layerCount * 2 * width)
        values.withUnsafeMutableBufferPointer { target in
            for token in 0..<tokenCount {
                for layer in 0..<layerCount {
                    let key = target.baseAddress! + (token * layerCount + layer) * 2 * width
                    Attention.loadKeyValue(
                        page: page(token / Attention.pageTokenCount, layer: layer),
                        slot: token % Attention.pageTokenCount, shape: shape, key: key,
                        value: key + width)
                }
            }
        }
        return values
    }

    public var pageCount: Int { Self.pageCount(for: tokenCount) }

    public var byteCount: Int { storage.count * MemoryLayout<Float>.stride }

    /// The pages of one layer, in token order.
    func page(_ index: Int, layer: Int) -> UnsafePointer<Float> {
        let pageWordCount = Attention.pageWordCount(shape)
        return UnsafePointer(storage.pointer + (layer * pageCount + index) * pageWordCount)
    }

    private static func pageCount(for tokenCount: Int) -> Int {
        (tokenCount + Attention.pageTokenCount - 1) / Attention.pageTokenCount
    }
}
