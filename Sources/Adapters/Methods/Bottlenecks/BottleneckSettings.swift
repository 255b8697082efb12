internal import Glibc
internal import StrictJSON
internal import Transformer

/// What the configuration of a bottleneck adapter says, checked.
struct BottleneckSettings {
    /// What the network's output is multiplied with.
    enum Scaling {
        case fixed(Float)
        /// One trained factor.
        case learned
        /// A trained factor for each feature.
        case channel
    }

    let sublayers: [Sublayer]
    let leftOut: Set<Int>
    let function: ActivationFunction
    let scaling: Scaling
    let hasNormBefore: Bool
    let hasNormAfter: Bool
    let placement: Bottleneck.Placement
    /// Where the matrices are Compacter's.
    var hypercomplex: HypercomplexLayers?
    private let reduction: Reduction

    init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        try UnknownSettings.refuse(Self.unsupported, in: &configuration)
        sublayers = try Self.sublayers(&configuration)
        leftOut = try configuration.indices("leave_out") ?? []
        function = try configuration.activation("non_linearity")
        scaling = try Self.scaling(&configuration)
        hasNormBefore = try configuration.flag("ln_before")
        hasNormAfter = try configuration.flag("ln_after")
        placement =
            try configuration.flag("is_parallel")
            ? Self.parallel(&configuration) : Self.sequential(&configuration)
        hypercomplex = try HypercomplexLayers(&configuration)
        reduction = try Reduction(&configuration)
    }

    /// Features between the two matrices.
    func width(layer: Int, hiddenSize: Int) throws(AdapterError) -> Int {
        try reduction.width(layer: layer, hiddenSize: hiddenSize)
    }
}

extension BottleneckSettings {
    /// Settings that are read beside `phm_layer`.
    static let ofHypercomplexLayers: Set<String> = [
        "factorized_phm_W", "factorized_phm_rule", "phm_bias", "phm_dim", "phm_rank",
        "shared_W_phm", "shared_phm_rule",
    ]

    /// Settings without a meaning in inference, or that say how something is made that isn't there.
    static let trainingOnly: Set<String> = [
        "dropout", "factorized_phm_W", "factorized_phm_rule", "hypercomplex_nonlinearity",
        "init_weights", "init_weights_seed", "inv_adapter_reduction_factor", "learn_phm",
        "phm_bias", "phm_c_init", "phm_dim", "phm_init_range", "phm_rank", "shared_W_phm",
        "shared_phm_rule", "stochastic_depth",
    ]

    static let unsupported: [(name: String, reason: String)] = [
        (
            "use_gating",
            "the gate is a mean over all tokens of a call, so that an answer would depend on tokens "
                + "after it"
        ),
        ("inv_adapter", "invertible adapters behind the embedding can't be served yet"),
        ("cross_adapter", "the base has no cross-attention"),
    ]

    private static func sublayers(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> [Sublayer] {
        let names: [(String, Sublayer)] = [
            ("mh_adapter", .attention), ("output_adapter", .feedForward),
        ]
        var sublayers: [Sublayer] = []
        for (name, sublayer) in names where try configuration.flag(name) {
            sublayers.append(sublayer)
        }
        guard !sublayers.isEmpty else {
            throw .invalidSetting(
                "mh_adapter", value: "false",
                expected: "true, or 'output_adapter' true: the adapter would be nowhere",
                file: configuration.file)
        }
        return sublayers
    }

    private static func scaling(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Scaling {
        guard let value = configuration.value("scaling") else { return .fixed(1) }
        switch value.stringValue {
        case "learned": return .learned
        case "channel": return .channel
        case .some:
            throw configuration.invalid(
                "scaling", value, expected: "a number, \"learned\" or \"channel\"")
        case nil: return .fixed(Float(try configuration.number(value, name: "scaling")))
        }
    }

    /// Behind the sublayer. `original_ln_…` speak of norms of the base where it has them there;
    /// plain blocks have none, so that only the residual stream is left of them.
    private static func sequential(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Bottleneck.Placement {
        let addsBefore: Float = try configuration.flag("original_ln_before") ? 1 : 0
        let addsAfter: Float =
            try configuration.flag("original_ln_after", standard: true) ? 1 : 0
        if let text = configuration.value("residual_before_ln")?.stringValue {
            throw .unsupportedSetting(
                "residual_before_ln", value: "\"\(text)\"",
                reason: "it stands beside a norm behind the sublayer, which the base doesn't have",
                file: configuration.file)
        }
        let input = Bottleneck.Mix(output: 1, stream: addsBefore)
        let residual =
            try configuration.flag("residual_before_ln", standard: true)
            ? Bottleneck.Mix(output: 1, stream: 0) : input
        // The stream is added to whatever comes out, so that it is taken away where it shall not
        // be.
        if try configuration.flag("adapter_residual_before_ln") {
            return Bottleneck.Placement(
                input: input, inner: residual,
                outer: Bottleneck.Mix(output: 0, stream: addsAfter - 1))
        }
        return Bottleneck.Placement(
            input: input, inner: .nothing,
            outer: Bottleneck.Mix(output: 1, stream: residual.stream + addsAfter - 1))
    }

    /// Beside the sublayer, from the residual stream.
    private static func parallel(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Bottleneck.Placement {
        // Of behind the sublayer only.
        for name in ["original_ln_before", "residual_before_ln", "adapter_residual_before_ln"] {
            _ = configuration.value(name)
        }
        let addsAfter: Float =
            try configuration.flag("original_ln_after", standard: true) ? 1 : 0
        return Bottleneck.Placement(
            input: Bottleneck.Mix(output: 0, stream: 1), inner: .nothing,
            outer: Bottleneck.Mix(output: 1, stream: addsAfter - 1))
    }
}

/// How many times narrower than the hidden states the network is, layer by layer.
private struct Reduction {
    private static let setting = "reduction_factor"
    private static let widthLimit = 1 << 20
    private let factors: [String: Double]
    private let standard: Double?
    private let file: String

    init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        let setting = Self.setting
        file = configuration.file
        guard let value = configuration.value(setting) else {
            throw .missingSetting(setting, file: file)
        }
        guard let object = value.objectValue else {
            factors = [:]
            standard = try Self.factor(value, configuration)
            return
        }
        var factors: [String: Double] = [:]
        for (key, value) in object { factors[key] = try Self.factor(value, configuration) }
        standard = factors.removeValue(forKey: "default")
        self.factors = factors
    }

    func width(layer: Int, hiddenSize: Int) throws(AdapterError) -> Int {
        guard let factor = factors[String(layer)] ?? standard else {
            throw .invalidSetting(
                Self.setting, value: "an object",
                expected: "an entry for layer \(layer), or \"default\"",
                file: file)
        }
        // Floored division as Python's: the remainder goes first.
        let size = Double(hiddenSize)
        let width = ((size - fmod(size, factor)) / factor).rounded()
        guard width <= Double(Self.widthLimit) else {
            throw .invalidSetting(
                Self.setting, value: String(factor),
                expected: "a factor that leaves at most \(Self.widthLimit) features", file: file)
        }
        return max(1, Int(width))
    }

    private static func factor(
        _ value: JSONValue, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> Double {
        let factor = try configuration.number(value, name: setting)
        guard factor > 0 else {
            throw configuration.invalid(setting, value, expected: "numbers above 0")
        }
        return factor
    }
}
