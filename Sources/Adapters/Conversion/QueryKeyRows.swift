internal import Checkpoints
internal import Transformer

/// The order of the rows of Q and K, or of one module for both: Hugging Face's and llama.cpp's,
/// which the factors B share.
enum QueryKeyRows {
    /// Rows as Hugging Face has them, from rows as llama.cpp has them.
    static func restored(
        _ tensor: AdapterTensor, base: DecoderSpec, _ layout: StoredLayout
    ) throws(AdapterError) -> AdapterTensor {
        guard let order = try storedRows(tensor, base: base, layout) else { return tensor }
        return try tensor.withRows(order)
    }

    /// Rows as llama.cpp has them, from rows as Hugging Face has them.
    static func permuted(
        _ tensor: AdapterTensor, base: DecoderSpec, _ layout: StoredLayout
    ) throws(AdapterError) -> AdapterTensor {
        guard let order = try storedRows(tensor, base: base, layout) else { return tensor }
        var inverse = [Int](repeating: 0, count: order.count)
        for (row, stored) in order.enumerated() { inverse[stored] = row }
        return try tensor.withRows(inverse)
    }

    /// True for factors whose rows depend on the order.
    static func concerns(_ name: String, _ layout: StoredLayout) -> Bool {
        part(name, layout) != nil
    }

    private enum Part {
        case query, key, all
    }

    private static func part(_ name: String, _ layout: StoredLayout) -> Part? {
        guard name.hasSuffix(TensorPart.factorB.suffix) else { return nil }
        if layout.queryKeyRowsArePermuted {
            if name.contains(".q_proj.") { return .query }
            if name.contains(".k_proj.") { return .key }
        }
        return layout.groupsAreBlocks && name.contains(".query_key_value.") ? .all : nil
    }

    private static func storedRows(
        _ tensor: AdapterTensor, base: DecoderSpec, _ layout: StoredLayout
    ) throws(AdapterError) -> [Int]? {
        guard let part = part(tensor.name, layout) else { return nil }
        let attention = base.layers[0].attention
        let order: RowOrder?
        let headCount: Int
        switch part {
        case .query:
            order = attention.pairOrder(\.queryHeadCount)
            headCount = attention.queryHeadCount
        case .key:
            order = attention.pairOrder(\.keyValueHeadCount)
            headCount = attention.keyValueHeadCount
        case .all:
            order = attention.blockOrder
            headCount = attention.queryHeadCount + 2 * attention.keyValueHeadCount
        }
        guard let order else { return nil }
        guard tensor.shape.first == order.rowCount else {
            throw .unconvertible(
                path: tensor.name,
                reason: "it has \(tensor.shape.first ?? 0) rows, the base's \(headCount) heads of "
                    + "dimension \(base.headDimension) have \(order.rowCount): it was trained on "
                    + "another base")
        }
        return order.storedRows
    }
}

extension AdapterTensor {
    fileprivate func withRows(_ sources: [Int]) throws(AdapterError) -> AdapterTensor {
        try AdapterTensor(
            name: name, elementType: elementType, shape: shape,
            bytes: withBytes { Matrices.rows($0, in: sources) })
    }
}
