internal import StrictJSON

/// A state dict of microsoft/loralib, said in PEFT's terms.
///
///     <module>.lora_A   [rank, inputs]          of an embedding [rank, vocabulary]
///     <module>.lora_B   [outputs, rank]         of an embedding [hidden, rank]
///     <module>.bias     [outputs]               where `bias` is "all" or "lora_only"
///
/// A `MergedLinear`, whose outputs are several projections one after another, has the factors of
/// those that are enabled, grouped:
///
///     lora_A   [groups · rank, inputs]
///     lora_B   [groups · outputs / projections, rank]
///
/// Biases alone are a state dict of this kind as well: BitFit (arXiv 2106.10199), which trains
/// nothing else.
///
/// **Source**: loralib 0.1.2, `layers.py`.
enum Loralib {
    static let configurationName = "lora_config.json"
    static let tensorName = "lora.safetensors"
    static let suffixA = ".lora_A"
    static let suffixB = ".lora_B"
    /// Names of embeddings, whose factors look like those of linear layers.
    private static let embeddings = [
        "embed_tokens", "wte", "wpe", "word_embeddings", "embed_in", "tok_embeddings",
    ]

    static let suffixBias = ".bias"

    static func holds(_ file: ForeignTensors) -> Bool {
        holdsFactors(file) || holdsBiasesAlone(file)
    }

    private static func holdsFactors(_ file: ForeignTensors) -> Bool {
        file.tensors.contains { $0.name.hasSuffix(suffixA) || $0.name.hasSuffix(suffixB) }
    }

    private static func holdsBiasesAlone(_ file: ForeignTensors) -> Bool {
        !file.tensors.isEmpty && file.tensors.allSatisfy { $0.name.hasSuffix(suffixBias) }
    }

    /// - Throws: `AdapterError` for a missing alpha, tensors without a place, groups that nothing
    ///   explains.
    static func adapter(
        _ file: ForeignTensors, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = configuration
        try UnknownSettings.refuse(unsupported, in: &configuration)
        let settings = try Settings(&configuration, hasFactors: holdsFactors(file))
        let tensors = try Tensors(file, settings)
        var builder = LoRABuilder()
        builder.bias = settings.bias
        for (module, pair) in tensors.pairs.sorted(by: { $0.key < $1.key }) {
            try add(module, pair, settings, path: file.path, to: &builder)
        }
        for bias in tensors.biases {
            let module = String(bias.name.dropLast(suffixBias.count))
            let isTargeted = tensors.pairs[module] != nil
            builder.append(
                bias.renamed(
                    PEFTAdapter.prefix + module + (isTargeted ? ".base_layer" : "") + suffixBias))
        }
        var adapter = builder.adapter()
        adapter.origin.file = configuration.file
        adapter.origin.addUnknown(in: configuration.object, of: table)
        return adapter
    }

    private static func add(
        _ module: String, _ pair: Tensors.Pair, _ settings: Settings, path: String,
        to builder: inout LoRABuilder
    ) throws(AdapterError) {
        guard let a = pair.a else {
            throw .missingTensor(
                module + suffixA, reason: "'\(module + suffixB)' has no partner", file: path)
        }
        guard let b = pair.b else {
            throw .missingTensor(
                module + suffixB, reason: "'\(module + suffixA)' has no partner", file: path)
        }
        guard a.shape.count == 2, b.shape.count == 2, b.shape[1] > 0,
            a.shape[0] % b.shape[1] == 0
        else {
            throw .wrongShape(
                tensor: b.name, expected: [b.shape.first ?? 0, a.shape.first ?? 0],
                found: b.shape, reason: "'\(a.name)' has shape \(a.shape)", file: path)
        }
        let rank = b.shape[1]
        if let expected = settings.rank, expected != rank {
            throw .wrongShape(
                tensor: b.name, expected: [b.shape[0], expected], found: b.shape,
                reason: "'r' is \(expected)", file: path)
        }
        let leaf = String(module.split(separator: ".").last ?? "")
        guard a.shape[0] == rank, settings.projections[leaf] == nil, !MergedLinear.names(leaf)
        else {
            return try MergedLinear(module: module, a: a, b: b, settings: settings, path: path)
                .add(to: &builder)
        }
        builder.add(
            module, a: a, b: b, alpha: settings.alpha, isEmbedding: embeddings.contains(leaf))
    }
}

extension Loralib {
    /// Settings of PEFT's LoRA that loralib doesn't have: its scaling is alpha / r everywhere.
    private static let unsupported: [(name: String, reason: String)] = [
        "use_rslora", "use_dora", "rank_pattern", "alpha_pattern",
    ].map { ($0, "loralib has no such setting: save it as PEFT does") }

    static let table = SettingTable(
        title: "loralib's state dicts",
        entries: [
            .init("lora_alpha", .read), .init("bias", .read), .init("enable_lora", .read),
            .init("projections", .read), .init("r", .held),
        ]
            + unsupported.map { .init($0.name, .refused($0.reason)) }
            + [
                .init("format", .without("the tensors say what it is")),
                .init("fan_in_fan_out", .without("factors lie the same way in either case")),
                .init("merge_weights", .without("merged or beside, it is the same product")),
                .init("lora_dropout", .without("it acts in training")),
            ])

    /// What a state dict doesn't say by itself.
    struct Settings {
        let rank: Int?
        let alpha: Double
        let bias: String
        /// Which projections of a `MergedLinear` have factors.
        let enabled: [Bool]?
        /// The projections of a merged module by its last name, for bases that have them apart.
        let projections: [String: [String]]

        /// - Parameter hasFactors: false where biases are all that was trained, which need no
        ///   settings.
        init(
            _ configuration: inout AdapterConfiguration, hasFactors: Bool
        ) throws(AdapterError) {
            rank = try configuration.optionalCount("r", limit: LoRASettings.rankLimit)
            let alpha = configuration.value("lora_alpha")
            guard alpha != nil || !hasFactors else {
                throw .missingSetting("lora_alpha", file: configuration.file)
            }
            self.alpha =
                try alpha.map { (value) throws(AdapterError) in
                    try configuration.number(value, name: "lora_alpha")
                } ?? 1
            bias = try configuration.text("bias") ?? (hasFactors ? "none" : "all")
            guard ["none", "all", "lora_only"].contains(bias) else {
                throw configuration.invalid(
                    "bias", .string(bias), expected: "\"none\", \"all\", \"lora_only\"")
            }
            enabled = try Self.enabled(&configuration)
            projections = try Self.projections(&configuration)
        }

        private static func enabled(
            _ configuration: inout AdapterConfiguration
        ) throws(AdapterError) -> [Bool]? {
            guard let value = configuration.value("enable_lora") else { return nil }
            let flags = value.arrayValue?.compactMap(\.boolValue) ?? []
            guard flags.count == value.arrayValue?.count, flags.contains(true) else {
                throw configuration.invalid(
                    "enable_lora", value, expected: "a list of true and false, not all false")
            }
            let limit = MergedLinear.projectionLimit
            guard flags.count <= limit else {
                throw .invalidSetting(
                    "enable_lora", value: "a list of \(flags.count)",
                    expected: "at most \(limit) projections in one matrix",
                    file: configuration.file)
            }
            return flags
        }

        private static func projections(
            _ configuration: inout AdapterConfiguration
        ) throws(AdapterError) -> [String: [String]] {
            var projections: [String: [String]] = [:]
            for (module, value) in try configuration.members("projections", limit: 64) {
                let names = value.arrayValue?.compactMap(\.stringValue) ?? []
                guard names.count == value.arrayValue?.count, !names.isEmpty else {
                    throw configuration.invalid(
                        "projections", value, expected: "lists of module names")
                }
                projections[module] = names
            }
            return projections
        }
    }

    /// The tensors of a state dict by module.
    struct Tensors {
        struct Pair {
            var a: AdapterTensor?
            var b: AdapterTensor?
        }

        private(set) var pairs: [String: Pair] = [:]
        private(set) var biases: [AdapterTensor] = []

        init(_ file: ForeignTensors, _ settings: Settings) throws(AdapterError) {
            var names: Set<String> = []
            for tensor in file.tensors {
                // What torch's data-parallel wrapper puts in front.
                let name =
                    tensor.name.hasPrefix("module.")
                    ? String(tensor.name.dropFirst("module.".count)) : tensor.name
                guard names.insert(name).inserted else {
                    throw .unknownTensor(
                        tensor.name, reason: "the file has it twice, with and without 'module.'",
                        file: file.path)
                }
                if name.hasSuffix(suffixA) {
                    pairs[String(name.dropLast(suffixA.count)), default: Pair()].a = tensor
                } else if name.hasSuffix(suffixB) {
                    pairs[String(name.dropLast(suffixB.count)), default: Pair()].b = tensor
                } else if name.hasSuffix(suffixBias), settings.bias != "none" {
                    biases.append(tensor.renamed(name))
                } else {
                    throw .unknownTensor(
                        tensor.name,
                        reason: name.hasSuffix(suffixBias)
                            ? "'bias' is \"none\""
                            : "a state dict of loralib has tensors that end in \(suffixA), "
                                + "\(suffixB) and .bias: save it with loralib's lora_state_dict",
                        file: file.path)
                }
            }
        }
    }
}
