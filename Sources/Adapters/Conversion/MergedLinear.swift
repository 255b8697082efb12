/// loralib's `MergedLinear`: several projections of one input in one matrix, some of which have
/// low-rank updates.
///
/// Said as one module, it is a LoRA whose B is block-diagonal, with rank times groups; said as one
/// module for each projection, as bases of the Llama family have them, it is a LoRA for each.
///
/// **Source**: loralib 0.1.2, `MergedLinear.merge_AB`.
struct MergedLinear {
    /// The usual names of such modules.
    private static let usual = ["c_attn", "qkv", "qkv_proj", "query_key_value", "Wqkv", "in_proj"]

    /// How many projections one matrix may have: the whole module has that many times the values of
    /// its B in the file. Query, key and value are 3.
    static let projectionLimit = 16

    let module: String
    let a: AdapterTensor
    let b: AdapterTensor
    let settings: Loralib.Settings
    let path: String

    static func names(_ leaf: String) -> Bool { usual.contains(leaf) }

    private var rank: Int { b.shape[1] }
    private var groupCount: Int { a.shape[0] / rank }
    private var leaf: String { String(module.split(separator: ".").last ?? "") }

    /// - Throws: `AdapterError` where `enable_lora` is missing or doesn't fit the tensors.
    func add(to builder: inout LoRABuilder) throws(AdapterError) {
        guard let enabled = settings.enabled else {
            guard groupCount > 1 else {
                return builder.add(module, a: a, b: b, alpha: settings.alpha)
            }
            throw .unconvertible(
                path: path,
                reason:
                    "'\(a.name)' has \(groupCount) groups of rank \(rank): say in 'enable_lora' "
                    + "which of the merged projections they belong to")
        }
        guard enabled.count(where: { $0 }) == groupCount, b.shape[0] % groupCount == 0 else {
            throw .unconvertible(
                path: path,
                reason: "'enable_lora' enables \(enabled.count(where: { $0 })) projections, "
                    + "'\(a.name)' has \(groupCount) groups of rank \(rank)")
        }
        if let names = settings.projections[leaf] {
            try addEach(names, enabled, to: &builder)
        } else {
            try addWhole(enabled, to: &builder)
        }
    }

    /// One module for each enabled projection.
    private func addEach(
        _ names: [String], _ enabled: [Bool], to builder: inout LoRABuilder
    ) throws(AdapterError) {
        guard names.count == enabled.count else {
            throw .unconvertible(
                path: path,
                reason:
                    "'projections' names \(names.count) modules for '\(leaf)', 'enable_lora' has "
                    + "\(enabled.count)")
        }
        let width = b.shape[0] / groupCount
        let stem = module.dropLast(leaf.count)
        var group = 0
        for (name, isEnabled) in zip(names, enabled) where isEnabled {
            builder.add(
                stem + name, a: try rows(of: a, group * rank, rank),
                b: try rows(of: b, group * width, width), alpha: settings.alpha)
            group += 1
        }
    }

    /// One module: B is zero but for a block at the rows of each projection and the columns of its
    /// group.
    private func addWhole(
        _ enabled: [Bool], to builder: inout LoRABuilder
    ) throws(AdapterError) {
        let width = b.shape[0] / groupCount
        let values = try b.floats(file: path)
        let fullRank = groupCount * rank
        var blocks = [Float](repeating: 0, count: enabled.count * width * fullRank)
        var group = 0
        for (projection, isEnabled) in enabled.enumerated() where isEnabled {
            for row in 0..<width {
                for column in 0..<rank {
                    blocks[(projection * width + row) * fullRank + group * rank + column] =
                        values[(group * width + row) * rank + column]
                }
            }
            group += 1
        }
        let whole = try AdapterTensor(
            name: b.name, shape: [enabled.count * width, fullRank], values: blocks)
        builder.add(module, a: a, b: whole, alpha: settings.alpha * Double(groupCount))
    }

    private func rows(
        of tensor: AdapterTensor, _ first: Int, _ count: Int
    ) throws(AdapterError) -> AdapterTensor {
        let bytes = tensor.withBytes { bytes in
            let rowByteCount = bytes.count / tensor.shape[0]
            return [UInt8](bytes[(first * rowByteCount)..<((first + count) * rowByteCount)])
        }
        return try AdapterTensor(
            name: tensor.name, elementType: tensor.elementType,
            shape: [count, tensor.shape[1]], bytes: bytes)
    }
}
