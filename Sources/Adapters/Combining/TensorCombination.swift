/// Combines tensors of one shape: prunes each, then adds them up with their weights.
///
/// **Source**: PEFT 0.21, `utils/merge_utils.py`.
struct TensorCombination {
    let options: CombinationOptions
    var generator: TorchGenerator

    /// - Parameters:
    ///   - tensors: one for each adapter, of equal count.
    ///   - weights: one for each tensor.
    mutating func combine(_ tensors: [[Float]], weights: [Float]) -> [Float] {
        let pruned = tensors.map { prune($0) }
        return options.method.electsSigns
            ? disjointMean(pruned, weights) : weightedSum(pruned, weights)
    }

    /// A density of 1 keeps everything, and draws nothing.
    private mutating func prune(_ values: [Float]) -> [Float] {
        guard options.method.prunes, options.density < 1 else { return values }
        guard options.method.isRandom else {
            let count = Int(options.density * Double(values.count))
            let mask = TopMagnitudes.mask(values, count: count)
            return zip(values, mask).map { $1 ? $0 : 0 }
        }
        // What stays is divided by the density, so that the expectation is what it was.
        let density = Float(options.density)
        return values.map { generator.bernoulli(density) ? $0 / density : 0 }
    }

    private func weightedSum(_ tensors: [[Float]], _ weights: [Float]) -> [Float] {
        var sum = [Float](repeating: 0, count: tensors[0].count)
        for (values, weight) in zip(tensors, weights) {
            for index in values.indices { sum[index] += values[index] * weight }
        }
        return sum
    }

    /// The mean of the weighted values that have the majority's sign.
    private func disjointMean(_ tensors: [[Float]], _ weights: [Float]) -> [Float] {
        (0..<tensors[0].count).map { index in
            let majority: Float = signSum(tensors, at: index) >= 0 ? 1 : -1
            var sum: Float = 0
            var count: Float = 0
            for (values, weight) in zip(tensors, weights)
            where Self.sign(values[index]) == majority {
                sum += values[index] * weight
                count += 1
            }
            return sum / max(count, 1)
        }
    }

    private func signSum(_ tensors: [[Float]], at index: Int) -> Float {
        switch options.majoritySign {
        case .total: tensors.reduce(0) { $0 + $1[index] }
        case .frequency: tensors.reduce(0) { $0 + Self.sign($1[index]) }
        }
    }

    private static func sign(_ value: Float) -> Float { value > 0 ? 1 : value < 0 ? -1 : 0 }
}
