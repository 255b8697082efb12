internal import Transformer

/// The order of the rows of Q and K: Hugging Face's and llama.cpp's, which the factors B share.
enum QueryKeyRows {
    /// Rows as Hugging Face has them, from rows as llama.cpp has them.
    static func restored(
        _ tensor: AdapterTensor, base: DecoderSpec
    ) throws(AdapterError) -> AdapterTensor {
        guard let order = try storedRows(tensor, base: base) else { return tensor }
        return try tensor.withRows(order)
    }

    /// Rows as llama.cpp has them, from rows as Hugging Face has them.
    static func permuted(
        _ tensor: AdapterTensor, base: DecoderSpec
    ) throws(AdapterError) -> AdapterTensor {
        guard let order = try storedRows(tensor, base: base) else { return tensor }
        var inverse = [Int](repeating: 0, count: order.count)
        for (row, stored) in order.enumerated() { inverse[stored] = row }
        return try tensor.withRows(inverse)
    }

    /// True for factors whose rows depend on the order.
    static func concerns(_ name: String) -> Bool { headCountName(name) != nil }

    private static func headCountName(_ name: String) -> KeyPath<DecoderSpec, Int>? {
        guard name.hasSuffix(TensorPart.factorB.suffix) else { return nil }
        if name.contains(".q_proj.") { return \.queryHeadCount }
        return name.contains(".k_proj.") ? \.keyValueHeadCount : nil
    }

    private static func storedRows(
        _ tensor: AdapterTensor, base: DecoderSpec
    ) throws(AdapterError) -> [Int]? {
        guard let path = headCountName(tensor.name) else { return nil }
        let headCount = base[keyPath: path]
        let rowCount = headCount * base.headDimension
        guard tensor.shape.first == rowCount else {
            throw .unconvertible(
                path: tensor.name,
                reason: "it has \(tensor.shape.first ?? 0) rows, the base's \(headCount) heads of "
                    + "dimension \(base.headDimension) have \(rowCount): it was trained on another "
                    + "base")
        }
        return RowOrder(rowCount: rowCount, headCount: headCount).storedRows
    }
}

extension AdapterTensor {
    fileprivate func withRows(_ sources: [Int]) throws(AdapterError) -> AdapterTensor {
        try AdapterTensor(
            name: name, elementType: elementType, shape: shape,
            bytes: withBytes { Matrices.rows($0, in: sources) })
    }
}
