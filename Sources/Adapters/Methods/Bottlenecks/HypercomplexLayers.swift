internal import Transformer

/// Bottlenecks whose two matrices are sums of d Kronecker products (Compacter): Σᵢ ruleᵢ ⊗ Wᵢ, made
/// once, at load.
///
///     ….adapter_down.0.W_left, .W_right    [d, in/d, r], [d, r, out/d]    factorized_phm_W, else
///     ….adapter_down.0.W                   [d, in/d, out/d]
///     ….adapter_down.0.phm_rule            [d, d, d]                      or, with factorized_phm_rule,
///     ….phm_rule_left, .phm_rule_right     [d, d, 1], [d, 1, d]
///     ….adapter_down.0.b                   [out]                          phm_bias
///     model.shared_parameters.phm_rule, .W_down_left …                    of all layers: shared_phm_rule, shared_W_phm
///
/// The same of `adapter_up`, whose tensors that are shared are `W_up…`.
///
/// **Source**: arXiv 2106.04647; adapters 1.3.0, `PHMLayer` in `methods/modeling.py`.
struct HypercomplexLayers {
    private static let sharedPrefix = "model.shared_parameters."
    private static let rankLimit = 1 << 10
    /// How many times the hidden size a network may be wide: its matrices, made of small factors,
    /// have as many times more values.
    private static let widthLimit = 4

    /// One of a bottleneck's two matrices.
    struct Layer {
        /// In front of the names of its tensors.
        let prefix: String
        /// In the names of tensors that layers share.
        let position: String
        let inputCount: Int
        let outputCount: Int
    }

    private let dimension: Int
    private let rank: Int
    private let hasFactorizedRule: Bool
    private let hasFactorizedWeights: Bool
    private let sharesRule: Bool
    private let sharesWeights: Bool
    private let hasBias: Bool
    private let file: String
    /// By name: what layers share is taken once.
    private var shared: [String: [Float]] = [:]

    /// - Returns: nil for a bottleneck of plain matrices.
    init?(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        guard try configuration.flag("phm_layer") else { return nil }
        dimension =
            try configuration.optionalCount(
                "phm_dim", limit: AdapterLimits.hypercomplexDimension) ?? 4
        rank = try configuration.optionalCount("phm_rank", limit: Self.rankLimit) ?? 1
        hasFactorizedWeights = try configuration.flag("factorized_phm_W", standard: true)
        hasFactorizedRule = try configuration.flag("factorized_phm_rule")
        sharesWeights = try configuration.flag("shared_W_phm")
        sharesRule = try configuration.flag("shared_phm_rule", standard: true)
        hasBias = try configuration.flag("phm_bias", standard: true)
        file = configuration.file
    }

    /// The matrix, [outputCount, inputCount].
    /// - Throws: `invalidSetting` where `phm_dim` doesn't divide it; what tensors that are missing
    ///   or of another shape throw.
    mutating func weight(
        of layer: Layer, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        for count in [layer.inputCount, layer.outputCount] where !count.isMultiple(of: dimension) {
            throw .invalidSetting(
                "phm_dim", value: String(dimension),
                expected: "a divisor of \(count), the features at one side of '\(layer.prefix)'",
                file: file)
        }
        if layer.position == "down", layer.outputCount > Self.widthLimit * layer.inputCount {
            throw .invalidSetting(
                "reduction_factor", value: "one that leaves \(layer.outputCount) features",
                expected: "one that leaves at most \(Self.widthLimit) times the hidden size, "
                    + "\(layer.inputCount), beside 'phm_layer'", file: file)
        }
        let inputs = layer.inputCount / dimension
        let outputs = layer.outputCount / dimension
        let weights = try values(
            "W", sharesWeights ? "W_\(layer.position)" : nil, hasFactorizedWeights ? rank : nil,
            [inputs, outputs], layer, &compiler)
        let rule = try values(
            "phm_rule", sharesRule ? "phm_rule" : nil, hasFactorizedRule ? 1 : nil,
            [dimension, dimension], layer, &compiler)
        return sum(rule, weights, inputs: inputs, outputs: outputs)
    }

    func bias(
        of layer: Layer, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        guard hasBias else { return Array(repeating: 0, count: layer.outputCount) }
        return try compiler.floats(
            named: layer.prefix + ".b", shape: [layer.outputCount], reason: "'phm_bias' is true")
    }

    /// `dimension` matrices one after the other, stored as they are or as two factors each.
    private mutating func values(
        _ own: String, _ common: String?, _ rank: Int?, _ shape: [Int], _ layer: Layer,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let name = common.map { Self.sharedPrefix + $0 } ?? "\(layer.prefix).\(own)"
        if let known = shared[name] { return known }
        func take(_ suffix: String, _ shape: [Int]) throws(AdapterError) -> [Float] {
            try compiler.floats(
                named: name + suffix, shape: [dimension] + shape,
                reason: "'phm_dim' is \(dimension), and the matrix is of \(layer.outputCount) by "
                    + "\(layer.inputCount) features")
        }
        var values: [Float]
        if let rank {
            let left = try take("_left", [shape[0], rank])
            let right = try take("_right", [rank, shape[1]])
            values = []
            for index in 0..<dimension {
                values += product(
                    Array(left[index * shape[0] * rank..<(index + 1) * shape[0] * rank]),
                    Array(right[index * rank * shape[1]..<(index + 1) * rank * shape[1]]),
                    rowCount: shape[0], innerCount: rank, columnCount: shape[1])
            }
        } else {
            values = try take("", shape)
        }
        if common != nil { shared[name] = values }
        return values
    }

    private func product(
        _ left: [Float], _ right: [Float], rowCount: Int, innerCount: Int, columnCount: Int
    ) -> [Float] {
        var result = [Float](repeating: 0, count: rowCount * columnCount)
        for row in 0..<rowCount {
            for inner in 0..<innerCount {
                let factor = left[row * innerCount + inner]
                for column in 0..<columnCount {
                    result[row * columnCount + column] +=
                        factor * right[inner * columnCount + column]
                }
            }
        }
        return result
    }

    /// The library multiplies rows with [in, out]; this is its transpose.
    private func sum(_ rule: [Float], _ weights: [Float], inputs: Int, outputs: Int) -> [Float] {
        let inputCount = dimension * inputs
        var result = [Float](repeating: 0, count: inputCount * dimension * outputs)
        for (index, row, column) in places {
            let factor = rule[(index * dimension + row) * dimension + column]
            for output in 0..<outputs {
                let start = (column * outputs + output) * inputCount + row * inputs
                for input in 0..<inputs {
                    result[start + input] +=
                        factor * weights[(index * inputs + input) * outputs + output]
                }
            }
        }
        return result
    }

    /// Of the rules' elements.
    private var places: some Sequence<(index: Int, row: Int, column: Int)> {
        (0..<dimension * dimension * dimension).lazy.map { [dimension] place in
            (place / dimension / dimension, place / dimension % dimension, place % dimension)
        }
    }
}
